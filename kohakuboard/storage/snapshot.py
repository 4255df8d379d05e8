"""The reading half of both stores: datasets that other processes write, merge and clean meanwhile.

Nothing is written, not even a lock, so a read-only mount will do. A version is read until the next `refresh`.
Where a file of it is gone, the writer has cleaned it away and there is a newer one: the read is done again on
that. Where there is none (an incomplete copy, a power cut), it is done on the newest version that is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import lance
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .chunks import flat
from .fragments import Part
from .lance import LANCE_ERRORS, Session, new_session
from .repair import is_whole, newest_whole, versions
from .sidecar import Sidecar, read_sidecar

__all__ = ["Snapshot", "Snapshots", "picked"]

T = TypeVar("T")

ATTEMPTS = 5
THREADS = min(4, os.cpu_count() or 1)
REMEMBERED_BYTES = 2 << 20  # a viewer holds a hundred runs
ROWS_PER_THREAD = 8  # below it a thread costs more than it gains


class Snapshot:
    """One version of one dataset, with the key columns of its rows in memory.

    Arguments:
        path: The directory of the dataset.
        keys: The columns that say what is in a row, all small.
        session: Returns Lance's caches, to be shared.

    """

    def __init__(self, path: Path, keys: Sequence[str], session: Callable[[], Session]) -> None:
        self._path = path
        self._columns = list(keys)
        self._session = session
        self._handle: lance.LanceDataset | None = None
        self._sidecar: Sidecar | None = None  # takes the place of the handle
        self._broken: int | None = None  # a version that could not be read to its end
        self._fragments: dict[int, pa.Table] = {}
        self._keys: pa.Table | None = None
        self._remembered: tuple[tuple[object, ...], pa.Table] | None = None

    @property
    def name(self) -> str:
        """Return the name of the dataset's directory."""
        return self._path.name

    @property
    def version(self) -> int:
        """Return the version that is read, 0 while there is none."""
        if self._sidecar is not None:
            return self._sidecar.version
        return int(self._handle.version) if self._handle is not None else 0

    @property
    def in_memory(self) -> bool:
        """Tell whether all rows are."""
        return self._sidecar is not None

    def refresh(self) -> bool:
        """Move to the newest version that can be read; return whether it is another one."""
        before = self.version
        if self._handle is None and (self._sidecar is None or not self._sidecar.counts()):
            self._sidecar = read_sidecar(self._path)
        if self._sidecar is None:
            self._handle = self._newest()
        if self.version != before:
            self._keys = None
        return self.version != before

    def fall_back(self) -> bool:
        """Move away from a version that could not be read; return whether there is another."""
        before = self.version
        if self.refresh():
            return True
        self._broken = before or None
        return self.refresh()

    def keys(self) -> pa.Table:
        """Return the key columns of all rows in storage order. Only fragments not seen before are read."""
        if self._keys is None:
            whole = self._sidecar
            self._keys = self._read_keys() if whole is None else whole.table.select(self._columns)
        return self._keys

    def take(self, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return columns of rows, given by their place in `keys`, in that order."""
        if self._sidecar is not None:
            return picked(self._sidecar.table.select(list(columns)), rows)
        assert self._handle is not None
        handle, wanted = self._handle, list(columns)
        if len(rows) < 2 * ROWS_PER_THREAD:
            return handle.take(rows, columns=wanted)
        if (found := self._stretch(rows)) is not None:
            part, begin = found
            return part.stretch(begin, len(rows), wanted)
        # Lance decodes a take on one core.
        with ThreadPoolExecutor(THREADS) as pool:
            parts = np.array_split(rows, min(THREADS, len(rows) // ROWS_PER_THREAD))
            return pa.concat_tables(pool.map(lambda part: handle.take(part, columns=wanted), parts))

    def floats(self, rows: NDArray[np.int64], column: str, n_items: int) -> NDArray[np.float64]:
        """Return the items of lists of floats, one list after the other, `n_items` in all."""
        if len(rows) >= 2 * ROWS_PER_THREAD and (found := self._stretch(rows)) is not None:
            part, begin = found
            out = np.empty(n_items)
            part.items(begin, len(rows), column, out)
            return out
        taken: NDArray[np.float64] = flat(self.take(rows, [column])[column])
        return taken

    def _stretch(self, rows: NDArray[np.int64]) -> tuple[Part, int] | None:
        """Return a fragment and where in it rows begin that follow each other in it, None where they do not.

        They are read without Lance's query engine: a million values in 13 to 15 ms by the clock, and not in 19 to 24.
        """
        if self._handle is None or not _follow_each_other(rows):
            return None
        begin, end = int(rows[0]), int(rows[-1]) + 1
        start = 0
        for number, keys in self._fragments.items():
            if start <= begin < end <= start + len(keys):
                fragment = self._handle.get_fragment(number)
                assert fragment is not None
                return Part(self._path, [fragment]), begin - start
            start += len(keys)
        return None

    def take_again(self, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return what `take` does, and remember it if it is small: metrics of one call ask for the same axes."""
        asked = (self.version, rows.tobytes(), *columns)
        remembered = self._remembered
        if remembered is not None and remembered[0] == asked:
            return remembered[1]
        answer = self.take(rows, columns)
        self._remembered = (asked, answer) if answer.nbytes <= REMEMBERED_BYTES else None
        return answer

    def scan(self, columns: Sequence[str]) -> pa.Table:
        """Return columns of all rows, in the order of `keys`."""
        if self._sidecar is not None:
            return self._sidecar.table.select(list(columns))
        assert self._handle is not None
        return self._handle.scanner(columns=list(columns), scan_in_order=True).to_table()

    def _newest(self) -> lance.LanceDataset | None:
        try:
            if self._handle is None:
                if not versions(self._path):
                    return None
                handle = lance.dataset(self._path, session=self._session())
            else:
                handle = self._handle
                handle.checkout_latest()  # type: ignore[no-untyped-call]
        except LANCE_ERRORS:
            return self._newest_whole()
        if handle.version == self._broken and not is_whole(self._path, self._broken):
            return self._newest_whole()
        self._broken = None
        return handle

    def _newest_whole(self) -> lance.LanceDataset | None:
        version = newest_whole(self._path)
        return lance.dataset(self._path, version=version, session=self._session()) if version else None

    def _read_keys(self) -> pa.Table:
        assert self._handle is not None
        fragments = {fragment.fragment_id: fragment for fragment in self._handle.get_fragments()}
        unseen = [fragment for number, fragment in fragments.items() if number not in self._fragments]
        if len(unseen) == 1:  # as at most looks; without Lance's query engine it takes half as long
            [fragment] = unseen
            self._fragments[fragment.fragment_id] = Part(self._path, unseen).read(self._columns)
        elif unseen:
            scanner = self._handle.scanner(
                columns=self._columns, fragments=unseen, with_row_address=True, scan_in_order=True
            )
            rows = scanner.to_table()
            of_fragment = rows["_rowaddr"].to_numpy() >> np.uint64(32)
            rows = rows.drop(["_rowaddr"])
            starts = np.flatnonzero(np.diff(of_fragment, prepend=of_fragment[0] + np.uint64(1)))
            for start, stop in zip(starts, [*starts[1:], len(of_fragment)], strict=True):
                self._fragments[int(of_fragment[start])] = rows.slice(start, stop - start)
        self._fragments = {number: self._fragments[number] for number in fragments}
        return pa.concat_tables(self._fragments.values()).combine_chunks()


def picked(table: pa.Table, rows: NDArray[np.int64]) -> pa.Table:
    """Return rows of a table that is in memory, in that order."""
    return table.slice(int(rows[0]), len(rows)) if _follow_each_other(rows) else table.take(pa.array(rows))


def _follow_each_other(rows: NDArray[np.int64]) -> bool:
    return len(rows) > 0 and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows)))


class Snapshots:
    """All datasets in a directory, one for each writer there ever was.

    Arguments:
        directory: `<run>/scalars` or the like. It need not exist yet.
        keys: The columns that say what is in a row, all small.
        session: Lance's caches, where several readers are to share them.

    """

    def __init__(self, directory: Path, keys: Sequence[str], session: Session | None = None) -> None:
        self._directory = directory.absolute()
        self._keys = keys
        self._session = session
        self._all: dict[str, Snapshot] = {}
        self.refresh()

    @property
    def version(self) -> str:
        """Return a word that differs whenever there is something else to be read."""
        return " ".join(f"{name}@{snapshot.version}" for name, snapshot in self._all.items())

    def refresh(self) -> bool:
        """Move to the newest versions; return whether anything changed."""
        try:
            names = sorted(
                entry.name for entry in os.scandir(self._directory) if entry.name.endswith(".lance")
            )
        except FileNotFoundError:
            names = []
        changed = names != list(self._all)
        known = self._all
        self._all = {
            name: known.get(name) or Snapshot(self._directory / name, self._keys, self._caches)
            for name in names
        }
        moved = [snapshot.refresh() for snapshot in self._all.values()]
        return changed or any(moved)

    def _caches(self) -> Session:
        self._session = self._session or new_session()
        return self._session

    def read(self, work: Callable[[list[Snapshot]], T]) -> T:
        """Return what `work` makes of the datasets that have a version; of newer ones, if files are gone."""
        for _ in range(ATTEMPTS):
            snapshots = [snapshot for snapshot in self._all.values() if snapshot.version]
            try:
                return work(snapshots)
            except LANCE_ERRORS:
                moved = [snapshot.fall_back() for snapshot in snapshots]
                if not any(moved):
                    raise
        return work([snapshot for snapshot in self._all.values() if snapshot.version])
