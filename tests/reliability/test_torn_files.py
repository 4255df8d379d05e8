"""Runs whose files are not what was written, through the reader, the writer and `kobo`: what is whole is read, what is
not is named once, nothing raises."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kohakuboard.cli import main
from kohakuboard.errors import DamagedSeriesError
from kohakuboard.journal.directory import segment_paths
from kohakuboard.journal.filesystem import file_system
from kohakuboard.journal.format import EVENT, RICH, ROW
from kohakuboard.journal.shard import Shard
from kohakuboard.reader import Run, open_run
from kohakuboard.writer import recover

# Logs 100 points that are stored, and 300 that are not, in several segments; dies without a word.
PROGRAM = """
import os, struct, sys
from pathlib import Path
import msgspec
from kohakuboard.journal.format import RICH
from kohakuboard.journal.shard import Shard
from kohakuboard.writer.drain import Drain

run, host = Path(sys.argv[1]), os.uname().nodename
shard = Shard(run / "journal", rank=0, host=host, segment_bytes=8192)
shard.event(0, {"type": "start", "run_id": "r", "name": "named", "default_name": "r", "project": "p", "group": None,
                "notes": None, "tags": ["t"], "config": {"lr": 1}, "process": {"cwd": "/"}})
pixels = {"type": "media", "caption": None, "pixels": {"dtype": "|u1", "shape": [2, 2], "data": bytes(4)}}
counts = {"dtype": "<i8", "shape": [2], "data": struct.pack("<2q", 1, 2)}
edges = {"dtype": "<f8", "shape": [3], "data": struct.pack("<3d", 0.0, 1.0, 2.0)}
counted = {"type": "histogram", "counts": counts, "edges": edges, "n_nan": 0, "n_posinf": 0, "n_neginf": 0}
items = [{"name": "picture", "index": 0, **pixels}, {"name": "weights", "index": 0, **counted}]
shard.record(RICH, 0, msgspec.msgpack.encode({"scalars": {}, "items": items}))
for step in range(100): shard.row(step, {"a": float(step)})
drain = Drain(run, host)
drain.exhaust()
drain.close()
for step in range(100, 400): shard.row(step, {"a": float(step), "b": 1.0})
os._exit(0)
"""


@pytest.fixture(scope="session")
def dead_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("dead") / "p" / "r"
    subprocess.run([sys.executable, "-c", PROGRAM, str(run)], check=True, timeout=60)
    return run


@pytest.fixture
def run(dead_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dead_run, tmp_path / "root" / "p" / "r"))


def segments(run: Path) -> list[Path]:
    (shard,) = (run / "journal").iterdir()
    return segment_paths(shard)


def steps(run: Run, name: str = "a") -> list[int]:
    return [int(step) for step in run.series(name).step]


def overwrite(path: Path, where: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(where)
        file.write(data)


def kobo(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    assert main([str(arg) for arg in args]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


JOURNAL: dict[str, Callable[[Path], object]] = {
    "flip": lambda run: overwrite(segments(run)[1], 3000, b"\xff\xfe"),
    "zeros": lambda run: overwrite(segments(run)[1], 3000, bytes(2000)),
    "header": lambda run: overwrite(segments(run)[1], 20, b"\xff"),
    "cut": lambda run: os.truncate(segments(run)[1], 2500),
    "empty": lambda run: os.truncate(segments(run)[1], 0),
    "gone": lambda run: segments(run)[1].unlink(),
    "last cut": lambda run: os.truncate(segments(run)[-1], 1500),
    "copied": lambda run: shutil.copy(segments(run)[1], segments(run)[0].with_name("00000077.kbj")),
}


@pytest.mark.parametrize("damage", JOURNAL)
def test_reader_and_writer_agree_on_a_damaged_journal(
    run: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = "00000077.kbj" if damage == "copied" else segments(run)[-1 if damage == "last cut" else 1].name
    JOURNAL[damage](run)
    before = open_run(run)
    read, problems = steps(before), before.problems
    assert read == sorted(set(read))
    assert read[:100] == list(range(100))
    assert len(problems) == 1
    assert named in problems[0]

    assert recover(run)

    after = open_run(run)
    assert after.problems == problems
    assert steps(after) == read
    assert before.refresh()
    assert before.problems == problems
    assert after.status == "crashed"
    assert (after.config, after.tags) == ({"lr": 1}, ["t"])
    assert not (run / "journal").exists()
    assert problems[0] in kobo(capsys, "show", run)
    assert json.loads(kobo(capsys, "show", run, "--json"))["problems"] == problems
    kobo(capsys, "ls", run.parents[1])
    assert "nothing to recover" in kobo(capsys, "recover", run.parents[1])


def test_what_could_not_be_read_is_kept(run: Path) -> None:
    whole = segments(run)[1]
    overwrite(whole, 3000, b"\xff\xfe")
    content = whole.read_bytes()
    recover(run)
    (kept,) = (run / "damaged").iterdir()
    assert whole.name in kept.name
    assert kept.read_bytes() == content


def test_a_call_that_had_not_returned_is_no_damage(run: Path) -> None:
    last = segments(run)[-1]
    content = last.read_bytes().rstrip(b"\0")
    overwrite(last, (len(content) + 7) // 8 * 8, bytes(4) + b"\x38\0\0\0" + b"\x01")
    assert open_run(run).problems == []
    assert recover(run)
    assert open_run(run).problems == []
    assert steps(open_run(run)) == list(range(400))


@pytest.mark.parametrize(
    "content", [b"", b"this is no database" * 500, random.Random(1).randbytes(9000), "half", "noise", None]
)
def test_a_database_that_is_lost_is_begun_anew_and_no_point_is_lost_or_doubled(
    run: Path, content: bytes | str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "run.db"
    whole = path.read_bytes()
    for companion in run.glob("run.db-*"):
        companion.unlink()
    if content is None:
        path.unlink()
    elif content == "noise":
        overwrite(path, 4096, random.Random(2).randbytes(3 * 4096))
    else:
        path.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    assert steps(open_run(run)) == list(range(400))

    assert recover(run)

    after = open_run(run)
    assert steps(after) == list(range(400))
    assert {name: metric.count for name, metric in after.metrics.items()} == {"a": 400, "b": 300}
    assert any("database was lost" in text for text in after.problems)
    assert len(after.problems) == (2 if list(run.glob("run.db.broken-1")) else 1)
    assert not recover(run)
    kobo(capsys, "show", run)
    kobo(capsys, "ls", run.parents[1])


def test_the_database_of_an_ended_run_is_made_anew_from_its_points(run: Path) -> None:
    recover(run)
    (run / "run.db").write_bytes(b"garbage" * 1000)
    assert recover(run)
    after = open_run(run)
    assert {name: metric.count for name, metric in after.metrics.items()} == {"a": 400, "b": 300}
    assert steps(after) == list(range(400))


@pytest.mark.parametrize("companion", ["run.db-journal", "run.db-wal", "media.db-journal", "media.db-wal"])
def test_what_sqlite_leaves_behind_hurts_nobody(run: Path, companion: str) -> None:
    (run / companion).write_bytes(random.Random(3).randbytes(9000))
    for _ in range(2):
        after = open_run(run)
        assert after.problems == []
        assert steps(after) == list(range(400))
        assert len(after.media("picture")[0].read()) > 0
        recover(run)


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_media_that_are_lost_are_missed_and_nothing_else_is(run: Path, content: bytes) -> None:
    (run / "media.db").write_bytes(content)
    for _ in range(2):
        after = open_run(run)
        assert steps(after) == list(range(400))
        assert [text.split()[0] for text in after.problems] == (["media.db"] if content else [])
        with pytest.raises(FileNotFoundError):
            after.media("picture")[0].read()
        recover(run)


def newest_manifest(run: Path) -> Path:
    return min(run.glob("scalars/*.lance/_versions/*.manifest"))


def half_made(run: Path) -> None:
    manifest = newest_manifest(run)
    shutil.copy(manifest, f"{manifest}#1")
    (manifest.parent / ".tmp_half").write_bytes(b"half")
    (manifest.parents[1] / "data" / "orphan.lance").write_bytes(b"")


def next_version_empty(run: Path) -> None:
    manifest = newest_manifest(run)
    manifest.with_name(f"{int(manifest.stem) - 1:020d}.manifest").write_bytes(b"")


def test_what_a_killed_commit_left_in_a_dataset_is_swept(run: Path) -> None:
    half_made(run)
    assert open_run(run).problems == []
    assert recover(run)
    after = open_run(run)
    assert (after.problems, steps(after)) == ([], list(range(400)))
    assert not [path for path in run.rglob("*") if "#" in path.name or path.name.startswith(".tmp")]


def test_a_version_that_is_not_whole_is_named_and_the_one_before_is_read(run: Path) -> None:
    next_version_empty(run)
    (problem,) = open_run(run).problems
    assert "version" in problem
    assert "not whole" in problem
    assert steps(open_run(run)) == list(range(400))
    assert recover(run)
    assert open_run(run).problems == [problem]
    assert steps(open_run(run)) == list(range(400))


@pytest.mark.parametrize("kind", ["scalars", "histograms"])
@pytest.mark.parametrize("damage", ["manifest", "half manifest", "data", "half data"])
def test_a_dataset_that_cannot_be_read_costs_no_other_store(run: Path, kind: str, damage: str) -> None:
    part = "data" if damage.endswith("data") else "_versions"
    for path in run.glob(f"{kind}/*.lance/{part}/*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 if damage.startswith("half") else 0])
    (problem,) = open_run(run).problems
    assert kind in problem
    assert recover(run)
    after = open_run(run)
    assert after.problems == [problem]
    assert len(after.media("picture")[0].read()) > 0
    assert steps(after, "b") == list(range(100, 400))
    if kind == "histograms":
        assert steps(after) == list(range(400))
    else:
        assert after.histograms("weights").counts.tolist() == [[1, 2]]


def test_a_series_none_of_which_is_left_says_so(run: Path) -> None:
    recover(run)
    shutil.rmtree(run / "scalars")
    with pytest.raises(DamagedSeriesError):
        open_run(run).series("a")


@pytest.mark.parametrize("staged", ["gone.staged", "../../../../secret", "/etc/passwd", "..", "00000001.kbj"])
def test_a_record_names_no_file_but_a_staged_one_of_its_shard(run: Path, staged: str) -> None:
    """A run that somebody else made could have any file of this machine stored as its own."""
    (run.parent / "secret").write_text("secret")
    shard = Shard(run / "journal", rank=1, host=os.uname().nodename)
    item = {
        "name": "m",
        "index": 0,
        "type": "media",
        "caption": None,
        "file": {"staged": staged, "staged_bytes": 1},
        "file_name": "x",
    }
    shard.record(RICH, 0, msgspec.msgpack.encode({"scalars": {"c": 1.0}, "items": [item]}))
    shard._append(9999 << 8 | ROW, 0, bytes(8))
    shard.close()
    recover(run)
    after = open_run(run)
    assert after.media("m") == []
    assert any("'m' of step 0 could not be stored" in text for text in after.problems)
    assert steps(after, "a") == list(range(400))


def test_every_value_whose_staged_file_was_cut_short_or_is_gone_is_named(run: Path) -> None:
    """The first of a name was, as with values that cannot be read; after a power cut the others were gone silently."""
    shard = Shard(run / "journal", rank=1, host=os.uname().nodename)
    for step in range(4):
        values = {"dtype": "|u1", "shape": [300, 300, 3], **shard.stage.data(bytes(270_000))}
        histogram = {"name": "h", "index": 0, "type": "histogram", "bins": 8, "range": None, "values": values}
        words = shard.stage.data(b"a" * 70_000)
        text = {"name": "t", "index": 1, "type": "text", "format": "plain", "text": words}
        shard.record(RICH, step, msgspec.msgpack.encode({"scalars": {}, "items": [histogram, text]}))
        for item, left in ((values, (None, 0, 1001, 270_000)), (words, (69_999, 70_000, None, 0))):
            if (size := left[step]) is None:
                Path(shard.directory, item["staged"]).unlink()
            else:
                os.truncate(shard.directory / item["staged"], size)
    shard.close()
    recover(run)
    after = open_run(run)
    assert after.histograms("h").step.tolist() == [3]
    assert [entry.step for entry in after.text("t")] == [1]
    assert sorted(problem.split(" could not be stored: ")[0] for problem in after.problems) == [
        *(f"histogram 'h' of step {step}" for step in (0, 1, 2)),
        *(f"text 't' of step {step}" for step in (0, 2, 3)),
    ]
    assert sum("bytes are left of its staged file" in problem for problem in after.problems) == 4
    assert sum("is gone" in problem for problem in after.problems) == 2


def test_a_staged_file_of_zeros_that_never_were_is_named_and_a_sparse_one_is_kept(run: Path) -> None:
    """A power cut may leave a file its size and not its bytes; a user's own file may have holes."""
    if file_system(run) not in ("ext4", "xfs"):
        pytest.skip("ext4 and XFS alone tell which bytes were written")
    shard = Shard(run / "journal", rank=1, host=os.uname().nodename)
    values = {"dtype": "<f8", "shape": [300_000], **shard.stage.data(bytes(2_400_000))}
    with open(run.parent / "sparse", "wb") as file:
        file.truncate(1 << 20)
        file.write(b"text")
    copied = shard.stage.file(run.parent / "sparse")
    histogram = {"name": "h", "index": 0, "type": "histogram", "bins": 8, "range": None, "values": values}
    media = {"name": "m", "index": 1, "type": "media", "caption": None, "file": copied, "file_name": "sparse"}
    shard.record(RICH, 0, msgspec.msgpack.encode({"scalars": {}, "items": [histogram, media]}))
    shard.close()
    for size in (0, 2_400_000):
        os.truncate(shard.directory / values["staged"], size)
    recover(run)
    after = open_run(run)
    (problem,) = after.problems
    assert "'h' of step 0" in problem
    assert "reached the disk" in problem
    assert after.media("m")[0].read() == b"text".ljust(1 << 20, b"\0")


def anything(draw: random.Random, depth: int = 0) -> Any:
    """Return any value that JSON and msgpack have."""
    simple = [None, True, -1, 2**63 - 1, 2**64 - 1, 0.5, "", "text", "\0", "../../x", "\N{PILE OF POO}" * 9]
    if depth > 2 or draw.random() < 0.6:
        return draw.choice(simple)
    if draw.random() < 0.5:
        return [anything(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {draw.choice(KEYS): anything(draw, depth + 1) for _ in range(draw.randrange(4))}


KEYS = [
    "type", "name", "index", "run_id", "config", "set", "remove", "add", "status", "error", "data", "staged", "dtype",
    "shape", "values", "counts", "edges", "bins", "range", "rows", "columns", "pixels", "file", "file_name", "caption",
    "calls", "first_step", "fork_from", "run", "step", "attempt", "n_nonfinite",
]  # fmt: skip
EVENTS: dict[str, dict[str, Any]] = {
    "start": {"run_id": "r", "name": None, "default_name": "r", "project": "p", "group": None, "notes": None,
              "tags": [], "config": {}, "process": {}},
    "config": {"set": {}, "remove": []}, "summary": {"set": {}, "remove": []}, "tags": {"add": []},
    "finish": {"status": "finished", "error": None}, "dropped": {"calls": 1, "reason": "x"}, "unheard of": {},
}  # fmt: skip
ARRAY = {"dtype": "<f8", "shape": [1], "data": bytes(8)}
ITEMS: dict[str, dict[str, Any]] = {
    "histogram": {
        "bins": 3,
        "range": None,
        "values": ARRAY,
        "counts": [1],
        "edges": [0.0, 1.0],
        "n_nonfinite": 0,
    },
    "media": {"caption": None, "pixels": ARRAY, "file": {"data": b"x"}, "file_name": "x.png"},
    "table": {"columns": ["c"], "rows": {"data": msgspec.msgpack.encode([[1]])}},
    "unheard of": {},
}


def distorted(draw: random.Random, body: dict[str, Any]) -> dict[str, Any]:
    """Return a body in which some fields are something else, or missing."""
    made = {name: value if draw.random() < 0.7 else anything(draw) for name, value in body.items()}
    return {name: value for name, value in made.items() if draw.random() < 0.9}


@pytest.mark.parametrize("seed", range(4))
def test_records_of_any_content_stop_nobody(run: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(seed)
    program = (
        "import os, sys, pickle; from pathlib import Path; from kohakuboard.journal.shard import Shard\n"
        "shard = Shard(Path(sys.argv[1]) / 'journal', rank=1, host=os.uname().nodename, segment_bytes=4096)\n"
        "for number, (kind, payload) in enumerate(pickle.load(sys.stdin.buffer)):\n"
        "    shard.record(kind, number, payload); shard.row(number, {'c': float(number)})\n"
        "os._exit(0)\n"
    )
    records: list[tuple[int, bytes]] = []
    for _ in range(300):
        kind = draw.choice([*EVENTS])
        records.append((EVENT, json.dumps({"type": kind, **distorted(draw, EVENTS[kind])}).encode()))
        kind = draw.choice([*ITEMS])
        item = {"name": f"i{draw.randrange(3)}", "index": 0, "type": kind, **distorted(draw, ITEMS[kind])}
        body = distorted(draw, {"scalars": {"d": 1.0}, "items": [item]})
        records.append((RICH, msgspec.msgpack.encode(body)))
    subprocess.run([sys.executable, "-c", program, run], input=pickle.dumps(records), check=True, timeout=60)
    for again in (True, False):
        after = open_run(run)
        assert steps(after, "c") == list(range(600))
        assert steps(after) == list(range(400))
        assert after.problems
        kobo(capsys, "show", run)
        kobo(capsys, "show", run, "--json")
        assert recover(run) == again
    assert "picture" in {entry.name for entry in open_run(run).media()}
