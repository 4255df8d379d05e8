"""The fixtures of the benchmarks, and the table at their end.

pytest tests/benchmarks -m benchmark --figures FILE    also writes the table; as JSON if FILE ends so
                                     --peers PYTHON    times what is installed for that interpreter, too
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kohakuboard import Board
from tests.benchmarks.baselines import Baselines
from tests.benchmarks.figures import Figures

FIGURES = pytest.StashKey[Figures]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks")
    group.addoption("--figures", metavar="FILE", help="write the table of figures, as JSON if it is *.json")
    group.addoption("--minutes", metavar="N", type=float, help="how long the soak lasts")
    group.addoption("--peers", metavar="PYTHON", help="the interpreter that other trackers are installed for")


@pytest.fixture(autouse=True)
def _compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes keep what they compiled, as an installed package has it; else each import would compile anew."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Return what a benchmark records its figures in."""
    return request.config.stash.setdefault(FIGURES, Figures())


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(FIGURES, Figures())
    if not figures.rows:
        return
    terminalreporter.section("figures")
    terminalreporter.write_line(figures.table())
    if path := config.getoption("--figures", default=None):
        # Tests run in directories of their own; the name was given where pytest was.
        figures.write(config.invocation_params.dir / Path(path))


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    """Return a board that is finished afterwards."""
    board = Board("benchmark", base_dir=tmp_path / "runs", capture_output=False)
    yield board
    board.finish()


@pytest.fixture
def baselines(tmp_path: Path) -> Iterator[Baselines]:
    """Return the bare ways to get a dict out of a training loop."""
    baselines = Baselines(tmp_path)
    yield baselines
    baselines.close()
