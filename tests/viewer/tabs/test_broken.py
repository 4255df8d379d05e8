"""Every tab of a run that is empty, damaged, or has lost its files is a page that says so, and none is an error."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from kohakuboard import Board, Figure, Histogram, KernelDensity, Media, Table, Tensor, Text
from kohakuboard_viewer.tabs import TABS

WriteRun = Callable[..., Path]


def log_everything(board: Board) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 600, 3), dtype=np.uint8)
    for step in range(3):
        board.log(
            {
                "loss": float("nan"),
                "h": Histogram(np.array([np.nan, np.inf, 1.0, 1.0])),
                "none": Histogram(np.empty(0)),
                "k": KernelDensity(np.ones(5)),
                "m": Media(
                    noise,
                    boxes=[{"box": [0, 0, 9, 9], "label": "a,b%"}],
                    masks={"s": np.eye(600, dtype=np.uint8)},
                ),
                "t": Tensor(np.zeros((300, 300))),
                "nothing": Table([], columns=["a"]),
                "rows": Table([{"a": None, "b": float("nan"), "c": b"\0"}]),
                "text": Text("x" * 300_000, "markdown"),
                "figure": Figure({"data": []}),
            },
            step=step,
        )
    board.alert("a", "b" * 10_000, "error")


def lose_files(run: Path) -> None:
    shutil.rmtree(run / "media")
    (run / "media.db").unlink()


def tear_pages(run: Path) -> None:
    for name in ("run.db", "media.db"):
        with (run / name).open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 8192)
    (run / "run.digest").unlink(missing_ok=True)


def lose_catalogue(run: Path) -> None:
    (run / "run.db").write_bytes(b"no database" * 1000)
    (run / "run.digest").unlink(missing_ok=True)


def lose_datasets(run: Path) -> None:
    for path in (run / "histograms").rglob("*.lance"):
        if path.is_file():
            path.write_bytes(b"")


def distort_rows(run: Path) -> None:
    with sqlite3.connect(run / "run.db") as connection:
        connection.execute('UPDATE media SET boxes = \'[{"box": [1, 2]}]\', masks = \'{"m": ".."}\'')


QUERIES = "", "?step=1&name=t&at0=9", "?step=all&name=rows&sort=b&view=surface&hide=a%2Cb&times=0&q=x"


@pytest.mark.parametrize("harm", [None, lose_files, tear_pages, lose_catalogue, lose_datasets, distort_rows])
def test_no_tab_fails_whatever_became_of_the_run(
    root: Path, write_run: WriteRun, harm: Callable[[Path], None] | None
) -> None:
    from kohakuboard_viewer.app import create_app

    path = write_run("one", log_everything)
    if harm is not None:
        harm(path)
    with TestClient(create_app(root), raise_server_exceptions=False) as client:
        for tab in TABS:
            for query in QUERIES:
                url = f"/run/{path.parent.name}/{path.name}/{tab.path}".rstrip("/") + query
                answer = client.get(url)
                assert answer.status_code == 200, (url, answer.text[:300])


def test_no_tab_of_an_empty_run_fails(client: TestClient, write_run: WriteRun) -> None:
    path = write_run("empty")
    for tab in TABS:
        for query in QUERIES:
            url = f"/run/{path.parent.name}/{path.name}/{tab.path}".rstrip("/") + query
            assert client.get(url).status_code == 200, url
