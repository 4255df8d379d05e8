"""Log through Accelerate by name, and end without a word."""

from __future__ import annotations

from accelerate import Accelerator  # type: ignore[import-untyped]

import kohakuboard  # noqa: F401  (as the autoload hook does, where it is installed)

if __name__ == "__main__":
    accelerator = Accelerator(cpu=True, log_with="kohakuboard")
    accelerator.init_trackers("job")
    for step in range(3):
        accelerator.log({"loss": 1 / (step + 1)}, step=step)
