"""What a run has besides scalars: histograms, media, tables, texts and whatever else lies in rows."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..errors import MetricNotFoundError
from .facts import Facts
from .rich.density import DensityEntry, density_entries
from .rich.histogram import HistogramSeries
from .rich.media import MediaEntry, StoredFile, media_entries, stored_file
from .rich.table import TableEntry, table_entries
from .rich.tensor import TensorEntry, tensor_entries
from .rich.text import TextEntry, found_texts, text_entries, text_steps

__all__ = ["RichValues"]

_TABLES: Final = {"table": "tables", "text": "texts", "density": "densities", "tensor": "tensors"}


class RichValues(Facts):
    """Give a run the calls that read rich values; they return what is stored."""

    def rich_names(self) -> dict[str, list[str]]:
        """Return the names that rich values were logged under, by their kind: "histogram", "image", "table", …"""
        media = self._rows.query("SELECT DISTINCT kind, name FROM media")
        found = {
            "histogram": self.histogram_names(),
            **{kind: sorted({name for one, name in media if one == kind}) for kind, _ in sorted(media)},
            **{kind: self._rows.names(table) for kind, table in _TABLES.items()},
        }
        return {kind: names for kind, names in found.items() if names}

    def histogram_names(self) -> list[str]:
        """Return the names that histograms were logged under."""
        reader = self._stores.histograms
        return reader.metrics() if reader else []

    def histograms(self, name: str) -> HistogramSeries:
        """Return the committed histograms of a name. Raises MetricNotFoundError."""
        reader = self._stores.histograms
        found = reader.series(name) if reader else None
        if found is None or not len(found.steps):
            raise MetricNotFoundError(self.id, name, self.histogram_names())
        which = np.array(self._shown(found.shards.tolist(), found.steps.tolist()), dtype=np.int64)
        if len(np.unique(found.shards[which])) > 1:  # their numbers say nothing of their order
            which = which[np.argsort(found.times[which], kind="stable")]
        times = found.times.view("datetime64[us]")
        nonfinite = (kind[which] for kind in (found.n_nan, found.n_posinf, found.n_neginf))
        return HistogramSeries(
            found.steps[which], times[which], found.counts[which], found.edges[which], *nonfinite
        )

    def densities(self, name: str | None = None) -> list[DensityEntry]:
        """Return the committed kernel densities of one name, or of all, by step."""
        return density_entries(self._rows, name)

    def tensors(self, name: str | None = None) -> list[TensorEntry]:
        """Return what tensors are committed, of one name or of all, by step."""
        return tensor_entries(self.path, self._rows, name)

    def media(self, name: str | None = None, step: int | None = None) -> list[MediaEntry]:
        """Return what media and figures are committed, of one name or of all, of one step or of all, by step."""
        return media_entries(self.path, self._rows, name, step)

    def figures(self, name: str | None = None, step: int | None = None) -> list[MediaEntry]:
        """Return the figures among the media."""
        return media_entries(self.path, self._rows, name, step, "figure")

    def stored(self, digest: str, extension: str) -> StoredFile | None:
        """Return the bytes of media or of a mask by their address, which is safe to take from anybody."""
        return stored_file(self.path, digest, extension)

    def table(self, name: str, step: int | None = None) -> TableEntry:
        """Return the table of a name at a step, or its last. Raises MetricNotFoundError."""
        found = self.tables(name, step)
        if not found:
            raise MetricNotFoundError(self.id, name, self._rows.names("tables"))
        return found[-1]

    def tables(self, name: str | None = None, step: int | None = None) -> list[TableEntry]:
        """Return what tables are committed, of one name or of all, by name and time; their rows are read later."""
        return table_entries(self.path, self._rows, name, step)

    def text(self, name: str | None = None, step: int | None = None) -> list[TextEntry]:
        """Return what texts are committed, of one name or of all, of one step or of all, by step."""
        return text_entries(self._rows, name, step)

    def text_steps(self) -> dict[str, list[int]]:
        """Return at which steps there are texts of each name."""
        return text_steps(self._rows)

    def search_text(self, wanted: str, name: str | None = None, *, limit: int = 100) -> list[TextEntry]:
        """Return the texts that a part of a text occurs in, the latest first; the case of ASCII letters is ignored."""
        return found_texts(self._rows, wanted, name, limit)
