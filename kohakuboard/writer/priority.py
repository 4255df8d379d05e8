"""Let training come first where both want the processor.

Linux gives each session the same share (man 7 sched, "the autogroup feature"), and a nice value counts only within its
own: that of a writer, which is alone in its session, would change nothing. The session itself has one as well.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["NICENESS", "keep_up", "step_back"]

# A third of the share of what runs at 0.
NICENESS: Final = 5
_SESSION: Final = Path("/proc/self/autogroup")


def step_back() -> None:
    """Leave the processor to training."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    _set_session(NICENESS)


def keep_up() -> None:
    """Take a share like any other's, as far as the system lets a process have one back: training waits for this one."""
    _set_session(0)


def _set_session(niceness: int) -> None:
    # Only that of a session of our own: who is run in a shell's would slow down all that the shell runs.
    if hasattr(os, "getsid") and os.getsid(0) == os.getpid():
        with suppress(
            OSError
        ):  # there are none here, or they are not ours to change: the nice value is what we have
            _SESSION.write_text(str(niceness))
