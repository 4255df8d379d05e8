"""Every error that KohakuBoard raises.

    KohakuBoardError
    ├── BoardClosedError      a board was used after finish()
    ├── InvalidStepError      step() was given something that is no integer
    ├── NotARunError          a path holds no run that can be read
    ├── RunNotFoundError      a workspace has no such run
    ├── AmbiguousRunError     a prefix fits several runs
    ├── MetricNotFoundError   a run has no such series
    ├── ColumnNotFoundError   a table has no such column
    ├── DamagedSeriesError    a series was logged, and its points can no longer be read
    ├── RunBusyError          another writer holds the run
    ├── RunExistsError        a run that must not exist does
    ├── RunLiveError          another process logs to the run that is to be continued
    ├── SettingError          an argument of a board has a value that it cannot have
    ├── ArtifactNotFoundError no run of a project has such a version of an artifact
    └── RichValueError        a Histogram, Media, Table … cannot be made of the value given

Each takes the facts, keeps them as attributes and words its own message.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "AmbiguousRunError",
    "ArtifactNotFoundError",
    "BoardClosedError",
    "ColumnNotFoundError",
    "DamagedSeriesError",
    "InvalidStepError",
    "KohakuBoardError",
    "MetricNotFoundError",
    "NotARunError",
    "RichValueError",
    "RunBusyError",
    "RunExistsError",
    "RunLiveError",
    "RunNotFoundError",
    "SettingError",
]


class KohakuBoardError(Exception):
    """Be the base of all errors raised here."""


class BoardClosedError(KohakuBoardError):
    """Say that a board was used after it was finished."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"board {name!r} is closed; open a new Board to log more")


class InvalidStepError(KohakuBoardError):
    """Say that a step is not an integer."""

    def __init__(self, step: object) -> None:
        self.step = step
        super().__init__(f"step must be an integer, not {step!r} ({type(step).__name__}); pass int(step)")


class NotARunError(KohakuBoardError):
    """Say that a path cannot be opened as a run, and why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{str(path)!r} is not a run: {reason}")


class RunNotFoundError(KohakuBoardError):
    """Say that no run of a workspace has the wanted name."""

    def __init__(self, root: Path, wanted: str) -> None:
        self.root = root
        self.wanted = wanted
        super().__init__(f"no run {wanted!r} under {str(root)!r}; `kobo ls` lists the runs there")


class AmbiguousRunError(KohakuBoardError):
    """Say that the beginning of an id fits more than one run."""

    def __init__(self, wanted: str, found: Iterable[str]) -> None:
        self.wanted = wanted
        self.found = sorted(found)
        shown = ", ".join(self.found[:4]) + (", …" if len(self.found) > 4 else "")
        super().__init__(f"{wanted!r} fits {len(self.found)} runs ({shown}); give more of the id")


class MetricNotFoundError(KohakuBoardError):
    """Say that a run has no series of that name, and which are near it."""

    def __init__(self, run_id: str, name: str, known: Iterable[str]) -> None:
        self.run_id = run_id
        self.name = name
        self.known = list(known)
        from difflib import get_close_matches

        near = get_close_matches(name, self.known, n=3) or self.known[:3]
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else "nothing was logged yet"
        super().__init__(f"run {run_id!r} has no series {name!r}; {hint}")


class ColumnNotFoundError(KohakuBoardError):
    """Say that a table has no column of that name, and which it has."""

    def __init__(self, table: str, name: str, known: Iterable[str]) -> None:
        self.table = table
        self.name = name
        self.known = list(known)
        shown = ", ".join(map(repr, self.known[:10])) + (", …" if len(self.known) > 10 else "")
        super().__init__(f"table {table!r} has no column {name!r}; it has {shown or 'none'}")


class ArtifactNotFoundError(KohakuBoardError):
    """Say that a version of an artifact is not to be had, and why."""

    def __init__(self, wanted: str, reason: str) -> None:
        self.wanted = wanted
        self.reason = reason
        super().__init__(f"no artifact {wanted!r}: {reason}")


class DamagedSeriesError(KohakuBoardError):
    """Say that the stored points of a series cannot be read."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        super().__init__(
            f"the stored points of {name!r} in {str(path)!r} cannot be read; copy scalars/ again from where the run "
            "comes from, or from a backup"
        )


class RunBusyError(KohakuBoardError):
    """Say that a run has a live writer, so nobody else may write to its stores."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"the run at {str(path)!r} has a live writer; wait for it to end, or end it")


class RunExistsError(KohakuBoardError):
    """Say that a run exists where none may."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"there is a run at {str(path)!r} already; choose another run_id, or continue it with resume='allow'"
        )


class RunLiveError(KohakuBoardError):
    """Say that a run cannot be continued, since somebody logs to it."""

    def __init__(self, path: Path, holder: str) -> None:
        self.path = path
        self.holder = holder
        super().__init__(f"the run at {str(path)!r} is being logged to by {holder}; end that first")


class SettingError(KohakuBoardError, ValueError):
    """Say that a setting has a value that it cannot have, and which it can."""

    def __init__(self, name: str, value: object, cure: str) -> None:
        self.name = name
        self.value = value
        super().__init__(f"{name} cannot be {value!r}; {cure}")


class RichValueError(KohakuBoardError, ValueError):
    """Say why a value cannot become a Histogram, Media or Table, and the cure."""

    def __init__(self, kind: str, value: object, reason: str) -> None:
        self.kind = kind
        self.value_type = type(value).__name__
        self.reason = reason
        super().__init__(f"cannot make a {kind} of {self.value_type}: {reason}")
