"""A board in a real notebook kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from traitlets.config import Config

from kohakuboard.reader import open_run
from tests.reliability.processes import wait_for_writers

# The kernel's own machinery, on the way down.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

# How long a kernel that was told to end may take; after half of it comes SIGTERM. With the usual 5 s a busy machine
# had no time for the run's last words.
SHUTDOWN_WAIT_S = 110


def test_a_board_lives_from_cell_to_cell_and_survives_a_cell_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With it a kernel does not show what C code prints, as it does for people.
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    cells = [
        "from kohakuboard import Board\nboard = Board('notebook', base_dir='runs')\nstr(board.path)",
        "for i in range(10):\n    board.log(loss=1 / (i + 1))\nprint('printed in a cell')\n"
        "import os; os.write(1, b'written by C\\n'); os.system('echo printed by a child')\n"
        "import time; time.sleep(0.5)",
        "raise ValueError('an ordinary mistake')",
        "board.log(loss=0.0)",
        "board.finish()\nother = Board('second', base_dir='runs')\nother.log(a=1)\nstr(other.path)",
    ]
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=code)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook,
        timeout=60,
        allow_errors=True,
        resources={"metadata": {"path": str(tmp_path)}},
        config=Config(KernelManager={"shutdown_wait_time": SHUTDOWN_WAIT_S}),
    )
    client.execute()

    outputs = [cell.outputs for cell in notebook.cells]
    first, second = (
        next(
            output.data["text/plain"].strip("'")
            for output in outputs[i]
            if output.output_type == "execute_result"
        )
        for i in (0, 4)
    )
    assert any("printed in a cell" in output.get("text", "") for output in outputs[1])
    assert not any(output.output_type == "error" for i in (0, 1, 3, 4) for output in outputs[i])

    run = open_run(first)
    assert run.status == "finished"
    assert len(run.series("loss").value) == 11
    text = run.console().text
    words = ("printed in a cell", "written by C", "printed by a child")
    assert all(text.count(word) == 1 for word in words), text
    # What C prints goes through a thread of the kernel, and may come when the next cell runs.
    shown = "".join(output.get("text", "") for cell in outputs for output in cell)
    assert all(shown.count(word) == 1 for word in words), shown
    # The kernel was shut down with the second board open.
    wait_for_writers(Path(second))
    assert open_run(second).status == "finished"
    assert open_run(second).series("a").value.tolist() == [1.0]


@pytest.mark.parametrize(
    ("now", "status", "reason"), [(False, "finished", None), (True, "crashed", "killed by SIGKILL")]
)
def test_a_kernel_that_is_restarted_ends_its_run_and_can_continue_it(
    tmp_path: Path, now: bool, status: str, reason: str | None
) -> None:
    """Restarted from the menu, a kernel ends by itself; one that hangs is killed."""
    manager = KernelManager(shutdown_wait_time=SHUTDOWN_WAIT_S)
    manager.start_kernel(cwd=str(tmp_path))
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        cell = (
            "from kohakuboard import Board\n"
            "board = Board('notebook', base_dir='runs', run_id='notebook')\n"
            "board.log(a=1.0)"
        )
        assert client.execute_interactive(cell, timeout=60)["content"]["status"] == "ok"
        run = tmp_path / "runs" / "default" / "notebook"
        manager.restart_kernel(now=now)
        wait_for_writers(run)
        assert (open_run(run).status, open_run(run).error) == (status, reason)
        client.wait_for_ready(timeout=60)
        assert client.execute_interactive(cell + "\nboard.finish()", timeout=60)["content"]["status"] == "ok"
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
    assert open_run(run).status == "finished"
    assert open_run(run).series("a").value.tolist() == [1.0, 1.0]
