"""Media that were logged: what is known of them, and their bytes.

for entry in run.media("samples", step=100):
    entry.kind, entry.mime, entry.caption, entry.width, entry.height
    data = entry.read()                        # or entry.open(), or entry.path where they are a file
    for box in entry.boxes: box["box"], entry.label(box["class_id"])
    for name, mask in entry.masks.items(): mask.read()

run.stored("<hash>", "png")                    # the same bytes by their address, as a page has it
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np

from ...storage.media_types import media_type
from ..rows import Rows

__all__ = ["MediaEntry", "StoredFile", "media_entries", "media_entry", "stored_file"]

_HASH: Final = re.compile("[0-9a-f]{64}")
_EXTENSION: Final = re.compile("[a-z0-9]{1,8}")


class StoredFile(NamedTuple):
    """Be bytes that a run keeps, named by their SHA-256 and the extension of their type. They never change."""

    run: Path
    hash: str
    extension: str

    @property
    def mime(self) -> str:
        """Return the type, as told by the content."""
        return media_type(self.extension).mime

    @property
    def path(self) -> Path | None:
        """Return the file that holds the bytes; None where they are in a database, as small ones are, or lost."""
        from ...storage.media import media_path

        path = media_path(self.run, self.hash, self.extension)
        return path if path.is_file() else None

    def read(self) -> bytes:
        """Return the bytes. Raises FileNotFoundError when the run has lost them."""
        from ...storage.media import read_media

        data = read_media(self.run, self.hash, self.extension)
        if data is None:
            raise FileNotFoundError(f"the media {self.hash}.{self.extension} are missing from {self.run}")
        return data

    def open(self) -> IO[bytes]:
        """Return a file to read from, without loading a large one. Raises FileNotFoundError as `read` does."""
        path = self.path
        return path.open("rb") if path is not None else io.BytesIO(self.read())


class MediaEntry(NamedTuple):
    """Describe media logged at a step; `read`, `open` and `path` give the bytes.

    Attributes:
        time: When it was logged, µs, UTC.
        position: Its place in a sequence that was logged under one name.
        kind: image, video, audio, figure or file: how to show it.
        hash, extension: What names the bytes, see StoredFile.
        width, height: In pixels, None where not known.
        duration_s: Of audio and video, None where not known.
        boxes: Dicts with "box" (x0, y0, x1, y1 in pixels), "class_id", "label", "score" and "group"; what was not
            given is None.
        masks: By name, each a grayscale PNG of the numbers of classes.
        classes: The names of classes by their number.
        note: What is not as it should be, in words; None where all is well.
    """

    run: Path
    name: str
    step: int
    time: np.datetime64
    position: int
    kind: str
    caption: str | None
    hash: str
    extension: str
    n_bytes: int
    width: int | None
    height: int | None
    duration_s: float | None
    boxes: list[dict[str, Any]]
    masks: dict[str, StoredFile]
    classes: dict[int, str]
    note: str | None

    @property
    def file(self) -> StoredFile:
        """Return the stored bytes by their address."""
        return StoredFile(self.run, self.hash, self.extension)

    @property
    def mime(self) -> str:
        """Return the type, as told by the content."""
        return self.file.mime

    @property
    def path(self) -> Path | None:
        """Return the file that holds the bytes; None where they are in a database, as small ones are, or lost."""
        return self.file.path

    def read(self) -> bytes:
        """Return the bytes. Raises FileNotFoundError when the run has lost them."""
        return self.file.read()

    def open(self) -> IO[bytes]:
        """Return a file to read from, without loading a large one. Raises FileNotFoundError as `read` does."""
        return self.file.open()

    def label(self, class_id: int | None) -> str | None:
        """Return the name of a class; its number where it has none."""
        return None if class_id is None else self.classes.get(class_id, str(class_id))


_FIELDS: Final = (
    "kind",
    "caption",
    "hash",
    "extension",
    "n_bytes",
    "width",
    "height",
    "duration_s",
    "boxes",
    "masks",
    "classes",
    "note",
)


def media_entries(
    run: Path, rows: Rows, name: str | None, step: int | None, kind: str | None = None
) -> list[MediaEntry]:
    """Return the media of one name, or of all, by step; only those of one step or kind, where that is given."""
    query = (
        f"SELECT shard, name, step, time_us, position, {', '.join(_FIELDS)} FROM media "
        "WHERE ?1 IS NULL OR name = ?1 ORDER BY name, step, seq, position"
    )
    # Which rows are shown depends on all steps of a name, so the step is looked at last.
    return [
        _entry(run, row)
        for row in rows.shown(query, [name])
        if step in (None, row[2]) and kind in (None, row[5])
    ]


def stored_file(run: Path, digest: str, extension: str) -> StoredFile | None:
    """Return the bytes of an address, which may be anybody's text; None where it is none."""
    if not (_HASH.fullmatch(digest) and _EXTENSION.fullmatch(extension)):
        return None
    return StoredFile(run, digest, extension)


def media_entry(
    run: Path, name: str, step: int, time: np.datetime64, position: int, stored: Mapping[str, Any]
) -> MediaEntry:
    """Return what was logged at a place, given the fields of a MediaRow that was stored."""
    fields: dict[str, Any] = {field: stored.get(field) for field in _FIELDS}
    fields["boxes"] = list(fields["boxes"] or ())
    fields["masks"] = {key: StoredFile(run, digest, "png") for key, digest in (fields["masks"] or {}).items()}
    fields["classes"] = {int(number): label for number, label in (fields["classes"] or {}).items()}
    return MediaEntry(run, name, step, time, position, **fields)


def _entry(run: Path, row: tuple[Any, ...]) -> MediaEntry:
    _, name, step, time_us, position, *values = row
    stored = dict(zip(_FIELDS, values, strict=True))
    for field in ("boxes", "masks", "classes"):
        stored[field] = json.loads(stored[field] or "null")
    return media_entry(run, name, step, np.datetime64(time_us, "us"), position, stored)
