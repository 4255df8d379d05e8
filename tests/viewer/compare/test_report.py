from __future__ import annotations

import base64
import gzip
import html
import re
from pathlib import Path

import numpy as np
import pytest

from kohakuboard import Board
from kohakuboard.cli import main
from kohakuboard_viewer import columns
from kohakuboard_viewer.compare.report import report_of

from .conftest import address_of

ATTACK = "</script><script>alert(1)</script><!--"
SPIKE = 4321


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Write two runs whose names, metrics and configs try to end the elements that they are written into."""
    root = tmp_path_factory.mktemp("report")
    runs = []
    for number in range(2):
        config = {ATTACK: ATTACK, "lr": 0.1 * number}
        with Board(f"{number}{ATTACK}", base_dir=root, capture_output=False, config=config) as board:
            for step in range(5000):
                board.log(step=step, **{f"loss{ATTACK}": 100.0 if step == SPIKE else number + step / 5000})
        runs.append(board.path)
    return runs


def packed(page: str) -> list[bytes]:
    found = re.findall(r'<script type="text/plain">([^<]*)</script>', page)
    return [gzip.decompress(base64.b64decode(text)) for text in found]


def test_a_report_has_the_curves_with_every_spike(hostile: list[Path]) -> None:
    report = report_of(hostile[0].parents[1], [address_of(run) for run in hostile])
    assert (report.n_runs, report.n_charts, report.left_out) == (2, 1, 0)
    (message,) = packed(report.html)
    curves, header = columns.decode(message)
    assert [curve["run"] for curve in header["curves"]] == [address_of(run) for run in hostile]
    assert len(curves["x_lo"]) < 2500  # about as many places as a screen has, not all points
    high = curves["high"].reshape(2, -1)
    place = int(np.searchsorted(curves["x_lo"], SPIKE, side="right")) - 1
    assert high[:, place].tolist() == [100.0, 100.0]
    assert (high[:, np.arange(high.shape[1]) != place] < 3).all()


def test_nothing_that_was_logged_ends_an_element_and_nothing_is_fetched(hostile: list[Path]) -> None:
    page = report_of(hostile[0].parents[1], [address_of(run) for run in hostile]).html
    assert "<script>alert" not in page
    assert html.escape(ATTACK) in page.replace("&#34;", "&quot;")
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert not re.search(
        r"""(?:src|href)=["'](?!data:)""", re.sub(r"<script.*?</script>", "", page, flags=re.S)
    )


def test_the_command_writes_one_file_and_says_what_is_in_it(
    hostile: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.html"
    assert main(["export-html", *(str(run) for run in hostile), "-o", str(output)]) == 0
    assert capsys.readouterr().out == f"wrote {str(output)!r}: 2 runs, 1 chart\n"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert main(["export-html", str(hostile[0]), "-o", str(output)]) == 0
    assert "1 run, 1 chart" in capsys.readouterr().out
    assert "0.1" not in output.read_text().partition('id="config"')[2].partition("</section>")[0]


def test_a_run_that_is_not_there_and_a_folder_that_is_not_there_are_told(
    hostile: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export-html", str(hostile[0].parents[1]), "-o", str(tmp_path / "report.html")]) != 0
    assert main(["export-html", str(hostile[0]), "-o", str(tmp_path / "no" / "report.html")]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "No such file or directory" in errors[1]
