"""What is read back of rich values, one module for each type."""

from .histogram import HistogramSeries
from .media import MediaEntry
from .table import TableEntry, TablePage

__all__ = ["HistogramSeries", "MediaEntry", "TableEntry", "TablePage"]
