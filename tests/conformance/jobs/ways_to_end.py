"""How the jobs of the tests end, as their command lines say."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["end"]


def end(way: str) -> None:
    """End in the midst of training; not at all when the way is ""."""
    if way == "error" or (way == "error once" and os.environ.get("TORCHELASTIC_RESTART_COUNT") == "0"):
        raise ValueError("the loss exploded")
    if way == "exit":
        sys.exit(0)
    if way == "exit 3":
        sys.exit(3)
    if way == "_exit":
        os._exit(7)
    if way == "_exit 0":
        os._exit(0)
    if way.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, way))
