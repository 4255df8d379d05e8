"""Checkpoints of ModelCheckpoint as artifacts of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from kohakuboard import Board

__all__ = ["Checkpoints"]


class Checkpoints:
    """Log each checkpoint once, or those that are there when training ends.

    Args:
        log_model: As KohakuBoardLogger has it.
    """

    def __init__(self, log_model: bool | Literal["all"]) -> None:
        self._log_model = log_model
        self._logged: dict[str, int] = {}
        self._remembered: dict[str, Any] = {}

    def saved(self, callback: Any, board: Board) -> None:
        """Take note of a checkpoint; `callback` may be a weak proxy of a ModelCheckpoint."""
        if self._log_model == "all" or (self._log_model is True and callback.save_top_k == -1):
            self._log(callback, board)
        elif self._log_model is True:
            self._remembered[callback.state_key] = callback

    def log_remembered(self, board: Board) -> None:
        """Log what the callbacks have kept; one that is gone has nothing any more."""
        remembered, self._remembered = self._remembered, {}
        for callback in remembered.values():
            try:
                self._log(callback, board)
            except ReferenceError:
                continue

    def _log(self, callback: Any, board: Board) -> None:
        kept = {
            callback.last_model_path: (callback.current_score, ["latest"]),
            **{path: (score, []) for path, score in callback.best_k_models.items()},
        }
        if (best := callback.best_model_path) in kept:
            kept[best] = (callback.best_model_score, [*kept[best][1], "best"])
        elif best:
            kept[best] = (callback.best_model_score, ["best"])
        for path, (score, aliases) in kept.items():
            self._log_file(Path(path), score, aliases, callback, board)

    def _log_file(self, path: Path, score: Any, aliases: list[str], callback: Any, board: Board) -> None:
        try:
            changed_ns = path.stat().st_mtime_ns if path.is_file() else 0
        except OSError:  # it was removed at this moment
            return
        if not changed_ns or self._logged.get(str(path)) == changed_ns:
            return
        self._logged[str(path)] = changed_ns
        metadata = {
            "score": _number(score),
            "monitor": getattr(callback, "monitor", None),
            "file": path.name,
            "callback": callback.__class__.__name__,
        }
        board.log_artifact(path, f"model-{board.id}", type="model", aliases=aliases, metadata=metadata)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_remembered": {}}


def _number(score: Any) -> float | None:
    return None if score is None else float(score)
