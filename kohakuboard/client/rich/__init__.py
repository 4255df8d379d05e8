"""What users log besides scalars, one module for each type; each is a Rich."""

from .base import Rich
from .histogram import Histogram
from .media import Media
from .table import Table

__all__ = ["Histogram", "Media", "Rich", "Table"]
