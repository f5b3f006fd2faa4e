"""Records as JSON for the page: text and numbers only, safe between the tags of a script."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import fields, is_dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from tensorgrad.viz.record.records import Details, SourceLine
from tensorgrad.viz.record.statistics import FEW

NO_PIXEL = 255
"""The byte of a gap between two channels, or of a value that isn't finite."""


def encode(record: Any) -> str:
    r"""A record as JSON.

    Empty fields (None, an empty text or tuple) are left out. A float that JSON can't represent is written as
    `{"float": "nan"}`. To keep pages small, a picture becomes one byte per pixel, and many values become the bytes of
    their array.

    >>> from tensorgrad.viz.record.records import OpRecord
    >>> encode(OpRecord("op0", "</script>", "+", "", (("fill", "nan"),), "t1", idle=float("nan")))[:41]
    '{"id":"op0","name":"\\u003c/script\\u003e",'
    """
    return as_json(_plain(record))


def as_json(plain: Any) -> str:
    """Plain data as JSON that is safe between the tags of a script."""
    text = json.dumps(plain, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _plain(value: Any) -> Any:
    if isinstance(value, Details):
        return _details(value)
    if isinstance(value, SourceLine):
        # The page doesn't reveal the folders of its author.
        value = replace(value, file=PurePath(value.file).name)
    if is_dataclass(value):
        named = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {name: plain for name, plain in named.items() if plain is not None and plain not in ("", [])}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _details(details: Details) -> dict[str, Any]:
    plain: dict[str, Any] = {"values": _values(details.values), "histogram": details.histogram}
    if details.picture:
        plain["picture"] = _picture(np.array(details.picture, float))
    return plain


def _values(values: tuple[Any, ...]) -> Any:
    """Few values as they are; many as the bytes of their array."""
    return _plain(values) if len(values) <= FEW else packed(np.array(values, "<f8"))


def packed(array: np.ndarray) -> dict[str, str]:
    """An array of numbers as the little-endian bytes of floats, in base64: of float32 where that is exact.

    >>> packed(np.array([1.0, 0.5])), list(packed(np.array([0.1])))
    ({'float32': 'AACAPwAAAD8='}, ['float64'])
    """
    wide = np.ascontiguousarray(array, "<f8")
    with np.errstate(over="ignore"):
        narrow = wide.astype("<f4")
    kind, exact = ("float32", narrow) if np.array_equal(narrow, wide, equal_nan=True) else ("float64", wide)
    return {kind: base64.b64encode(exact.tobytes()).decode()}


def _picture(pixels: np.ndarray) -> dict[str, Any]:
    """(rows, columns) as bytes from 0, the minimum, to 254, the maximum."""
    finite = np.isfinite(pixels)
    low, high = (float(pixels[finite].min()), float(pixels[finite].max())) if finite.any() else (0.0, 0.0)
    scaled = np.full(pixels.shape, NO_PIXEL, np.uint8)
    # Halved: the difference of the largest floats overflows.
    span = (high / 2 - low / 2) or 1.0
    scaled[finite] = np.rint((pixels[finite] / 2 - low / 2) / span * (NO_PIXEL - 1))
    rows, columns = pixels.shape
    return {
        "rows": rows,
        "columns": columns,
        "low": low,
        "high": high,
        "bytes": base64.b64encode(scaled.tobytes()).decode(),
    }
