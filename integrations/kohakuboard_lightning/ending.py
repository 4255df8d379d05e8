"""How a run ended, from what Lightning tells its loggers.

Lightning calls `finalize("failed")` for an error, Ctrl-C, SIGTERM and `sys.exit()` alike, but inside the
`except` block, so the exception is there to be seen:

    finalize     exception           status
    success                          finished
    finished                         preempted under SLURM (the job is about to be requeued), else finished
    failed       KeyboardInterrupt   interrupted
    failed       SIGTERMException    killed
    failed       SystemExit(0)       interrupted
    failed       any other, or none  failed
"""

from __future__ import annotations

import os
import traceback

__all__ = ["ending"]


def ending(status: str, error: BaseException | None) -> tuple[str, str | None]:
    """Return the run's status, and the traceback where there is an exception to blame."""
    if status == "finished" and "SLURM_JOB_ID" in os.environ:
        return "preempted", None
    if status != "failed":
        return "finished", None
    if error is None:
        return "failed", None
    return _status_of(error), "".join(traceback.format_exception(error))


def _status_of(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    # By name: each copy of Lightning has a class of its own. It is a SystemExit, too.
    if any(kind.__name__ == "SIGTERMException" for kind in type(error).__mro__):
        return "killed"
    if isinstance(error, SystemExit) and not error.code:
        return "interrupted"
    return "failed"
