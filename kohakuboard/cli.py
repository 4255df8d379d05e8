"""The `kobo` command: look at runs, list them, and finish what a crash left behind.

Exit codes: 0 done, 1 failed, 2 used wrongly (an unknown option, a directory that is not there), 130 Ctrl-C.
An error is one sentence on stderr.

Imports are made by the command that needs them, since lance, sqlite_utils and the viewer take longer to load
than `kobo --version` takes to run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kohakuboard import __version__
from kohakuboard.cli_annotate import commands as annotating_commands
from kohakuboard.cli_export import export_command
from kohakuboard.cli_fields import details, outline, print_json
from kohakuboard.cli_place import DEFAULT_ROOT, ROOT_VARIABLE, Place, default_root, find, find_run, full_id
from kohakuboard.cli_tables import print_run, run_table, terminal
from kohakuboard.errors import KohakuBoardError, RunBusyError
from kohakuboard.storage.spare import spare_pandas

if TYPE_CHECKING:
    from kohakuboard.reader import Run

__all__ = ["main"]

DEFAULT_PORT = 48889

FAILED = 1
MISUSED = 2
INTERRUPTED = 130

FAILURE = "failed"

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

    place = find(directory)
    _recover_in_background(place)
    serve(
        place.workspace.root,
        start_path=place.url_path,
        host=host,
        port=port,
        open_browser=browser,
        announce=click.echo,
    )


def _recover_in_background(place: Place) -> None:
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
    place = find(directory)
    runs = place.runs()
    if as_json:
        print_json([outline(run) for run in runs])
    elif runs:
        terminal().print(run_table(runs))
    else:
        click.echo(f"no runs under {str(directory)!r}")


@kobo.command("show")
@click.argument("run")
@_as_json
def show_run(run: str, as_json: bool) -> None:
    """Show one RUN: a path, "project/id", an id, or the beginning of an id that fits one run only."""
    found = find_run(run)
    if as_json:
        print_json(details(found))
    else:
        print_run(terminal(), found)


@kobo.command("recover")
@_directory
def recover_runs(directory: Path) -> int:
    """Store what crashed runs of DIR left in their journals. Reading needs none of it."""
    runs = find(directory).runs()
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
        print_json([finding._asdict() for finding in findings])
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
        _complain(f"{full_id(run)}: {_word(exc) if isinstance(exc, OSError) else exc}", FAILED)
        return FAILURE
    click.echo(f"{full_id(run)}: {outcome}")
    return outcome


for _command in (*annotating_commands(find_run, default_root), export_command(find_run)):
    kobo.add_command(_command)


def _complain(sentence: str, code: int) -> int:
    """Print an error to stderr and return the exit code that goes with it."""
    click.echo(f"kobo: {sentence}", err=True)
    return code


def _word(exc: OSError) -> str:
    """Say what the system refused, without the number of the error."""
    reason = exc.strerror or str(exc)
    return f"{reason}: {str(exc.filename)!r}" if exc.filename is not None else reason
