from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.annotations import annotate
from kohakuboard.errors import RunNotFoundError
from kohakuboard_viewer.shelf import Shelf


def test_runs_are_listed_newest_first_with_what_was_logged(
    root: Path, write_run: Callable[..., Path]
) -> None:
    write_run("older", lambda board: board.log(loss=2.0))
    write_run("newer", lambda board: board.log(loss=1.0), tags=["a"])
    newer, older = Shelf(root).runs()
    assert (newer.name, older.name) == ("newer", "older")
    assert newer.metrics["loss"].last == 1.0
    assert list(newer.tags) == ["a"]
    assert not newer.live


def test_a_project_is_found_by_its_directory_and_by_its_name(
    root: Path, write_run: Callable[..., Path]
) -> None:
    path = write_run("one", project="My project/1")
    write_run("two", project="other")
    shelf = Shelf(root)
    for name in (path.parent.name, "My project/1"):
        assert [run.name for run in shelf.runs(name)] == ["one"]
    assert shelf.view(path.parent.name, path.name).name == "one"
    assert shelf.runs("nothing") == []


def test_a_run_is_found_by_the_name_of_its_project(root: Path, write_run: Callable[..., Path]) -> None:
    """The address that `kobo open` prints names the project as the user does."""
    path = write_run("one", project="My project")
    assert Shelf(root).view("My project", path.name).name == "one"


def test_a_shelf_of_one_project_has_no_others(root: Path, write_run: Callable[..., Path]) -> None:
    write_run("one", project="a")
    two = write_run("two", project="b")
    shelf = Shelf(root, project="a")
    assert [run.name for run in shelf.runs()] == ["one"]
    with pytest.raises(RunNotFoundError):
        shelf.view("b", two.name)


@pytest.mark.parametrize(
    "wanted", [("default", "nope"), ("..", "x"), ("default", ".."), ("", "x"), ("a/b", "c"), ("a", "b\0")]
)
def test_no_other_directory_is_opened(
    root: Path, write_run: Callable[..., Path], wanted: tuple[str, str]
) -> None:
    write_run("one")
    with pytest.raises(RunNotFoundError):
        Shelf(root).view(*wanted)


def test_a_directory_that_is_no_run_is_not_found(root: Path) -> None:
    (root / "default" / "notes").mkdir(parents=True)
    with pytest.raises(RunNotFoundError):
        Shelf(root).view("default", "notes")


def test_what_is_logged_later_is_seen(root: Path) -> None:
    with Board("live", base_dir=root, capture_output=False) as board:
        board.log(loss=2.0)
        shelf = Shelf(root)
        before = shelf.view("default", board.id)
        [listed] = shelf.runs()
        board.log(loss=1.0)
        after = shelf.view("default", board.id)
        [listed_after] = shelf.runs()
    assert (listed.metrics["loss"].last, listed_after.metrics["loss"].last) == (2.0, 1.0)
    assert [run.status for run in shelf.runs()] == ["finished"]
    assert before.live
    assert before.summary == {"loss": 2.0}
    assert after.summary == {"loss": 1.0}
    assert before.version != after.version


def test_a_run_that_was_deleted_is_gone(root: Path, write_run: Callable[..., Path]) -> None:
    path = write_run("one")
    shelf = Shelf(root)
    shelf.view("default", path.name)
    path.rename(root.parent / "elsewhere")
    with pytest.raises(RunNotFoundError):
        shelf.view("default", path.name)


def test_a_run_that_has_ended_is_lent_as_it_was_a_moment_ago_where_that_will_do(
    root: Path, write_run: Callable[..., Path]
) -> None:
    path, shelf = write_run("old", lambda board: board.log(a=1)), Shelf(root)
    address = path.parent.name, path.name

    def name(fresh_s: float) -> str:
        with shelf.run(*address, fresh_s) as run:
            return run.name

    assert name(3600.0) == "old"
    annotate(path, name="new")
    assert name(3600.0) == "old"
    assert name(0.0) == "new"
    annotate(path, name="newer")
    shelf.forget()
    assert name(3600.0) == "newer"


def test_a_run_in_progress_is_always_lent_as_it_is(root: Path) -> None:
    shelf = Shelf(root)
    with Board("live", base_dir=root, capture_output=False) as board:
        board.log(a=1)
        for count in (1, 2):
            with shelf.run(board.path.parent.name, board.path.name, 3600.0) as run:
                assert run.metrics["a"].count == count
            board.log(a=2)
