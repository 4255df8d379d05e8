"""The end of a board: at a call, with a `with` block, with the program; and what is left of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kohakuboard import Board
from kohakuboard.errors import BoardClosedError
from kohakuboard.reader import open_run
from tests.client.boards import run_script, the_run


def test_logging_after_finish_is_a_clear_error(tmp_path: Path) -> None:
    board = Board("mnist", base_dir=tmp_path)
    board.finish()
    board.finish()
    uses: tuple[Callable[[], None], ...] = (
        lambda: board.log(a=1),
        lambda: board.log(a=[1]),
        lambda: board.config.update(a=1),
    )
    for use in uses:
        with pytest.raises(BoardClosedError, match="board 'mnist' is closed; open a new Board to log more"):
            use()


def test_a_context_tells_how_it_ended(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)

    def train() -> None:
        with board:
            board.log(a=1)
            raise ZeroDivisionError("no luck")

    with pytest.raises(ZeroDivisionError):
        train()
    run = open_run(board.path)
    assert run.status == "failed"
    assert run.error is not None
    assert "ZeroDivisionError" in run.error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SystemExit(), "finished"),
        (SystemExit(0), "finished"),
        (SystemExit(2), "failed"),
        (SystemExit("no luck"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (GeneratorExit(), "failed"),
    ],
)
def test_a_context_left_by_sys_exit_0_is_finished(tmp_path: Path, error: BaseException, status: str) -> None:
    """A program that ended with sys.exit(0) in its `with` block was reported as failed."""
    with pytest.raises(type(error)), Board(base_dir=tmp_path, capture_output=False):
        raise error
    run = the_run(tmp_path)
    assert run.status == status
    assert (run.error is None) == (status == "finished")


@pytest.mark.parametrize(
    ("ending", "code", "status", "words"),
    [
        ("", 0, "finished", None),
        ("raise ValueError('out of luck')", 1, "failed", "out of luck"),
        ("raise KeyboardInterrupt", -2, "interrupted", "KeyboardInterrupt"),
    ],
)
def test_a_program_that_never_calls_finish_ends_with_the_true_status(
    tmp_path: Path, ending: str, code: int, status: str, words: str | None
) -> None:
    run_script(
        "import sys; from kohakuboard import Board\n"
        "def train():\n"
        "    board = Board(base_dir=sys.argv[1])\n"
        "    for i in range(100): board.log(a=i)\n"
        f"train()\n{ending}",
        str(tmp_path),
        code=code,
    )
    run = the_run(tmp_path)
    assert run.status == status
    assert len(run.series("a").value) == 100
    assert (words or "") in (run.error or "")


def test_finish_leaves_one_run_without_journal_or_write_ahead_log(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    board.log(a=1)
    board.finish()
    names = {path.name for path in board.path.iterdir() if not path.name.startswith(".")}
    assert names == {"run.db", "run.digest", "scalars", "console.log", "writer.log"}


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")
def test_finish_waits_for_a_slow_writer_within_bounds_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = Board("slow", base_dir=tmp_path)
    board.log(a=1.0)
    writer = board._supervisor.writer_pid
    assert writer is not None
    os.kill(writer, signal.SIGSTOP)
    try:
        board.finish(timeout_s=2.5)
        said = capsys.readouterr().err
        assert "writing what was logged" in said
        assert "goes on in the background" in said
        # All that was logged can be read meanwhile.
        assert open_run(board.path).status == "finished"
        assert open_run(board.path).series("a").value.tolist() == [1.0]
    finally:
        os.kill(writer, signal.SIGCONT)
    deadline = time.monotonic() + 30
    while (board.path / "journal").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert open_run(board.path).series("a").value.tolist() == [1.0]
