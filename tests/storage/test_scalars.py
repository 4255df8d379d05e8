from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.storage.lance import LANCE_ERRORS
from kohakuboard.storage.repair import manifest_name, versions
from kohakuboard.storage.scalars import ScalarColumn, ScalarReader, ScalarStore

INT64 = np.iinfo(np.int64)
ROOT = Path(__file__).parents[2]


def column(metric: str, seqs: range | list[int], *, shard: int = 0) -> ScalarColumn:
    """Make points that can be told from their metric, shard and seq."""
    at = np.array(seqs, dtype=np.int64)
    values = at.astype(np.float64) + len(metric) / 16
    return ScalarColumn(metric, shard, at, 3 * at - shard, 10_000 * at + at % 7, values)


def assert_same(found: ScalarColumn, expected: ScalarColumn) -> None:
    assert (found.metric, found.shard) == (expected.metric, expected.shard)
    for ours, theirs in zip(found[2:], expected[2:], strict=True):
        assert isinstance(ours, np.ndarray)
        assert isinstance(theirs, np.ndarray)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_every_point_is_read_back_exactly(tmp_path: Path) -> None:
    edge = [INT64.min, INT64.max, 0, -1, INT64.max, INT64.min]
    values = np.array([np.nan, np.inf, -np.inf, 5e-324, 1.7976931348623157e308, -0.0])
    extreme = ScalarColumn(
        "edge", 3, np.array([0, 1, 4, 5, 6, INT64.max]), np.array(edge), np.array(edge[::-1]), values
    )
    backwards = column("steps/out of order", range(100))._replace(steps=np.arange(100)[::-1] % 11)
    nothing = column("nothing", [])
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    store.append([extreme, backwards, nothing, column("m", [2])], {3: INT64.max, 0: 120})
    reader = ScalarReader(tmp_path / "scalars")
    for expected in (extreme, backwards, column("m", [2])):
        [found] = reader.series(expected.metric)
        assert_same(found, expected)
    assert np.signbit(reader.series("edge")[0].values[-1])
    assert reader.series("nothing") == reader.series("unknown") == []


def test_committed_is_the_last_record_of_each_shard_whatever_it_held(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    assert store.committed() == {}
    store.append([column("a", range(5)), column("a", range(3), shard=2)], {0: 9, 2: 4, 7: 100})
    store.append([column("b", range(10, 12))], {0: 11})
    store.append([], {0: 50})
    store.close()
    assert ScalarStore(tmp_path / "scalars" / "w.lance").committed() == {0: 11, 2: 4}
    assert ScalarReader(tmp_path / "scalars").committed() == {0: 11, 2: 4}


def test_a_flush_that_is_tried_again_with_more_in_it_is_there_once(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    for end in (10, 10, 25):
        store.append([column("a", range(end)), column("a", range(end), shard=1)], {0: end - 1, 1: end - 1})
    store.close()
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    store.append([column("a", range(25))], {0: 24})
    for found, shard in zip(ScalarReader(tmp_path / "scalars").series("a"), (0, 1), strict=True):
        assert_same(found, column("a", range(25), shard=shard))


def test_a_flush_for_which_the_disk_was_full_is_tried_again(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    store.append([column("a", range(5))], {0: 4})
    noise = column("a", range(5, 40_000))._replace(values=np.random.default_rng(0).normal(size=39_995))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        for _ in range(2):
            with pytest.raises(LANCE_ERRORS):
                store.append([noise], {0: 39_999})
            assert store.committed() == {0: 4}
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    store.append([noise], {0: 39_999})
    store.maintain(final=True)
    [found] = ScalarReader(tmp_path / "scalars").series("a")
    np.testing.assert_array_equal(found.seqs, np.arange(40_000))
    np.testing.assert_array_equal(found.values[5:], noise.values)


def test_a_merge_for_which_the_disk_was_full_loses_nothing(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    noise = np.random.default_rng(0).normal(size=4000)
    for start in range(0, 4000, 1000):
        part = column("a", range(start, start + 1000))._replace(values=noise[start : start + 1000])
        store.append([part], {0: start + 999})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(LANCE_ERRORS):
            store.maintain(final=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    expected = column("a", range(4000))._replace(values=noise)
    assert_same(ScalarReader(tmp_path / "scalars").series("a")[0], expected)
    store.maintain(final=True)
    assert_same(ScalarReader(tmp_path / "scalars").series("a")[0], expected)


def test_a_long_column_and_its_increments(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    store.append([column("long", range(150_000))], {0: 149_999})
    store.append([column("long", range(150_000, 150_010))], {0: 150_009})
    reader = ScalarReader(tmp_path / "scalars")
    assert_same(reader.series("long")[0], column("long", range(150_010)))
    assert_same(reader.series("long", after={0: 149_989})[0], column("long", range(149_990, 150_010)))
    assert reader.series("long", after={0: 150_009}) == []


def test_the_summary_comes_from_the_statistics_of_the_chunks(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    values = [np.array([1.0, np.nan, 4.0]), np.array([-2.0, np.inf, np.nan])]
    for number, part in enumerate(values):
        at = range(3 * number, 3 * number + 3)
        broken = column("nan", at)._replace(values=np.full(3, np.nan))
        store.append([column("loss", at)._replace(values=part), broken], {0: at[-1]})
    loss, broken_summary = ScalarReader(tmp_path / "scalars").metrics()
    assert loss == ("loss", 0, 6, 3, -2.0, 4.0, 3.0, -2.0, 0, 0, 15, 0, 50_005)
    assert (broken_summary.n, broken_summary.n_nonfinite, broken_summary.vsum) == (6, 6, 0.0)
    assert np.isnan([broken_summary.vmin, broken_summary.vmax, broken_summary.last]).all()


def test_merging_keeps_everything_and_bounds_the_number_of_files(tmp_path: Path) -> None:
    path = tmp_path / "scalars" / "w.lance"
    store = ScalarStore(path, retention_s=0)
    sizes = random.Random(1)
    end, most = 0, 0
    for number in range(330):
        start, end = end, end + sizes.choice([1, 3, 40, 700])
        columns = [column("a", range(start, end)), column("a", range(start, end), shard=1)]
        if number % 3 == 0:
            columns.append(column("now and then", [start]))
        store.append(columns, {0: end - 1, 1: end - 1})
        store.maintain()
        most = max(most, len(list(path.rglob("*"))))
    assert most < 150
    store.maintain(final=True)
    store.close()
    assert len(list((path / "data").iterdir())) == 1
    assert ScalarStore(path).committed() == {0: end - 1, 1: end - 1}
    reader = ScalarReader(tmp_path / "scalars")
    for found, shard in zip(reader.series("a"), (0, 1), strict=True):
        assert_same(found, column("a", range(end), shard=shard))
    assert len(reader.series("now and then")[0].seqs) == 110
    assert {summary.n for summary in reader.metrics()} == {110, end}


def test_ordinals_go_on_where_an_earlier_writer_stopped(tmp_path: Path) -> None:
    path = tmp_path / "scalars" / "w.lance"
    for number in range(5):
        store = ScalarStore(path, retention_s=0)
        store.append([column("a", range(10 * number, 10 * number + 10))], {0: 10 * number + 9})
        store.maintain(final=number % 2 == 1)
        store.close()
    assert_same(ScalarReader(tmp_path / "scalars").series("a")[0], column("a", range(50)))


def test_what_was_logged_together_is_stored_with_one_axis_and_read_by_metric(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    for start in (0, 50):
        together = [column(metric, range(start, start + 50)) for metric in ("a", "bb", "ccc")]
        store.append([*together, column("now and then", range(start, start + 50, 7))], {0: start + 49})
    reader = ScalarReader(tmp_path / "scalars")
    for _ in range(2):
        assert_same(reader.series("bb")[0], column("bb", range(100)))
        assert_same(reader.series("ccc", after={0: 60})[0], column("ccc", range(61, 100)))
        sparse = [*range(0, 50, 7), *range(50, 100, 7)]
        assert_same(reader.series("now and then")[0], column("now and then", sparse))
        store.maintain(final=True)
        reader.refresh()


def test_an_axis_that_is_remembered_belongs_to_its_metric_its_shard_and_its_version(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    reader = ScalarReader(tmp_path / "scalars")
    together, apart = ["loss", "accuracy"], range(0, 300, 3)
    for flush in range(3):
        seqs = range(300 * flush, 300 * flush + 300)
        columns = [column(name, seqs, shard=shard) for name in together for shard in (0, 1)]
        store.append(
            [*columns, column("lr", [300 * flush + seq for seq in apart])], {0: seqs[-1], 1: seqs[-1]}
        )
        reader.refresh()
        for name in (*together, "lr", *together):
            for shard, found in enumerate(reader.series(name)):
                expected = range(seqs[-1] + 1) if name != "lr" else range(0, seqs[-1] + 1, 3)
                assert_same(found, column(name, expected, shard=shard))


def test_an_ended_run_keeps_its_newest_version_alone(tmp_path: Path) -> None:
    path = tmp_path / "scalars" / "w.lance"
    store = ScalarStore(path)
    for number in range(5):
        store.append([column("m", [number])], {0: number})
    reader = ScalarReader(path.parent)
    store.maintain(final=True)
    assert [len(list((path / name).iterdir())) for name in ("data", "_transactions")] == [1, 1]
    assert versions(path) == [6]
    assert_same(reader.series("m")[0], column("m", range(5)))


def test_the_union_of_several_writers_is_in_log_order_and_has_no_point_twice(tmp_path: Path) -> None:
    first, second = (ScalarStore(tmp_path / "scalars" / f"{name}.lance") for name in "ab")
    first.append([column("m", range(10))], {0: 9})
    second.append([column("m", range(10, 20)), column("m", range(5), shard=1)], {0: 19, 1: 4})
    first.append([column("m", range(15, 30))], {0: 29})
    reader = ScalarReader(tmp_path / "scalars")
    assert_same(reader.series("m")[0], column("m", range(30)))
    assert_same(reader.series("m")[1], column("m", range(5), shard=1))
    assert reader.committed() == {0: 29, 1: 4}


def test_a_reader_is_a_snapshot_until_it_is_refreshed(tmp_path: Path) -> None:
    reader = ScalarReader(tmp_path / "scalars")
    assert (reader.refresh(), reader.series("m"), reader.committed(), reader.metrics()) == (False, [], {}, [])
    seen = {reader.version}
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    for number in range(3):
        store.append([column("m", [number])], {0: number})
        assert reader.committed() == ({0: number - 1} if number else {})
        assert reader.refresh()
        assert not reader.refresh()
        assert_same(reader.series("m")[0], column("m", range(number + 1)))
        seen.add(reader.version)
    assert len(seen) == 4


def test_a_reader_whose_files_were_merged_and_deleted_moves_on(tmp_path: Path) -> None:
    """A version past its retention answers `Not found` in the middle of a scan."""
    store = ScalarStore(tmp_path / "scalars" / "w.lance", retention_s=0)
    store.append([column("m", range(5))], {0: 4})
    readers = [ScalarReader(tmp_path / "scalars") for _ in range(3)]
    readers[0].series("m")
    store.append([column("m", range(5, 9))], {0: 8})
    store.maintain(final=True)
    assert_same(readers[0].series("m")[0], column("m", range(9)))
    assert readers[1].committed() == {0: 8}
    assert [summary.n for summary in readers[2].metrics()] == [9]


@pytest.mark.parametrize("damage", ["manifest", "data"])
def test_a_reader_falls_back_to_the_newest_whole_version(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "scalars" / "w.lance"
    store = ScalarStore(path)
    store.append([column("m", range(5))], {0: 4})
    before = set((path / "data").iterdir())
    store.append([column("m", range(5, 9))], {0: 8})
    [added] = set((path / "data").iterdir()) - before
    file = added if damage == "data" else path / "_versions" / manifest_name(versions(path)[0])
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    reader = ScalarReader(tmp_path / "scalars")
    assert_same(reader.series("m")[0], column("m", range(5)))
    reader.refresh()
    assert_same(reader.series("m")[0], column("m", range(5)))
    file.write_bytes(content)  # a copy that was not complete yet
    assert reader.refresh()
    assert_same(reader.series("m")[0], column("m", range(9)))


def test_reading_leaves_no_trace_and_needs_no_permission_to_write(tmp_path: Path) -> None:
    store = ScalarStore(tmp_path / "scalars" / "w.lance")
    for number in range(3):
        store.append([column("m", [number])], {0: number})
    store.close()
    everything = [tmp_path / "scalars", *(tmp_path / "scalars").rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in everything}
    try:
        reader = ScalarReader(tmp_path / "scalars")
        reader.refresh()
        assert_same(reader.series("m")[0], column("m", range(3)))
        assert reader.committed() == {0: 2}
        assert reader.metrics()[0].n == 3
        found = [tmp_path / "scalars", *(tmp_path / "scalars").rglob("*")]
        assert {path: path.stat().st_mtime_ns for path in found} == before
    finally:
        for path in everything:
            path.chmod(0o755 if path.is_dir() else 0o644)


WRITER = """
import itertools, os, sys, time
from pathlib import Path
import numpy as np
from kohakuboard.storage.scalars import ScalarColumn, ScalarStore

path, retention_s, pause_s = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])

def column(metric, start, stop, shard):
    at = np.arange(start, stop)
    return ScalarColumn(metric, shard, at, 3 * at - shard, 10_000 * at + at % 7, at + len(metric) / 16)

def write(said):
    store = ScalarStore(path, retention_s=retention_s)
    for number in itertools.count():
        seq_hi = store.committed()
        start = seq_hi.get(0, -1) + 1
        stop = start + 1 + start * 7 % 90
        columns = [column(metric, start, stop, shard) for metric in ("a", "bb") for shard in (0, 1)]
        store.append(columns, {0: stop - 1, 1: stop - 1})
        os.write(said, f"{stop - 1}\\n".encode())
        store.maintain(final=number % 50 == 49)
        time.sleep(pause_s)
"""

# Writes at once.
ONE_WRITER = WRITER + "write(said=1)"

# Forks a process that writes for each line of stdin, which names the file for what it says; tells its pid and, when it
# has ended, its status.
MANY_WRITERS = (
    WRITER
    + """
for line in sys.stdin:
    said = os.open(line.strip(), os.O_WRONLY | os.O_CREAT)
    pid = os.fork()
    if pid == 0:
        write(said)
    os.close(said)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""
)


def start_writer(
    path: Path, program: str = ONE_WRITER, *, retention_s: float, pause_s: float = 0
) -> subprocess.Popen[bytes]:
    """Start a process that appends and merges for ever."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(retention_s), str(pause_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "LANCE_LOG": "error"},
    )


def write_for_a_while(writers: subprocess.Popen[bytes], said: Path, seconds: float) -> int:
    """Let one of many writers work, and kill it; return the last seq it said was committed, -1 if it said nothing."""
    assert writers.stdin is not None
    assert writers.stdout is not None
    writers.stdin.write(f"{said}\n".encode())
    writers.stdin.flush()
    pid = int(writers.stdout.readline())
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    assert int(writers.stdout.readline()) == signal.SIGKILL
    told = said.read_bytes()
    whole_lines = told[: told.rfind(b"\n") + 1].split()
    return int(whole_lines[-1]) if whole_lines else -1


def kill(writer: subprocess.Popen[bytes]) -> None:
    writer.kill()
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL


def assert_exact(directory: Path, at_least: int) -> int:
    """Check that each point up to some seq is there once and in order; return that seq."""
    reader = ScalarReader(directory)
    last = reader.committed().get(0, -1)
    assert last >= at_least
    for metric in ("a", "bb") if last >= 0 else ():
        for found, shard in zip(reader.series(metric), (0, 1), strict=True):
            assert_same(found, column(metric, range(last + 1), shard=shard))
    return last


@pytest.mark.timeout(300)  # where many others want the processor
def test_a_writer_killed_at_any_moment_loses_nothing_it_had_committed(tmp_path: Path) -> None:
    path = tmp_path / "scalars" / "w.lance"
    moments = random.Random(2)
    acknowledged = last = -1
    longest_s = 0.4
    writers = start_writer(path, MANY_WRITERS, retention_s=0.2)
    for number in range(44):
        said = write_for_a_while(writers, tmp_path / f"said-{number}", moments.uniform(0, longest_s))
        # On a busy machine it takes longer until there is anything to lose.
        longest_s = longest_s if said >= 0 else min(1.2 * longest_s, 2)
        acknowledged = max(acknowledged, said)
        last = assert_exact(path.parent, max(acknowledged, last))
    writers.communicate()
    assert acknowledged > 1000, "the writers got to work"
    store = ScalarStore(path, retention_s=0)
    store.maintain(final=True)
    store.close()
    assert assert_exact(path.parent, last) == last
    assert len(list(path.rglob("*"))) < 12, "nothing is left of the 44 that were killed"


def test_a_reader_beside_a_writer_that_merges_and_cleans_sees_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "scalars" / "w.lance"
    writer = start_writer(path, retention_s=1, pause_s=0.002)
    reader, seen = ScalarReader(tmp_path / "scalars"), [0]
    began = time.monotonic()
    try:
        # For five seconds, and on a busy machine as long as it takes to see it go on.
        while (took := time.monotonic() - began) < 5 or (len(set(seen)) <= 20 and took < 90):
            reader.refresh()
            found = {series.shard: series for metric in ("a", "bb") for series in reader.series(metric)}
            if found:
                n = len(found[0].seqs)
                assert n >= seen[-1]
                assert_same(found[0], column("bb", range(n)))
                seen.append(n)
    finally:
        kill(writer)
    assert len(set(seen)) > 20


def test_a_live_run_that_is_copied_in_name_order_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "scalars" / "w.lance"
    writer = start_writer(path, retention_s=60)
    assert writer.stdout is not None
    try:
        for number in range(5):
            told = int(writer.stdout.readline())
            copy = tmp_path / f"copy-{number}" / "w.lance"
            for name in ("_versions", "data"):
                shutil.copytree(path / name, copy / name, ignore=shutil.ignore_patterns(".tmp*", "*#*"))
            assert_exact(copy.parent, told)
    finally:
        kill(writer)
