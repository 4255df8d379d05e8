"""What users log besides scalars, one module for each type; each is a Rich."""

from .base import Rich
from .density import KernelDensity
from .figure import Figure
from .histogram import Histogram
from .media import Media
from .table import Table
from .tensor import Tensor
from .text import Text

__all__ = ["Figure", "Histogram", "KernelDensity", "Media", "Rich", "Table", "Tensor", "Text"]
