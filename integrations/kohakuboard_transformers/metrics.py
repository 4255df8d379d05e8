"""Names and places of what a Trainer logs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = ["hidden_nan", "split_final", "with_groups"]

# Told once, at the end of training. With include_num_input_tokens_seen the log of every step has some of
# these, too; only the last one has the mean loss.
FINAL: Final = frozenset(
    {"total_flos", "train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second"}
)
LAST_LOG_KEY: Final = "train_loss"
# What every evaluation says of itself, and so tells its prefix.
SPEED_KEYS: Final = ("_runtime", "_samples_per_second")


def with_groups(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics under train/, eval/ and test/, as transformers' own callbacks name them.

    An evaluation with another prefix, `evaluate(metric_key_prefix="bleu")`, has a group of that name.
    """
    return dict(zip(_grouped_names(tuple(metrics)), metrics.values(), strict=True))


@lru_cache(maxsize=64)  # the same few sets of names come at each step
def _grouped_names(names: tuple[str, ...]) -> list[str]:
    groups = {"eval", "test"} | {
        name[: -len(SPEED_KEYS[0])]
        for name in names
        if name.endswith(SPEED_KEYS[0]) and name[: -len(SPEED_KEYS[0])] + SPEED_KEYS[1] in names
    }
    groups -= {"train"}
    return [_grouped(name, groups) for name in names]


def _grouped(name: str, groups: set[str]) -> str:
    # The longest first, and eval_a_loss of the dataset "a" as transformers has it: eval/a_loss.
    for group in ("eval", "test", *sorted(groups, key=len, reverse=True)):
        if name.startswith(f"{group}_"):
            return f"{group}/{name[len(group) + 1 :]}"
    return f"train/{name}"


def split_final(logs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the figures that belong to the whole training, and the metrics of this step."""
    if LAST_LOG_KEY not in logs:
        return {}, dict(logs)
    final = FINAL & logs.keys()
    return (
        {name: value for name, value in logs.items() if name in final},
        {name: value for name, value in logs.items() if name not in final},
    )


def hidden_nan(logs: Mapping[str, Any]) -> bool:
    """Tell whether a loss of 0.0 stands for one that was not finite, as logging_nan_inf_filter has it.

    The Trainer gives numbers. A tensor is not looked at, which would be to wait for the device that it is on.
    """
    loss, norm = logs.get("loss"), logs.get("grad_norm")
    return isinstance(loss, float) and isinstance(norm, float) and loss == 0.0 and not math.isfinite(norm)
