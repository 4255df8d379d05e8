"""Where a run lies and what it is called, that it can be continued, and that boards get along with each other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kohakuboard import Board, Histogram
from tests.client.boards import finished, run_script, steps, the_run

# Where a run lies, and what it is called


def test_a_run_lies_under_root_project_and_id_and_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Board("my run", project="vision", base_dir=tmp_path) as board:
        assert board.path == tmp_path / "vision" / board.id
    line, *later = capsys.readouterr().err.splitlines()
    assert all("writing what was logged" in word for word in later), "said where finish() takes long"
    assert str(board.path) in line
    assert f"kobo open {tmp_path}" in line


def test_the_root_is_kohakuboard_dir_or_a_folder_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = Board()
    assert here.path.parent == tmp_path / "kohakuboard" / "default"
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(tmp_path / "elsewhere"))
    there = Board()
    assert there.path.parent == tmp_path / "elsewhere" / "default"
    here.finish()
    there.finish()


def test_a_name_is_made_up_and_ids_differ(tmp_path: Path) -> None:
    boards = [Board(base_dir=tmp_path, capture_output=False) for _ in range(2)]
    assert all(len(board.name.split("-")) == 2 for board in boards)
    assert boards[0].id != boards[1].id
    for board in boards:
        board.finish()


@pytest.mark.parametrize("name", ["a/b", "é:*?", "..", "x" * 300, "  "])
def test_names_that_no_file_system_takes_survive(tmp_path: Path, name: str) -> None:
    with Board(name, project=name, base_dir=tmp_path) as board:
        board.log(a=1)
    run = the_run(tmp_path)
    assert run.name == name
    assert run.project == name
    assert board.path.parent.parent == tmp_path


def test_what_is_printed_is_in_the_console_log_and_on_the_terminal(tmp_path: Path) -> None:
    done = run_script(
        "import sys; from kohakuboard import Board\n"
        "out = sys.stdout\n"
        "with Board(base_dir=sys.argv[1]):\n"
        "    print('to stdout'); print('to stderr ✓', file=sys.stderr)\n"
        "assert sys.stdout is out\n"
        "print('afterwards')",
        str(tmp_path),
    )
    assert done.stdout == "to stdout\nafterwards\n"
    assert "to stderr ✓" in done.stderr
    console = the_run(tmp_path).console().text
    assert "to stdout\n" in console
    assert "to stderr ✓\n" in console
    assert "afterwards" not in console


def test_an_existing_run_is_continued(tmp_path: Path) -> None:
    for part in range(3):
        board = Board("again", base_dir=tmp_path, run_id="same", config={f"part{part}": part})
        for i in range(10):
            board.log({"a": part, "weights": Histogram([float(i)])}, step=10 * part + i)
        board.finish()
    run = the_run(tmp_path)
    assert run.status == "finished"
    assert steps(run, "a") == list(range(30))
    # They came in the order of their shards' numbers, which are drawn by lot.
    assert run.histograms("weights").step.tolist() == list(range(30))
    assert run.config == {"part0": 0, "part1": 1, "part2": 2}


# Company


def test_two_boards_and_many_threads_get_along(tmp_path: Path) -> None:
    boards = [Board(base_dir=tmp_path) for _ in range(2)]

    def work(thread: int) -> None:
        for i in range(300):
            for board in boards:
                board.log({f"t{thread}": i}, step=i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for board in boards:
        run = finished(board)
        assert len(run.metrics) == 8
        assert all(steps(run, f"t{i}") == list(range(300)) for i in range(8))


HEAVY = "('lance', 'pyarrow', 'torch', 'pandas', 'sqlite3', 'numpy', 'PIL', 'msgspec', 'starlette')"


def test_neither_the_import_nor_logging_scalars_loads_anything_heavy(tmp_path: Path) -> None:
    # Coverage of child processes would load sqlite3 itself.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c",
         f"import sys, kohakuboard; print([name for name in {HEAVY} if name in sys.modules])\n"
         "with kohakuboard.Board(base_dir=sys.argv[1], config={'a': 1}) as board: board.log(loss=1.0)\n"
         f"print([name for name in {HEAVY} if name in sys.modules])", str(tmp_path)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n[]\n"


def test_a_writer_that_cannot_start_costs_a_warning_and_no_data(tmp_path: Path) -> None:
    """A package of the user's that shadows lance breaks every writer; training goes on and the journal keeps all."""
    (tmp_path / "broken" / "lance").mkdir(parents=True)
    (tmp_path / "broken" / "lance" / "__init__.py").write_text("raise ImportError('broken on purpose')")
    done = subprocess.run(
        [sys.executable, "-c",
         "import sys; from kohakuboard import Board\n"
         "board = Board(base_dir=sys.argv[1])\n"
         "for i in range(100): board.log(a=i)\n"
         "board.finish(timeout_s=20)", str(tmp_path / "runs")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "broken"), *sys.path])},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "kobo recover" in done.stderr
    run = the_run(tmp_path / "runs")
    assert run.status == "finished"
    assert steps(run, "a") == list(range(100))
