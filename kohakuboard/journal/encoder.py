"""Find ffmpeg, which makes a video of frames: training must know whether the writer will have it.

The writer runs in the same environment as the trainer.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec

__all__ = ["find_ffmpeg", "has_ffmpeg"]


def has_ffmpeg() -> bool:
    """Tell whether there is one, without importing anything."""
    return find_spec("imageio_ffmpeg") is not None or shutil.which("ffmpeg") is not None


def find_ffmpeg() -> str:
    """Return the path of the program: the system's, or that of the extra `video`. Raises FileNotFoundError."""
    if path := shutil.which("ffmpeg"):
        return path
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ModuleNotFoundError as exc:
        raise FileNotFoundError('there is no ffmpeg: pip install "kohakuboard[video]"') from exc
    found: str = get_ffmpeg_exe()
    return found
