"""How jobs of transformers and Accelerate end, and how they go on: real processes, signals, launchers and kernels."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from kohakuboard.reader import Run, Workspace, open_run
from tests.conformance.tiny import points
from tests.reliability.processes import wait_for, wait_for_writers

ReadRun = Callable[[], Run]
StartJob = Callable[..., "subprocess.Popen[str]"]

# Imports take most of it, and minutes where many others want the processor.
pytestmark = pytest.mark.timeout(300)

JOBS = Path(__file__).parent / "jobs"
TRAINER_JOB = JOBS / "trainer_job.py"
ENDS = {
    "error": ("failed", "ValueError: the loss exploded"),
    "SIGINT": ("interrupted", "KeyboardInterrupt"),
    "SIGTERM": ("killed", "killed by SIGTERM"),
    "SIGKILL": ("crashed", "killed by SIGKILL"),
    "exit": ("interrupted", "the program ended while"),
    "exit 3": ("failed", "exit code 3"),
    "_exit": ("failed", "exit code 7"),
    "_exit 0": ("interrupted", "the program ended while"),
    "": ("finished", ""),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="exit codes of others are asked of Linux")
def test_r15_r16_r17_r19_r20_every_end_is_told_truly_and_costs_no_point(
    start_job: StartJob, tmp_path: Path
) -> None:
    roots = {
        (name, end): tmp_path / f"{name}-{end}" for name in ("transformers", "accelerate") for end in ENDS
    }
    commands = [
        (str(root), ["--framework", framework, "--end", end, "--out", f"out-{end}"], None)
        for (framework, end), root in roots.items()
    ]
    job = start_job(JOBS / "forked_jobs.py", TRAINER_JOB, json.dumps(commands))
    printed, _ = job.communicate(timeout=550)
    for (_, end), root in roots.items():
        status, error = ENDS[end]
        (run,) = Workspace(root).runs()
        wait_for_writers(run.path)
        (run,) = Workspace(root).runs()
        assert run.status == status, (root, printed)
        assert error in (run.error or "")
        assert (run.error or "").startswith("Traceback") == (end in ("error", "SIGINT"))
        assert [step for step, _ in points(run, "train/loss")] == list(range(1, 4 if end else 7))


@pytest.mark.slow
def test_r02_torchrun_makes_one_run(start_job: StartJob, only_run: ReadRun) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    job = start_job(TRAINER_JOB, launcher=launcher)
    printed, _ = job.communicate(timeout=280)
    assert job.returncode == 0, printed
    assert [step for step, _ in points(only_run(), "train/loss")] == [1, 2, 3, 4, 5, 6]
    assert only_run().status == "finished"


@pytest.mark.slow
def test_r12_r13_a_training_killed_five_times_is_one_run_with_one_curve(
    start_job: StartJob, root: Path, tmp_path: Path
) -> None:
    """The same command each time, which goes on from the last checkpoint."""
    arguments = ["--steps", "26", "--save-steps", "4"]
    whole = tmp_path / "whole"
    commands = [
        *[(str(root), [*arguments, "--pause", "0.1"], step) for step in (6, 11, 14, 19, 22)],
        (str(root), arguments, None),
        (str(whole), [*arguments, "--out", "other"], None),
    ]
    job = start_job(JOBS / "forked_jobs.py", TRAINER_JOB, json.dumps(commands))
    printed, _ = job.communicate(timeout=280)
    (uninterrupted,) = Workspace(whole).runs()
    (run,) = Workspace(root).runs()
    assert [step for step, _ in points(run, "train/loss")] == list(range(1, 27)), printed
    for name in ("train/loss", "train/learning_rate", "train/epoch"):
        curves = [[value for _, value in points(one, name)] for one in (run, uninterrupted)]
        assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    assert run.user_summary.keys() == uninterrupted.user_summary.keys()
    assert [attempt.status for attempt in run.attempts] == ["crashed"] * 5 + ["finished"]
    assert run.status == "finished"
    # Each began at a checkpoint, and each but the last had logged beyond the one that the next began at.
    begun = [attempt.at_step or 0 for attempt in run.attempts]
    assert begun == sorted(begun)
    assert all(step % 4 == 0 for step in begun)
    ends = [int(run.series("train/loss", attempt=attempt.number).step[-1]) for attempt in run.attempts]
    assert all(end > begin for end, begin in zip(ends, begun[1:], strict=False))


@pytest.mark.slow
def test_r02_r69_processes_that_a_launcher_forks_make_one_run(start_job: StartJob, only_run: ReadRun) -> None:
    """They leave by os._exit, so no exit handler of theirs is called."""
    job = start_job("launched_job.py")
    printed, _ = job.communicate(timeout=280)
    assert job.returncode == 0, printed
    wait_for_writers(only_run().path)
    run = only_run()
    assert run.status == "finished"
    assert [step for step, _ in points(run, "train/loss")] == [1, 2, 3, 4]
    assert [step for step, _ in points(run, "eval/loss")] == [2, 4, 4]


@pytest.mark.slow
def test_r12_a_job_that_torchrun_starts_again_goes_on_with_its_run(
    start_job: StartJob, only_run: ReadRun
) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1", "--max-restarts", "1")
    job = start_job(TRAINER_JOB, "--end", "error once", "--save-steps", "2", launcher=launcher)
    printed, _ = job.communicate(timeout=280)
    assert job.returncode == 0, printed
    run = only_run()
    assert [step for step, _ in points(run, "train/loss")] == [1, 2, 3, 4, 5, 6]
    assert [(attempt.status, attempt.at_step) for attempt in run.attempts] == [
        ("failed", None),
        ("finished", 2),
    ]


# A notebook

NOTEBOOK = """
import accelerate, transformers
from pathlib import Path
from transformers import TrainerCallback
from kohakuboard import Board
from tests.conformance.tiny import tiny_trainer

class Failing(TrainerCallback):
    on = True
    def on_step_end(self, args, state, control, **kwargs):
        if self.on and state.global_step == 3:
            raise ValueError("the loss exploded")

failing = Failing()
job = tiny_trainer(Path("."), failing, report_to="kohakuboard", logging_steps=1)
"""

# With a config: before Accelerate 1.8 a tracker is told of nothing else that begins.
LOOP = """
accelerator = accelerate.Accelerator(cpu=True, log_with="kohakuboard")
accelerator.init_trackers("loop", config={"lr": 0.1})
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the kernel's own machinery, on the way down
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_r17_r73_a_training_that_raises_in_a_cell_is_failed_while_the_kernel_lives_on(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of another cell is not the run's, nor is one the end of a board that the user has opened."""
    repository = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{repository}:{repository / 'integrations'}")
    status = "from kohakuboard.reader import Workspace\n[(run.status, run.error) for run in Workspace('runs').runs()]"
    cells = [
        NOTEBOOK,
        "job.train()",
        status,
        "failing.on = False\njob.train()",
        LOOP,
        "a_typo",
        status,
        "accelerator.log({'a': 1.0}, step=0)\n1 / 0",
        "board = Board('mine', project='own')",
        "board.log(a=1.0)\n1 / 0",
        "board.log(a=2.0)\nboard.finish()",
    ]
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=code)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook, timeout=100, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    raised = [any(o.output_type == "error" for o in cell.outputs) for cell in notebook.cells]
    assert [number for number, did in enumerate(raised) if did] == [1, 5, 7, 9], notebook.cells
    shown = [cell.outputs[-1].data["text/plain"] for cell in (notebook.cells[2], notebook.cells[6])]
    assert "('failed'" in shown[0]
    assert "the loss exploded" in shown[0]
    assert "('running'" in shown[1]
    wait_for(lambda: all(run.status != "running" for run in Workspace(root).runs()))
    first, second, loop, mine = Workspace(root).runs()[::-1]
    assert (first.status, second.status, loop.status, mine.status) == (
        "failed",
        "finished",
        "failed",
        "finished",
    )
    assert [len(points(run, "train/loss")) for run in (first, second)] == [2, 4]
    assert first.group == second.group
    assert "ZeroDivisionError" in (loop.error or "")
    assert [value for _, value in points(mine, "a")] == [1.0, 2.0]


TRAINING = """
import kohakuboard, time
from pathlib import Path
from transformers import TrainerCallback
from tests.conformance.tiny import tiny_trainer

class Slow(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        time.sleep(PAUSE_S)

job = tiny_trainer(Path("."), Slow(), report_to="kohakuboard", logging_steps=1, save_strategy="steps", save_steps=2,
                   max_steps=STEPS)
job.train(resume_from_checkpoint=any(Path("out").glob("checkpoint-*")))
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_r73_a_kernel_that_is_restarted_in_a_training_goes_on_with_its_run(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second kernel %autoreload reads the adapter anew, between one training and the next."""
    repository, integrations = Path(__file__).parents[2], tmp_path / "integrations"
    shutil.copytree(repository / "integrations", integrations)
    monkeypatch.setenv("PYTHONPATH", f"{repository}:{integrations}")
    manager = KernelManager()
    manager.start_kernel(cwd=str(tmp_path))
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute(f"PAUSE_S, STEPS = 0.5, 100\n{TRAINING}")
        wait_for(lambda: list(Path("out").glob("checkpoint-2/trainer_state.json")))
        wait_for(lambda: len(points(Workspace(root).runs()[0], "train/loss")) >= 3)
        manager.restart_kernel(now=True)
        (run,) = Workspace(root).runs()
        wait_for_writers(run.path)
        assert (open_run(run.path).status, open_run(run.path).error) == ("crashed", "killed by SIGKILL")
        client.wait_for_ready(timeout=60)
        steps = int(max(run.series("train/loss").step)) + 2
        cells = [
            f"%load_ext autoreload\n%autoreload 2\nPAUSE_S, STEPS = 0, {steps}\n{TRAINING}",
            "for path in Path('integrations').rglob('*.py'): path.write_text(path.read_text() + '\\n')",
            "job.train()",
        ]
        for cell in cells:
            told = client.execute_interactive(cell, timeout=60)["content"]
            assert told["status"] == "ok", told
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
    second, first = Workspace(root).runs()
    assert (first.id, first.status) == (run.id, "finished")
    assert [attempt.status for attempt in first.attempts] == ["crashed", "finished"]
    for one in (first, second):
        assert [step for step, _ in points(one, "train/loss")] == list(range(1, steps + 1))
