from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard_viewer.axes import plain_axis
from kohakuboard_viewer.chart import Chart, csv_rows
from kohakuboard_viewer.lines import Drawn
from kohakuboard_viewer.picture import picture
from kohakuboard_viewer.reduce import Curve
from kohakuboard_viewer.smooth import Smoothing

WORDS = {
    "run": "p/one",
    "metric": "<loss>",
    "attempt": None,
    "label": "a & b",
    "light": "#112233",
    "dash": (2, 3),
}


def chart_of(values: list[float], axis: str = "step") -> Chart:
    curve = Curve(np.arange(len(values)) * 1000, np.array(values))
    return Chart.of([Drawn(curve, WORDS), Drawn(curve, WORDS)], plain_axis(axis), None, None)


@settings(deadline=None)
@given(
    st.lists(st.floats(), min_size=1, max_size=40),
    st.booleans(),
    st.sampled_from([None, Smoothing("ema", 0.5)]),
)
def test_any_curve_is_drawn_as_an_svg_of_numbers(
    values: list[float], log: bool, smooth: Smoothing | None
) -> None:
    svg = picture(chart_of(values).scene(smooth, log=log))
    root = ElementTree.fromstring(svg)
    assert "nan" not in svg
    assert "inf" not in svg.replace("info", "")
    assert [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")].count("a & b") == 2


@pytest.mark.parametrize("axis", ["step", "relative", "wall", "index"])
def test_the_ends_of_y_can_be_set(axis: str) -> None:
    svg = picture(chart_of([1.0, 2.0, 30.0], axis).scene(None, low=0.0, high=5.0))
    assert ">5<" in svg
    assert ">30<" not in svg


def test_all_points_of_a_window_come_as_text() -> None:
    curve = Curve(np.arange(30_000), np.where(np.arange(30_000) == 7, math.nan, 0.1))
    words: dict[str, Any] = {**WORDS, "run": 'p/a,"b'}
    text = "".join(csv_rows(Chart.of([Drawn(curve, words)], plain_axis("step"), 5, 25_004)))
    lines = text.splitlines()
    assert lines[0] == "run,metric,attempt,step,value"
    assert lines[1:4] == ['"p/a,""b",<loss>,,5,0.1', '"p/a,""b",<loss>,,6,0.1', '"p/a,""b",<loss>,,7,nan']
    assert len(lines) == 25_001
