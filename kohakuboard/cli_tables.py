"""What `kobo` prints for people: the table of runs, and all of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from kohakuboard.cli_place import full_id

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kohakuboard.reader import Metric, Run

__all__ = ["print_run", "run_table", "terminal"]

STATUS_STYLES = {
    "running": "cyan",
    "finished": "green",
    "failed": "red",
    "crashed": "red",
    "unreadable": "red",
    "interrupted": "yellow",
    "killed": "yellow",
    "preempted": "yellow",
}


def terminal() -> Console:
    """Return a console that prints names as they are, and does not fold lines that go into a pipe."""
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)
    return console if console.is_terminal else Console(markup=False, emoji=False, highlight=False, width=1000)


def _table(*headings: str, numbers: Iterable[str] = ()) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    return table


def run_table(runs: Iterable[Run]) -> Table:
    """Return runs as a table, a line each."""
    from rich.text import Text

    table = _table("run", "name", "status", "started", "duration", "step", numbers=("duration", "step"))
    for run in runs:
        table.add_row(
            full_id(run),
            run.name,
            Text(run.status, STATUS_STYLES.get(run.status, "")),
            _moment(run.started),
            _duration(run.duration_s),
            "" if run.last_step is None else str(run.last_step),
        )
    return table


def print_run(console: Console, run: Run) -> None:
    """Print all that is known of a run but its points."""
    from rich.text import Text

    from kohakuboard.reader import leaves

    console.print(Text(run.name, "bold"), Text(run.status, STATUS_STYLES.get(run.status, "")))
    facts = {
        "run": full_id(run),
        "path": run.path,
        "group": run.group,
        "tags": ", ".join(run.tags),
        "started": _moment(run.started),
        "duration": _duration(run.duration_s),
        "last step": run.last_step,
        "forked from": "" if run.forked_from is None else "{} at step {}".format(*run.forked_from),
        "attempts": _attempts(run),
        "ranks": "" if (ranks := 1 + max((one.rank for one in run.attempts), default=0)) == 1 else ranks,
        "notes": run.notes,
        "error": run.error,
    }
    facts |= {f"problem {number}": problem for number, problem in enumerate(run.problems, 1)}
    _print_pairs(console, None, {name: fact for name, fact in facts.items() if fact not in (None, "")})
    _print_pairs(console, "config", dict(leaves(run.config)))
    series = run.metrics
    _print_pairs(console, "summary", {key: value for key, value in run.summary.items() if key not in series})
    if series:
        console.print(_metric_table(series.values()))
    _print_pairs(console, "rich data", {kind: ", ".join(names) for kind, names in run.rich_names().items()})


def _attempts(run: Run) -> str:
    """Say how often the run was taken up, if more than once."""
    own = [attempt for attempt in run.attempts if attempt.rank == 0 and attempt.number]
    ends = ", ".join(attempt.status for attempt in own)
    return f"{len(own)} ({ends})" if len(own) > 1 else ""


def _print_pairs(console: Console, title: str | None, pairs: Mapping[str, object]) -> None:
    from rich.table import Table

    if not pairs:
        return
    grid = Table.grid(padding=(0, 2))
    for name, value in pairs.items():
        grid.add_row(str(name), _number(value) if isinstance(value, float) else str(value))
    if title is not None:
        console.print(f"\n{title}", style="bold")
    console.print(grid)


def _metric_table(metrics: Iterable[Metric]) -> Table:
    numbers = ("points", "last", "at step", "min", "max", "mean")
    table = _table("metric", *numbers, numbers=numbers)
    for metric in metrics:
        step = "" if metric.last_step is None else str(metric.last_step)
        values = (metric.last, step, metric.min, metric.max, metric.mean)
        cells = [value if isinstance(value, str) else _number(value) for value in values]
        table.add_row(metric.name, str(metric.count), *cells)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _moment(moment: datetime) -> str:
    """Return a time in the reader's own time zone, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    hours = whole // 3600
    return f"{hours} h {whole // 60 % 60:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
