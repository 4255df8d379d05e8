"""A board in a real notebook kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from kohakuboard.reader import open_run

# The kernel's own machinery, on the way down.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_board_lives_from_cell_to_cell_and_survives_a_cell_that_fails(tmp_path: Path) -> None:
    cells = [
        "from kohakuboard import Board\nboard = Board('notebook', base_dir='runs')\nstr(board.path)",
        "for i in range(10):\n    board.log(loss=1 / (i + 1))\nprint('printed in a cell')",
        "raise ValueError('an ordinary mistake')",
        "board.log(loss=0.0)",
        "board.finish()\nother = Board('second', base_dir='runs')\nother.log(a=1)\nstr(other.path)",
    ]
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=code)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
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
    assert "printed in a cell" in run.console()
    # The kernel was shut down with the second board open.
    assert open_run(second).status in ("finished", "crashed")
    assert open_run(second).series("a").value.tolist() == [1.0]
