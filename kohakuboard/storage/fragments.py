"""Read rows of data files by their place, without Lance's query engine.

The engine's plans bring 25 MB of its code into a process that otherwise only writes. What is asked for here are columns
of rows that are known by number, which the files themselves can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from lance.file import LanceFileReader
from lance.fragment import LanceFragment
from numpy.typing import NDArray

__all__ = ["Part"]

Float64 = NDArray[np.float64]

# What is asked for comes as one batch: rows are few, and long.
BATCH_ROWS: Final = 1 << 20
# Batches are unpacked beside each other. Of 1M points a core unpacks four rows in 2 ms.
STRETCH_ROWS: Final = 2


class Part:
    """Some fragments, at least one, whose rows are numbered one fragment after the other. For one thread at a time.

    Arguments:
        path: The directory of the dataset.
        fragments: Of one file each, from which nothing was deleted.

    """

    def __init__(self, path: Path, fragments: Sequence[LanceFragment]) -> None:
        metadata = [fragment.metadata for fragment in fragments]
        sizes = [fragment.physical_rows for fragment in metadata]
        files = [fragment.files[0] for fragment in metadata]
        self._files = [(path / "data" / file.path, file.file_size_bytes) for file in files]
        self._ends = np.cumsum(sizes)
        self._readers: dict[tuple[int, tuple[str, ...]], LanceFileReader] = {}
        self.fragment_ids = np.repeat([fragment.id for fragment in metadata], sizes)  # of each row

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return columns of all rows."""
        readers = [self._reader(number, columns) for number in range(len(self._files))]
        tables = [reader.read_all(batch_size=BATCH_ROWS).to_table() for reader in readers]
        return pa.concat_tables(table.select(list(columns)) for table in tables)

    def take(self, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Return columns of some rows, in that order."""
        ascending, inverse = np.unique(rows, return_inverse=True)
        of_file = np.searchsorted(self._ends, ascending, side="right")
        cuts = np.flatnonzero(np.diff(of_file)) + 1
        files = of_file[np.append(0, cuts)].tolist()
        places = np.split(ascending - np.append(0, self._ends)[of_file], cuts)
        table = pa.concat_tables(
            self._take_ascending(number, place, columns) for number, place in zip(files, places, strict=True)
        )
        return table if np.array_equal(ascending, rows) else table.take(pa.array(inverse))

    def stretch(self, begin: int, n_rows: int, columns: Sequence[str]) -> pa.Table:
        """Return columns of rows that follow each other in one file, unpacked on all cores."""
        batches = list(self._stretch(begin, n_rows, columns))
        return pa.Table.from_batches(batches).select(list(columns))

    def items(self, begin: int, n_rows: int, column: str, out: Float64) -> None:
        """Write the items of lists into an array that they fill: those of rows that follow each other in one file.

        They are copied while others are unpacked, and their memory is used again for the next ones: to copy a million
        numbers took 2 to 30 ms when all of it was memory that nobody had touched before.
        """
        filled = 0
        for batch in self._stretch(begin, n_rows, [column]):
            items = batch.column(column).flatten().to_numpy()
            out[filled : filled + len(items)] = items
            filled += len(items)
        if filled != len(out):
            raise OSError(f"{column} of {n_rows} rows has {filled} items, not {len(out)}")

    def _stretch(self, begin: int, n_rows: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        number = int(np.searchsorted(self._ends, begin, side="right"))
        start = begin - (int(self._ends[number - 1]) if number else 0)
        found = self._reader(number, columns).read_range(start, n_rows, batch_size=STRETCH_ROWS)
        yield from found.to_batches()

    def _take_ascending(self, number: int, places: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        taken = self._reader(number, columns).take_rows(places.tolist(), batch_size=BATCH_ROWS)
        return taken.to_table().select(list(columns))

    def _reader(self, number: int, columns: Sequence[str]) -> LanceFileReader:
        """Return what reads some columns of a file, opened when it is first asked for."""
        key = (number, tuple(columns))
        if key not in self._readers:
            path, size = self._files[number]
            if path.stat().st_size != size:  # Lance would panic
                raise OSError(f"{path} is not whole: it has {path.stat().st_size} bytes of {size}")
            self._readers[key] = LanceFileReader(str(path), columns=list(columns))
        return self._readers[key]
