"""What a run is called, what it belongs to, and its config: arguments, model, adapters, and a trial's parameters."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import TrainerState, TrainingArguments

__all__ = ["described", "group_of", "run_name"]


def run_name(args: TrainingArguments, state: TrainerState) -> str | None:
    """Return the name of a trial, or what the arguments call the run; None when nobody named it."""
    if state.is_hyper_param_search:
        named = getattr(state, "trial_name", None)
        return named or ", ".join(
            f"{key}={_short(value)}" for key, value in (state.trial_params or {}).items()
        )
    # transformers 4 took output_dir for the name when there was none.
    named = getattr(args, "run_name", None)
    return named if named and named != args.output_dir else None


def group_of(args: TrainingArguments) -> str | None:
    """Return what the runs of one Trainer belong together as: trainings after one another, trials of a search."""
    named = getattr(args, "run_name", None)
    if named and named != args.output_dir:
        return str(named)
    return os.path.basename(os.path.abspath(args.output_dir)) if args.output_dir else None


def described(args: TrainingArguments, state: TrainerState, model: Any) -> dict[str, Any]:
    """Return the config of a run. Any model will do, and none."""
    found: dict[str, Any] = dict(args.to_dict())  # type: ignore[no-untyped-call]  # masks tokens
    model_config = getattr(model, "config", None)
    if model_config is not None:
        found["model"] = _as_dict(model_config)
    adapters = getattr(model, "peft_config", None)
    if isinstance(adapters, dict):
        found["peft"] = {name: _as_dict(adapter) for name, adapter in adapters.items()}
    if hasattr(model, "parameters"):
        parameters = list(model.parameters())
        found["model_parameters"] = sum(parameter.numel() for parameter in parameters)
        found["trainable_parameters"] = sum(p.numel() for p in parameters if p.requires_grad)
    if state.trial_params:
        found["trial"] = dict(state.trial_params)
    return found


def _as_dict(config: Any) -> Any:
    as_dict = getattr(config, "to_dict", None)
    return as_dict() if as_dict is not None else config


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
