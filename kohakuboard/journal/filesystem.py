r"""Tell whether a directory lies on a file system of this machine alone, the only kind that may be mapped.

A store to mapped memory reaches other machines when it pleases, if ever, and where the server fails it ends training
with SIGBUS. SQLite's write-ahead log is a mapping, too. So on a file system that is, or may be, somebody else's, the
same records go through `write`, and SQLite keeps a rollback journal.

What a mount is can be read in the kernel's mount table; `statfs` would need ctypes, which training need not load.

    36 35 98:0 /root /mount\040point rw,noatime shared:1 - ext4 /dev/sda1 rw
    [0] number  [1] number of the mount it lies on  [4] where  [first behind the dash] type
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

__all__ = [
    "JOURNAL_VARIABLE",
    "MAPPED",
    "WAYS",
    "WRITE",
    "file_system",
    "is_local",
    "may_map",
    "may_map_segments",
]

MAPPED: Final = "mapped"
WRITE: Final = "write"
WAYS: Final = (MAPPED, WRITE)
JOURNAL_VARIABLE: Final = "KOHAKUBOARD_JOURNAL"

MOUNT_TABLE: Final = Path("/proc/self/mountinfo")

# Those known to be of one machine. Every other counts as a network's: NFS, Lustre, GPFS, CIFS, 9p, virtiofs, Ceph,
# BeeGFS, AFS, all that FUSE serves, and what is not invented yet. To write is right everywhere, only slower.
_LOCAL: Final = """
    ext2 ext3 ext4 xfs btrfs zfs bcachefs f2fs jfs reiserfs nilfs2 tmpfs ramfs rootfs overlay aufs ecryptfs
    ntfs3 exfat vfat msdos hfs hfsplus ufs apfs udf squashfs erofs iso9660 devtmpfs hugetlbfs
""".split()  # noqa: SIM905  (a list would be one word a line)


# They write what was there already to another place, and need room for it: on a full disk a store to a page that was
# written back meanwhile ends the process with SIGBUS, though its blocks were allocated. Measured on btrfs; ext4, XFS
# and tmpfs keep their word.
_COPY_ON_WRITE: Final = ("btrfs", "zfs", "bcachefs", "nilfs2")


def may_map_segments(
    directory: Path, environment: Mapping[str, str] = os.environ, table: Path = MOUNT_TABLE
) -> bool:
    """Tell whether segments in a directory may be mapped, also when the disk fills up; decided as in `may_map`."""
    way = environment.get(JOURNAL_VARIABLE, "")
    if way in WAYS:
        return way == MAPPED
    return is_local(directory, table) and file_system(directory, table) not in _COPY_ON_WRITE


def may_map(directory: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether files in a directory may be mapped: $KOHAKUBOARD_JOURNAL decides, else the file system."""
    way = environment.get(JOURNAL_VARIABLE, "")
    return way == MAPPED if way in WAYS else is_local(directory)


def is_local(directory: Path, table: Path = MOUNT_TABLE) -> bool:
    """Tell whether a directory is on a file system of this machine alone; True where that cannot be known."""
    kind = file_system(directory, table)
    return kind is None or kind in _LOCAL


def file_system(directory: Path, table: Path = MOUNT_TABLE) -> str | None:
    """Return the type of the file system that a directory is on, such as "nfs4"; None without a mount table."""
    place = os.path.realpath(directory)
    mounts = [mount for mount in _mounts(table) if _holds(mount.point, place)]
    numbers = {mount.number for mount in mounts}
    # From the mount that lies on none of the others up to the one that hides what is under it: the longest path is
    # not always it, since another may have been mounted over a directory above, nor is the last line of the table.
    level = [mount for mount in mounts if mount.on == mount.number or mount.on not in numbers]
    kind: str | None = None
    while level:
        here = min(level, key=lambda mount: len(mount.point))
        kind = here.kind
        level = [mount for mount in mounts if mount.on == here.number != mount.number]
    return kind


class _Mount(NamedTuple):
    number: bytes
    on: bytes
    point: str
    kind: str


def _holds(point: str, place: str) -> bool:
    return place == point or place.startswith(point.rstrip("/") + "/")


def _mounts(table: Path) -> Iterator[_Mount]:
    try:
        lines = table.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        mount, dash, source = line.partition(b" - ")
        fields, kinds = mount.split(), source.split()
        if dash and len(fields) > 4 and kinds:
            point = os.fsdecode(_unescaped(fields[4]))
            yield _Mount(fields[0], fields[1], point, os.fsdecode(kinds[0]))


def _unescaped(field: bytes) -> bytes:
    """Put back the bytes that the kernel writes as three octal digits: space, tab, line feed and backslash."""
    for escaped, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        field = field.replace(escaped, byte)
    return field
