"""Note in run.db what machine, program and code a run has, as soon as that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..journal.process import host_name, is_alive
from ..journal.settings import settings
from .environment import Environment, Inquiry
from .trainer import Trainer

if TYPE_CHECKING:
    from ..storage.catalogue import Catalogue

__all__ = ["Description"]

# How long a run that ends waits for git.
LAST_WAIT_S: Final = 3.0


class Description:
    """Describe the process that speaks for a run: with each that takes it up anew.

    Args:
        catalogue: Of the run.
        trainer: Whose writer this is. It may be another rank than the one that speaks for the run.
    """

    def __init__(self, catalogue: Catalogue, trainer: Trainer) -> None:
        self._catalogue = catalogue
        self._trainer = trainer
        self._settings = settings()
        self._shard: str | None = None
        self._inquiry: Inquiry | None = None

    @property
    def begun(self) -> bool:
        """Tell whether it is known which process speaks for the run."""
        return self._shard is not None

    def begin(self) -> None:
        """Begin to collect what is to be noted, unless that was done for this process."""
        run = self._catalogue.run()
        if run["shard"] in (None, self._shard):
            return
        self._shard = run["shard"]
        process = run["host"], run["pid"], run["process_start"]
        if not self._settings.capture_environment or run["host"] != host_name():
            return
        told = {key: self._catalogue.environment(key) for key in ("cwd", "argv", "executable")}
        told["pid"] = run["pid"] if is_alive(*process) else None
        own = self._trainer.is_process(*process)
        self._inquiry = Inquiry(told, own=own, git=self._settings.capture_git)

    def note(self, *, last: bool = False) -> None:
        """Store what has been found since; at the end of the run, wait for it a little."""
        if self._inquiry is None:
            return
        for found in self._inquiry.results(LAST_WAIT_S if last else 0.0):
            self._store(found)
        if self._inquiry.is_over:
            self._inquiry = None

    def _store(self, found: Environment) -> None:
        with self._catalogue.transaction():
            for table, values in (("environment", found.small), ("environment_details", found.large)):
                # What is not known of this program, an earlier one may have had.
                self._catalogue.set_values(table, values, set(found.names) - values.keys())
