from __future__ import annotations

import re

import numpy as np
import pytest

from kohakuboard_viewer.heat import Heat, heat_map
from kohakuboard_viewer.relief import HEIGHT, WIDTH, ridges, surface


def heat(steps: int = 6, bins: int = 8) -> Heat:
    """Return histograms whose one peak moves a bin to the right with each step."""
    counts = np.zeros((steps, bins), np.int64)
    counts[np.arange(steps), np.arange(steps) % bins] = 10
    edges = np.repeat(np.linspace(0, 1, bins + 1)[None], steps, axis=0)
    return heat_map(np.arange(steps) * 10, counts, edges, 100, bins)


def points(d: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", d)]


def test_each_ridge_has_its_peak_where_the_values_are() -> None:
    for i, ridge in enumerate(ridges(heat(), None)):
        peak = min(points(ridge.d), key=lambda point: point[1])
        assert round(peak[0] / WIDTH * 9) - 1 == i
        assert ridge.title == f"step {i * 10}"


@pytest.mark.parametrize(("step", "chosen"), [(None, []), (-1, []), (0, [0]), (25, [2]), (999, [5])])
def test_the_ridge_of_the_step_is_marked(step: int | None, chosen: list[int]) -> None:
    assert [i for i, one in enumerate(ridges(heat(), step)) if "chosen" in one.classes] == chosen
    assert sum(one.classes == "chosen" for one in surface(heat(), step)) == len(chosen)


@pytest.mark.parametrize("draw", [ridges, surface])
@pytest.mark.parametrize("steps", [1, 2, 40])
def test_all_is_drawn_inside_of_the_box(draw: object, steps: int) -> None:
    assert callable(draw)
    for one in draw(heat(steps), 0):
        for x, y in points(one.d):
            assert -1 <= x <= WIDTH + 1
            assert -1 <= y <= HEIGHT + 1


def test_the_highest_faces_of_a_surface_have_the_highest_level() -> None:
    same = heat_map(
        np.arange(4), np.tile([0, 0, 9, 9, 0, 0], (4, 1)), np.tile(np.linspace(0, 1, 7), (4, 1)), 9, 6
    )
    levels = {int(one.classes[-1]) for one in surface(same, None)}
    assert {0, 7} <= levels
