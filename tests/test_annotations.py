"""What is said of runs afterwards: by functions and by `kobo`, on ended runs and on live ones."""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.annotations import COLOURS, annotate, restore, trash, trashed
from kohakuboard.cli import main
from kohakuboard.errors import NotARunError, RunBusyError, RunExistsError, SettingError
from kohakuboard.reader import Workspace, open_run


@pytest.fixture
def run(root: Path) -> Path:
    with Board(
        "given", base_dir=root, run_id="a", tags=["own"], notes="its own", capture_output=False
    ) as board:
        board.log(loss=1.0)
    return board.path


def test_what_is_said_stands_for_what_the_run_said_and_can_be_taken_back(run: Path) -> None:
    reading = open_run(run)
    before = reading.version
    annotate(
        run, name="the best", notes="look", colour="teal", pinned=True, archived=True, add_tags=["x", "own"]
    )
    assert reading.version != before
    assert (reading.name, reading.given_name, reading.notes) == ("the best", "given", "look")
    assert reading.tags == ["own", "x"]
    assert (reading.colour, reading.pinned, reading.archived) == ("teal", True, True)

    annotate(run, name=None, notes=None, colour=None, pinned=False, remove_tags=["own"])
    reading.refresh()
    assert (reading.name, reading.notes, reading.tags, reading.pinned) == ("given", "its own", ["x"], False)
    assert reading.archived, "what is not given stays"
    assert reading.summary == {"loss": 1.0}


def test_a_live_run_is_annotated_and_its_own_tags_still_come_in(root: Path) -> None:
    with Board("live", base_dir=root, tags=["own"], capture_output=False) as board:
        annotate(board.path, add_tags=["mine"], remove_tags=["own"], name="renamed")
        board.log(loss=1.0)
        board.add_tags("later")
        reading = open_run(board.path)
        assert (reading.name, reading.tags, reading.status) == ("renamed", ["later", "mine"], "running")
    reading.refresh()
    assert (reading.name, reading.tags, reading.status) == ("renamed", ["later", "mine"], "finished")
    assert reading.problems == []


def test_it_travels_with_the_run(run: Path, tmp_path: Path) -> None:
    annotate(run, notes="mine")
    copy = shutil.copytree(run, tmp_path / "elsewhere" / "project" / "a")
    assert open_run(copy).notes == "mine"


def test_many_who_annotate_at_once_lose_nothing(run: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: annotate(run, add_tags=[f"tag {number}"]), range(40)))
    assert set(open_run(run).tags) == {"own", *(f"tag {number}" for number in range(40))}


def test_a_list_that_is_kept_sees_it(run: Path, root: Path) -> None:
    workspace = Workspace(root)
    assert workspace.runs()[0].name == "given"
    annotate(run, name="other")
    assert workspace.runs()[0].name == "other"


@pytest.mark.parametrize(
    "wrong",
    [{"colour": "beige"}, {"name": " "}, {"name": "x" * 1000}, {"add_tags": [""]}, {"notes": "x" * 10**6}],
)
def test_what_cannot_be_is_refused_and_changes_nothing(run: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        annotate(run, **wrong)  # type: ignore[arg-type]
    assert not (run / "annotations.json").exists()
    with pytest.raises(NotARunError):
        annotate(run.parent, name="x")


def test_a_damaged_file_is_named_and_the_run_read_without_it(run: Path) -> None:
    (run / "annotations.json").write_text("{half")
    reading = open_run(run)
    assert reading.name == "given"
    assert "annotations.json cannot be read" in reading.problems[0]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_where_nothing_may_be_written_it_says_so(run: Path) -> None:
    run.chmod(0o555)
    with pytest.raises(PermissionError):
        annotate(run, name="x")
    run.chmod(0o755)


def test_a_run_goes_to_the_trash_and_comes_back_whole(run: Path, root: Path) -> None:
    annotate(run, name="kept")
    thrown = trash(run)
    assert thrown == root / ".trash" / "default" / "a"
    assert Workspace(root).runs() == []
    assert Workspace(root).projects() == []
    assert trashed(root) == [thrown]
    assert restore(thrown) == run
    assert [each.name for each in Workspace(root).runs()] == ["kept"]


def test_two_runs_of_one_name_lie_in_the_trash_and_none_is_put_over_another(run: Path, root: Path) -> None:
    first = trash(run)
    shutil.copytree(first, run)
    second = trash(run)
    assert second.name == "a~2"
    assert restore(second) == run
    with pytest.raises(RunExistsError):
        restore(first)
    with pytest.raises(NotARunError):
        restore(run)


def test_a_live_run_stays_where_it_is(root: Path) -> None:
    with Board("live", base_dir=root, capture_output=False) as board:
        with pytest.raises(RunBusyError):
            trash(board.path)
        board.log(loss=1.0)
    assert open_run(board.path).summary == {"loss": 1.0}


def test_kobo_says_it_too(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def kobo(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    kobo("tag", "a", "one", "two words")
    kobo("tag", "a", "one", "--remove")
    kobo("rename", "default/a", "best so far")
    kobo("note", "a", "remember")
    kobo("colour", "a", "gold")
    kobo("pin", "a")
    kobo("archive", "a")
    reading = open_run(run)
    assert (reading.name, reading.notes, reading.tags) == ("best so far", "remember", ["own", "two words"])
    assert (reading.colour, reading.pinned, reading.archived) == ("gold", True, True)
    kobo("archive", "a", "--undo")
    kobo("rename", "a")
    assert not open_run(run).archived
    assert open_run(run).name == "given"

    assert ".trash" in kobo("trash", "a")
    assert kobo("restore") == "default/a\n"
    assert str(run) in kobo("restore", "a")
    assert "empty" in kobo("restore")
    assert main(["colour", "a", "beige"]) == 1
    assert "vermilion" in capsys.readouterr().err


def test_the_viewer_draws_in_the_same_colours() -> None:
    from kohakuboard_viewer.colours import HUES

    assert tuple(hue.name for hue in HUES) == COLOURS
