"""What is read back of rich values, one module for each type."""

from .density import DensityEntry
from .histogram import HistogramSeries
from .media import MediaEntry, StoredFile
from .table import TableEntry, TablePage
from .tensor import TensorEntry
from .text import TextEntry

__all__ = [
    "DensityEntry",
    "HistogramSeries",
    "MediaEntry",
    "StoredFile",
    "TableEntry",
    "TablePage",
    "TensorEntry",
    "TextEntry",
]
