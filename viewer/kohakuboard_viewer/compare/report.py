"""Write runs into one HTML file that opens from a disk: charts that zoom, the summary, and how the configs differ.

All that the file needs is in it, and its policy lets it load nothing else. A chart's curves are what the server sends
to a page (see columns.py), at about as many places as there is room for, with float32 for values, gzipped, in base64:
no text of a user can end the element that holds it. Modules keep their own files: an import map names each as a data:
URL.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request

from kohakuboard.errors import KohakuBoardError

from .. import columns
from ..data import Data
from ..pages import Pages
from ..shelf import Shelf
from ..static_files import STATIC
from ..tabs.charts import sections
from .charts import metrics_of, overlay
from .differences import differing_config
from .runs import Compared, gather
from .summary import compared_names, metric_names, rows_of

__all__ = ["Report", "report_of"]


_MOST_CHARTS: Final = 300
_MOST_ROWS: Final = 1000
# 15 bytes of the file for each.
_CELLS: Final = 600_000
_WIDTHS: Final = (60, 1000)
_MODULES: Final = ("fetched.js", "format.js", "paint.js", "plot.js", "curves.js")
_STYLES: Final = ("uPlot-1.6.32.min.css", "style.css", "runs.css", "chart.css", "compare.css")


@dataclass(frozen=True, slots=True)
class Report:
    """Hold the text of the file, and how many charts it has; `left_out` are the metrics it has none of."""

    html: str
    n_runs: int
    n_charts: int
    left_out: int


def report_of(root: Path, addresses: Sequence[str]) -> Report:
    """Return the report of runs of a root, each named PROJECT/ID. Raises RunNotFoundError when none is there."""
    shelf = Shelf(root)
    runs = gather(shelf, addresses).runs
    known = metrics_of(runs)
    names = list(metric_names(runs))[:_MOST_CHARTS]
    charts = _charts(shelf, runs, names)
    grouped = sections([known[name] for name in charts])
    rows = compared_names(runs)[:_MOST_ROWS]
    page = Pages(shelf).render(
        "compare/report.html",
        {
            "runs": runs,
            "rows": rows_of(runs, rows),
            "config": differing_config(runs) if len(runs) > 1 else [],
            "sections": {
                name: [(metric.name, charts[metric.name]) for metric in members]
                for name, members in grouped.items()
            },
            "left_out": len(known) - len(charts),
            **_inlined(),
        },
    )
    return Report(bytes(page.body).decode(), len(runs), len(charts), len(known) - len(charts))


def _charts(shelf: Shelf, runs: Sequence[Compared], names: Sequence[str]) -> dict[str, str]:
    """Return the curves of each metric that has any, in base64."""
    data = Data(shelf)
    least, most = _WIDTHS
    width = min(max(_CELLS // max(len(names) * len(runs), 1), least), most)
    found = {}
    for name in names:
        query = overlay(name, runs).query.removeprefix("?") + "&" + urlencode({"width": width})
        scope = {"type": "http", "method": "GET", "path": "/series", "headers": [], "path_params": {}}
        try:
            answer = data.series(Request({**scope, "query_string": query.encode()}))
        except (HTTPException, KohakuBoardError):
            continue  # damaged; the summary has what is known of it
        found[name] = base64.b64encode(gzip.compress(_smaller(bytes(answer.body)), mtime=0)).decode()
    return found


def _smaller(message: bytes) -> bytes:
    """Return a message without what a report does not need, and with as many digits as are shown."""
    known, header = columns.decode(message)
    with np.errstate(over="ignore"):
        kept = {
            name: column.astype(np.float32) if name in ("low", "high", "mean") else column
            for name, column in known.items()
            if name != "count"
        }
    return columns.encode(kept, header)


def _inlined() -> dict[str, Any]:
    """Return the scripts and styles of the file."""
    modules = {f"kobo/{name}": _data_url(_module(name)) for name in _MODULES}
    return {
        "styles": Markup("\n".join(_read(name) for name in _STYLES)),
        "theme": Markup(_read("theme.js")),
        "uplot": Markup(_read("uPlot-1.6.32.iife.min.js")),
        "imports": Markup(json.dumps({"imports": modules})),
        "script": Markup(_module("report.js")),
    }


def _module(name: str) -> str:
    """Return a module whose imports are looked up in the import map."""
    return re.sub(r'from "\./', 'from "kobo/', _read(name))


def _data_url(script: str) -> str:
    return "data:text/javascript;base64," + base64.b64encode(script.encode()).decode()


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
