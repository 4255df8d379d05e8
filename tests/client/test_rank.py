from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kohakuboard.client.rank import process_rank


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"RANK": "3", "LOCAL_RANK": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, 3),
        ({"RANK": "0", "SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, 0),
        ({"LOCAL_RANK": "1"}, 1),
        ({"NODE_RANK": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "8"}, 17),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0", "SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, 0),
        ({"OMPI_COMM_WORLD_RANK": "5"}, 5),
        ({"PMI_RANK": "6"}, 6),
        ({"SLURM_PROCID": "3"}, 0),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "1"}, 0),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, 3),
        ({"RANK": "first"}, 0),
    ],
    ids=str,
)
def test_launchers_leave_the_rank_in_the_environment(environment: dict[str, str], rank: int) -> None:
    assert process_rank(environment, {}) == rank


def distributed(**functions: Any) -> dict[str, Any]:
    return {"torch.distributed": SimpleNamespace(is_available=lambda: True, **functions)}


def test_torch_has_the_first_word_once_it_is_initialised() -> None:
    environment = {"RANK": "3"}
    ready = distributed(is_initialized=lambda: True, get_rank=lambda: 7)
    assert process_rank(environment, ready) == 7
    assert process_rank(environment, distributed(is_initialized=lambda: False)) == 3


def test_a_broken_torch_leaves_the_word_to_the_environment() -> None:
    def fail() -> bool:
        raise RuntimeError("half initialised")

    assert process_rank({"RANK": "3"}, distributed(is_initialized=fail)) == 3
