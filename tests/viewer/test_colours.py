from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

import kohakuboard_viewer
from kohakuboard import Board
from kohakuboard.cli import main
from kohakuboard_viewer.colours import DASHES, HUES, colour_of
from kohakuboard_viewer.columns import decode

STYLE = Path(kohakuboard_viewer.__file__).parent / "static" / "runs.css"

Array = NDArray[np.float64]

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes: A physiologically-based model for simulation of color vision
# deficiency (2009), severity 1, on linear RGB.
VISIONS = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# B. Ottosson: A perceptual color space for image processing (2020).
TO_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def linear(colour: str) -> Array:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    found: Array = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return found


def oklab(rgb: Array) -> Array:
    found: Array = np.array(TO_OKLAB) @ np.cbrt(np.array(TO_CONES) @ rgb)
    return found


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_hues_are_told_apart_however_one_sees(theme: str, vision: str) -> None:
    seen = [oklab(np.clip(np.array(VISIONS[vision]) @ linear(getattr(hue, theme)), 0, 1)) for hue in HUES]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 0.095


@pytest.mark.parametrize(("theme", "ground"), [("light", "#ffffff"), ("dark", "#161a21")])
def test_each_hue_has_contrast_to_its_ground(theme: str, ground: str) -> None:
    for hue in HUES:
        low, high = sorted([luminance(ground), luminance(getattr(hue, theme))])
        assert (high + 0.05) / (low + 0.05) >= 3


def test_a_run_keeps_its_colour_and_32_looks_are_in_use() -> None:
    assert colour_of("20261123-101530-calm-otter-3f9a") == colour_of("20261123-101530-calm-otter-3f9a")
    looks = {(look.name, look.dash) for look in (colour_of(f"run-{number}") for number in range(1000))}
    assert len(looks) == len(HUES) * len(DASHES)
    assert colour_of("run-1").name == "purple"  # of another process, and another day


def test_a_colour_can_be_chosen_and_one_that_is_not_known_is_none() -> None:
    assert {colour_of(f"run-{number}", "teal").light for number in range(50)} == {"#006c63"}
    assert colour_of("run-1", "beige") == colour_of("run-1")


def test_the_style_sheet_has_the_same_colours() -> None:
    style = STYLE.read_text()
    for hue in HUES:
        assert f".hue-{hue.name} {{ --hue: light-dark({hue.light}, {hue.dark}); }}" in style


def test_a_run_has_its_colour_on_every_page(
    client: TestClient, write_run: Callable[..., Path], tmp_path: Path
) -> None:
    def log(board: Board) -> None:
        board.log(loss=1.0)

    runs = [write_run(f"run-{i}", log, project="p", run_id=f"run-{i}", config={"lr": i}) for i in range(4)]
    query = "&".join(f"run=p/{run.name}" for run in runs)
    report = tmp_path / "report.html"
    assert main(["export-html", *map(str, runs), "-o", str(report)]) == 0
    urls = ["/", "/runs", "/p/p", *(f"/run/p/{run.name}" for run in runs)]
    urls += [f"/compare{tab}?{query}" for tab in ("", "/relations")]
    for page in [*(client.get(url).text for url in urls), report.read_text()]:
        found = re.findall(r'hue-([a-z]+)"(?:(?!hue-).)*?>\s*(run-\d)[:<]', page, re.DOTALL)
        assert found
        assert {(hue, run) for hue, run in found} <= {(colour_of(run.name).name, run.name) for run in runs}
    curves = decode(client.get(f"/series?metric=loss&{query}").content)[1]["curves"]
    looks = [(curve["light"], curve["dark"], tuple(curve["dash"])) for curve in curves]
    assert looks == [colour_of(run.name)[1:] for run in runs]
