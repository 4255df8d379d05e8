"""The `kobo` command: look at runs, list them, and finish what a crash left behind.

Exit codes: 0 done, 1 failed, 2 used wrongly (an unknown option, a directory that is not there), 130 Ctrl-C.
An error is one sentence on stderr.

Imports are made by the command that needs them, since lance, sqlite_utils and the viewer take longer to load
than `kobo --version` takes to run.

JSON cannot write a number that is not finite, so `--json` writes the strings "NaN", "Infinity" and
"-Infinity": null would make a diverged loss look like a missing one. docs/cli.md lists the fields.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from kohakuboard import __version__
from kohakuboard.cli_annotate import commands as annotating_commands
from kohakuboard.cli_export import export_command
from kohakuboard.errors import KohakuBoardError, RunBusyError
from kohakuboard.storage.spare import spare_pandas

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kohakuboard.reader import Attempt, Metric, Run, Workspace

__all__ = ["main"]

DEFAULT_PORT = 48889
DEFAULT_ROOT = "kohakuboard"
ROOT_VARIABLE = "KOHAKUBOARD_DIR"

FAILED = 1
MISUSED = 2
INTERRUPTED = 130

FAILURE = "failed"

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

Command = TypeVar("Command", bound=Callable[..., Any])


def main(args: Sequence[str] | None = None) -> int:
    """Run `kobo` with the given arguments, those of the process by default, and return its exit code."""
    if args is None:
        spare_pandas()
    try:
        outcome = kobo.main(args=args, prog_name="kobo", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as exc:
        return _complain(exc.format_message(), exc.exit_code)
    except KohakuBoardError as exc:
        return _complain(str(exc), FAILED)
    except OSError as exc:
        return _complain(_word(exc), FAILED)
    return outcome if isinstance(outcome, int) else 0


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kobo", message="%(prog)s %(version)s")
@click.pass_context
def kobo(context: click.Context) -> None:
    """Look at the runs that KohakuBoard recorded."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _directory(command: Command) -> Command:
    """Give a command its DIR argument."""
    argument = click.argument(
        "directory", metavar="[DIR]", required=False, default=DEFAULT_ROOT, envvar=ROOT_VARIABLE, type=Path
    )
    return argument(command)


_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, as docs/cli.md describes it.")


@kobo.command("open")
@_directory
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help=f"Port, {DEFAULT_PORT} or a free one by default.")
@click.option("--browser/--no-browser", default=True, help="Open a browser, or only print the address.")
def open_viewer(directory: Path, host: str, port: int | None, browser: bool) -> None:
    """Show the runs of DIR, which is a root, a project or a run, in a browser. Ctrl-C ends it.

    What crashed runs left in their journals is stored meanwhile, as `kobo recover` does.
    """
    from kohakuboard_viewer.server import serve

    place = _find(directory)
    _recover_in_background(place)
    serve(
        place.workspace.root,
        start_path=place.url_path,
        host=host,
        port=port,
        open_browser=browser,
        announce=click.echo,
    )


def _recover_in_background(place: _Place) -> None:
    """Store what runs left in their journals, while the pages, which need none of it, are shown already."""
    import subprocess
    import sys

    # A run that has ended well has a journal, too, when a full disk kept its writer from storing the rest.
    ended = (run for run in place.runs() if run.status not in ("running", "unreadable"))
    if any((run.path / "journal").is_dir() for run in ended):
        subprocess.Popen(
            [sys.executable, "-m", "kohakuboard", "recover", str(place.directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


@kobo.command("ls")
@_directory
@_as_json
def list_runs(directory: Path, as_json: bool) -> None:
    """List the runs of DIR, which is a root, a project or a run, newest first."""
    place = _find(directory)
    runs = place.runs()
    if as_json:
        _print_json([_outline(run) for run in runs])
    elif runs:
        _console().print(_run_table(runs))
    else:
        click.echo(f"no runs under {str(directory)!r}")


@kobo.command("show")
@click.argument("run")
@_as_json
def show_run(run: str, as_json: bool) -> None:
    """Show one RUN: a path, "project/id", an id, or the beginning of an id that fits one run only."""
    found = _find_run(run)
    if as_json:
        _print_json(_details(found))
    else:
        _print_run(_console(), found)


@kobo.command("recover")
@_directory
def recover_runs(directory: Path) -> int:
    """Store what crashed runs of DIR left in their journals. Reading needs none of it."""
    runs = _find(directory).runs()
    outcomes = [_recover(run) for run in runs]
    if not any(outcomes):
        click.echo(f"nothing to recover in {len(runs)} runs under {str(directory)!r}")
    return FAILED if FAILURE in outcomes else 0


@kobo.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run_program(command: tuple[str, ...]) -> None:
    """Run COMMAND, a script or a program, with report_to="kohakuboard" and its like known in it.

    Only needed where `kobo doctor` says that autoload does not work.
    """
    import os

    from kohakuboard.launch import command_line, environment

    words = command_line(command)
    os.execvpe(words[0], words, environment(os.environ))


@kobo.command("doctor")
@_directory
@_as_json
def examine_installation(directory: Path, as_json: bool) -> int:
    """Show what works here: the autoload hook, the frameworks, and DIR as the place for runs."""
    from kohakuboard.doctor import examine

    findings = []
    for finding in examine(directory):
        findings.append(finding)
        if not as_json:
            mark = {True: "ok", False: "!!", None: "--"}[finding.ok]
            click.echo(f"{mark}  {finding.subject:<12}  {finding.text}")
    if as_json:
        _print_json([finding._asdict() for finding in findings])
    return FAILED if any(finding.ok is False for finding in findings) else 0


def _recover(run: Run) -> str | None:
    """Recover one run and say what came of it; None when there was nothing to do."""
    import sqlite3

    from kohakuboard.writer import recover

    try:
        if not recover(run.path):
            return None
        outcome = "recovered"
    except RunBusyError:
        outcome = "has a live writer, left alone"
    except (KohakuBoardError, OSError, sqlite3.Error) as exc:
        _complain(f"{_full_id(run)}: {_word(exc) if isinstance(exc, OSError) else exc}", FAILED)
        return FAILURE
    click.echo(f"{_full_id(run)}: {outcome}")
    return outcome


# what the arguments mean


@dataclass(frozen=True, slots=True)
class _Place:
    """Say which part of a workspace a DIR argument names."""

    workspace: Workspace
    project: str | None
    run: Run | None

    @property
    def directory(self) -> Path:
        """The directory itself."""
        return self.run.path if self.run is not None else self.workspace.root / (self.project or "")

    @property
    def url_path(self) -> str:
        """The page of the viewer that shows this place."""
        if self.run is not None:
            return f"/run/{quote(_full_id(self.run))}"
        return f"/p/{quote(self.project, safe='')}" if self.project is not None else "/"

    def runs(self) -> list[Run]:
        """Return the runs of this place, newest first."""
        if self.run is not None:
            return [self.run]
        return [run for run in self.workspace.runs() if self.project in (None, run.path.parent.name)]


def _find(directory: Path) -> _Place:
    """Resolve a DIR argument; one that is no directory is a mistake in the command line."""
    from kohakuboard.reader import find_workspace

    if not directory.exists():
        raise click.UsageError(
            f"there is no directory {str(directory)!r}; name one that holds runs, or set {ROOT_VARIABLE}"
        )
    if not directory.is_dir():
        raise click.UsageError(f"{str(directory)!r} is a file; name a root, a project or a run directory")
    return _Place(*find_workspace(directory))


def _find_run(wanted: str) -> Run:
    """Resolve a RUN argument: a path wins over an id."""
    path = Path(wanted)
    if path.is_dir() and (run := _find(path).run) is not None:
        return run
    return _find(_default_root()).workspace.run(wanted)


def _default_root() -> Path:
    """Return where runs are when nobody says so."""
    import os

    return Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT)


for _command in (*annotating_commands(_find_run, _default_root), export_command(_find_run)):
    kobo.add_command(_command)


def _full_id(run: Run) -> str:
    """Return what finds a run in its workspace: its place, which odd characters in names do not reach."""
    return f"{run.path.parent.name}/{run.path.name}"


def _complain(sentence: str, code: int) -> int:
    """Print an error to stderr and return the exit code that goes with it."""
    click.echo(f"kobo: {sentence}", err=True)
    return code


def _word(exc: OSError) -> str:
    """Say what the system refused, without the number of the error."""
    reason = exc.strerror or str(exc)
    return f"{reason}: {str(exc.filename)!r}" if exc.filename is not None else reason


# JSON


def _print_json(value: object) -> None:
    click.echo(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: object) -> object:
    """Turn any logged value into one that JSON has, and numbers that are not finite into their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)


def _outline(run: Run) -> dict[str, object]:
    """Return the fields of a run in a list."""
    return {
        "id": run.id,
        "project": run.project,
        "name": run.name,
        "group": run.group,
        "path": str(run.path),
        "status": run.status,
        "started": run.started,
        "ended": run.ended,
        "duration_s": run.duration_s,
        "last_step": run.last_step,
        "tags": run.tags,
        "summary": run.summary,
    }


def _details(run: Run) -> dict[str, object]:
    """Return all that is known of a run but its points."""
    return {
        **_outline(run),
        "error": run.error,
        "problems": run.problems,
        "notes": run.notes,
        "config": run.config,
        "environment": run.environment,
        "forked_from": run.forked_from,
        "attempts": [_attempt_fields(attempt) for attempt in run.attempts],
        "rich": run.rich_names(),
        "metrics": [_metric_fields(metric) for metric in run.metrics.values()],
        "system_metrics": [_metric_fields(metric) for metric in run.system_metrics().values()],
    }


def _attempt_fields(attempt: Attempt) -> dict[str, object]:
    return {
        "number": attempt.number,
        "rank": attempt.rank,
        "at_step": attempt.at_step,
        "status": attempt.status,
        "error": attempt.error,
        "started": attempt.started,
        "ended": attempt.ended,
        "host": attempt.host,
        "pid": attempt.pid,
    }


def _metric_fields(metric: Metric) -> dict[str, object]:
    return {
        "name": metric.name,
        "count": metric.count,
        "nonfinite": metric.nonfinite,
        "last": metric.last,
        "last_step": metric.last_step,
        "last_time": datetime.fromtimestamp(metric.last_time_us / 1e6, tz=timezone.utc),
        "min": metric.min,
        "min_step": metric.min_step,
        "max": metric.max,
        "max_step": metric.max_step,
        "mean": metric.mean,
    }


# for people


def _console() -> Console:
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


def _run_table(runs: Iterable[Run]) -> Table:
    from rich.text import Text

    table = _table("run", "name", "status", "started", "duration", "step", numbers=("duration", "step"))
    for run in runs:
        table.add_row(
            _full_id(run),
            run.name,
            Text(run.status, STATUS_STYLES.get(run.status, "")),
            _moment(run.started),
            _duration(run.duration_s),
            "" if run.last_step is None else str(run.last_step),
        )
    return table


def _print_run(console: Console, run: Run) -> None:
    from rich.text import Text

    from kohakuboard.reader import leaves

    console.print(Text(run.name, "bold"), Text(run.status, STATUS_STYLES.get(run.status, "")))
    facts = {
        "run": _full_id(run),
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
