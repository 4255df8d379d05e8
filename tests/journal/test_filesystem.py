"""The mount table is the seam: faked tables for what cannot be mounted here, the kernel's for what can."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohakuboard.journal.filesystem import file_system, is_local, may_map, may_map_segments

# As the kernel lists them: the root need not come first.
TABLE = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:50 / /home rw,relatime shared:7 - nfs4 server:/home rw,vers=4.2
41 40 8:1 / /home/me/scratch rw,relatime - xfs /dev/sdb rw
42 27 0:51 / /mnt/two\040words rw - lustre mgs@tcp:/scratch rw
43 27 0:52 / /data rw - autofs systemd-1 rw
44 43 0:53 / /data rw master:5 - cifs //server/share rw
45 27 0:54 / /deep/inside rw - nfs server:/old rw
46 27 8:2 / /deep rw - btrfs /dev/sdc rw
47 27 0:55 / /back\134slash\011tab rw - fuse.sshfs host: rw
"""

FOREIGN = """
    nfs nfs4 lustre gpfs cifs smb3 smbfs 9p virtiofs ceph beegfs fhgfs afs openafs fuse fuse.sshfs fuse.s3fs
    fuse.glusterfs fuse.juicefs fuseblk wekafs panfs pvfs2 ocfs2 gfs2 vboxsf prl_fs davfs coda dvs ncpfs
    something-new
""".split()  # noqa: SIM905  (a list would be one word a line)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(TABLE.lstrip())
    return path


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/", "ext4"),
        ("/homestead", "ext4"),
        ("/proc/1", "proc"),
        ("/home", "nfs4"),
        ("/home/me", "nfs4"),
        ("/home/me/scratch/run", "xfs"),
        ("/home/me/scratches", "nfs4"),
        ("/mnt/two words/run", "lustre"),
        ("/mnt/two", "ext4"),
        ("/back\\slash\ttab", "fuse.sshfs"),
    ],
)
def test_a_directory_is_on_the_mount_nearest_above_it(table: Path, directory: str, kind: str) -> None:
    assert file_system(Path(directory), table) == kind


def test_a_later_mount_at_the_same_place_hides_the_earlier(table: Path) -> None:
    assert file_system(Path("/data/run"), table) == "cifs"


def test_a_mount_over_a_directory_above_hides_a_longer_path(table: Path) -> None:
    assert file_system(Path("/deep/inside/run"), table) == "btrfs"


def test_a_root_that_says_it_lies_on_itself_is_a_root(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text("1 1 0:2 / / rw - rootfs rootfs rw\n9 1 0:3 / /far rw - nfs server:/ rw\n")
    assert file_system(Path("/near"), table) == "rootfs"
    assert file_system(Path("/far/run"), table) == "nfs"


def test_a_link_is_followed_to_the_file_system_it_leads_to(table: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to("/home/me/runs")
    assert file_system(tmp_path / "runs", table) == "nfs4"


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_known_to_be_of_this_machine_alone_is_not_mapped(tmp_path: Path, kind: str) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 0:2 / / rw - ext4 /dev/sda rw\n2 1 0:3 / /shared rw - {kind} source rw\n")
    assert not is_local(Path("/shared/run"), table)
    assert is_local(Path("/own/run"), table)


@pytest.mark.parametrize("text", [None, "", "no table\n", "1 0 0:2 / / rw ext4\n", "\x00 - \n"])
def test_without_a_table_that_can_be_read_a_file_system_counts_as_local(
    tmp_path: Path, text: str | None
) -> None:
    table = tmp_path / "mountinfo"
    if text is not None:
        table.write_text(text)
    assert file_system(tmp_path, table) is None
    assert is_local(tmp_path, table)


def test_the_environment_decides_over_the_file_system(tmp_path: Path) -> None:
    assert not may_map(tmp_path, {"KOHAKUBOARD_JOURNAL": "write"})
    assert may_map(Path("/proc"), {"KOHAKUBOARD_JOURNAL": "mapped"})
    # What is neither leaves it to the file system: /proc is none that is known to be local.
    assert not may_map(Path("/proc"), {"KOHAKUBOARD_JOURNAL": "fast"})
    assert not may_map(Path("/proc"), {})


def test_segments_are_not_mapped_where_allocated_blocks_need_room_again(table: Path) -> None:
    """A store to a mapped segment ended training with SIGBUS on a btrfs that was full."""
    assert not may_map_segments(Path("/deep/run"), {}, table)
    assert may_map_segments(Path("/home/me/scratch/run"), {}, table)
    assert may_map_segments(Path("/deep/run"), {"KOHAKUBOARD_JOURNAL": "mapped"}, table)
    assert not may_map_segments(Path("/home/me/scratch/run"), {"KOHAKUBOARD_JOURNAL": "write"}, table)
