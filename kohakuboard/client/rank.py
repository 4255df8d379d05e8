"""Tell which process of a distributed job this is, from what launchers leave in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["process_rank"]


def process_rank(environment: Mapping[str, str] = os.environ) -> int:
    """Return the global rank: RANK, else NODE_RANK and LOCAL_RANK, else SLURM's in a job of several tasks, else 0."""
    if rank := _number(environment, "RANK"):
        return rank
    if "RANK" not in environment and "LOCAL_RANK" in environment:
        per_node = _number(environment, "LOCAL_WORLD_SIZE") or 1
        return _number(environment, "NODE_RANK") * per_node + _number(environment, "LOCAL_RANK")
    # An interactive SLURM shell sets SLURM_PROCID, too.
    if _number(environment, "SLURM_NTASKS") > 1:
        return _number(environment, "SLURM_PROCID")
    return 0


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else 0
