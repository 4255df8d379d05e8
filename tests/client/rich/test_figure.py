"""Plots of matplotlib and Plotly, recognised without importing either; and stand-ins where they are not installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard.client.rich import Figure, Media
from kohakuboard.client.values import rich_values
from kohakuboard.errors import RichValueError
from kohakuboard.journal.stage import Stage


@pytest.fixture
def axes() -> Any:
    return pytest.importorskip("matplotlib.figure").Figure().subplots()


def drawn(figure: Any, tmp_path: Path, **options: Any) -> bytes:
    found: dict[str, Any] = Figure(figure, **options).to_item(Stage(tmp_path))["file"]
    return bytes(found["data"]) if "data" in found else (tmp_path / found["staged"]).read_bytes()


def test_a_dict_of_plotly_becomes_json_with_its_arrays(tmp_path: Path) -> None:
    figure = {"data": [{"y": np.arange(3), "x": [0.5, float("nan")], "name": None}], "layout": {1: "a"}}
    item = Figure(figure, "caption").to_item(Stage(tmp_path))
    assert json.loads(item["figure"]["data"]) == {
        "data": [{"y": [0, 1, 2], "x": [0.5, None], "name": None}],
        "layout": {"1": "a"},
    }
    assert (item["type"], item["caption"]) == ("media", "caption")


def test_a_figure_of_plotly_is_taken_bare(tmp_path: Path) -> None:
    graphs = pytest.importorskip("plotly.graph_objects")
    (value,) = rich_values(graphs.Figure(graphs.Scatter(y=[1, 2])))
    assert isinstance(value, Figure)
    assert json.loads(value.to_item(Stage(tmp_path))["figure"]["data"])["data"][0]["type"] == "scatter"


def test_a_figure_that_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    class Broken:
        def to_plotly_json(self) -> None: ...
        def to_json(self) -> str:
            raise RuntimeError("no renderer")

    with pytest.raises(RichValueError, match=r"it cannot be drawn .*no renderer"):
        Figure(Broken()).to_item(Stage(tmp_path))


def test_a_plot_of_matplotlib_is_drawn_in_lines_and_the_same_way_each_time(axes: Any, tmp_path: Path) -> None:
    axes.plot([1, 2, 3])
    (bare,) = rich_values(axes.figure)
    assert isinstance(bare, Figure)
    first = drawn(axes.figure, tmp_path)
    assert b"<svg" in first
    assert drawn(axes, tmp_path) == first
    axes.plot([3, 2, 1])
    assert drawn(axes, tmp_path) != first
    assert drawn(axes, tmp_path, format="png")[:4] == b"\x89PNG"


def test_a_plot_of_many_points_becomes_pixels_unless_lines_are_asked_for(axes: Any, tmp_path: Path) -> None:
    axes.scatter(np.arange(30_000), np.arange(30_000))
    assert drawn(axes, tmp_path)[:4] == b"\x89PNG"


def test_media_of_a_plot_is_an_image(axes: Any, tmp_path: Path) -> None:
    item = Media(axes.figure).to_item(Stage(tmp_path))
    assert "is_figure" not in item
    assert (item["file"].get("data") or (tmp_path / item["file"]["staged"]).read_bytes())[:4] == b"\x89PNG"
