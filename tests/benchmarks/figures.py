"""What the benchmarks found, as one table: each figure beside its baseline of the same run and its aim.

    figures.record("log() of 2 metrics, p50", 1.2, "µs", against="a JSON line", theirs=2.7, at_most=0.45)
    figures.record("CPU per 1M points", 1.8, "s", at_most=2.0)
    figures.skip("1M points", against="trackio", reason="scripts/bench --peers installs it")

With a baseline the aim is for the ratio of the two, ours / theirs; without one it is for the figure itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Figure", "Figures"]

# Around the table of a page that has more to say.
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

HEADINGS = ("figure", "ours", "baseline", "ratio", "aim", "")


@dataclass(frozen=True)
class Figure:
    """Hold one measured figure; `ours` is None when it could not be measured, and `reason` says why."""

    name: str
    ours: float | None
    unit: str = ""
    against: str = ""
    theirs: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """Return ours / theirs; None without a baseline."""
        return None if self.ours is None or self.theirs is None else self.ours / self.theirs

    @property
    def met(self) -> bool | None:
        """Tell whether the aim is met; None when there is none, or nothing was measured."""
        value = self.ours if self.theirs is None else self.ratio
        if value is None or self.at_most is self.at_least is None:
            return None
        return (self.at_most is None or value <= self.at_most) and (
            self.at_least is None or value >= self.at_least
        )

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        baseline = f"{_shown(self.theirs, self.unit)}, {self.against}" if self.theirs is not None else ""
        ratio = _shown(self.ratio, "×") if self.ratio is not None else ""
        if self.ours is None:
            return self.name, "", self.against, "", self._aim(), f"skipped: {self.reason}"
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return self.name, _shown(self.ours, self.unit), baseline, ratio, self._aim(), verdict

    def _aim(self) -> str:
        unit = "×" if self.against else self.unit
        bounds = (("≤", self.at_most), ("≥", self.at_least))
        return ", ".join(f"{sign} {_shown(bound, unit)}" for sign, bound in bounds if bound is not None)


@dataclass
class Figures:
    """Collect the figures of a run in the order they were measured."""

    rows: list[Figure] = field(default_factory=list)

    def record(
        self,
        name: str,
        ours: float,
        unit: str = "",
        *,
        against: str = "",
        theirs: float | None = None,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Add a figure; with `theirs`, the figure of the baseline that `against` names, the aim is for the ratio."""
        self.rows.append(Figure(name, ours, unit, against, theirs, at_most, at_least))

    def skip(self, name: str, *, reason: str, against: str = "") -> None:
        """Add a row that says why a figure is missing."""
        self.rows.append(Figure(name, None, against=against, reason=reason))

    def table(self) -> str:
        """Return the table as Markdown that is also aligned on a terminal."""
        cells = [HEADINGS, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Write the figures to a file: JSON if it is called .json, else the table, between its marks if it has them."""
        if path.suffix == ".json":
            rows = [{**asdict(row), "ratio": row.ratio, "met": row.met} for row in self.rows]
            path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
            return
        page = path.read_text() if path.exists() else ""
        before, begin, rest = page.partition(BEGIN)
        _, end, after = rest.partition(END)
        table = self.table() + "\n"
        path.write_text(f"{before}{begin}\n{table}{end}{after}" if end else table)


def _shown(number: float, unit: str) -> str:
    digits = f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"
    return f"{digits} {unit}".strip()
