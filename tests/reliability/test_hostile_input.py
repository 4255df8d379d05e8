"""What nobody should log, and somebody will: stored or refused in words, no crash, no file outside the run."""

from __future__ import annotations

import decimal
import fractions
import json
import logging
import math
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohakuboard import Board, Histogram, Media, Table
from kohakuboard.client.names import directory_name, new_run_id
from kohakuboard.client.plain import LONGEST_TEXT, MOST_TEXT, plain
from kohakuboard.reader import Run, Workspace, open_run

ODD_NAMES = [
    "a/b", "/abs", "..", "../../x", ".", "", " ", "nul\0byte", "\N{PILE OF POO}", "half \ud83d", "x" * 10_000, "a\nb",
    "%s %d {}", "'; DROP TABLE metrics; --", "<script>", "\u202egnp", "é", "e\u0301", "-rf", "CON", "\x1b[31m", "$HOME",
]  # fmt: skip


class Raising:
    """Raise at whatever is done to it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    __str__ = __float__ = __radd__ = __len__ = __iter__ = __index__ = __eq__ = __repr__  # type: ignore[assignment]
    __hash__ = object.__hash__


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Return a root that must be the only place where anything appears."""
    (tmp_path / "work" / "deep").mkdir(parents=True)
    os.chdir(tmp_path / "work" / "deep")
    root = tmp_path / "work" / "deep" / "root"
    before = outside(tmp_path, root)
    yield root
    assert outside(tmp_path, root) == before


def outside(top: Path, root: Path) -> set[Path]:
    return {path for path in top.rglob("*") if root not in (path, *path.parents)}


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, logger="kohakuboard")
    return caplog


def test_any_name_is_a_name(root: Path) -> None:
    names: list[Any] = [*ODD_NAMES, 7, None, (1, 2), b"bytes", 1.5, frozenset()]
    with Board(base_dir=root) as board:
        for step, name in enumerate(names):
            board.log({name: float(step)}, step=step)
        board.log(dict.fromkeys(names, 100.0), step=100)
        board.log({Raising(): 1.0, "beside": 1.0})  # type: ignore[dict-item]
        live = open_run(board.path)
    for run in (live, open_run(board.path)):
        assert run.problems == []
        for step, name in enumerate(names):
            key = str(name).encode("utf-8", "backslashreplace").decode()
            assert run.series(key).value.tolist() == [step, 100.0], name
        assert run.series("beside").value.tolist() == [1.0]


def test_any_value_is_stored_or_refused(root: Path, warnings: pytest.LogCaptureFixture) -> None:
    stored: dict[str, tuple[Any, float]] = {
        "huge int": (10**300, 1e300),
        "subnormal": (5e-324, 5e-324),
        "minus zero": (-0.0, -0.0),
        "nan": (math.nan, math.nan),
        "inf": (-math.inf, -math.inf),
        "bool": (True, 1.0),
        "int64": (2**63 - 1, float(2**63 - 1)),
        "decimal": (decimal.Decimal("1.5"), 1.5),
        "fraction": (fractions.Fraction(1, 4), 0.25),
        "float16": (np.float16(0.5), 0.5),
        "longdouble": (np.longdouble(2), 2.0),
        "uint64": (np.uint64(2**64 - 1), float(2**64 - 1)),
        "numpy bool": (np.True_, 1.0),
        "array": (np.array([[3.0]]), 3.0),
    }
    refused: dict[str, Any] = {
        "too large": 10**400, "text": "1.5", "none": None, "complex": 1j, "list": [1.0], "empty": np.array([]),
        "dict": {"a": 1}, "raising": Raising(), "datetime": np.datetime64("now"), "object": np.array(object()),
        "lambda": lambda: 1.0, "type": float, "rich type": Histogram, "bad histogram": Histogram(["a"]),
        "bad media": Media("../../../etc/nothing"), "bad table": Table(7),
        "raising media": Media(Raising()), "device": Media("/dev/zero"),
    }  # fmt: skip
    with Board(base_dir=root) as board:
        for name, (value, _) in stored.items():
            board.log({name: value})
        board.log({name: value for name, (value, _) in stored.items()})
        for name, value in refused.items():
            board.log({name: value, "beside": 1.0})
        board.log({**refused, "beside": 1.0})
        board.log(refused)
    run = open_run(board.path)
    assert set(run.metrics) == {*stored, "beside"}
    for name, (_, expected) in stored.items():
        values = run.series(name).value
        assert values.tobytes() == np.array([expected, expected]).tobytes() or np.isnan(values).all(), name
    assert run.metrics["beside"].count == len(refused) + 1
    for name in refused:
        assert sum(record.message.startswith(f"'{name}' of type") for record in warnings.records) == 1, name


def test_any_step_is_a_step_or_one_is_found(root: Path, warnings: pytest.LogCaptureFixture) -> None:
    good = [2**63 - 1, -(2**63), -1, 0, 7.0, np.int32(5), True, None, np.uint64(9), 2**53 + 1]
    bad: list[Any] = [
        2**63,
        -(2**63) - 1,
        1.5,
        math.nan,
        math.inf,
        "3",
        b"3",
        [1],
        {},
        Raising(),
        1e300,
        10**5000,
    ]
    with Board(base_dir=root) as board:
        for step in [*good, *bad]:
            board.log({"a": 1.0}, step=step)
        board.log(a=2.0)
    series = open_run(board.path).series("a")
    assert len(series.value) == len(good) + len(bad) + 1
    assert series.step[:7].tolist() == [2**63 - 1, -(2**63), -1, 0, 7, 5, 1]
    assert len([record for record in warnings.records if "64-bit" in record.message]) == 1


def tangled() -> dict[str, Any]:
    """Return what holds itself, in two places."""
    around: list[Any] = []
    around += [around, around]
    config: dict[str, Any] = {"around": around}
    config["config"] = config
    return config


def doubled() -> list[Any]:
    """Return a list of two lists of two lists …: 2 ** 32 items if it were followed as deep as may be."""
    made: Any = "leaf"
    for _ in range(60):
        made = [made, made]
    return [made]


def test_a_config_of_anything_is_stored(root: Path) -> None:
    deep: Any = "bottom"
    for _ in range(5000):
        deep = [deep]
    odd: dict[Any, Any] = {
        "deep": deep, "bytes": b"\xff" * 10, "tensor": np.zeros((3, 3)), "large": np.zeros(10**6),
        "lambda": lambda: 1, "raising": Raising(), "module": math, "set": {1, "a"}, "nan": math.nan, "huge": 10**5000,
        "space": types.SimpleNamespace(a=types.SimpleNamespace(b=1)), "generator": (i for i in range(3)),
        1: "int", (1, 2): "tuple", None: "none", b"k": "bytes", Raising(): "raising", "long" * 50_000: 1,
        "file": sys.stdout, "path": Path("../x"), **{name: name for name in ODD_NAMES}, **tangled(),
        "doubled": doubled(),
    }  # fmt: skip
    with Board(base_dir=root, config=odd, tags=ODD_NAMES, notes="n" * 10**6, group="../../g") as board:
        board.config["later"] = tangled()
        board.summary.update({"best": b"x", **tangled()})
        board.add_tags("t", Raising(), None, 3, "x" * 10**6)  # type: ignore[arg-type]
        live = open_run(board.path)
    for run in (live, open_run(board.path)):
        assert run.problems == []
        assert run.config["lambda"].endswith("<lambda>")
        assert run.config["space"] == {"a": {"b": 1}}
        assert run.config["config"]["config"] == "<the dict around it>"
        assert run.config["around"] == ["<the list around it>"] * 2
        assert run.config["1"] == "int"
        assert len(run.notes or "") < LONGEST_TEXT + 100
        assert len(run.tags) >= len(ODD_NAMES)
    assert "later" in open_run(board.path).config


@pytest.mark.parametrize(
    "config",
    [
        {f"text {number}": "x" * 10**6 for number in range(100)},
        {"one": "y" * 10**8},
        {"bytes": bytes(10**8)},
        {f"key {number}": number for number in range(10_000)},
        {"list": list(range(3 * 10**6))},
        {"nested": [{"a": ["z" * 1000] * 100} for _ in range(1000)]},
    ],
    ids=["texts", "text", "bytes", "keys", "list", "nested"],
)
def test_a_config_of_100_mb_is_cut_and_says_so(root: Path, config: dict[str, Any]) -> None:
    whole = plain(config)
    assert len(json.dumps(whole)) < 2 * MOST_TEXT
    with Board(base_dir=root, config=config) as board:
        board.log(a=1.0)
    run = open_run(board.path)
    assert run.config == whole
    assert run.status == "finished"
    if len(config) == 10_000:
        assert run.config == config
    else:
        assert "characters)" in json.dumps(whole, ensure_ascii=False) or "left out" in json.dumps(whole)


@pytest.mark.parametrize(
    "name", ["../../x", "..", "", "nul\0byte", "half \ud83d", "\N{GOTHIC LETTER AHSA}" * 200]
)
def test_no_project_and_no_run_id_climbs_out(root: Path, name: str) -> None:
    board = Board(project=name, run_id=name, base_dir=root, name=name, group=name, capture_output=False)
    board.log(a=1.0)
    board.finish()
    assert board.path.resolve().parents[1] == root.resolve()
    (run,) = Workspace(root).runs()
    assert run.metrics["a"].count == 1
    assert run.project == (name.encode("utf-8", "backslashreplace").decode() or "default")


@pytest.mark.parametrize(
    "value", [7, 1.5, b"bytes", ["a"], object(), Raising()], ids=lambda value: type(value).__name__
)
def test_what_should_be_text_and_is_not_is_made_text(root: Path, value: Any) -> None:
    board = Board(value, project=value, run_id=value, base_dir=root, notes=value, group=value, tags=value)
    board.finish(value)
    (run,) = Workspace(root).runs()
    assert run.problems == []
    assert isinstance(run.notes, str)
    assert isinstance(run.status, str)


def test_two_names_are_two_directories() -> None:
    names = [
        *ODD_NAMES,
        "a/b",
        "a b",
        "a-b",
        "a:b",
        "a-b-",
        "-a-b",
        "con",
        "_CON",
        "nul.txt",
        "C:\\x",
        "~",
        "x" * 300,
    ]
    names = sorted(set(names) - {"e\u0301"})
    assert len({directory_name(name).casefold() for name in names}) == len(names)
    assert directory_name("é") == directory_name("e\u0301")
    assert directory_name("plain-name_1.0") == "plain-name_1.0"


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_a_directory_name_is_one_everywhere(name: str) -> None:
    for made in (directory_name(name), new_run_id(name)):
        assert made == os.path.basename(made)
        assert made.strip("-. ") == made
        assert 0 < len(made.encode()) <= 255
        assert not set(made) & set('<>:"/\\|?*\0')


def test_media_and_tables_of_anything_stay_inside(root: Path, tmp_path: Path) -> None:
    odd = tmp_path / "work" / "deep" / "a\n..%2f\udcff.p\\ng"
    odd.write_bytes(b"data")
    cells: list[Any] = [
        None,
        1,
        2**70,
        math.nan,
        b"b",
        "\ud800",
        Raising(),
        tangled(),
        np.float32(1),
        {1: {2: 3}},
        print,
    ]
    try:
        with Board(base_dir=root) as board:
            board.log({
                "../../m": Media(odd, caption="../../" * 1000 + "\0\ud800"),
                "array": Media(np.zeros((2, 2)), caption=Raising()),  # type: ignore[arg-type]
                "t": Table([[cell] for cell in cells], columns=["../c\ud800"]),
                "h": Histogram([math.nan, math.inf, 1e308, -1e308]),
            })  # fmt: skip
    finally:
        odd.unlink()
    run = open_run(board.path)
    assert run.problems == []
    assert [entry.read() for entry in run.media("../../m")] == [b"data"]
    assert len(run.table("t").rows) == len(cells)
    assert run.histograms("h").counts.sum() == 2


_scalars = (
    st.floats() | st.integers() | st.booleans() | st.none() | st.text() | st.binary() | st.complex_numbers()
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(_scalars, inner), max_leaves=8
)


def test_log_never_raises_whatever_it_is_given(tmp_path: Path) -> None:
    board = Board(base_dir=tmp_path, capture_output=False)

    @settings(max_examples=60, deadline=None)
    @given(values=st.dictionaries(_scalars, _values) | _values, step=_values, config=_values)
    def log(values: Any, step: Any, config: Any) -> None:
        board.log(values, step=step)
        board.config.update({"any": config})

    log()
    board.log(last=1.0)
    board.finish()
    run = open_run(board.path)
    assert run.status == "finished"
    assert run.problems == []
    assert run.series("last").value.tolist() == [1.0]


MANY = """
import resource, sys, time
from kohakuboard import Board
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
kind, count = sys.argv[2], int(sys.argv[3])
board = Board(base_dir=sys.argv[1], capture_output=False)
board.log(a=1.0)
before, started = resident(), time.process_time()
if kind == "one dict":
    row = {f"metric/{i}": float(i) for i in range(count)}
    before = resident()
    for step in range(3):
        board.log(row)
elif kind == "one by one":
    for i in range(count):
        board.log({f"metric/{i}": float(i)})
else:
    for i in range(count):
        board.log({**{f"m{j}": 1.0 for j in range(20)}, f"changing/{i % 1000}": float(i)})
grown, spent = resident() - before, time.process_time() - started
journal = sum(path.stat().st_size for path in board.path.glob("journal/*/*.kbj"))
board.finish(timeout_s=100)
print(board.path)
print(f"{kind} {count}: {spent:.2f} s CPU, {grown:.1f} MB", file=sys.stderr)
assert grown < 120, grown
"""


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("one dict", 10_000),
        ("one by one", 10_000),
        ("changing", 10_000),
        *(
            pytest.param(kind, 100_000, marks=pytest.mark.long)
            for kind in ("one dict", "one by one", "changing")
        ),
    ],
)
def test_many_names_cost_training_little_and_are_all_read(root: Path, kind: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(root), kind, str(count)], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    print(done.stderr)
    run: Run = open_run(Path(done.stdout.strip()))
    assert run.status == "finished"
    if kind == "changing":
        assert run.metrics["m7"].count == count
        assert len(run.metrics) == 1021
    else:
        assert len(run.metrics) == count + 1
        last = run.series(f"metric/{count - 1}")
        assert last.value.tolist() == [count - 1.0] * (3 if kind == "one dict" else 1)
