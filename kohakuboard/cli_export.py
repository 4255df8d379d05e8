"""The `kobo` command that writes runs into one file, for somebody who has no KohakuBoard; cli.py registers it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kohakuboard.reader import Run

__all__ = ["export_command"]

MOST_RUNS = 100


def export_command(find: Callable[[str], Run]) -> click.Command:
    """Return the command; `find` resolves the name of a run."""

    @click.command("export-html")
    @click.argument("runs", nargs=-1, required=True)
    @click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        required=True,
        help="The file to write; one that is there is replaced.",
    )
    def export_html(runs: tuple[str, ...], output: Path) -> None:
        """Write RUNS into one HTML file that opens from a disk: charts, summary, and how their configs differ."""
        from kohakuboard_viewer.compare.report import report_of

        found = list(dict.fromkeys(find(run).path for run in runs))
        roots = sorted({path.parent.parent for path in found})
        if len(roots) > 1:
            raise click.UsageError(
                f"the runs of a report lie under one root, not under {str(roots[0])!r} and {str(roots[1])!r}"
            )
        if len(found) > MOST_RUNS:
            raise click.UsageError(f"a report has at most {MOST_RUNS} runs, not {len(found)}")
        report = report_of(roots[0], [f"{path.parent.name}/{path.name}" for path in found])
        partial = output.with_name(f".{output.name}.partial")
        partial.write_text(report.html, encoding="utf-8")
        partial.replace(output)
        left_out = f"; {report.left_out} more metrics have no chart" if report.left_out else ""
        runs_word, charts_word = (
            ("run", "runs")[report.n_runs != 1],
            ("chart", "charts")[report.n_charts != 1],
        )
        click.echo(
            f"wrote {str(output)!r}: {report.n_runs} {runs_word}, {report.n_charts} {charts_word}{left_out}"
        )

    return export_html
