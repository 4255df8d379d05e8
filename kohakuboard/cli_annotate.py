"""The `kobo` commands that say something of runs afterwards and put them aside; cli.py registers them.

They name runs as `kobo show` does: by a path, "project/id", an id, or the beginning of an id.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kohakuboard.reader import Run

__all__ = ["commands"]

Find = Callable[[str], "Run"]


def commands(find: Find, root: Callable[[], Path]) -> list[click.Command]:
    """Return the commands; `find` resolves the name of a run, `root` tells where runs are by default."""
    return [_tag(find), *_sayings(find), *_marks(find), _trash(find), _restore(root)]


def _annotate(run: Run, **changes: Any) -> None:
    from kohakuboard.annotations import annotate

    annotate(run.path, **changes)


def _tag(find: Find) -> click.Command:
    @click.command("tag")
    @click.argument("run")
    @click.argument("tags", nargs=-1, required=True)
    @click.option("--remove", is_flag=True, help="Take the tags away.")
    def tag(run: str, tags: tuple[str, ...], remove: bool) -> None:
        """Give RUN one or more TAGS, also while it is logged to."""
        _annotate(find(run), **{"remove_tags" if remove else "add_tags": tags})

    return tag


def _sayings(find: Find) -> list[click.Command]:
    """Return the commands that set a text, or take back what was set."""
    return [
        _saying(find, "rename", "name", "Call RUN by a NAME; without one, by the name it gave itself."),
        _saying(find, "note", "notes", "Set the notes of RUN to a TEXT; without one, to its own."),
        _saying(find, "colour", "colour", "Draw RUN in a COLOUR; without one, in that of its id."),
    ]


def _saying(find: Find, name: str, field: str, words: str) -> click.Command:
    @click.command(name, help=words)
    @click.argument("run")
    @click.argument("value", metavar=f"[{'TEXT' if name == 'note' else field.upper()}]", required=False)
    def say(run: str, value: str | None) -> None:
        _annotate(find(run), **{field: value})

    return say


def _marks(find: Find) -> list[click.Command]:
    """Return the commands that mark runs, or take the mark away."""
    return [
        _mark(find, "pin", "pinned", "Keep RUNS at the top of lists."),
        _mark(find, "archive", "archived", "Leave RUNS out of lists."),
    ]


def _mark(find: Find, name: str, field: str, words: str) -> click.Command:
    @click.command(name, help=words)
    @click.argument("runs", nargs=-1, required=True)
    @click.option("--undo", is_flag=True, help="Take that back.")
    def mark(runs: tuple[str, ...], undo: bool) -> None:
        for run in runs:
            _annotate(find(run), **{field: not undo})

    return mark


def _trash(find: Find) -> click.Command:
    @click.command("trash")
    @click.argument("runs", nargs=-1, required=True)
    def trash_runs(runs: tuple[str, ...]) -> None:
        """Move RUNS into the folder .trash of their root. `kobo restore` brings them back."""
        from kohakuboard.annotations import trash

        for run in runs:
            click.echo(f"moved to {str(trash(find(run).path))!r}")

    return trash_runs


def _restore(root: Callable[[], Path]) -> click.Command:
    @click.command("restore")
    @click.argument("runs", nargs=-1)
    def restore_runs(runs: tuple[str, ...]) -> None:
        """Bring RUNS ("project/id" or an id, or a path) back from the trash; without any, list what is in it."""
        from kohakuboard.annotations import restore, trashed

        found = trashed(root())
        if not runs:
            lines = [f"{path.parent.name}/{path.name}" for path in found]
            click.echo("\n".join(lines) if lines else f"the trash of {str(root())!r} is empty")
        for run in runs:
            click.echo(f"restored to {str(restore(_in_trash(run, found)))!r}")

    return restore_runs


def _in_trash(wanted: str, found: list[Path]) -> Path:
    """Return the one run in the trash that is meant; a path need not be there."""
    names = [path for path in found if wanted in (path.name, f"{path.parent.name}/{path.name}")]
    if len(names) > 1:
        raise click.UsageError(f"{wanted!r} is in the trash of {len(names)} projects; name it as project/id")
    return names[0] if names else Path(wanted)
