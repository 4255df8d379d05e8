"""Small file systems of a test's own, mounted for real: they fill up, turn read-only, lose power.

Mounting needs root on Linux; where that is not to be had, a test that asks for one is skipped with the reason.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["bindfs", "ext4", "mounted", "tmpfs"]


@contextmanager
def mounted(place: Path, *command: str | Path) -> Iterator[Path]:
    """Mount at `place`, which is made; unmounted at the end even if somebody still holds a file there."""
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([*command, place], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {' '.join(map(str, command))}: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def tmpfs(place: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a file system in memory that holds `size_bytes`."""
    with mounted(place, "mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs") as mount:
        yield mount


@contextmanager
def ext4(place: Path, image: Path, size_bytes: int, *options: str) -> Iterator[Path]:
    """Mount an ext4 file system that lies in a file; the image is made when it is not there, and is kept."""
    if not image.exists():
        with open(image, "wb") as file:
            file.truncate(size_bytes)
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("there is no mkfs.ext4 here")
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    with mounted(place, "mount", "-o", ",".join(["loop", *options]), image) as mount:
        yield mount


@contextmanager
def bindfs(place: Path, source: Path) -> Iterator[Path]:
    """Show a directory through FUSE: a file system in user space, with locks of its own."""
    program = shutil.which("bindfs")
    if program is None:
        pytest.skip("there is no bindfs here (Debian: apt-get install bindfs)")
    source.mkdir(parents=True, exist_ok=True)
    with mounted(place, program, "--no-allow-other", source) as mount:
        yield mount
