"""Log through Accelerate from each process of a job."""

from __future__ import annotations

from accelerate import Accelerator  # type: ignore[import-untyped]

from kohakuboard.accelerate import KohakuBoardTracker

if __name__ == "__main__":
    accelerator = Accelerator(cpu=True, log_with=[KohakuBoardTracker("job")])
    accelerator.init_trackers("unused", config={"processes": accelerator.num_processes})
    for step in range(5):
        accelerator.log({"loss": 1 / (step + 1)}, step=step)
    accelerator.get_tracker("kohakuboard").log({"direct": 1.0}, step=5)
    accelerator.end_training()
