"""An adapter has one run, whatever process it is used in and however often that run ends."""

from __future__ import annotations

import builtins
import logging
import multiprocessing
import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kohakuboard import Board
from kohakuboard.client import AdapterRun, open_boards
from kohakuboard.reader import open_run


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(tmp_path / "runs"))


def test_a_run_that_was_ended_is_opened_again_and_runs_again() -> None:
    run = AdapterRun("test")
    first = run.open(project="p", config={"lr": 1})
    first.log(a=1.0, step=0)
    run.end()
    assert open_run(first.path).status == "finished"
    second = run.open(project="another", config={"lr": 1})
    second.log(a=2.0, step=1)
    assert (second.path, open_run(first.path).status) == (first.path, "running")
    run.end("failed", "why")
    assert open_run(first.path).series("a").value.tolist() == [1.0, 2.0]
    assert (open_run(first.path).status, open_run(first.path).error) == ("failed", "why")


def test_ending_what_was_never_opened_makes_nothing(tmp_path: Path) -> None:
    AdapterRun("test").end()
    assert not (tmp_path / "runs").exists()


def test_a_board_of_the_user_is_used_and_not_ended() -> None:
    board = Board("mine", config={"lr": 1})
    run = AdapterRun("test")
    assert run.open(name="other", config={"lr": 2, "depth": 3}) is board
    assert dict(board.config) == {"lr": 1, "depth": 3}
    run.end()
    assert not board.closed
    board.finish()


def test_adapters_of_two_frameworks_share_a_run_and_two_of_one_do_not() -> None:
    first, same, other = AdapterRun("a"), AdapterRun("a"), AdapterRun("b")
    board = first.open()
    assert other.open() is board
    assert same.open() is not board
    other.end()
    assert not board.closed
    same.end()
    first.end()
    assert board.closed


def test_what_is_shared_goes_on_after_its_owner_has_ended_it() -> None:
    """As an evaluation after a training that was all inside of a `with Board()`."""
    run = AdapterRun("test")
    with Board("mine") as board:
        run.open().log(a=1.0)
    run.open().log(b=1.0)
    run.end()
    assert {"a", "b"} <= set(open_run(board.path).metrics)


def test_a_pickle_has_the_place_and_not_the_board() -> None:
    run = AdapterRun("test")
    board = run.open(project="p")
    run.end()
    copied = pickle.loads(pickle.dumps(run))
    assert copied.board is None
    assert copied.open().path == board.path
    copied.end()


@pytest.mark.filterwarnings("ignore:.*fork-safe")  # lance, which only this test process has loaded
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_forked_child_logs_to_the_run_and_does_not_end_it() -> None:
    run = AdapterRun("test")
    board = run.open()
    board.log(a=0.0, step=0)

    def child() -> None:
        run.open().log(a=1.0, step=1)
        run.end()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert (process.exitcode, open_run(board.path).status) == (0, "running")
    run.end()
    assert sorted(open_run(board.path).series("a").value.tolist()) == [0.0, 1.0]


def log_and_end(run: AdapterRun) -> None:
    run.open().log(a=1.0, step=1)
    run.end()


def test_a_spawned_child_logs_to_the_run_that_its_parent_has_open() -> None:
    run = AdapterRun("test")
    board = run.open()
    board.log(a=0.0, step=0)
    process = multiprocessing.get_context("spawn").Process(target=log_and_end, args=(run,))
    process.start()
    process.join(60)
    assert (process.exitcode, open_run(board.path).status) == (0, "running")
    run.end()
    assert sorted(open_run(board.path).series("a").value.tolist()) == [0.0, 1.0]


def test_only_a_run_that_was_begun_for_nothing_is_taken_back() -> None:
    """One that was continued was deleted, with all that had been logged to it."""
    run = AdapterRun("test")
    board = run.open()
    run.take_back()
    assert not board.path.exists()
    log_and_end(run)
    path = Path(run.place["base_dir"], run.place["project"], run.place["run_id"])
    run.open()
    run.take_back()
    assert len(open_run(path).series("a").value) == 1


def test_another_run_is_begun_when_the_first_is_to_be_forgotten() -> None:
    run = AdapterRun("test")
    first = run.open()
    run.end()
    run.forget()
    assert run.place == {}
    assert run.open().path != first.path
    run.end()


def test_the_run_of_a_checkpoint_is_found_where_it_was_moved(tmp_path: Path) -> None:
    run = AdapterRun("test")
    board = run.open(project="p", base_dir=tmp_path / "old")
    run.end()
    place = run.place
    assert run.can_continue(place)
    shutil.move(tmp_path / "old", os.environ["KOHAKUBOARD_DIR"])
    later = AdapterRun("test")
    assert later.can_continue(place)
    later.go_to(place)
    assert later.open().id == board.id
    later.end()


def test_the_run_of_a_checkpoint_that_is_gone_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="kohakuboard"):
        assert not AdapterRun("test").can_continue({"project": "p", "base_dir": "nowhere", "run_id": "gone"})
    assert "p/gone" in caplog.text


@pytest.mark.parametrize(("way", "continues"), [("never", False), ("must", True)])
def test_the_setting_decides_on_the_run_of_a_checkpoint(
    monkeypatch: pytest.MonkeyPatch, way: str, continues: bool
) -> None:
    run = AdapterRun("test")
    run.open()
    run.end()
    monkeypatch.setenv("KOHAKUBOARD_RESUME", way)
    assert run.can_continue(run.place) is continues


def test_another_handle_of_a_run_is_no_open_board() -> None:
    """It can be closed by nobody, and an adapter would log to it after its run has ended."""
    board = Board("mine", run_id="one")
    handle = Board(run_id="one")
    assert handle not in open_boards()
    board.finish()
    run = AdapterRun("test")
    assert run.open().id != "one"
    run.end()
    handle.finish()


def test_the_boards_that_are_open_are_told_latest_first() -> None:
    first, second = Board("first"), Board("second")
    assert open_boards()[:2] == [second, first]
    second.finish()
    assert open_boards()[0] is first
    first.finish()
    assert first not in open_boards()


class Shell:
    """Have the events of IPython's shell."""

    def __init__(self) -> None:
        self.events = self
        self.callbacks: list[Any] = []

    def register(self, event: str, function: Any) -> None:
        self.callbacks.append(function)

    def unregister(self, event: str, function: Any) -> None:
        self.callbacks.remove(function)

    def run_cell(self, error: BaseException | None = None) -> None:
        for callback in list(self.callbacks):
            callback(SimpleNamespace(error_in_exec=error))


def test_a_cell_that_raises_fails_the_run_that_it_logged_to(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell()
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    run = AdapterRun("test")
    board = run.open()
    shell.run_cell()
    shell.run_cell(ValueError("of another cell"))
    assert not board.closed
    assert run.in_use() is board
    shell.run_cell(ValueError("of the run"))
    assert (open_run(board.path).status, shell.callbacks) == ("failed", [])
    assert "of the run" in (open_run(board.path).error or "")
    run.open()
    pickle.loads(pickle.dumps(run))
    run.end()
    assert shell.callbacks == []


def test_cells_do_not_keep_a_run_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell()
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    run = AdapterRun("test")
    board = run.open()
    del run
    shell.run_cell(ValueError("late"))
    assert (shell.callbacks, board.closed) == ([], False)
    board.finish()
