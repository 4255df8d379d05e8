"""Calls that are logged value by value: one that cannot be logged costs no other of its name, its call or its step."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard import Board, Histogram, Media, Table, Text
from kohakuboard.client.rich import Rich
from kohakuboard.reader import open_run
from tests.client.boards import Hostile, finished, steps

PIXELS = np.zeros((4, 4, 3), dtype=np.uint8)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board("calls", base_dir=tmp_path, capture_output=False)
    yield board
    board.finish()


@pytest.mark.parametrize(
    ("values", "stored", "warning"),
    [
        (
            [Media(PIXELS), Media(np.zeros((2, 2, 9))), Media(PIXELS + 1)],
            [0, 2],
            "'samples'[1] was not logged",
        ),
        ((None, Media(PIXELS), 3.5), [1], "'samples'[0] and 1 more of 3 values were not logged"),
        ([Media("missing.png")] * 3, [], "'samples'[0] and 2 more of 3 values were not logged"),
        ([Media("missing.png")], [], "'samples'[0] was not logged"),
    ],
)
def test_of_several_values_the_good_ones_are_logged_at_their_places(
    board: Board, caplog: pytest.LogCaptureFixture, values: Any, stored: list[int], warning: str
) -> None:
    for step in (5, 6):
        board.log(samples=values, note=Text("beside"), loss=0.5, step=step)
    board.finish()
    run = open_run(board.path)
    (record,) = caplog.records
    assert record.getMessage().startswith(warning)
    found = [(one.step, one.position) for one in run.media("samples")] if stored else []
    assert found == [(step, place) for step in (5, 6) for place in stored]
    assert [one.step for one in run.text("note")] == [5, 6]
    assert run.series("loss").step.tolist() == [5, 6]


def test_everything_that_holds_one_number_is_a_scalar(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    values: dict[str, tuple[Any, float]] = {
        "int": (3, 3.0),
        "bool": (True, 1.0),
        "float": (0.1, 0.1),
        "np64": (np.float64(0.2), 0.2),
        "np32": (np.float32(0.5), 0.5),
        "np_int": (np.int32(-4), -4.0),
        "np_bool": (np.bool_(True), 1.0),
        "array0": (np.array(1.5), 1.5),
        "array1": (np.array([[2.5]]), 2.5),
        "tensor0": (torch.tensor(3.5), 3.5),
        "tensor1": (torch.tensor([4.5]), 4.5),
        "grad": (torch.tensor(5.5, requires_grad=True) * 1, 5.5),
        "bf16": (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        "fraction": (Fraction(1, 4), 0.25),
        "decimal": (Decimal("0.75"), 0.75),
        "big": (10**300, 1e300),
    }
    board = Board(base_dir=tmp_path)
    board.log({name: value for name, (value, _) in values.items()})
    for name, (value, _) in values.items():
        board.log({name: value})
    run = finished(board)
    for name, (_, expected) in values.items():
        assert run.series(name).value.tolist() == [expected, expected], name


def test_nan_and_infinities_are_values(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for value in (math.nan, math.inf, -math.inf, 1.0):
        board.log(a=value)
    run = finished(board)
    found = run.series("a").value.tolist()
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 1.0]
    metric = run.metrics["a"]
    assert (metric.count, metric.nonfinite, metric.min, metric.max, metric.mean) == (4, 3, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("value", "kind", "cure"),
    [
        ([1, 2], "list", "Histogram"),
        (np.zeros(8), "numpy.ndarray", ".mean()"),
        ("0.5", "str", "board.config"),
        (None, "NoneType", "nan"),
        (1 + 2j, "complex", ".real"),
        ({"x": 1}, "dict", "train/loss"),
        (10**400, "int", "logarithm"),
        (object(), "object", "number"),
        (np.datetime64("2026-01-01"), "numpy.datetime64", "number"),
        (Hostile(), "tests.client.boards.Hostile", "no number today"),
    ],
)
def test_what_is_no_scalar_is_refused_once_by_name_type_and_cure_and_the_rest_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, value: object, kind: str, cure: str
) -> None:
    board = Board(base_dir=tmp_path)
    for _ in range(3):
        board.log({"bad": value, "good": 1.0})
    run = finished(board)
    assert len(run.series("good").value) == 3
    assert list(run.metrics) == ["good"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for word in ("'bad'", kind, cure):
        assert word in record.getMessage()


def test_a_call_that_is_no_call_for_logging_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(base_dir=tmp_path)
    board.log([1, 2])  # type: ignore[arg-type]
    board.log()
    board.log({3: 1.0})  # type: ignore[dict-item]
    board.log([1, 2], loss=1.0)  # type: ignore[arg-type]
    run = finished(board)
    assert list(run.metrics) == ["3", "loss"]
    assert "list" in caplog.text


class BrokenTensor:
    shape = ()

    def item(self) -> float:
        raise RuntimeError("the device is gone")


def test_one_bad_value_does_not_cost_the_others_of_its_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A tensor whose item() raised, a key with half a surrogate pair, np.int64 bins, a caption that is no str or a cell
    beyond 64 bits each lost the whole call."""
    pixels = np.zeros((2, 2), dtype=np.uint8)
    board = Board(base_dir=tmp_path)
    board.log(
        {
            "broken": BrokenTensor(),
            "half\udcff": 1.0,
            np.str_("numpy"): 2.0,
            "histogram": Histogram([1, 2], bins=np.int64(4), range=(np.float32(0), np.float32(4))),
            "named": Media(pixels, caption=np.str_("x")),
            "numbered": Media(pixels, caption=3),  # type: ignore[arg-type]
            "table": Table([{"n\udcff": 2**70, "nested": {"deep": [-(2**70)], "text\udcff": "\udcff"}}]),
            "loss": 3.0,
        }
    )
    board.log({"half\udcff": 4.0})
    run = finished(board)
    assert {name: metric.last for name, metric in run.metrics.items()} == {
        "half\\udcff": 4.0, "numpy": 2.0, "loss": 3.0,
    }  # fmt: skip
    assert run.histograms("histogram").counts.tolist() == [[0, 1, 1, 0]]
    assert [entry.caption for entry in run.media()] == ["x", "3"]
    table = run.table("table")
    assert table.columns == ["n\\udcff", "nested"]
    assert table.rows == [[str(2**70), {"deep": [str(-(2**70))], "text\\udcff": "\\udcff"}]]
    (record,) = caplog.records
    assert "the device is gone" in record.getMessage()


class UnencodableItem(Rich):
    def _item(self, stage: object) -> dict[str, Any]:
        return {"type": "table", "columns": object()}


def test_scalars_beside_a_rich_value_that_cannot_be_encoded_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing encoder lost the scalars of the same call."""
    board = Board(base_dir=tmp_path)
    board.log(loss=1.0, rich=UnencodableItem())
    assert list(finished(board).metrics) == ["loss"]
    assert "'rich' was not logged" in caplog.text


def test_the_dict_that_is_logged_is_neither_changed_nor_kept(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    metrics = {"a": 1.0, "h": [1]}
    board.log(metrics, b=2.0)
    assert metrics == {"a": 1.0, "h": [1]}
    array = np.array(1.0)
    board.log(c=array)
    array += 1
    assert finished(board).series("c").value.tolist() == [1.0]


def test_rich_values_and_scalars_of_one_call_share_their_step(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    board.step(7)
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    board.log(
        loss=0.5,
        weights=Histogram(np.arange(100.0), bins=10),
        counted=Histogram([1, 2, np.nan, np.inf], bins=2).compute_bins(),
        picture=Media(pixels, caption="four by four"),
        pair=[Media(pixels), Media(pixels[:, :, 0])],
        table=Table([{"a": 1, "b": "x"}, {"a": None, "c": [1, 2]}]),
        large=Histogram(np.arange(200_000)),
    )
    run = finished(board)
    assert steps(run, "loss") == [7]
    histogram = run.histograms("weights")
    assert histogram.step.tolist() == [7]
    assert histogram.counts.tolist() == [[10] * 10]
    assert histogram.edges[0, [0, -1]].tolist() == [0.0, 99.0]
    assert run.histograms("counted").counts.tolist() == [[1, 1]]
    assert run.histograms("large").counts.sum() == 200_000
    (picture,) = run.media("picture")
    assert (picture.step, picture.caption, picture.mime, picture.width) == (7, "four by four", "image/png", 4)
    assert picture.read()[:4] == b"\x89PNG"
    assert [entry.position for entry in run.media("pair")] == [0, 1]
    assert run.media("pair")[0].hash == picture.hash
    table = run.table("table")
    assert (table.columns, table.rows) == (["a", "b", "c"], [[1, "x", None], [None, None, [1, 2]]])
    assert not list(board.path.glob("journal/*/*.staged"))


def test_a_rich_value_that_cannot_be_made_is_refused_in_words_when_it_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(base_dir=tmp_path)
    makers: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: Histogram(["a", "b"]), "dtype"),
        (lambda: Histogram([1.0], bins=0), "bins"),
        (lambda: Histogram.from_bins([1, 2], [0.0, 1.0]), "3 edges"),
        (lambda: Media(np.zeros((2, 2, 2, 2))), "(2, 2, 2, 2)"),
        (lambda: Media(np.full((2, 2), 300)), "255"),
        (lambda: Media("no/such/file.png"), "no file"),
        (lambda: Table([[1, 2]], columns=["a"]), "2 cells for 1 columns"),
        (lambda: Table([1, 2]), "dict"),
    )
    for i, (make, words) in enumerate(makers):
        board.log({f"rich{i}": make(), "loss": 1.0})
        assert f"'rich{i}'" in caplog.records[-1].getMessage()
        assert words in caplog.records[-1].getMessage()
    assert len(finished(board).series("loss").value) == len(makers)


def test_a_file_is_copied_when_it_is_logged_and_typed_by_its_content(tmp_path: Path) -> None:
    from PIL import Image

    source = tmp_path / "picture.dat"
    Image.new("RGB", (3, 2), "red").save(source, "JPEG")
    board = Board(base_dir=tmp_path / "runs")
    board.log(picture=Media(source))
    source.unlink()
    (entry,) = finished(board).media()
    assert (entry.mime, entry.extension, entry.width, entry.height) == ("image/jpeg", "jpeg", 3, 2)


def test_a_file_that_is_broken_is_kept_as_a_file_and_stops_nothing(tmp_path: Path) -> None:
    source = tmp_path / "broken.png"
    source.write_bytes(b"\x89PNG\r\n\x1a\n" + b"garbage" * 10)
    board = Board(base_dir=tmp_path / "runs")
    board.log(picture=Media(source), loss=1.0)
    run = finished(board)
    assert run.media()[0].mime == "application/octet-stream"
    assert run.series("loss").value.tolist() == [1.0]
