"""What the tabs of histograms and tensors fetch: maps over all steps, as columns or as a picture, and slices.

    /run/{project}/{run}/histograms/map?name=&columns=&rows=     columns (see columns.py) with ETag
    /run/{project}/{run}/histograms/map.png?name=                the same as a picture, for pages without script
    /run/{project}/{run}/tensors/slice.png?name=&step=&nth=&at0=  a slice of a tensor as a picture

Columns of a map: step_lo and step_hi, edges, and share, which holds one column of cells after the other.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from . import columns
from .answers import etag_of, fresh, is_known, not_modified
from .heat import Heat
from .shelf import Shelf
from .slices import picture
from .tabs import Ask
from .tabs.histograms import heat_of
from .tabs.tensors import asked_slice, tensor_at

__all__ = ["Heats"]

_MOST_COLUMNS, _MOST_ROWS = 1000, 256
_PICTURE: Final = (400, 64)
_COLOUR: Final = (0x4A, 0x87, 0xC9)  # legible on the light and the dark ground, as sparklines are


class Heats:
    """Answer the requests for maps of histograms."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

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

    def slice(self, request: Request) -> Response:
        """Send a slice of a tensor as a PNG."""
        ask = Ask(request.query_params)
        with self._shelf.run(**request.path_params) as run:
            entry = tensor_at(run, ask)
        if entry is None:
            raise HTTPException(404, "there is no such tensor")
        etag = etag_of(entry.hash, *(value for _, value in ask.kept("name", "step", "nth")))
        if is_known(request, etag):
            return not_modified(etag)
        cut = asked_slice(entry, ask)
        if isinstance(cut, str):
            raise HTTPException(422, f"the tensor cannot be shown: {cut}")
        return Response(picture(cut), media_type="image/png", headers=fresh(etag))

    def _heat(self, request: Request, name: str, size: tuple[int, int]) -> tuple[Heat, str]:
        with self._shelf.run(**request.path_params) as run:
            heat, state = heat_of(run, name, size), run.stored_version
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
