"""Answers for scripts. JSON has no NaN and no infinity: they are the strings "NaN", "Infinity" and "-Infinity"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response

__all__ = ["json_answer", "plain"]


def json_answer(value: Any, status: int = 200) -> Response:
    """Answer with a value, whatever it is made of."""
    return JSONResponse(plain(value), status, {"Cache-Control": "no-store"})


def plain(value: Any) -> Any:
    """Return a value as JSON has it: records by their fields; None for what JSON has no word for."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _word(value)
    if value is None or isinstance(value, bool | int | str):
        return _text(value) if isinstance(value, str) else value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return _text(str(value))
    return _composed(value)


def _composed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.structs.asdict(value))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if hasattr(value, "tolist"):  # an array, or one number of it
        return plain(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    return None


def _text(text: str) -> str:
    """Return a text that can be written: file names may hold bytes that are none."""
    return text.encode("utf-8", "replace").decode()


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
