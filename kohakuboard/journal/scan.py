"""The half of the journal that reads: shards into batches, from where the last reading stopped.

Used by the writer, which commits what it reads, and by every reader, which merges in what is not committed yet. Neither
trusts the files: a damaged segment is read up to its damage and the next ones are read all the same, copies and
segments of other shards are left out, and what is missing is told by the headers, each of which knows the seq of the
last record before it. Nothing of it raises; all of it is named, in the same words by whoever finds it.
"""

from __future__ import annotations

from pathlib import Path

from .batch import Batch, Column, Damage, Event, RichItem, join_columns, merge_events
from .directory import segment_paths
from .format import HEADER_BYTES, SegmentHeader, ShardIdentity, decode_header, segment_name
from .walk import SegmentCursor

__all__ = [
    "Batch",
    "Column",
    "Damage",
    "Event",
    "RichItem",
    "ShardCursor",
    "join_columns",
    "merge_events",
]


class ShardCursor:
    """Read a shard from its first segment that is still there, and go on from call to call.

    `identity` is known after the first reading of a whole header. `consumed` are segments read to their end: their
    successor exists, so nothing will be appended to them. `damaged` are those that hold what could not be read, `grown`
    those in which the last reading found records.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.identity: ShardIdentity | None = None
        self.consumed: list[Path] = []
        self.damaged: list[Path] = []
        self.grown: list[Path] = []
        self._segment: SegmentCursor | None = None
        self._last_seq = -1
        self._passed: set[str] = set()
        self._headers: dict[str, SegmentHeader] = {}

    def read(self, limit_bytes: int | None = None) -> Batch:
        """Return everything appended since the last call, or, with a limit, the segments that first reach it."""
        total = Batch()
        self.grown = []
        while limit_bytes is None or total.n_bytes < limit_bytes:
            # Asked before reading: a segment whose successor exists then gets no more records.
            successor = self._successor(total)
            gone = self._segment is not None and not self._read_segment(self._segment, total)
            if successor is None:
                break
            if self._is_copy(successor, total):
                continue
            self._advance(successor, total, gone=gone)
        return total

    def ending(self) -> list[Damage]:
        """Return what is damaged at the end of the shard; to be asked when nobody appends to it any more."""
        found = [Damage(self._complaint(path)) for path in self._unread() if self._header(path) is None]
        if self._segment is not None and self.directory.is_dir():
            try:
                damage = self._segment.ending()
            except FileNotFoundError:
                # Unless the writer, done with the shard, has removed it at this moment.
                damage = Damage(f"{self._segment.place} is missing") if self.directory.is_dir() else None
            found += [damage] if damage is not None else []
        return found

    def unreadable(self) -> list[Path]:
        """Return the segments that `ending` complains about."""
        last = [self._segment.path] if self._segment is not None and self.ending() else []
        return [*last, *(path for path in self._unread() if self._header(path) is None)]

    def _read_segment(self, segment: SegmentCursor, total: Batch) -> bool:
        try:
            batch = segment.read()
        except FileNotFoundError:  # committed and deleted by the writer while we looked
            return False
        total.extend(batch)
        if batch.n_bytes:
            self.grown.append(segment.path)
        self._last_seq = segment.last_seq
        return True

    def _advance(self, path: Path, total: Batch, *, gone: bool) -> None:
        """Go on to the next segment, and say what is missing before it."""
        header, before = self._headers.pop(path.name), self._segment
        texts = self._pass_unreadable(path.name)
        kept = False
        if header.after_seq > self._last_seq:
            if not texts:
                texts, kept = _lost(before, path, gone=gone)
            self._last_seq = header.after_seq
            total.last_seq = max(total.last_seq, header.after_seq)
            total.damage += [Damage(text, header.after_seq) for text in texts]
        else:
            total.damage += [Damage(text) for text in texts]
        if before is not None:
            (self.damaged if kept else self.consumed).append(before.path)
        self._passed.add(path.name)
        self._segment = SegmentCursor(path, header, self._last_seq)
        self.identity = self.identity or header.identity

    def _successor(self, total: Batch) -> Path | None:
        """Return the segment to go on with."""
        whole = [path for path in self._unread() if self._header(path) is not None]
        in_order = sorted(whole, key=lambda path: (self._headers[path.name].after_seq, path.name))
        return next((path for path in in_order if not self._is_copy(path, total)), None)

    def _is_copy(self, path: Path, total: Batch) -> bool:
        """Tell whether a segment holds what was read before, and leave it out then."""
        if self._headers[path.name].after_seq >= self._last_seq:
            return False
        self._leave_out(path)
        total.damage.append(Damage(f"{self._place(path)}: a copy of records that were read before"))
        return True

    def _pass_unreadable(self, name: str) -> list[str]:
        """Leave out the segments before `name` that have no whole header; return what is to be said of them."""
        found = [path for path in self._unread() if path.name < name and self._header(path) is None]
        texts = [self._complaint(path) for path in found]
        for path in found:
            self._leave_out(path)
        return texts

    def _leave_out(self, path: Path) -> None:
        self._passed.add(path.name)
        self._headers.pop(path.name, None)
        self.damaged.append(path)

    def _unread(self) -> list[Path]:
        return [path for path in segment_paths(self.directory) if path.name not in self._passed]

    def _header(self, path: Path) -> SegmentHeader | None:
        """Return the header of a segment of this shard; None when it has no whole one."""
        known = self._headers.get(path.name)
        if known is None:
            known = _read_header(path)
            if known is not None and known.identity.shard == self.directory.name:
                self._headers[path.name] = known
        return self._headers.get(path.name)

    def _complaint(self, path: Path) -> str:
        header = _read_header(path)
        if header is not None:
            return f"{self._place(path)}: a segment of another shard, {header.identity.shard}"
        return f"{self._place(path)}: its header is damaged, so nothing of it can be read"

    def _place(self, path: Path) -> str:
        return f"{self.directory.name}/{path.name}"


def _read_header(path: Path) -> SegmentHeader | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return decode_header(file.read(HEADER_BYTES))
    except FileNotFoundError:
        return None


def _lost(before: SegmentCursor | None, path: Path, *, gone: bool) -> tuple[list[str], bool]:
    """Say what is missing before a segment; True when the segment before it is damaged."""
    shard, number = path.parent.name, int(path.stem)
    if before is None:
        return [f"{shard}: the segments before {path.name} are missing"], False
    first = int(before.path.stem) + (0 if gone else 1)
    if first == number or (before.is_broken and not gone):
        return [before.damage().text], True
    if first == number - 1:
        return [f"{shard}/{segment_name(first)} is missing"], False
    return [f"{shard}: {segment_name(first)} to {segment_name(number - 1)} are missing"], False
