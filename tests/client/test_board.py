from __future__ import annotations

import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kohakuboard import Board, Histogram, Media, Table
from kohakuboard.client.rich import Rich
from kohakuboard.errors import BoardClosedError, InvalidStepError
from kohakuboard.reader import Run, open_run


def finished(board: Board) -> Run:
    board.finish()
    return open_run(board.path)


def steps(run: Run, name: str) -> list[int]:
    return run.series(name).step.tolist()  # type: ignore[no-any-return]


def run_script(source: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    return done


def the_run(root: Path) -> Run:
    (path,) = [path for project in root.iterdir() for path in project.iterdir()]
    return open_run(path)


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


# Steps


def test_without_step_the_step_counts_the_calls(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for i in range(4):
        board.log(a=i)
    assert steps(finished(board), "a") == [0, 1, 2, 3]


def test_all_calls_between_two_steps_share_one(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for i in range(3):
        board.log(a=i)
        board.log({"b": i})
        board.step()
    run = finished(board)
    # The first two calls came before anybody spoke of steps, so each was a step of its own.
    assert steps(run, "a") == [0, 2, 3]
    assert steps(run, "b") == [1, 2, 3]


def test_step_moves_by_n_from_zero(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for i in range(3):
        board.step(10)
        board.log(a=i)
        board.log(b=i)
    run = finished(board)
    assert steps(run, "a") == steps(run, "b") == [10, 20, 30]


def test_given_steps_may_come_in_any_order_and_counting_goes_on_behind_the_highest(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for step in (5, 3, 3, None, np.int64(7), -(2**63), 2**62):
        board.log({"a": 1.0}, step=step)
    assert steps(finished(board), "a") == [5, 3, 3, 6, 7, -(2**63), 2**62]


def test_a_step_that_is_no_integer_costs_a_warning_and_not_the_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(base_dir=tmp_path)
    board.log({"a": 1.0}, step=4)
    for step in (2.0, "seven", 2.5, 2**64):
        board.log({"a": 1.0}, step=step)  # type: ignore[arg-type]
    with pytest.raises(InvalidStepError, match="'x'"):
        board.step("x")  # type: ignore[arg-type]
    assert steps(finished(board), "a") == [4, 2, 5, 6, 7]
    assert "'seven'" in caplog.text


def test_only_a_valid_step_moves_the_count_and_none_overflows(tmp_path: Path) -> None:
    """A step of 2.5 or np.float32(3) made every later call without a step a refused one, np.int8(127) wrapped to
    -128, and step(2**70) made finish() raise struct.error."""
    board = Board(base_dir=tmp_path)
    for step in (
        2.5,
        None,
        np.float32(3.0),
        None,
        np.int8(127),
        None,
        HostileStep(),
        None,
        2**63 - 2,
        None,
        None,
    ):
        board.log({"a": 1.0}, step=step)  # type: ignore[arg-type]
    board.step(2**70)
    board.log(b=1.0)
    board.step(-(2**70))
    board.log(b=1.0)
    run = finished(board)
    last = 2**63 - 1
    assert steps(run, "a") == [0, 1, 3, 4, 127, 128, 129, 130, last - 1, last, last]
    assert steps(run, "b") == [last, -(2**63)]
    assert run.status == "finished"


class HostileStep:
    def __index__(self) -> int:
        raise RuntimeError("no step today")

    __int__ = __index__


# Values


def test_everything_that_holds_one_number_is_a_scalar(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    values: dict[str, tuple[Any, float]] = {
        "int": (3, 3.0),
        "bool": (True, 1.0),
        "float": (0.1, 0.1),
        "np64": (np.float64(0.2), 0.2),
        "np32": (np.float32(0.5), 0.5),
        "np_int": (np.int32(-4), -4.0),
        "np_bool": (np.bool_(True), 1.0),
        "array0": (np.array(1.5), 1.5),
        "array1": (np.array([[2.5]]), 2.5),
        "tensor0": (torch.tensor(3.5), 3.5),
        "tensor1": (torch.tensor([4.5]), 4.5),
        "grad": (torch.tensor(5.5, requires_grad=True) * 1, 5.5),
        "bf16": (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        "fraction": (Fraction(1, 4), 0.25),
        "decimal": (Decimal("0.75"), 0.75),
        "big": (10**300, 1e300),
    }
    board = Board(base_dir=tmp_path)
    board.log({name: value for name, (value, _) in values.items()})
    for name, (value, _) in values.items():
        board.log({name: value})
    run = finished(board)
    for name, (_, expected) in values.items():
        assert run.series(name).value.tolist() == [expected, expected], name


def test_nan_and_infinities_are_values(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    for value in (math.nan, math.inf, -math.inf, 1.0):
        board.log(a=value)
    run = finished(board)
    found = run.series("a").value.tolist()
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 1.0]
    metric = run.metrics["a"]
    assert (metric.count, metric.nonfinite, metric.min, metric.max, metric.mean) == (4, 3, 1.0, 1.0, 1.0)


class Hostile:
    def __float__(self) -> float:
        raise ZeroDivisionError("no number today")

    def __repr__(self) -> str:
        raise ValueError("no repr either")


@pytest.mark.parametrize(
    ("value", "kind", "cure"),
    [
        ([1, 2], "list", "Histogram"),
        (np.zeros(8), "numpy.ndarray", ".mean()"),
        ("0.5", "str", "board.config"),
        (None, "NoneType", "nan"),
        (1 + 2j, "complex", ".real"),
        ({"x": 1}, "dict", "train/loss"),
        (10**400, "int", "logarithm"),
        (object(), "object", "number"),
        (np.datetime64("2026-01-01"), "numpy.datetime64", "number"),
        (Hostile(), "tests.client.test_board.Hostile", "no number today"),
    ],
)
def test_what_is_no_scalar_is_refused_once_by_name_type_and_cure_and_the_rest_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, value: object, kind: str, cure: str
) -> None:
    board = Board(base_dir=tmp_path)
    for _ in range(3):
        board.log({"bad": value, "good": 1.0})
    run = finished(board)
    assert len(run.series("good").value) == 3
    assert list(run.metrics) == ["good"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for word in ("'bad'", kind, cure):
        assert word in record.getMessage()


def test_a_call_that_is_no_call_for_logging_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(base_dir=tmp_path)
    board.log([1, 2])  # type: ignore[arg-type]
    board.log()
    board.log({3: 1.0})  # type: ignore[dict-item]
    board.log([1, 2], loss=1.0)  # type: ignore[arg-type]
    run = finished(board)
    assert list(run.metrics) == ["3", "loss"]
    assert "list" in caplog.text


class BrokenTensor:
    shape = ()

    def item(self) -> float:
        raise RuntimeError("the device is gone")


def test_one_bad_value_does_not_cost_the_others_of_its_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A tensor whose item() raised, a key with half a surrogate pair, np.int64 bins, a caption that is no str or a cell
    beyond 64 bits each lost the whole call."""
    pixels = np.zeros((2, 2), dtype=np.uint8)
    board = Board(base_dir=tmp_path)
    board.log(
        {
            "broken": BrokenTensor(),
            "half\udcff": 1.0,
            np.str_("numpy"): 2.0,
            "histogram": Histogram([1, 2], bins=np.int64(4), range=(np.float32(0), np.float32(4))),
            "named": Media(pixels, caption=np.str_("x")),
            "numbered": Media(pixels, caption=3),  # type: ignore[arg-type]
            "table": Table([{"n\udcff": 2**70, "nested": {"deep": [-(2**70)], "text\udcff": "\udcff"}}]),
            "loss": 3.0,
        }
    )
    board.log({"half\udcff": 4.0})
    run = finished(board)
    assert {name: metric.last for name, metric in run.metrics.items()} == {
        "half\\udcff": 4.0, "numpy": 2.0, "loss": 3.0,
    }  # fmt: skip
    assert run.histograms("histogram").counts.tolist() == [[0, 1, 1, 0]]
    assert [entry.caption for entry in run.media()] == ["x", "3"]
    table = run.table("table")
    assert table.columns == ["n\\udcff", "nested"]
    assert table.rows == [[str(2**70), {"deep": [str(-(2**70))], "text\\udcff": "\\udcff"}]]
    (record,) = caplog.records
    assert "the device is gone" in record.getMessage()


class UnencodableItem(Rich):
    def _item(self, stage: object) -> dict[str, Any]:
        return {"type": "table", "columns": object()}


def test_scalars_beside_a_rich_value_that_cannot_be_encoded_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing encoder lost the scalars of the same call."""
    board = Board(base_dir=tmp_path)
    board.log(loss=1.0, rich=UnencodableItem())
    assert list(finished(board).metrics) == ["loss"]
    assert "'rich' was not logged" in caplog.text


def test_the_dict_that_is_logged_is_neither_changed_nor_kept(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    metrics = {"a": 1.0, "h": [1]}
    board.log(metrics, b=2.0)
    assert metrics == {"a": 1.0, "h": [1]}
    array = np.array(1.0)
    board.log(c=array)
    array += 1
    assert finished(board).series("c").value.tolist() == [1.0]


def test_rich_values_and_scalars_of_one_call_share_their_step(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path)
    board.step(7)
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    board.log(
        loss=0.5,
        weights=Histogram(np.arange(100.0), bins=10),
        counted=Histogram([1, 2, np.nan, np.inf], bins=2).compute_bins(),
        picture=Media(pixels, caption="four by four"),
        pair=[Media(pixels), Media(pixels[:, :, 0])],
        table=Table([{"a": 1, "b": "x"}, {"a": None, "c": [1, 2]}]),
        large=Histogram(np.arange(200_000)),
    )
    run = finished(board)
    assert steps(run, "loss") == [7]
    histogram = run.histograms("weights")
    assert histogram.step.tolist() == [7]
    assert histogram.counts.tolist() == [[10] * 10]
    assert histogram.edges[0, [0, -1]].tolist() == [0.0, 99.0]
    assert run.histograms("counted").counts.tolist() == [[1, 1]]
    assert run.histograms("large").counts.sum() == 200_000
    (picture,) = run.media("picture")
    assert (picture.step, picture.caption, picture.mime, picture.width) == (7, "four by four", "image/png", 4)
    assert picture.read()[:4] == b"\x89PNG"
    assert [entry.position for entry in run.media("pair")] == [0, 1]
    assert run.media("pair")[0].hash == picture.hash
    table = run.table("table")
    assert (table.columns, table.rows) == (["a", "b", "c"], [[1, "x", None], [None, None, [1, 2]]])
    assert not list(board.path.glob("journal/*/*.staged"))


def test_a_rich_value_that_cannot_be_made_is_refused_in_words_when_it_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(base_dir=tmp_path)
    makers: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: Histogram(["a", "b"]), "dtype"),
        (lambda: Histogram([1.0], bins=0), "bins"),
        (lambda: Histogram.from_bins([1, 2], [0.0, 1.0]), "3 edges"),
        (lambda: Media(np.zeros((2, 2, 2, 2))), "(2, 2, 2, 2)"),
        (lambda: Media(np.full((2, 2), 300)), "255"),
        (lambda: Media("no/such/file.png"), "no file"),
        (lambda: Table([[1, 2]], columns=["a"]), "2 cells for 1 columns"),
        (lambda: Table([1, 2]), "dict"),
    )
    for i, (make, words) in enumerate(makers):
        board.log({f"rich{i}": make(), "loss": 1.0})
        assert f"'rich{i}'" in caplog.records[-1].getMessage()
        assert words in caplog.records[-1].getMessage()
    assert len(finished(board).series("loss").value) == len(makers)


def test_a_file_is_copied_when_it_is_logged_and_typed_by_its_content(tmp_path: Path) -> None:
    from PIL import Image

    source = tmp_path / "picture.dat"
    Image.new("RGB", (3, 2), "red").save(source, "JPEG")
    board = Board(base_dir=tmp_path / "runs")
    board.log(picture=Media(source))
    source.unlink()
    (entry,) = finished(board).media()
    assert (entry.mime, entry.extension, entry.width, entry.height) == ("image/jpeg", "jpeg", 3, 2)


def test_a_file_that_is_broken_is_kept_as_a_file_and_stops_nothing(tmp_path: Path) -> None:
    source = tmp_path / "broken.png"
    source.write_bytes(b"\x89PNG\r\n\x1a\n" + b"garbage" * 10)
    board = Board(base_dir=tmp_path / "runs")
    board.log(picture=Media(source), loss=1.0)
    run = finished(board)
    assert run.media()[0].mime == "application/octet-stream"
    assert run.series("loss").value.tolist() == [1.0]


# Config, summary, tags


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


# The end


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_logs_to_a_shard_of_its_own_and_ends_nothing(tmp_path: Path) -> None:
    run_script(
        "import os, sys; from kohakuboard import Board\n"
        "board = Board(base_dir=sys.argv[1])\n"
        "board.log({'parent': 0}, step=0)\n"
        "children = []\n"
        "for child in range(3):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        for i in range(50): board.log({f'child{child}': i}, step=i)\n"
        "        board.finish()\n"
        "        sys.exit(0)\n"
        "    children.append(pid)\n"
        "for pid in children: assert os.waitpid(pid, 0)[1] == 0\n"
        "board.log({'parent': 1}, step=1)\n",
        str(tmp_path),
    )
    run = the_run(tmp_path)
    assert run.status == "finished"
    assert run.series("parent").value.tolist() == [0, 1]
    for child in range(3):
        assert steps(run, f"child{child}") == list(range(50))


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
