from __future__ import annotations

import shutil
from pathlib import Path

import lance
import numpy as np
import pytest
from numpy.typing import NDArray

from kohakuboard.storage.histograms import HistogramColumn, HistogramReader, HistogramStore

INT64 = np.iinfo(np.int64)


def column(metric: str, seqs: range, *, shard: int = 0, bins: int = 8) -> HistogramColumn:
    """Make histograms that can be told from their metric, shard and seq."""
    at = np.array(seqs, dtype=np.int64)
    counts = at[:, None] * 100 + np.arange(bins) + shard
    edges = np.linspace(-at - 0.1, at + 0.3, bins + 1, axis=-1)
    return HistogramColumn(
        metric, shard, at, 2 * at, 1000 * at, counts, edges, np.stack([at % 3, at % 5, at % 7])
    )


def stored(directory: Path, *columns: HistogramColumn) -> HistogramReader:
    store = HistogramStore(directory / "w.lance")
    store.append(columns, {column.shard: int(column.seqs[-1]) for column in columns})
    store.close()
    return HistogramReader(directory)


def assert_has(reader: HistogramReader, expected: HistogramColumn) -> None:
    found = reader.series(expected.metric)
    assert found is not None
    np.testing.assert_array_equal(found.shards, expected.shard)
    assert expected.nonfinite is not None
    nonfinite = dict(zip(("n_nan", "n_posinf", "n_neginf"), expected.nonfinite, strict=True))
    for name in ("seqs", "steps", "times", "counts", "edges", *nonfinite):
        ours, theirs = getattr(found, name), nonfinite[name] if name in nonfinite else getattr(expected, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_histograms_are_read_back_exactly(tmp_path: Path) -> None:
    uneven = np.array([[-np.inf, -1.0, 0.0, 5e-324, 1e308], [1.0, 2.0, 4.0, 8.0, np.inf]])
    counts = np.array([[INT64.max, 0, 1, 2], [0, 0, 0, 0]])
    at = np.array([1, 2])
    extreme = HistogramColumn(
        "uneven", 0, at, np.array([INT64.max, INT64.min]), at, counts, uneven, np.array([at] * 3)
    )
    reader = stored(tmp_path / "histograms", column("even", range(20)), extreme)
    assert_has(reader, column("even", range(20)))
    assert_has(reader, extreme)
    assert reader.series("unknown") is None
    assert reader.metrics() == ["even", "uneven"]


def test_edges_are_stored_only_where_bins_are_uneven(tmp_path: Path) -> None:
    odd = column("odd", range(3))
    assert isinstance(odd.edges, np.ndarray)
    odd.edges[1, 2] += 1e-9
    stored(tmp_path / "histograms", column("even", range(3)), odd)
    rows = lance.dataset(tmp_path / "histograms" / "w.lance").to_table(columns=["metric", "edges"])
    assert rows["edges"].is_null().to_pylist() == [True, True, True, True, False, True]


def test_a_histogram_with_fewer_bins_is_followed_by_bins_of_no_width(tmp_path: Path) -> None:
    at = np.arange(3)
    counts: list[NDArray[np.int64]] = [np.array([4, 5]), np.array([1, 2, 3, 4]), np.array([7])]
    edges = [np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0, 5.0, 9.0]), np.array([-1.0, 1.0])]
    found = stored(tmp_path / "histograms", HistogramColumn("h", 0, at, at, at, counts, edges)).series("h")
    assert found is not None
    assert found.bins.tolist() == [2, 4, 1]
    assert found.counts.tolist() == [[4, 5, 0, 0], [1, 2, 3, 4], [7, 0, 0, 0]]
    assert found.edges.tolist() == [[0, 1, 2, 2, 2], [0, 1, 2, 5, 9], [-1, 1, 1, 1, 1]]
    assert found.n_nan.tolist() == found.n_posinf.tolist() == found.n_neginf.tolist() == [0, 0, 0]


def test_counts_that_do_not_fit_their_edges_are_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    store = HistogramStore(tmp_path / "w.lance")
    at = np.arange(1)
    with pytest.raises(ValueError, match="'h' has 2 counts and 2 edges"):
        store.append(
            [HistogramColumn("h", 0, at, at, at, np.ones((1, 2), np.int64), np.ones((1, 2)))], {0: 0}
        )
    assert store.committed() == {}


def test_what_is_committed_is_left_out_when_it_comes_again(tmp_path: Path) -> None:
    store = HistogramStore(tmp_path / "histograms" / "w.lance")
    for end in (5, 5, 9):
        store.append([column("h", range(end))], {0: end + 10 * (end == 9)})
    store.append([], {0: 100})
    assert store.committed() == {0: 19}
    store.close()
    assert HistogramStore(tmp_path / "histograms" / "w.lance").committed() == {0: 19}
    reader = HistogramReader(tmp_path / "histograms")
    assert reader.committed() == {0: 19}
    # The first flush said that it went up to 5, so 5 was in it, with no histogram.
    found = reader.series("h")
    assert found is not None
    assert found.seqs.tolist() == [0, 1, 2, 3, 4, 6, 7, 8]


def test_merging_keeps_everything_and_bounds_the_number_of_files(tmp_path: Path) -> None:
    path = tmp_path / "histograms" / "w.lance"
    store = HistogramStore(path, retention_s=0)
    most = 0
    for number in range(120):
        columns = [
            column(metric, range(number, number + 1), shard=shard) for metric in "ab" for shard in (0, 1)
        ]
        store.append(columns, {0: number, 1: number})
        store.maintain()
        most = max(most, len(list(path.rglob("*"))))
    assert most < 80
    store.maintain(final=True)
    assert len(list((path / "data").iterdir())) == 1
    reader = HistogramReader(tmp_path / "histograms")
    for metric in "ab":
        found = reader.series(metric)
        assert found is not None
        assert found.shards.tolist() == [0] * 120 + [1] * 120
        assert found.seqs.tolist() == [*range(120)] * 2
        np.testing.assert_array_equal(found.counts[120:], column(metric, range(120), shard=1).counts)
        np.testing.assert_array_equal(found.edges[:120], column(metric, range(120)).edges)


def test_the_union_of_several_writers_has_nothing_twice(tmp_path: Path) -> None:
    stored(tmp_path / "histograms", column("h", range(10)))
    shutil.move(tmp_path / "histograms" / "w.lance", tmp_path / "histograms" / "v.lance")
    reader = stored(tmp_path / "histograms", column("h", range(5, 20)))
    assert_has(reader, column("h", range(20)))


def test_a_reader_whose_files_were_merged_and_deleted_moves_on(tmp_path: Path) -> None:
    store = HistogramStore(tmp_path / "histograms" / "w.lance", retention_s=0)
    store.append([column("h", range(3))], {0: 2})
    reader = HistogramReader(tmp_path / "histograms")
    store.append([column("h", range(3, 6))], {0: 5})
    store.maintain(final=True)
    assert_has(reader, column("h", range(6)))
    assert not reader.refresh()


def test_there_may_be_no_histograms_at_all(tmp_path: Path) -> None:
    reader = HistogramReader(tmp_path / "histograms")
    assert (reader.series("h"), reader.metrics(), reader.committed()) == (None, [], {})
    stored(tmp_path / "histograms", column("h", range(2)))
    assert reader.refresh()
    assert_has(reader, column("h", range(2)))
