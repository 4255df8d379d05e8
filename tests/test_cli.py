"""`kobo` against real runs: what it prints, what it calls an error, and what its exit code says."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohakuboard import Board, Histogram, Table
from kohakuboard.cli import main
from kohakuboard.reader import open_run

REPOSITORY = Path(__file__).resolve().parents[1]

Kobo = Callable[..., str]


@pytest.fixture
def kobo(capsys: pytest.CaptureFixture[str]) -> Kobo:
    """Run `kobo` here and return what it printed; a failure must be announced with its exit code."""

    def run(*arguments: str | Path, code: int = 0) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == code
        out, err = capsys.readouterr()
        assert bool(err) == bool(code)
        assert "Traceback" not in err
        return err if code else out

    return run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with three runs in two projects, the last of them diverged."""
    root = tmp_path_factory.mktemp("runs")
    with Board("older", project="digits", base_dir=root, run_id="aaa-one", config={"lr": 0.1}) as board:
        for step in range(10):
            board.log({"train/loss": 1.0 / (step + 1), "acc": step / 10}, step=step)
        board.summary["note"] = "fine"
    with Board(
        "[red]newer[/red]", project="digits", base_dir=root, run_id="aab-two", tags=["t1", "t2"]
    ) as board:
        board.log(loss=2.0)
    with Board("diverged", project="text", base_dir=root, run_id="ccc-three", group="sweep") as board:
        board.log({"loss": float("nan"), "up": float("inf"), "down": float("-inf")})
        board.config["nested"] = {"betas": [0.9, 0.99], "none": None}
    return root


def test_ls_lists_all_runs_newest_first(kobo: Kobo, root: Path) -> None:
    lines = kobo("ls", root).splitlines()
    listed = [line.split()[0] for line in lines if "-" in line and "/" in line.split()[0]]
    assert listed == ["text/ccc-three", "digits/aab-two", "digits/aaa-one"]


def test_ls_prints_names_as_they_are(kobo: Kobo, root: Path) -> None:
    assert "[red]newer[/red]" in kobo("ls", root)


def test_ls_keeps_a_run_on_one_line_in_a_pipe(kobo: Kobo, tmp_path: Path) -> None:
    name = "long-" * 60
    Board(name, base_dir=tmp_path, run_id="one").finish()
    assert sum(name in line for line in kobo("ls", tmp_path).splitlines()) == 1


@pytest.mark.parametrize(
    ("place", "ids"),
    [
        (".", ["ccc-three", "aab-two", "aaa-one"]),
        ("digits", ["aab-two", "aaa-one"]),
        ("digits/aaa-one", ["aaa-one"]),
    ],
)
def test_ls_takes_a_root_a_project_or_a_run(kobo: Kobo, root: Path, place: str, ids: list[str]) -> None:
    assert [run["id"] for run in json.loads(kobo("ls", root / place, "--json"))] == ids


def test_ls_json_has_the_documented_fields(kobo: Kobo, root: Path) -> None:
    run = json.loads(kobo("ls", root, "--json"))[-1]
    page = (
        (REPOSITORY / "docs" / "cli.md").read_text().partition("## kobo ls")[2].partition("## kobo show")[0]
    )
    assert [field for field in run if f"`{field}`" not in page] == []
    assert run["path"] == str(root / "digits" / "aaa-one")
    assert run["status"] == "finished"
    assert run["started"].endswith("+00:00")
    assert run["ended"] >= run["started"]
    assert run["duration_s"] >= 0
    assert run["last_step"] == 9
    assert run["summary"] == {"train/loss": 0.1, "acc": 0.9, "note": "fine"}


def test_ls_of_the_default_root_follows_the_variable(
    kobo: Kobo, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Board("here", run_id="here").finish()
    assert [run["id"] for run in json.loads(kobo("ls", "--json"))] == ["here"]
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(root))
    assert len(json.loads(kobo("ls", "--json"))) == 3


def test_ls_of_an_empty_directory_says_so(kobo: Kobo, tmp_path: Path) -> None:
    assert kobo("ls", tmp_path) == f"no runs under {str(tmp_path)!r}\n"
    assert json.loads(kobo("ls", tmp_path, "--json")) == []


def test_show_prints_config_summary_and_metrics(kobo: Kobo, root: Path) -> None:
    out = kobo("show", root / "digits" / "aaa-one")
    assert [
        word for word in ("older", "finished", "lr", "0.1", "note", "train/loss", "acc") if word not in out
    ] == []


def test_show_prints_a_nested_config_by_paths(kobo: Kobo, root: Path) -> None:
    lines = [line.split(maxsplit=1) for line in kobo("show", root / "text" / "ccc-three").splitlines()]
    assert ["nested.none", "None"] in [[word.strip() for word in words] for words in lines]
    assert "nested.betas" in [words[0] for words in lines if words]


def test_show_names_rich_data_by_kind(kobo: Kobo, tmp_path: Path) -> None:
    with Board(base_dir=tmp_path, run_id="rich") as board:
        board.log({"w": Histogram([1.0, 2.0]), "t": Table([[1]], ["a"]), "said": "word"})
        board.log_images("seen", np.zeros((4, 4, 3), np.uint8))
    run = tmp_path / "default" / "rich"
    expected = {"histogram": ["w"], "image": ["seen"], "table": ["t"], "text": ["said"]}
    assert json.loads(kobo("show", run, "--json"))["rich"] == expected
    shown = [line.split() for line in kobo("show", run).splitlines()]
    assert [words for words in shown if words and words[0] in expected] == [
        [kind, *names] for kind, names in expected.items()
    ]


@pytest.mark.parametrize("wanted", ["digits/aab-two", "aab-two", "aab", "ccc"])
def test_show_finds_a_run_under_the_default_root(
    kobo: Kobo, root: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(root))
    assert json.loads(kobo("show", wanted, "--json"))["id"].startswith(wanted.rpartition("/")[2])


def test_show_prefers_an_id_to_a_directory_that_holds_no_run(
    kobo: Kobo, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ccc-three").mkdir()
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(root))
    assert json.loads(kobo("show", "ccc-three", "--json"))["name"] == "diverged"


def test_show_json_names_numbers_that_json_does_not_have(kobo: Kobo, root: Path) -> None:
    run = json.loads(kobo("show", root / "text" / "ccc-three", "--json"), parse_constant=pytest.fail)
    assert run["summary"] == {"loss": "NaN", "up": "Infinity", "down": "-Infinity"}
    assert run["config"] == {"nested": {"betas": [0.9, 0.99], "none": None}}
    assert run["group"] == "sweep"
    (loss,) = [metric for metric in run["metrics"] if metric["name"] == "loss"]
    assert (loss["count"], loss["nonfinite"], loss["last"], loss["mean"]) == (1, 1, "NaN", "NaN")


def test_show_json_has_the_documented_fields(kobo: Kobo, root: Path) -> None:
    run = json.loads(kobo("show", root / "digits" / "aaa-one", "--json"))
    page = (REPOSITORY / "docs" / "cli.md").read_text()
    fields = [*run, *run["metrics"][0], *run["attempts"][0]]
    assert [field for field in fields if f"`{field}`" not in page] == []


def test_show_says_how_often_a_run_was_taken_up_and_what_it_was_forked_from(
    kobo: Kobo, tmp_path: Path
) -> None:
    for at_step in (None, 0):
        with Board(base_dir=tmp_path, run_id="one", at_step=at_step) as board:
            board.log(loss=1)
    with Board(base_dir=tmp_path, run_id="two", fork_from=("one", 0)) as board:
        board.log(loss=1)
    assert "2 (finished, finished)" in kobo("show", tmp_path / "default" / "one")
    shown = kobo("show", tmp_path / "default" / "two")
    assert "default/one at step 0" in shown
    assert "attempts" not in shown, "one is nothing to tell"


def test_show_of_a_failed_run_has_its_traceback(kobo: Kobo, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Board("bad", base_dir=tmp_path, run_id="bad"):
        _ = 1 / 0
    assert "ZeroDivisionError" in kobo("show", tmp_path / "default" / "bad")
    assert "ZeroDivisionError" in json.loads(kobo("show", tmp_path / "default" / "bad", "--json"))["error"]


@pytest.mark.parametrize("command", ["open", "ls", "recover"])
def test_a_directory_that_is_not_there_is_misuse(kobo: Kobo, tmp_path: Path, command: str) -> None:
    error = kobo(command, tmp_path / "nowhere", code=2)
    assert "there is no directory" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["open", "ls", "recover"])
def test_a_file_in_place_of_a_directory_is_misuse(kobo: Kobo, tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    assert "is a file" in kobo(command, tmp_path / "file", code=2)


def test_show_without_a_root_is_misuse(kobo: Kobo) -> None:
    assert "there is no directory 'kohakuboard'" in kobo("show", "abc", code=2)


@pytest.mark.parametrize("wanted", ["zzz", "a", "digits/zzz", "nowhere/aaa-one"])
def test_an_id_that_fits_no_run_or_several_fails(
    kobo: Kobo, root: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(root))
    error = kobo("show", wanted, code=1)
    assert repr(wanted) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["ls", "--nonsense"], ["show"], ["open", "--port", "x"], ["open", "--port", "70000"]],
)
def test_wrong_arguments_are_misuse(kobo: Kobo, arguments: list[str]) -> None:
    assert kobo(*arguments, code=2).count("\n") == 1


def test_kobo_alone_shows_what_there_is(kobo: Kobo) -> None:
    out = kobo()
    assert [name for name in ("open", "ls", "show", "recover") if name not in out] == []


def test_recover_says_when_there_is_nothing_to_do(kobo: Kobo, root: Path) -> None:
    assert "nothing to recover in 3 runs" in kobo("recover", root)


def test_recover_stores_what_a_killed_run_left(kobo: Kobo, tmp_path: Path) -> None:
    path = killed_run(tmp_path)
    assert "default/victim: recovered" in kobo("recover", tmp_path)
    run = open_run(path)
    assert run.status == "crashed"
    assert run.series("loss").value.tolist() == [0.0, 1.0, 2.0]
    assert "nothing to recover" in kobo("recover", tmp_path)


def test_recover_leaves_a_live_run_alone(kobo: Kobo, tmp_path: Path) -> None:
    with Board("live", base_dir=tmp_path, run_id="live") as board:
        board.log(loss=1.0)
        wait_for(
            lambda: any(board.path.glob(".writer-*.lock")) and "live writer" in kobo("recover", tmp_path)
        )
    assert open_run(board.path).status == "finished"


def test_a_damaged_run_is_listed_and_says_why_it_cannot_be_read(kobo: Kobo, tmp_path: Path) -> None:
    Board("broken", base_dir=tmp_path, run_id="broken").finish()
    (tmp_path / "default" / "broken" / "run.db").write_bytes(b"no database" * 100)
    assert "unreadable" in kobo("ls", tmp_path)
    run = json.loads(kobo("show", tmp_path / "default" / "broken", "--json"))
    assert run["status"] == "unreadable"
    assert "run.db" in run["error"]


def test_a_project_with_odd_characters_is_found_by_what_ls_prints(
    kobo: Kobo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Board("odd", project="a b/é:*?", base_dir=tmp_path, run_id="odd").finish()
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(tmp_path))
    printed = next(line for line in kobo("ls").splitlines() if "odd" in line).split("  ")[0].strip()
    assert json.loads(kobo("show", printed, "--json"))["project"] == "a b/é:*?"
    directory = tmp_path / printed.rpartition("/")[0]
    assert [run["id"] for run in json.loads(kobo("ls", directory, "--json"))] == ["odd"]


def test_kobo_and_python_m_kohakuboard_are_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kohakuboard", "--version"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("kobo ")


def test_a_closed_pipe_is_no_traceback(root: Path) -> None:
    command = f"{sys.executable} -m kohakuboard ls {root} --json | head -c 1"
    done = subprocess.run(command, shell=True, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "["
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("place", "page"),
    [(".", "/"), ("digits", "/p/digits"), ("digits/aaa-one", "/run/digits/aaa-one")],
)
def test_open_serves_the_page_of_what_it_was_given(root: Path, place: str, page: str) -> None:
    with opened(root / place, "--port", "0") as address:
        assert address.endswith(page)
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert answer.status == 200
            assert "older" in answer.read().decode()


def test_open_takes_a_free_port_when_the_default_is_taken(root: Path) -> None:
    with opened(root) as first, opened(root) as second:
        assert first != second
        for address in (first, second):
            with urllib.request.urlopen(address, timeout=20) as answer:
                assert answer.status == 200


def test_open_stores_in_the_background_what_a_killed_run_left(tmp_path: Path) -> None:
    path = killed_run(tmp_path)
    with opened(tmp_path, "--port", "0"):
        wait_for(lambda: not (path / "journal").exists())
    assert open_run(path).status == "crashed"
    assert open_run(path).series("loss").value.tolist() == [0.0, 1.0, 2.0]


def test_open_refuses_a_port_that_was_asked_for_and_is_taken(kobo: Kobo, root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert str(port) in kobo("open", root, "--no-browser", "--port", str(port), code=1)


@contextmanager
def opened(place: Path, *options: str) -> Generator[str, None, None]:
    """Run `kobo open` in a process of its own and give its address; it must end at once on Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "kohakuboard", "open", str(place), "--no-browser", *options],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(REPOSITORY / part) for part in ("", "viewer"))},
    )
    assert process.stdout is not None
    try:
        yield address_in(process.stdout)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Traceback" not in err
    finally:
        process.kill()
        process.wait()


def address_in(lines: Any) -> str:
    """Return the first address that a server printed."""
    for line in lines:
        for word in line.split():
            if word.startswith("http://"):
                return str(word)
    raise AssertionError("no address was printed")


def killed_run(root: Path) -> Path:
    """Return a run whose trainer was killed before its writer stored anything, and its writer with it."""
    program = f"""
import os, signal
from kohakuboard import Board
board = Board("victim", run_id="victim", base_dir={str(root)!r})
for step in range(3):
    board.log(loss=float(step))
os.kill(board._supervisor.writer_pid, signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False, capture_output=True)
    return root / "default" / "victim"


def wait_for(condition: Callable[[], object], attempts: int = 400) -> None:
    """Try until it holds; the test's time limit is far beyond the last attempt."""
    for _ in range(attempts):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")
