"""The table that scripts/bench prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.figures import Figure, Figures


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("absolute", 2.0, "s", at_most=2.0), True),
        (Figure("absolute", 2.1, "s", at_most=2.0), False),
        (Figure("a ratio", 2.0, "s", "a list", 10.0, at_most=0.2), True),
        (Figure("a ratio", 3.0, "s", "a list", 10.0, at_most=0.2), False),
        (Figure("at least", 60.0, "points/s", "a list", 10.0, at_least=6.0), True),
        (Figure("at least", 50.0, "points/s", "a list", 10.0, at_least=6.0), False),
        (Figure("no aim", 50.0, "points/s"), None),
        (Figure("not measured", None, at_most=1.0), None),
    ],
)
def test_an_aim_is_for_the_ratio_where_there_is_a_baseline(figure: Figure, met: bool | None) -> None:
    assert figure.met is met


def test_a_table_has_a_row_for_each_figure_and_says_why_one_is_missing(tmp_path: Path) -> None:
    figures = Figures()
    figures.record("log(), p50", 1.25, "µs", against="a JSON line", theirs=2.5, at_most=0.45)
    figures.skip("1M points", against="a peer", reason="it is not installed")
    figures.write(tmp_path / "figures.md")
    figures.write(tmp_path / "figures.json")
    _, _, row, skipped = (tmp_path / "figures.md").read_text().splitlines()
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "log(), p50", "1.25 µs", "2.5 µs, a JSON line", "0.5 ×", "≤ 0.45 ×", "MISSED",
    ]  # fmt: skip
    assert "skipped: it is not installed" in skipped
    first, second = json.loads((tmp_path / "figures.json").read_text())
    assert (first["ratio"], first["met"], second["ours"]) == (0.5, False, None)


def test_a_page_keeps_what_is_around_its_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Before\n<!-- figures -->\nan old table\n<!-- end of figures -->\nafter\n")
    figures = Figures()
    figures.record("files", 3, at_most=5)
    figures.write(page)
    first, _, heading, _, row, _, last = page.read_text().splitlines()
    assert (first, last) == ("# Before", "after")
    assert heading.startswith("| figure")
    assert "≤ 5" in row
    figures.write(page)
    assert page.read_text().count("| figure") == 1
