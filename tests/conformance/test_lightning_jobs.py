"""How jobs end, and what several processes make together: real scripts, signals and launchers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from kohakuboard.reader import Run, Workspace
from tests.conformance.line import points
from tests.reliability.processes import wait_for, wait_for_writers

# Imports take most of it, and minutes where many others want the processor.
pytestmark = pytest.mark.timeout(600)

ReadRun = Callable[[], Run]
StartJob = Callable[..., "subprocess.Popen[str]"]

REPOSITORY = Path(__file__).parents[2]
JOBS = Path(__file__).parent / "jobs"


def output(job: subprocess.Popen[str]) -> str:
    printed, _ = job.communicate(timeout=550)
    return printed


def logged_steps(run: Run) -> list[int]:
    return [int(step) for step in run.series("train/loss").step]


ENDS = {
    "error": ("failed", "ValueError: the loss exploded"),
    "SIGINT": ("interrupted", "KeyboardInterrupt"),
    "SIGTERM": ("killed", "SIGTERMException"),
    "SIGKILL": ("crashed", "killed by SIGKILL"),
    "exit": ("interrupted", "SystemExit"),
    "_exit": ("failed", "exit code 7"),
    "": ("finished", ""),
}
# Those that Lightning sees; of the others the writer tells.
TRACED = ("error", "SIGINT", "SIGTERM", "exit")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="exit codes of others are asked of Linux")
def test_r15_r16_r19_r20_every_end_is_told_truly_and_costs_no_point(
    start_job: StartJob, tmp_path: Path
) -> None:
    commands = [(str(tmp_path / end), ["--end", end], None) for end in ENDS]
    job = start_job("forked_jobs.py", JOBS / "lightning_job.py", json.dumps(commands), "lightning.pytorch")
    printed = output(job)
    for end, (status, error) in ENDS.items():
        (run,) = Workspace(tmp_path / end).runs()
        wait_for_writers(run.path)
        (run,) = Workspace(tmp_path / end).runs()
        assert run.status == status, printed
        assert error in (run.error or "")
        assert (run.error or "").startswith("Traceback") == (end in TRACED)
        # SIGTERM is let wait for the end of the step.
        assert logged_steps(run) == list(range(20 if end == "" else 8 if end == "SIGTERM" else 7))


@pytest.mark.slow
def test_r12_r13_a_training_killed_five_times_is_one_run_with_one_curve(
    start_job: StartJob, root: Path, tmp_path: Path
) -> None:
    """The same command each time, which goes on from the last checkpoint."""
    arguments = ["--steps", "26", "--save-steps", "4"]
    commands = [
        *[(str(root), [*arguments, "--pause", "0.1"], step) for step in (6, 11, 14, 19, 22)],
        (str(root), arguments, None),
        (str(tmp_path / "whole"), ["--steps", "26"], None),
    ]
    job = start_job("forked_jobs.py", JOBS / "lightning_job.py", json.dumps(commands), "lightning.pytorch")
    printed = output(job)
    (uninterrupted,) = Workspace(tmp_path / "whole").runs()
    (run,) = Workspace(root).runs()
    assert [attempt.status for attempt in run.attempts] == ["crashed"] * 5 + ["finished"], printed
    assert run.status == "finished"
    assert (tmp_path / "runs" / "job").is_dir()
    assert len(list((tmp_path / "runs" / "job").iterdir())) == 1  # what each attempt had begun was taken back
    # A checkpoint from within an epoch does not count the step that it is saved in; it is counted on going on.
    if tuple(map(int, version("lightning").split(".")[:2])) < (2, 5):
        pytest.skip("before 2.5 Lightning logs once more at the step of the checkpoint")
    assert logged_steps(run) == list(range(26))
    for name in ("train/loss", "train/step"):
        curves = [points(one, name) for one in (run, uninterrupted)]
        assert curves[0] == curves[1], name
    # Each began at a checkpoint, and each but the last had logged beyond the one that the next began at.
    begun = [attempt.at_step or 0 for attempt in run.attempts]
    assert begun == [0, 3, 7, 11, 15, 19]
    ends = [int(run.series("train/loss", attempt=attempt.number).step[-1]) for attempt in run.attempts]
    assert all(end > begin for end, begin in zip(ends, begun[1:], strict=False))


def test_r19_r20_a_killed_job_is_crashed_and_keeps_all_that_was_logged(
    start_job: StartJob, only_run: ReadRun
) -> None:
    job = start_job("lightning_job.py", "--steps", 1_000_000)
    assert job.stdout is not None
    for line in job.stdout:
        if line.startswith("logged 50"):  # printed in step 50: those before it were logged
            break
    job.kill()
    job.wait()
    wait_for(lambda: only_run().status == "crashed")
    run = only_run()
    assert logged_steps(run)[:50] == list(range(50))
    series = run.series("train/step")
    assert [int(value) for value in series.value] == [int(step) for step in series.step]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "more"),
    # R68: workers of a DataLoader; R70: the parent has the run open, too.
    [("ddp", ["--workers", 1]), ("ddp_fork", []), ("ddp_spawn", ["--touch"])],
    ids=["ddp", "ddp_fork", "ddp_spawn"],
)
def test_r02_r03_r68_r70_two_processes_make_one_run(
    strategy: str, more: list[object], start_job: StartJob, only_run: ReadRun
) -> None:
    job = start_job("lightning_job.py", "--strategy", strategy, "--devices", 2, "--steps", 10, *more)
    printed = output(job)
    assert job.returncode == 0, printed
    run = only_run()
    assert logged_steps(run) == list(range(10))
    assert len(run.series("test/loss").value) == 1
    assert run.status == "finished"
    assert run.config["world"] == 2


@pytest.mark.slow
def test_r02_torchrun_makes_one_run(start_job: StartJob, only_run: ReadRun) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    job = start_job("lightning_job.py", "--strategy", "ddp", "--devices", 2, "--steps", 10, launcher=launcher)
    printed = output(job)
    assert job.returncode == 0, printed
    assert logged_steps(only_run()) == list(range(10))
    assert only_run().status == "finished"


@pytest.mark.slow
def test_r18_an_error_in_a_spawned_process_is_told_by_the_one_that_waits(
    start_job: StartJob, only_run: ReadRun
) -> None:
    """Only the parent's `finalize` is called, and it never opened the run."""
    job = start_job("lightning_job.py", "--strategy", "ddp_spawn", "--devices", 2, "--end", "error on rank 1")
    printed = output(job)
    assert job.returncode != 0
    run = only_run()
    assert run.status == "failed", printed
    assert "rank 1 exploded" in (run.error or "")
    assert logged_steps(run)[:7] == list(range(7))


@pytest.mark.slow
def test_r41_r49_a_lightning_cli_program_runs_twice_and_shows_every_option(
    start_job: StartJob, root: Path
) -> None:
    """It writes config.yaml into the trainer's log_dir, and refuses to write over one."""
    pytest.importorskip("jsonargparse")
    logger = "kohakuboard.lightning.KohakuBoardLogger"
    fit = [
        *(
            "fit",
            "--trainer.logger",
            logger,
            "--trainer.logger.name",
            "cli",
            "--trainer.logger.tags",
            "[a, b]",
        ),
        *(
            "--trainer.max_steps",
            "2",
            "--trainer.enable_progress_bar",
            "false",
            "--trainer.accelerator",
            "cpu",
        ),
    ]
    jobs = [start_job("lightning_cli_job.py", *fit) for _ in range(2)]
    # R49: the short name is known where the autoload hook is installed, or kohakuboard was imported.
    by_name = ["fit", "--trainer.logger", "KohakuBoardLogger", *fit[3:]]
    jobs.append(start_job("lightning_cli_job.py", *by_name))
    shown = output(start_job("lightning_cli_job.py", "fit", "--trainer.logger.help", logger))
    for job in jobs:
        printed = output(job)
        assert job.returncode == 0, printed
    runs = Workspace(root).runs()
    assert [(run.project, run.status) for run in runs] == [("cli", "finished")] * 3, shown
    assert all((run.path / "config.yaml").is_file() for run in runs)
    assert runs[0].tags == ["a", "b"]
    for words in ("--trainer.logger.project", "Words to find the run by", "Root of all projects"):
        assert words in " ".join(shown.split())


def python(code: str) -> subprocess.CompletedProcess[str]:
    paths = [str(REPOSITORY), str(REPOSITORY / "integrations")]
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"],
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.mark.slow
def test_r48_the_older_copy_alone_is_enough_and_the_other_is_not_imported() -> None:
    pytest.importorskip("pytorch_lightning")
    done = python(
        "sys.modules['lightning'] = None\n"
        "from kohakuboard.lightning import KohakuBoardLogger\n"
        "import pytorch_lightning as pl\n"
        "assert issubclass(KohakuBoardLogger, pl.loggers.Logger)\n"
        "assert 'lightning.pytorch' not in sys.modules\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("framework", ["lightning", "transformers", "accelerate"])
def test_without_the_framework_the_pip_line_is_named(framework: str) -> None:
    names = (framework, "pytorch_lightning", "lightning_fabric", "lightning_utilities")
    done = python(f"sys.modules.update(dict.fromkeys({names!r}))\nimport kohakuboard.{framework}")
    assert f'pip install "kohakuboard[{framework}]"' in done.stderr


def test_r48_the_core_imports_no_framework() -> None:
    done = python(
        "import kohakuboard\n"
        "print(sorted({'torch', 'lightning', 'transformers', 'accelerate'} & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr
