"""What is said of a run beside what is logged: config, summary and tags, of any shape and in any words."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kohakuboard import Board
from kohakuboard.reader import open_run
from tests.client.boards import Hostile, finished


def test_config_of_any_shape_becomes_plain_and_is_not_touched(tmp_path: Path) -> None:
    given = {
        "lr": np.float32(0.5),
        "layers": (1, 2),
        "path": Path("/data"),
        "nested": SimpleNamespace(a=np.arange(3), b=None),
        3: "int key",
        "fn": print,
        "cls": dict,
        "nan": math.nan,
        "hostile": Hostile(),
    }
    before = dict(given)
    board = Board(base_dir=tmp_path, config=given)  # type: ignore[arg-type]
    board.config.update({"lr": 0.25}, epochs=3)
    board.config["late"] = [1]
    del board.config["path"]
    assert given == before
    config = finished(board).config
    assert config["lr"] == 0.25
    assert config["epochs"] == 3
    assert config["late"] == [1]
    assert "path" not in config
    assert config["layers"] == [1, 2]
    assert config["nested"] == {"a": [0, 1, 2], "b": None}
    assert config["3"] == "int key"
    assert config["fn"] == "builtins.print"
    assert config["nan"] == "nan"
    assert "Hostile" in config["hostile"]
    json.dumps(config)


def test_summary_is_the_last_values_and_what_the_user_set(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    board.log(loss=2.0)
    board.log(loss=1.0)
    board.summary["best/acc"] = np.float64(0.9)
    board.summary["loss"] = 0.5
    board.add_tags("baseline", "v2")
    board.add_tags("v2")
    run = finished(board)
    assert run.summary == {"loss": 0.5, "best/acc": 0.9}
    assert run.tags == ["baseline", "v2"]


def test_words_that_utf8_cannot_hold_get_everywhere_as_escapes(tmp_path: Path) -> None:
    """Half a surrogate pair, as os.fsdecode makes of odd file names, raised UnicodeEncodeError out of Board(),
    config.update and add_tags."""
    odd = "x\udcff"
    board = Board(odd, base_dir=tmp_path, config={odd: [odd]}, tags=[odd], notes=odd, group=odd, project=odd)
    board.config.update({"path": Path(odd), "big": 2**70})
    board.summary[odd] = odd
    board.add_tags(odd + "2", 3)  # type: ignore[arg-type]
    board.finish("failed", error=odd)
    run = open_run(board.path)
    kept = "x\\udcff"
    assert (run.name, run.notes, run.group, run.project, run.error) == (kept,) * 5
    assert run.config == {kept: [kept], "path": kept, "big": str(2**70)}
    assert run.summary == {kept: kept}
    assert set(run.tags) == {kept, kept + "2", "3"}


def test_an_event_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Notes that are no text once ended training in Board(), and an exception as `error` left the board open."""
    board = Board(base_dir=tmp_path, notes=Path("a note"), group=object())  # type: ignore[arg-type]
    board.config["hostile"] = HostileMapping()
    board.finish("failed", error=ZeroDivisionError("no luck"))
    assert board.closed
    run = open_run(board.path)
    assert run.status == "failed"
    assert run.notes == "a note"
    assert "no luck" in (run.error or "")
    assert "HostileMapping" in run.config["hostile"]


class HostileMapping(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no items today")

    def __repr__(self) -> str:
        return "HostileMapping()"


def test_an_update_that_names_a_key_twice_takes_the_last(tmp_path: Path) -> None:
    """update({"a": 1}, a=0) left 1 where a was 0 before: the 0 was compared with the old value and changed nothing."""
    board = Board(base_dir=tmp_path, config={"a": 0})
    board.config.update({"a": 1}, a=0)
    assert board.config["a"] == 0
    assert finished(board).config == {"a": 0}
