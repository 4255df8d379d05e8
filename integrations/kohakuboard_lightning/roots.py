"""The copies of Lightning: `lightning`, `pytorch_lightning`, `lightning_fabric`, each with its own classes.

A logger must be a `Logger` in the eyes of the copy whose Trainer it is given to, whichever that is, and no
copy may be imported that the user's program does not use. So the logger subclasses the copy that is loaded,
and becomes a virtual subclass of the others as they turn up.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any, Final

__all__ = ["adopt", "callback_class", "dummy_experiments", "logger_class"]

# In the order of preference when none is loaded; each has `loggers` with Logger and CSVLogger.
ROOTS: Final = ("lightning.pytorch", "pytorch_lightning", "lightning_fabric")


def logger_class() -> Any:
    """Return `Logger` of the first copy that is loaded, else of the first that can be imported.

    Raises ModuleNotFoundError, naming `lightning`, when there is none.
    """
    loaded = _loaded()
    return (loaded[0] if loaded else _import_first()).Logger


def callback_class() -> Any:
    """Return `Callback` of the copy that the logger is of; `object` where that is Fabric alone, which has none.

    Trainers of the other copy take it, too: they ask a callback for its methods, not for its class.
    """
    root = logger_class().__module__.partition(".loggers")[0]
    if not root.startswith(ROOTS[:2]):
        return object
    return import_module(f"{root}.callbacks").Callback


def adopt(logger: type) -> None:
    """Make a class a virtual subclass of every loaded copy's CSVLogger, and so of its Logger.

    CSVLogger, because `Trainer.log_dir` is the run's own directory only for subclasses of it or of
    TensorBoardLogger. With any other logger LightningCLI writes config.yaml beside the runs, and refuses to
    start a second time.
    """
    for loggers in _loaded():
        if not issubclass(logger, loggers.CSVLogger):
            loggers.CSVLogger.register(logger)


def dummy_experiments() -> tuple[type, ...]:
    """Return the class that each loaded copy uses for an experiment on ranks above 0."""
    modules = [sys.modules[f"{loggers.__name__}.logger"] for loggers in _loaded()]
    found = [getattr(module, "DummyExperiment", None) or module._DummyExperiment for module in modules]
    return tuple(dict.fromkeys(found))  # pytorch_lightning takes its one from lightning_fabric


def _loaded() -> list[ModuleType]:
    loaded = [sys.modules.get(f"{root}.loggers") for root in ROOTS]
    return [module for module in loaded if hasattr(module, "CSVLogger")]  # type: ignore[misc]


def _import_first() -> ModuleType:
    for root in ROOTS:
        try:
            return import_module(f"{root}.loggers")
        except ModuleNotFoundError as exc:
            if exc.name not in (root, root.partition(".")[0]):
                raise
    raise ModuleNotFoundError("no module named 'lightning'", name="lightning")
