from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.annotations import annotate
from kohakuboard.reader import Entry, Workspace
from kohakuboard.reader.listing import CLOCK_GRAIN_S
from tests.reliability.processes import wait_for


def finished_run(root: Path, run_id: str, value: float = 1.0) -> Path:
    board = Board(run_id=run_id, base_dir=root, capture_output=False)
    board.log(loss=value)
    board.finish()
    return board.path


@pytest.fixture
def resting(tmp_path: Path) -> tuple[Workspace, Path]:
    """A workspace with one run that ended long enough ago."""
    path = finished_run(tmp_path, "a")
    time.sleep(CLOCK_GRAIN_S + 0.1)
    workspace = Workspace(tmp_path)
    workspace.runs()
    return workspace, path


def test_at_a_glance_what_our_programs_change_is_seen_at_once_and_what_others_do_in_its_turn(
    resting: tuple[Workspace, Path],
) -> None:
    workspace, path = resting
    finished_run(path.parents[1], "b")
    [_, entry] = workspace.entries(glance=True)
    assert [entry.run.id for entry in workspace.entries(glance=True)] == ["b", "a"], "it came"

    annotate(path, notes="mine")
    assert workspace.entries(glance=True)[1].run.notes == "mine"
    assert workspace.entries(glance=True)[1] is not entry

    board = Board(run_id="b", base_dir=path.parents[1], capture_output=False)
    wait_for(lambda: workspace.entries(glance=True)[0].run.status == "running")
    board.finish()
    assert workspace.entries(glance=True)[0].run.status == "finished"
    shutil.rmtree(board.path)
    assert [entry.run.id for entry in workspace.entries(glance=True)] == ["a"]

    time.sleep(CLOCK_GRAIN_S + 0.1)
    entry = only(workspace)
    assert workspace.entries(glance=True) is workspace.entries(glance=True)
    with sqlite3.connect(path / "run.db") as connection:
        connection.execute("UPDATE run SET name = 'another'")
    connection.close()
    wait_for(lambda: workspace.entries(glance=True)[0].run.name == "another")
    assert only(workspace) is not entry


def only(workspace: Workspace) -> Entry:
    [entry] = workspace.entries()
    return entry


def test_a_run_that_rests_keeps_its_entry_and_what_wakes_it_is_seen(resting: tuple[Workspace, Path]) -> None:
    workspace, path = resting
    entry = only(workspace)
    assert entry.stamp is not None
    assert only(workspace) is entry

    with sqlite3.connect(path / "run.db") as connection:
        connection.execute("UPDATE run SET notes = 'mine'")
    connection.close()
    changed = only(workspace)
    assert changed is not entry
    assert changed.run.notes == "mine"

    board = Board(run_id="a", base_dir=path.parents[1], capture_output=False)
    assert only(workspace).run.status == "running"
    assert only(workspace) is not only(workspace), "it does not rest"
    board.log(loss=7.0)
    assert only(workspace).run.summary == {"loss": 7.0}
    board.finish()
    assert only(workspace).run.status == "finished"


def test_another_run_db_copied_over_that_of_a_resting_run_is_seen(resting: tuple[Workspace, Path]) -> None:
    workspace, path = resting
    other = finished_run(path.parents[1].parent / "elsewhere", "a", value=5.0)
    entry, times = only(workspace), os.stat(path)
    shutil.copyfile(other / "run.db", path / "run.db")
    assert os.stat(path).st_mtime_ns == times.st_mtime_ns
    assert only(workspace) is not entry
    assert only(workspace).run.summary == {"loss": 5.0}


def test_a_run_that_changed_a_moment_ago_does_not_rest(tmp_path: Path) -> None:
    finished_run(tmp_path, "a")
    assert only(Workspace(tmp_path)).stamp is None


def test_runs_that_come_and_go_are_listed_in_order(resting: tuple[Workspace, Path]) -> None:
    workspace, path = resting
    finished_run(path.parents[1], "b")
    assert [run.id for run in workspace.runs()] == ["b", "a"]
    shutil.rmtree(path)
    assert [run.id for run in workspace.runs()] == ["b"]
    (path.parent / "empty").mkdir()
    (path.parent / "dangling").symlink_to("nowhere")
    assert [run.id for run in workspace.runs()] == ["b"]
    assert workspace.run("b").summary == {"loss": 1.0}


def test_a_run_that_was_opened_by_itself_is_listed_as_it_is(resting: tuple[Workspace, Path]) -> None:
    workspace, _ = resting
    before = only(workspace)
    run = workspace.run("a")
    entry = only(workspace)
    assert entry is not before
    assert entry.run is run
    assert only(workspace) is entry
