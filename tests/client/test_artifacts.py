from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.errors import ArtifactNotFoundError, BoardClosedError
from kohakuboard.reader import Run, open_run

MakeBoard = Callable[..., Board]


@pytest.fixture
def make_board(tmp_path: Path) -> Iterator[MakeBoard]:
    """Return what makes boards of one project."""
    made: list[Board] = []

    def make(name: str = "r", **options: object) -> Board:
        options = {"project": "p", "run_id": name, **options}
        made.append(Board(name, base_dir=tmp_path / "runs", capture_output=False, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for board in made:
        board.finish()


def finished(board: Board) -> Run:
    board.finish()
    return open_run(board.path)


def file_of(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def listed(run: Run) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(one.name, one.version, one.aliases) for one in run.artifacts]


def assert_nothing_was_kept(run: Run) -> None:
    assert run.artifacts == []
    assert not [path for path in run.path.rglob("*") if ".artifact" in path.name or ".tmp" in path.name]


def test_what_becomes_of_a_file_after_the_call_changes_nothing(tmp_path: Path, make_board: MakeBoard) -> None:
    board, weights = make_board(), file_of(tmp_path / "weights.pt", "first")
    board.step(7)
    board.log_artifact(weights, "model", type="model", aliases=["best"], metadata={"acc": 0.5})
    weights.write_text("overwritten in place")
    weights.unlink()
    run = finished(board)
    (version,) = run.artifacts
    assert version.path.name == "weights.pt"
    assert version.path.read_text() == "first"
    with version.open() as file:
        assert file.read() == b"first"
    assert (version.name, version.version, version.type, version.step) == ("model", 0, "model", 7)
    assert (version.size_bytes, version.n_files, version.run) == (5, 1, "p/r")
    assert version.metadata == {"acc": 0.5}
    assert version.aliases == ("best", "latest")
    assert run.problems == []


def test_a_directory_is_kept_with_its_names_and_links_are_followed(
    tmp_path: Path, make_board: MakeBoard
) -> None:
    data = tmp_path / "data"
    file_of(data / "a.txt", "a")
    file_of(data / "deep" / "é b.txt", "b")
    file_of(tmp_path / "outside" / "c.txt", "c")
    (data / "linked").symlink_to(tmp_path / "outside")
    (data / "alias.txt").symlink_to(data / "a.txt")
    board = make_board()
    board.log_artifact(data)
    shutil.rmtree(data)
    (version,) = finished(board).artifacts
    names = ["a.txt", "alias.txt", "deep/é b.txt", "linked/c.txt"]
    assert version.name == "data"
    assert [file.path for file in version.files] == names
    assert [(version.path / name).read_text() for name in names] == ["a", "a", "b", "c"]
    assert not any(path.is_symlink() for path in version.path.rglob("*"))


def test_a_new_content_is_a_new_version_and_the_same_one_only_gets_new_aliases(
    tmp_path: Path, make_board: MakeBoard
) -> None:
    board, path = make_board(), tmp_path / "w"
    for content, aliases in (("1", ["best"]), ("2", []), ("3", ["best"]), ("1", ["final"])):
        board.log_artifact(file_of(path, content), "model", aliases=aliases)
    run = finished(board)
    assert listed(run) == [("model", 0, ("final", "latest")), ("model", 1, ()), ("model", 2, ("best",))]


def test_versions_and_aliases_are_those_of_the_project_and_every_run_finds_them(
    tmp_path: Path, make_board: MakeBoard
) -> None:
    first, path = make_board("first"), tmp_path / "w"
    first.log_artifact(file_of(path, "1"), "model", aliases=["best"])
    first.log_artifact(file_of(path, "2"), "model")
    first.finish()
    second = make_board("second")
    second.log_artifact(file_of(path, "1"), "model", aliases=["prod"])
    second.log_artifact(file_of(path, "3"), "model", aliases=["best"])
    asked = {
        "model": "3", "model:latest": "3", "model:v0": "1", "model:v1": "2", "model:best": "3", "model:prod": "1",
        "first/model": "2", "first/model:best": "1", "p/first/model:v1": "2", "p/model:best": "3",
    }  # fmt: skip
    for name, content in asked.items():
        assert second.use_artifact(name).path.read_text() == content, name
    elsewhere = make_board("third", project="q")
    assert elsewhere.use_artifact("p/model:v1").path.read_text() == "2"
    run = finished(second)
    assert listed(run) == [("model", 0, ("prod",)), ("model", 2, ("best", "latest"))]
    assert [use.asked for use in run.used_artifacts] == list(asked)
    assert {use.run for use in run.used_artifacts} == {"p/first", "p/second"}
    assert open_run(first.path).artifacts[1].used_by == ("p/second",)
    # The same content in two runs of a project takes room once.
    assert run.artifacts[0].path.samefile(open_run(first.path).artifacts[0].path)


def test_what_is_not_there_is_said_with_what_is(tmp_path: Path, make_board: MakeBoard) -> None:
    board = make_board()
    board.log_artifact(file_of(tmp_path / "w", "1"), "model")
    board.use_artifact("model")
    for wanted, said in {
        "nothing": "there are 'model'",
        "model:v9": "'model' has latest, v0",
        "nowhere/model": "there is no run and no project 'nowhere'",
        "": "there are 'model'",
    }.items():
        with pytest.raises(ArtifactNotFoundError, match=said):
            board.use_artifact(wanted)
    assert [use.asked for use in finished(board).used_artifacts] == ["model"]


def test_a_reference_is_kept_by_its_path_and_its_checksum(tmp_path: Path, make_board: MakeBoard) -> None:
    board, data = make_board(), tmp_path / "data"
    file_of(data / "a.txt", "a")
    board.log_artifact(data, reference=True)
    version = board.use_artifact("data")
    assert version.reference
    assert version.path == data
    with version.open("a.txt") as file:
        assert file.read() == b"a"
    assert version.files[0].sha256 is not None
    assert not list((board.path / "artifacts").rglob("a.txt"))
    shutil.rmtree(data)
    with pytest.raises(FileNotFoundError):
        _ = version.path


def _loop(path: Path) -> Path:
    file_of(path / "sub" / "a.txt", "a")
    (path / "sub" / "again").symlink_to(path)
    return path / "sub" / "again"


def _link_to_itself(path: Path) -> Path:
    path.mkdir()
    (path / "x").symlink_to("x")
    return path / "x"


def _dangling(path: Path) -> Path:
    path.mkdir()
    (path / "x").symlink_to("nowhere")
    return path / "x"


def _fifo(path: Path) -> Path:
    file_of(path / "a.txt", "a")
    os.mkfifo(path / "pipe")
    return path / "pipe"


def _socket(path: Path) -> Path:
    path.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(path)
        listener.bind("s")
        os.chdir(here)
    return path / "s"


def _device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def _missing(path: Path) -> Path:
    return path


def _empty(path: Path) -> Path:
    path.mkdir()
    return path


def test_what_cannot_be_kept_is_refused_whole_in_one_warning_that_names_it(
    tmp_path: Path, make_board: MakeBoard, caplog: pytest.LogCaptureFixture
) -> None:
    board = make_board()
    kinds = (_loop, _link_to_itself, _dangling, _fifo, _socket, _device, _missing, _empty)
    for kind in kinds:
        path = tmp_path / kind.__name__
        culprit = kind(path)
        caplog.clear()
        for reference in (False, True):
            board.log_artifact(path, reference=reference)
        (warning,) = [record.getMessage() for record in caplog.records]
        assert repr(str(culprit)) in warning
    board.log({"a": 1.0})
    run = finished(board)
    assert run.problems == []
    assert_nothing_was_kept(run)
    assert len(run.series("a").step) == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, make_board: MakeBoard, caplog: pytest.LogCaptureFixture
) -> None:
    board, path = make_board(), file_of(tmp_path / "secret", "x")
    path.chmod(0)
    board.log_artifact(path)
    assert_nothing_was_kept(finished(board))
    assert repr(str(path)) in caplog.text


def test_anything_may_be_given_for_a_path(make_board: MakeBoard, caplog: pytest.LogCaptureFixture) -> None:
    board = make_board()
    for path in (None, 7, "a\0b", object(), b"\xff", "x" * 10_000):
        caplog.clear()
        board.log_artifact(path)  # type: ignore[arg-type]
        assert "not logged" in caplog.text, repr(path)[:40]
    board.log_artifact(board.path.parent)
    assert "holds the run itself" in caplog.text
    assert_nothing_was_kept(finished(board))


def test_a_file_that_is_written_to_meanwhile_is_refused_or_whole(
    tmp_path: Path, make_board: MakeBoard
) -> None:
    path, over = tmp_path / "growing", threading.Event()
    path.write_bytes(bytes(4 << 20))
    board = make_board()

    def grow() -> None:
        with open(path, "ab", buffering=0) as file:
            while not over.is_set() and file.tell() < 64 << 20:
                file.write(b"x" * 4096)

    writer = threading.Thread(target=grow)
    writer.start()
    for _ in range(5):
        board.log_artifact(path)
    over.set()
    writer.join()
    for version in finished(board).artifacts:
        assert version.path.stat().st_size == version.size_bytes == version.files[0].size_bytes


def test_a_file_that_vanishes_from_a_directory_leaves_nothing_half(
    tmp_path: Path, make_board: MakeBoard, caplog: pytest.LogCaptureFixture
) -> None:
    data, over = tmp_path / "data", threading.Event()
    for number in range(50):
        file_of(data / f"{number:03d}", f"{number}")
    board = make_board()

    def churn() -> None:
        while not over.is_set():
            (data / "049").unlink(missing_ok=True)
            file_of(data / "049", "49")
            time.sleep(0.0005)

    thread = threading.Thread(target=churn)
    thread.start()
    for _ in range(5):
        board.log_artifact(data)
    over.set()
    thread.join()
    for version in finished(board).artifacts:
        assert [path.read_text() for path in sorted(version.path.iterdir())][:49] == [
            str(n) for n in range(49)
        ]
        assert version.n_files == len(list(version.path.iterdir()))


def test_names_and_aliases_that_could_not_be_asked_for_are_changed(
    tmp_path: Path, make_board: MakeBoard, caplog: pytest.LogCaptureFixture
) -> None:
    board = make_board()
    board.log_artifact(
        file_of(tmp_path / "w", "1"), "../../a b:c", aliases=["v7", "latest", "for/prod", "for/prod"]
    )
    assert board.use_artifact("..-..-a b-c:for-prod").version == 0
    assert listed(finished(board)) == [("..-..-a b-c", 0, ("for-prod", "latest"))]
    assert "is called '..-..-a b-c'" in caplog.text
    assert "'v7' is no alias" in caplog.text


def test_an_artifact_larger_than_the_journal_may_be_is_kept(tmp_path: Path, make_board: MakeBoard) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(32 << 20)
    board = make_board(journal_limit_bytes=8 << 20)
    board.log_artifact(path)
    board.log({"a": 1.0})
    run = finished(board)
    assert run.artifacts[0].size_bytes == 32 << 20
    assert run.problems == []


def test_a_path_from_a_directory_that_was_deleted_is_refused_by_name(
    tmp_path: Path, make_board: MakeBoard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    board = make_board()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    board.log_artifact("weights.bin")
    assert "'weights.bin'" in caplog.text
    assert "absolute" not in caplog.text


def test_a_closed_board_keeps_and_finds_nothing(tmp_path: Path, make_board: MakeBoard) -> None:
    board = make_board()
    board.finish()
    with pytest.raises(BoardClosedError):
        board.log_artifact(file_of(tmp_path / "w", "1"))
    with pytest.raises(BoardClosedError):
        board.use_artifact("w")


def test_a_run_that_was_moved_away_has_its_artifacts_with_it(tmp_path: Path, make_board: MakeBoard) -> None:
    board = make_board()
    board.log_artifact(file_of(tmp_path / "w", "1"), "model")
    board.finish()
    moved = shutil.copytree(board.path, tmp_path / "elsewhere" / "r")
    shutil.rmtree(board.path)
    (version,) = open_run(moved).artifacts
    assert version.path.read_text() == "1"
    assert version.path.is_relative_to(moved)


PROGRAM = """
import json, sys
from pathlib import Path
from kohakuboard import Board
root, name = Path(sys.argv[1]), sys.argv[2]
board = Board(name, run_id=name, project="p", base_dir=root / "runs", capture_output=False)
for number in range(8):
    path = root / name / "w.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{name if number % 2 else 'shared'} {number}")
    board.log_artifact(path, "model")
board.finish()
"""


def test_runs_that_log_one_name_at_once_give_each_content_one_number(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    children = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), name]) for name in names]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    found: dict[int, set[str]] = {}
    for name in names:
        versions = open_run(tmp_path / "runs" / "p" / name).artifacts
        assert len(versions) == 8
        for version in versions:
            found.setdefault(version.version, set()).add(version.digest)
    # Four contents that all have, and four of each alone.
    assert sorted(found) == list(range(16))
    assert all(len(digests) == 1 for digests in found.values())
