"""The logger by itself: what it writes and where, what it takes, and what it does not do too early."""

from __future__ import annotations

import copy
import pickle
import threading
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.fabric.loggers.logger import _DummyExperiment
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import nn

from kohakuboard import Board
from kohakuboard.lightning import KohakuBoardLogger
from kohakuboard.reader import Run, open_run

ReadRun = Callable[[], Run]


def steps(run: Run, metric: str) -> list[int]:
    return [int(step) for step in run.series(metric).step]


def values(run: Run, metric: str) -> list[float]:
    return [float(value) for value in run.series(metric).value]


# One run, opened and closed


def test_numbered_versions_are_spelt_as_lightning_spells_them() -> None:
    assert KohakuBoardLogger(version=3).version == "version_3"


def test_a_given_version_is_the_id_and_continues_the_run(only_run: ReadRun) -> None:
    for step in range(2):
        logger = KohakuBoardLogger(version="my-run")
        logger.log_metrics({"loss": 1.0}, step=step)
        logger.finalize("success")
    run = only_run()
    assert run.id == "my-run"
    assert steps(run, "loss") == [0, 1]


def test_r06_what_is_logged_after_finalize_belongs_to_the_same_run(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger()
    logger.log_metrics({"loss": 2.0}, step=0)
    logger.finalize("success")
    assert only_run().status == "finished"
    logger.log_metrics({"loss": 1.0}, step=1)
    assert only_run().status == "running"
    logger.finalize("success")
    logger.finalize("success")
    run = only_run()
    assert run.status == "finished"
    assert list(zip(steps(run, "loss"), values(run, "loss"), strict=True)) == [(0, 2.0), (1, 1.0)]


def test_opened_again_the_run_keeps_its_description(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger(
        "second-try", project="p", config={"lr": 1}, tags=["a"], notes="why", group="sweep"
    )
    logger.experiment.config["lr"] = 2
    logger.finalize("success")
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.finalize("success")
    run = only_run()
    assert (run.name, run.project, run.group, run.notes) == ("second-try", "p", "sweep", "why")
    assert run.tags == ["a"]
    assert run.config["lr"] == 2


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda logger: pickle.loads(pickle.dumps(logger))])
def test_r45_a_copy_continues_the_run(duplicate: Callable[[Any], Any], only_run: ReadRun) -> None:
    logger = KohakuBoardLogger()
    logger.log_metrics({"loss": 1.0}, step=0)
    other = duplicate(logger)
    assert (other.name, other.version, other.save_dir) == (logger.name, logger.version, logger.save_dir)
    other.log_metrics({"loss": 2.0}, step=1)
    assert sorted(steps(only_run(), "loss")) == [0, 1]
    logger.finalize("success")
    other.finalize("success")


@pytest.mark.parametrize(
    ("told", "job", "status"),
    [("finished", "17", "preempted"), ("finished", "", "finished"), ("failed", "", "failed")],
)
def test_r12_a_requeued_slurm_job_is_preempted(
    told: str, job: str, status: str, monkeypatch: pytest.MonkeyPatch, only_run: ReadRun
) -> None:
    """Lightning says "finished" just before it puts the job back into the queue."""
    if job:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    logger = KohakuBoardLogger()
    logger.log_metrics({"a": 1.0}, step=0)
    logger.finalize(told)
    assert only_run().status == status


def test_r55_no_thread_is_left_after_finalize(root: Path) -> None:
    before = set(threading.enumerate())
    logger = KohakuBoardLogger()
    logger.log_metrics({"a": 1.0}, step=0)
    logger.finalize("success")
    assert set(threading.enumerate()) <= before


# Nothing too early, nothing by accident


def test_r01_the_constructor_has_no_effect(surroundings: Callable[[], object]) -> None:
    before = surroundings()
    logger = KohakuBoardLogger(config={"a": 1}, tags=["b"])
    assert logger.log_dir.startswith(logger.save_dir)
    logger.finalize("success")
    assert surroundings() == before


def test_two_loggers_are_two_runs_even_in_the_same_second() -> None:
    assert KohakuBoardLogger().version != KohakuBoardLogger().version


def test_seeds_do_not_touch_the_run_id() -> None:
    pl.seed_everything(1)
    first = KohakuBoardLogger().version
    pl.seed_everything(1)
    assert KohakuBoardLogger().version != first


# Where things lie


@pytest.mark.parametrize("name", ["", "a/b", "é:*?", "..", None])
def test_r40_any_name_makes_a_directory_of_its_own_under_the_root(name: str | None, root: Path) -> None:
    logger = KohakuBoardLogger(name)
    board = logger.experiment
    assert Path(logger.log_dir) == board.path
    assert board.path.parents[1] == root
    logger.finalize("success")


def test_home_and_variables_in_save_dir_are_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    assert KohakuBoardLogger(save_dir="~/runs").save_dir == str(tmp_path / "runs")
    assert KohakuBoardLogger(save_dir="$SCRATCH/runs").save_dir == str(tmp_path / "scratch" / "runs")


def test_save_dir_stays_when_the_program_changes_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    logger = KohakuBoardLogger(save_dir="runs")
    monkeypatch.chdir("/")
    assert logger.save_dir == str(tmp_path / "runs")


def test_a_run_read_through_its_directory_is_the_run(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger()
    logger.log_metrics({"a": 1.0}, step=0)
    assert open_run(logger.log_dir).id == logger.version == only_run().id
    logger.finalize("success")


# Metrics


def test_r22_r25_steps_may_come_in_any_order(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger()
    given = [5, 3, 3, None, 2**40]
    for step in given:
        logger.log_metrics({"a": 1.0}, step)
    logger.finalize("success")
    assert steps(only_run(), "a") == [5, 3, 3, 6, 2**40]


def test_r31_r32_r35_metrics_are_neither_changed_nor_kept(only_run: ReadRun) -> None:
    logger = KohakuBoardLogger(prefix="tmp")
    weight = torch.tensor(1.0)
    metrics = {"weight": weight, "epoch": 0}
    logger.log_metrics(metrics, step=0)
    weight += 1
    assert metrics == {"weight": weight, "epoch": 0}
    logger.finalize("success")
    assert values(only_run(), "tmp-weight") == [1.0]


# Hyperparameters


@dataclass
class Schedule:
    warmup: int = 10


class NotToBeCalled:
    def __call__(self) -> NoReturn:
        raise AssertionError("a hyperparameter was called")


def test_r36_r38_hyperparameters_may_have_any_shape(only_run: ReadRun) -> None:
    given = {
        "lr": 0.1,
        123: "int",
        3.5: "float",
        5j: "complex",
        "namespace": Namespace(a=1, b=Namespace(c=2)),
        "dataclass": Schedule(),
        "tensor": torch.tensor([1.0, 2.0]),
        "array": np.arange(3),
        "number": np.float32(0.5),
        "class": nn.BatchNorm1d,
        "callable": NotToBeCalled(),
        "path": Path("/data"),
        "none": None,
        "long": "x" * 100_000,
        "many": {str(number): number for number in range(10_000)},
    }
    logger = KohakuBoardLogger()
    logger.log_hyperparams(given)
    logger.log_hyperparams(Namespace(momentum=0.9))
    logger.log_hyperparams(None)
    logger.log_hyperparams()
    logger.log_hyperparams({"hp": 1}, {"hp/metric": 0.5})
    logger.finalize("success")
    config = only_run().config
    assert {"123", "3.5", "5j", "momentum", "hp", "lr"} <= set(config)
    assert config["namespace"] == {"a": 1, "b": {"c": 2}}
    assert config["dataclass"] == {"warmup": 10}
    assert (config["tensor"], config["array"], config["number"]) == ([1.0, 2.0], [0, 1, 2], 0.5)
    assert "BatchNorm1d" in config["class"]
    assert (config["path"], config["none"]) == ("/data", None)
    assert len(config["long"]) == 100_000
    assert len(config["many"]) == 10_000
    assert values(only_run(), "hp/metric") == [0.5]


def test_r32_given_hyperparameters_are_not_changed(root: Path) -> None:
    given = {"number": np.float32(1), "nested": {"list": [1, 2]}}
    before = copy.deepcopy(given)
    logger = KohakuBoardLogger(config=given)
    logger.log_hyperparams(given)
    logger.finalize("success")
    assert given == before
    assert type(given["number"]) is np.float32


# Ranks


def test_r42_r44_ranks_above_0_have_a_null_experiment_and_write_nothing(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = KohakuBoardLogger()
    board: Any = logger.experiment
    assert issubclass(type(board), _DummyExperiment)
    assert board.something(foo="bar") is None
    board.config.update({"a": 1})
    board.summary["best"] = board[0].nested["x"].value
    with board, board.anything() as inner:
        inner.log(loss=1.0)
    assert [*board.tags] == []
    copy.deepcopy(board)
    logger.log_metrics({"a": 1.0}, step=0)
    logger.log_hyperparams({"a": 1})
    logger.save()
    logger.finalize("success")
    assert None not in (logger.name, logger.version, logger.save_dir, logger.root_dir, logger.log_dir)
    assert not root.exists()


def test_the_null_experiment_takes_all_that_a_board_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    board = KohakuBoardLogger().experiment
    for name in [name for name in dir(Board) if not name.startswith("_")]:
        getattr(board, name)
    board.log(loss=1.0)
    board.step()
    board.add_tags("a")
    board.finish()
