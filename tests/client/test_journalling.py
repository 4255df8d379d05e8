"""What becomes of what cannot be appended."""

from __future__ import annotations

from pathlib import Path

from tests.client.boards import run_script, steps, the_run


def test_calls_that_find_no_room_are_counted_and_told_and_logging_goes_on_afterwards(tmp_path: Path) -> None:
    """The warning promised a count that nobody was ever told."""
    done = run_script(
        "import resource, sys, time; from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1], capture_output=False)\n"
        "row = {f'm{i}': 1.0 for i in range(1000)}\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))\n"
        "for step in range(300): board.log(row, step=step)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "time.sleep(1.1)\n"  # as long as the journal waits before it tries again
        "board.log(row, step=1000)\n"
        "board.finish()\n",
        str(tmp_path),
    )
    run = the_run(tmp_path)
    *kept, last = steps(run, "m999")
    assert (run.status, last) == ("finished", 1000)
    assert kept == list(range(len(kept)))
    assert 0 < len(kept) < 300
    assert done.stderr.count("cannot grow") == 1
    assert f"{300 - len(kept)} calls of" in done.stderr
