from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohakuboard_viewer.reduce import Curve
from kohakuboard_viewer.sparkline import sparkline


def drawn(values: list[float]) -> str:
    curve = Curve(np.arange(len(values)), np.array(values, dtype=np.float64))
    return sparkline(curve.reduce(0, len(values) - 1, 30), 120, 28)


@given(st.lists(st.floats(), min_size=1, max_size=80))
def test_any_values_give_an_svg_with_all_points_inside(values: list[float]) -> None:
    svg = ElementTree.fromstring(drawn(values))
    for path in svg.iter("{http://www.w3.org/2000/svg}path"):
        for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path.get("d", "")):
            assert 0 <= float(x) <= 120
            assert 0 <= float(y) <= 28


@pytest.mark.parametrize("values", [[math.nan], [math.inf, -math.inf]])
def test_nothing_finite_gives_an_empty_picture(values: list[float]) -> None:
    assert "path" not in drawn(values)


def test_a_spike_reaches_the_top() -> None:
    values = [0.0] * 10_000
    values[5000] = 1.0
    assert re.search(r",2\.0[LZ]", drawn(values))
