"""Checkpoints and final models as artifacts, if $KOHAKUBOARD_LOG_MODEL asks for them: end, checkpoint or false."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from transformers import TrainerState, TrainingArguments

    from kohakuboard import Board

__all__ = ["log_checkpoint", "log_final_model"]

log = logging.getLogger("kohakuboard")

VARIABLE: Final = "KOHAKUBOARD_LOG_MODEL"


def log_checkpoint(board: Board, args: TrainingArguments, state: TrainerState) -> None:
    """Log the checkpoint of this step, and alias it if it is the best so far."""
    if _wanted() != "checkpoint":
        return
    folder = _checkpoint_folder(Path(args.output_dir or "."), state.global_step)
    if folder is None:
        log.warning("there is no checkpoint of step %d under %r", state.global_step, args.output_dir)
        return
    best = state.best_model_checkpoint
    aliases = ["best"] if best and Path(best).absolute() == folder.absolute() else []
    metadata = {"step": state.global_step, "best_metric": state.best_metric}
    board.log_artifact(folder, f"checkpoint-{board.id}", type="model", aliases=aliases, metadata=metadata)


def log_final_model(board: Board, model: Any, processing: Any) -> None:
    """Log the model as it is when training has ended, with its tokenizer."""
    if _wanted() != "end" or not hasattr(model, "save_pretrained"):
        return
    with tempfile.TemporaryDirectory(prefix="kohakuboard-") as folder:
        model.save_pretrained(folder)
        if hasattr(processing, "save_pretrained"):
            processing.save_pretrained(folder)
        board.log_artifact(folder, f"model-{board.id}", type="model")


def _wanted() -> str:
    value = os.environ.get(VARIABLE, "false").strip().lower()
    if value not in ("end", "checkpoint", "false", "0", ""):
        log.warning("%s=%r is not known; set it to 'end', 'checkpoint' or 'false'", VARIABLE, value)
    return value


def _checkpoint_folder(output: Path, step: int) -> Path | None:
    """Return where the checkpoint lies: in a search each trial has a folder of its own."""
    name = f"checkpoint-{step}"
    found = [folder for folder in (output / name, *output.glob(f"run-*/{name}")) if folder.is_dir()]
    return max(found, key=lambda folder: folder.stat().st_mtime_ns, default=None)
