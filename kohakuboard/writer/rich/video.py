"""Make a video of frames: H.264 in MP4 through ffmpeg, which every browser plays, or an animated picture by Pillow.

One frame at a time is in memory. The same frames make the same bytes, so that a video is stored once.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from ...journal.encoder import find_ffmpeg
from .pixels import Frames, Pixels

__all__ = ["animate", "film"]

# Colour is stored for two by two pixels: sides must be even.
EVEN: Final = "pad=ceil(iw/2)*2:ceil(ih/2)*2"
_SAME: Final = ("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact")
_ENCODER: Final = (
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-crf",
    "18",
    "-pix_fmt",
    "yuv420p",
    "-threads",
    "1",
)
TIMEOUT_S: Final = 600.0


def film(frames: Frames, fps: float, path: Path) -> tuple[int, int]:
    """Write an MP4; return width and height. Raises OSError, with ffmpeg's words, where it fails."""
    images = iter(frames)
    first = _colours(next(images))
    height, width = first.shape[:2]
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-")
    made = (*_SAME, "-an", "-vf", EVEN, *_ENCODER, "-movflags", "+faststart", "-f", "mp4", "-y", str(path))
    _run_ffmpeg(
        [find_ffmpeg(), "-nostdin", "-loglevel", "error", *raw, *made], chain([first], map(_colours, images))
    )
    return width, height


def animate(frames: Frames, fps: float, path: Path, form: str) -> tuple[int, int]:
    """Write an animated GIF or WebP; return width and height."""
    images = map(Image.fromarray, frames)
    first = next(images)
    with open(path, "wb") as file:
        first.save(
            file, form.upper(), save_all=True, append_images=images, duration=round(1000 / fps), loop=0
        )
    return first.size


def _colours(frame: Pixels) -> Pixels:
    """Return H×W×3 of a frame."""
    if frame.ndim == 2:
        frame = np.repeat(frame[:, :, None], 3, axis=2)
    return np.ascontiguousarray(frame[:, :, :3])


def _run_ffmpeg(command: Sequence[str], images: Iterable[Pixels]) -> None:
    """Feed frames to ffmpeg until it is done."""
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=words)
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError), process.stdin as pipe:  # it ends early where something is wrong
                for image in images:
                    pipe.write(image.data)
            process.wait(TIMEOUT_S)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            words.seek(0)
            said = words.read(2000).decode(errors="replace").strip()
            raise OSError(f"ffmpeg could not make a video ({said or f'exit code {process.returncode}'})")
