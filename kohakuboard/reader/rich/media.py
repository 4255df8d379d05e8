"""Media that were logged: what is known of them, and their bytes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..rows import Rows

__all__ = ["MediaEntry", "media_entries"]


class MediaEntry(NamedTuple):
    """Describe media logged at a step; `read` fetches the bytes."""

    run: Path
    name: str
    step: int
    position: int
    caption: str | None
    hash: str
    extension: str
    mime: str
    width: int | None
    height: int | None

    def read(self) -> bytes:
        """Return the bytes. Raises FileNotFoundError when the run has lost them."""
        from ...storage.media import read_media

        data = read_media(self.run, self.hash, self.extension)
        if data is None:
            raise FileNotFoundError(f"the media {self.hash}.{self.extension} are missing from {self.run}")
        return data


def media_entries(run: Path, rows: Rows, name: str | None) -> list[MediaEntry]:
    """Return the media of one name, or of all, by step."""
    query = (
        "SELECT shard, name, step, position, caption, hash, extension, mime, width, height FROM media "
        "WHERE ?1 IS NULL OR name = ?1 ORDER BY name, step, seq, position"
    )
    return [MediaEntry(run, *row[1:]) for row in rows.shown(query, [name])]
