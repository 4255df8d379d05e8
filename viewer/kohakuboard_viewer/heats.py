"""What the tab of histograms fetches: maps over all steps, as columns or as a picture.

    /run/{project}/{run}/histograms/map?name=&columns=&rows=     columns (see columns.py) with ETag
    /run/{project}/{run}/histograms/map.png?name=                the same as a picture, for pages without script

Columns of a map: step_lo and step_hi, edges, and share, which holds one column of cells after the other.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from . import columns
from .answers import etag_of, fresh, is_known, not_modified
from .heat import Heat, heat_map
from .kept import Kept
from .shelf import Shelf
from .tabs import Ask
from .tabs.histograms import histogram_series

__all__ = ["Heats"]

_LIMIT_BYTES: Final = 64 * 1024 * 1024
_MOST_COLUMNS, _MOST_ROWS = 1000, 256
_PICTURE: Final = (400, 64)
_COLOUR: Final = (0x4A, 0x87, 0xC9)  # legible on the light and the dark ground, as sparklines are


class Heats:
    """Answer the requests for maps of histograms."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._kept = Kept[Heat](_LIMIT_BYTES, lambda heat: heat.nbytes)

    def columns(self, request: Request) -> Response:
        """Send a map as columns."""
        ask = Ask(request.query_params)
        size = ask.within("columns", 300, 1, _MOST_COLUMNS), ask.within("rows", 64, 1, _MOST_ROWS)
        heat, etag = self._heat(request, ask.text("name"), size)
        if is_known(request, etag):
            return not_modified(etag)
        header = {"rows": len(heat.edges) - 1, "outside": heat.outside}
        found: dict[str, npt.NDArray[Any]] = {
            "step_lo": heat.step_lo.astype(np.float64),
            "step_hi": heat.step_hi.astype(np.float64),
            "edges": heat.edges,
            "share": heat.share.astype(np.float32).ravel(),
        }
        return Response(columns.encode(found, header), media_type=columns.MEDIA_TYPE, headers=fresh(etag))

    def picture(self, request: Request) -> Response:
        """Send a map as a PNG, whose cells are the more opaque the more they hold."""
        heat, etag = self._heat(request, Ask(request.query_params).text("name"), _PICTURE)
        if is_known(request, etag):
            return not_modified(etag)
        return Response(_png(heat), media_type="image/png", headers=fresh(etag))

    def _heat(self, request: Request, name: str, size: tuple[int, int]) -> tuple[Heat, str]:
        with self._shelf.run(**request.path_params) as run:
            series = histogram_series(run, name)
            state = run.stored_version
            heat = self._kept.get(
                (run.path, name, size),
                state,
                lambda: heat_map(series.step, series.counts, series.edges, *size),
            )
        return heat, etag_of(state, name, str(size))


def _png(heat: Heat) -> bytes:
    from PIL import Image

    share = heat.share.T[::-1]
    alpha = np.sqrt(share / max(float(share.max()), 1e-300)) * 255
    pixels = np.empty((*share.shape, 4), np.uint8)
    pixels[..., :3] = _COLOUR
    pixels[..., 3] = alpha
    packed = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(packed, "PNG", compress_level=3)
    return packed.getvalue()
