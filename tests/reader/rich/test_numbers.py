"""Histograms, densities and tensors: what was logged is what is read, through a real writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard import Board, Histogram, KernelDensity, Tensor
from kohakuboard.reader import Run, open_run


@pytest.fixture
def logged(tmp_path: Path) -> Callable[..., Run]:
    def log(*calls: dict[str, Any]) -> Run:
        with Board("numbers", base_dir=tmp_path, capture_output=False) as board:
            for call in calls:
                board.log(call)
        return open_run(board.path)

    return log


def test_histograms_are_read_over_all_steps_whoever_counted_them(logged: Callable[..., Run]) -> None:
    draws = [np.random.default_rng(step).normal(size=50_000) for step in range(4)]
    for draw in draws:
        draw[:6] = [np.nan, np.nan, np.nan, np.inf, np.inf, -np.inf]
    run = logged(
        *({"late": Histogram(draw, 32), "now": Histogram(draw, 32).compute_bins()} for draw in draws)
    )
    for name in ("late", "now"):
        found = run.histograms(name)
        assert found.step.tolist() == [0, 1, 2, 3]
        for row, draw in enumerate(draws):
            counts, edges = np.histogram(draw[6:], 32)
            assert found.counts[row].tolist() == counts.tolist()
            assert found.edges[row].tolist() == edges.tolist()
        assert (found.n_nan[0], found.n_posinf[0], found.n_neginf[0]) == (3, 2, 1)
        assert found.n_nonfinite.tolist() == [6] * 4


def test_a_compact_histogram_is_about_right_and_given_bins_are_exact(logged: Callable[..., Run]) -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    run = logged(
        {"compact": Histogram(values, precision="compact"), "bins": Histogram.from_bins([3, 4], [0, 1, 5])}
    )
    counts, edges = np.histogram(values, 64)
    found = run.histograms("compact")
    np.testing.assert_allclose(found.counts[0], counts, rtol=0.06)
    np.testing.assert_array_equal(found.edges[0], edges)
    assert run.histograms("bins").counts.tolist() == [[3, 4]]
    assert run.histograms("bins").edges.tolist() == [[0, 1, 5]]


def test_a_histogram_shows_what_the_values_are_when_it_is_logged(logged: Callable[..., Run]) -> None:
    values = np.zeros(10)
    later, now = Histogram(values, 2, range=(0, 2)), Histogram(values, 2, range=(0, 2)).compute_bins()
    values += 1.5
    run = logged({"later": later, "now": now})
    assert run.histograms("later").counts.tolist() == [[0, 10]]
    assert run.histograms("now").counts.tolist() == [[10, 0]]


def test_densities_of_values_and_of_a_given_curve_are_read(logged: Callable[..., Run]) -> None:
    values = np.append(np.random.default_rng(0).normal(size=30_000), np.nan)
    curve = KernelDensity(grid=[0, 1, 2], density=[0.0, 1.0, 0.0])
    run = logged({"values": KernelDensity(values, points=64)}, {"curve": curve})
    (found,) = run.densities("values")
    assert (found.step, found.n_values, found.n_nonfinite, len(found.grid)) == (0, 30_001, 1, 64)
    assert found.density.max() == pytest.approx(0.4, abs=0.02)
    (given,) = run.densities("curve")
    assert (given.step, given.bandwidth, given.grid.tolist(), given.density.tolist()) == (
        1,
        None,
        [0, 1, 2],
        [0, 1, 0],
    )
    assert [one.name for one in run.densities()] == ["curve", "values"]


def test_tensors_keep_dtype_and_shape_and_large_ones_are_mapped(logged: Callable[..., Run]) -> None:
    torch = pytest.importorskip("torch")
    large = np.random.default_rng(0).normal(size=(500, 300)).astype(np.float32)
    large[0, :2] = np.nan, np.inf
    given = {
        "large": large,
        "half": torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16),
        "complex": np.array([1 + 2j]),
        "flags": np.array([True, False]),
        "empty": np.zeros((0, 3), np.int16),
        "scalar": 7,
    }
    run = logged({name: Tensor(value) for name, value in given.items()})
    found = {entry.name: entry for entry in run.tensors()}
    shapes = {name: (entry.dtype, entry.shape, entry.n_bytes) for name, entry in found.items()}
    assert shapes == {
        "large": ("float32", (500, 300), 600_000),
        "half": ("bfloat16", (1, 2), 4),
        "complex": ("complex128", (1,), 16),
        "flags": ("bool", (2,), 2),
        "empty": ("int16", (0, 3), 0),
        "scalar": ("int64", (), 8),
    }
    assert isinstance(found["large"].read(), np.memmap)
    np.testing.assert_array_equal(found["large"].array(), large)
    assert found["half"].read().dtype == np.uint16
    assert found["half"].array().tolist() == [[1.5, -2.0]]
    for name in ("complex", "flags", "empty", "scalar"):
        np.testing.assert_array_equal(found[name].array(), given[name])
    entry, finite = found["large"], large[np.isfinite(large)].astype(np.float64)
    assert (entry.min, entry.max, entry.n_nonfinite) == (finite.min(), finite.max(), 2)
    assert entry.mean == pytest.approx(finite.mean())
    assert entry.std == pytest.approx(finite.std())
    assert found["complex"].min is found["empty"].mean is None
    assert not list(run.path.glob("journal/*"))


def test_the_same_tensor_is_stored_once_and_is_there_at_each_of_its_steps(logged: Callable[..., Run]) -> None:
    large = np.arange(100_000)
    run = logged({"t": Tensor(large)}, {"t": Tensor(large)}, {"t": [Tensor(large[:2]), Tensor(large[:3])]})
    assert [(entry.step, entry.position) for entry in run.tensors("t")] == [(0, 0), (1, 0), (2, 0), (2, 1)]
    assert len(list(run.path.glob("media/*/*.npy"))) == 1


def test_what_cannot_be_used_is_named_once_with_the_cure_and_the_rest_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {
        "density": (KernelDensity([1.0], bandwidth="wide"), "'scott', 'silverman' or above 0"),  # type: ignore[arg-type]
        "neither": (KernelDensity(), "either values, or grid and density"),
        "both": (KernelDensity([1.0], grid=[1], density=[1]), "either values, or grid and density"),
        "short": (KernelDensity(grid=[1, 2], density=[1]), "2 points needs as many densities, not 1"),
        "points": (KernelDensity([1.0], points=1), "points must be"),
        "text": (Tensor(["a"]), "dtype is <U1; pass numbers"),
        "precision": (Histogram([1.0], precision="small"), "'exact' or 'compact'"),  # type: ignore[arg-type]
        "negative": (Histogram.from_bins([-1], [0, 1]), "below 0"),
        "descending": (Histogram.from_bins([1], [1, 0]), "must not descend"),
        "no bins": (Histogram.from_bins([], [0]), "one count or more"),
    }
    board = Board("bad", base_dir=tmp_path, capture_output=False)
    for step in range(2):
        board.log({name: value for name, (value, _) in bad.items()} | {"loss": 1.0}, step=step)
    board.finish()
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == len(bad)
    for warning, (name, (_, words)) in zip(warnings, bad.items(), strict=True):
        assert repr(name) in warning
        assert words in warning
    assert open_run(board.path).series("loss").step.tolist() == [0, 1]


def test_a_density_without_finite_values_is_a_problem_of_the_run(logged: Callable[..., Run]) -> None:
    run = logged({"d": KernelDensity([np.nan]), "loss": 1.0})
    assert run.densities() == []
    assert run.problems == ["density 'd' of step 0 could not be stored: it has no finite values"]


def test_shortcuts_log_what_the_types_do(tmp_path: Path) -> None:
    with Board("shortcuts", base_dir=tmp_path, capture_output=False) as board:
        board.log_histogram("h", [1, 2], bins=2, precision="compact", step=3)
        board.log_kernel_density("d", [1, 2], points=8, step=4)
        board.log_tensor("t", [[1, 2]], step=5)
    run = open_run(board.path)
    assert run.histograms("h").step.tolist() == [3]
    assert run.densities("d")[0].step == 4
    assert run.tensors("t")[0].step == 5
