"""Tell which process of a distributed job this is, from what launchers leave in the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["process_rank"]

# Of launchers that give each process its number in the job and leave nothing else: Open MPI, MPICH and Intel MPI.
_MPI_RANKS: Final = ("OMPI_COMM_WORLD_RANK", "PMI_RANK")


def process_rank(
    environment: Mapping[str, str] = os.environ, modules: Mapping[str, Any] = sys.modules
) -> int:
    """Return the global rank of this process, 0 outside a distributed job.

    The first of these that knows it is asked: `torch.distributed`, if the program has initialised it; RANK; NODE_RANK
    and LOCAL_RANK; MPI's; SLURM_PROCID in a job of several tasks (an interactive SLURM shell sets it, too).
    """
    known = (_torch_rank(modules), _number(environment, "RANK"), _rank_of_node(environment))
    for rank in (*known, *(_number(environment, name) for name in _MPI_RANKS)):
        if rank is not None:
            return rank
    if (_number(environment, "SLURM_NTASKS") or 1) > 1:
        return _number(environment, "SLURM_PROCID") or 0
    return 0


def _torch_rank(modules: Mapping[str, Any]) -> int | None:
    distributed = modules.get("torch.distributed")
    try:
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank())
    except Exception:  # noqa: BLE001  (another program's module in whatever state: the environment decides then)
        return None
    return None


def _rank_of_node(environment: Mapping[str, str]) -> int | None:
    local = _number(environment, "LOCAL_RANK")
    if local is None:
        return None
    return (_number(environment, "NODE_RANK") or 0) * (_number(environment, "LOCAL_WORLD_SIZE") or 1) + local


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else None
