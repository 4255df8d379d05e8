"""What is read is the same with a sidecar and without, and a sidecar counts for nothing but what it was made of."""

from __future__ import annotations

import random
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kohakuboard.storage.histograms import HistogramColumn, HistogramReader, HistogramStore
from kohakuboard.storage.repair import VERSIONS, manifest_name
from kohakuboard.storage.scalars import ScalarColumn, ScalarReader, ScalarStore
from kohakuboard.storage.sidecar import LONGEST_BYTES, read_sidecar

METRICS = ("even", "uneven", "with gaps", "none finite")


def columns(begin: int, end: int) -> list[ScalarColumn]:
    """Make points of two shards, whose steps and times are stored in each of the ways that there are."""
    at = np.arange(begin, end)
    random_walk = np.random.default_rng(begin).integers(-5, 9, len(at)).cumsum()
    steps = {"even": at, "uneven": random_walk, "with gaps": at + at // 40, "none finite": at}
    values = {name: np.sin(at) * len(name) for name in METRICS} | {"none finite": np.full(len(at), np.nan)}
    return [
        ScalarColumn(name, shard, at, steps[name], 1000 * at + random_walk % 7, values[name] + shard)
        for shard in (0, 3)
        for name in METRICS
    ]


def write(directory: Path, *stretches: tuple[int, int], final: bool = True) -> None:
    store = ScalarStore(directory / "w.lance", retention_s=0)
    for begin, end in stretches:
        store.append(columns(begin, end), {0: end - 1, 3: end - 1})
    store.maintain(final=final)
    store.close()


def everything(directory: Path) -> list[object]:
    """Return all that a reader says, as text in which nan equals nan."""
    reader = ScalarReader(directory)
    later = [reader.later(name, {0: 5}) for name in METRICS]
    found = [reader.series(name) for name in METRICS], [reader.series(name, after={3: 7}) for name in METRICS]
    by_step = [reader.by_step(name) for name in METRICS]
    with np.printoptions(threshold=2**31, floatmode="unique"):
        return [repr(one) for one in (reader.committed(), reader.metrics(), *found, later, by_step)]


def has_sidecar(directory: Path) -> bool:
    return read_sidecar(directory / "w.lance") is not None


def without_sidecar(directory: Path) -> list[object]:
    other = directory.parent / "without"
    shutil.copytree(directory, other)
    (other / "w.rows").unlink(missing_ok=True)
    found = everything(other)
    shutil.rmtree(other)
    return found


def data_file(directory: Path) -> Path:
    [file] = (directory / "w.lance" / "data").iterdir()
    return file


def blank(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def test_a_dataset_with_a_sidecar_is_read_beside_one_without(tmp_path: Path) -> None:
    """As of a run that another host has continued: the columns of one were nullable, and nothing was read of either."""
    write(tmp_path / "scalars", (0, 50))
    write(tmp_path / "other", (50, 90), final=False)
    shutil.copytree(tmp_path / "other" / "w.lance", tmp_path / "scalars" / "later.lance")
    assert has_sidecar(tmp_path / "scalars")
    assert everything(tmp_path / "scalars") == without_sidecar(tmp_path / "scalars")
    for series in ScalarReader(tmp_path / "scalars").series("even"):
        assert series.steps.tolist() == list(range(90))


def test_a_reader_says_the_same_with_a_sidecar_and_without(tmp_path: Path) -> None:
    write(tmp_path / "s", (0, 300), (300, 517))
    assert has_sidecar(tmp_path / "s")
    assert everything(tmp_path / "s") == without_sidecar(tmp_path / "s")
    expected = columns(0, 300), columns(300, 517)
    [found, _] = ScalarReader(tmp_path / "s").series("uneven")
    for place in (2, 3, 4, 5):
        np.testing.assert_array_equal(found[place], np.concatenate([part[1][place] for part in expected]))


def test_points_come_from_the_sidecar_alone(tmp_path: Path) -> None:
    write(tmp_path / "s", (0, 100))
    expected = everything(tmp_path / "s")
    blank(data_file(tmp_path / "s"))
    assert everything(tmp_path / "s") == expected


def test_a_copy_keeps_its_sidecar(tmp_path: Path) -> None:
    write(tmp_path / "s", (0, 100))
    shutil.copytree(tmp_path / "s", tmp_path / "t", copy_function=shutil.copyfile)
    assert has_sidecar(tmp_path / "t")


def test_a_run_that_has_not_ended_has_none(tmp_path: Path) -> None:
    write(tmp_path / "s", (0, 100), final=False)
    assert not (tmp_path / "s" / "w.rows").exists()


def test_a_long_dataset_has_none(tmp_path: Path) -> None:
    n = LONGEST_BYTES // 8
    at = np.arange(n)
    store = ScalarStore(tmp_path / "s" / "w.lance")
    store.append([ScalarColumn("noise", 0, at, at, at, np.random.default_rng(0).normal(size=n))], {0: n - 1})
    store.maintain(final=True)
    assert not (tmp_path / "s" / "w.rows").exists()


def test_a_dataset_that_packs_well_but_is_long_in_memory_has_none(tmp_path: Path) -> None:
    n = LONGEST_BYTES // 8
    at = np.arange(n)
    store = ScalarStore(tmp_path / "s" / "w.lance")
    store.append([ScalarColumn("constant", 0, at, at, at, np.zeros(n))], {0: n - 1})
    store.maintain(final=True)
    assert data_file(tmp_path / "s").stat().st_size < LONGEST_BYTES
    assert not (tmp_path / "s" / "w.rows").exists()


def test_an_open_reader_goes_on_with_what_a_continued_run_adds(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    write(directory, (0, 100))
    reader = ScalarReader(directory)
    before = reader.version
    assert not reader.refresh()
    store = ScalarStore(directory / "w.lance")
    assert not (directory / "w.rows").exists()
    assert not reader.refresh(), "its version is still the newest"
    store.append(columns(100, 130), {0: 129, 3: 129})
    assert reader.refresh()
    assert reader.version != before
    assert len(reader.series("even")[0].seqs) == 130
    store.maintain(final=True)
    assert has_sidecar(directory)
    assert everything(directory) == without_sidecar(directory)
    assert reader.refresh()
    assert len(reader.series("even")[0].seqs) == 130


def test_a_stale_sidecar_does_not_count(tmp_path: Path) -> None:
    """Nor where a newest manifest was set aside, so that its number was given again."""
    directory = tmp_path / "s"
    write(directory, (0, 100))
    stale = (directory / "w.rows").read_bytes()
    manifest = directory / "w.lance" / VERSIONS / manifest_name(1)
    assert manifest.exists()
    write(directory, (100, 110), final=False)
    (directory / "w.rows").write_bytes(stale)
    assert not has_sidecar(directory)
    assert len(ScalarReader(directory).series("even")[0].seqs) == 110
    again = tmp_path / "again"
    write(again, (0, 100))
    (again / "w.rows").write_bytes(stale)
    assert not has_sidecar(again), "version 1 as well, but not the same one"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_sidecar_does_not_make_up_for_a_data_file_that_is_not_whole(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """A copy that is not whole is to be seen as one."""
    write(tmp_path / "s", (0, 100))
    damage(data_file(tmp_path / "s"))
    assert not has_sidecar(tmp_path / "s")


def test_a_damaged_sidecar_is_passed_over(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    write(directory, (0, 60))
    path = directory / "w.rows"
    content, chance = path.read_bytes(), random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])])
        assert not has_sidecar(directory)
    path.write_bytes(b"")
    assert everything(directory) == without_sidecar(directory)


def test_a_full_disk_leaves_a_run_without_a_sidecar_and_all_else_whole(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    store = ScalarStore(directory / "w.lance")
    at = np.arange(10_000)
    store.append([ScalarColumn("constant", 0, at, at, at, np.zeros(len(at)))], {0: len(at) - 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        store.maintain(final=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (directory / "w.rows").exists()
    assert len(ScalarReader(directory).series("constant")[0].seqs) == len(at)
    ScalarStore(directory / "w.lance")
    assert [file.name for file in directory.iterdir()] == ["w.lance"]


def test_histograms_have_one_too(tmp_path: Path) -> None:
    directory = tmp_path / "histograms"
    store = HistogramStore(directory / "w.lance")
    at = np.arange(40)
    counts = at[:, None] + np.arange(8)
    uneven = np.sort(np.random.default_rng(0).normal(size=(40, 9)), axis=1)
    store.append([HistogramColumn("h", 0, at, at, at, counts, uneven)], {0: 39})
    store.maintain(final=True)
    expected = HistogramReader(directory).series("h")
    blank(data_file(directory))
    found = HistogramReader(directory).series("h")
    assert found is not None
    assert expected is not None
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_array_equal(found.edges, uneven)
    np.testing.assert_array_equal(found.steps, expected.steps)


def test_histograms_with_a_sidecar_are_read_beside_those_without(tmp_path: Path) -> None:
    for name, begin, end in (("first", 0, 40), ("later", 40, 60)):
        store = HistogramStore(tmp_path / f"{name}.lance")
        at = np.arange(begin, end)
        edges = np.arange(9.0) ** 2 + at[:, None]
        store.append([HistogramColumn("h", 0, at, at, at, at[:, None] + np.arange(8), edges)], {0: end - 1})
        store.maintain(final=name == "first")
        store.close()
    assert [path.name for path in tmp_path.glob("*.rows")] == ["first.rows"]
    found = HistogramReader(tmp_path).series("h")
    assert found is not None
    assert found.steps.tolist() == list(range(60))
    assert found.counts[:, 0].tolist() == list(range(60))
    assert found.edges[:, 0].tolist() == list(range(60))
