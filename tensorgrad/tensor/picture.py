"""What a notebook shows of a tensor: what it is, what its numbers are like, and the numbers, tinted by size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.system import html
from tensorgrad.system.numbers import number

if TYPE_CHECKING:
    from tensorgrad.tensor.tensor import Tensor

SHOWN = 12
"""The most rows and columns; of more the first and the last are shown."""

TINTS = ("0, 114, 178", "213, 94, 0")
"""Of negative and of positive numbers, as red, green, blue; paler where the page shows through them."""


def picture(tensor: Tensor) -> str:
    """The tensor as HTML: of more than two axes the first matrix."""
    array = tensor._host_read("repr")
    matrix, which = array, ""
    if array.size and array.ndim > 2:
        matrix, which = array[(0,) * (array.ndim - 2)], f"[{', '.join(['0'] * (array.ndim - 2))}]"
    shown = _table(np.atleast_2d(matrix)) if array.size else ""
    return html.line(_facts(tensor), "Tensor") + _numbers(array) + (html.line(f"{which}:") if which else "") + shown


def _facts(tensor: Tensor) -> str:
    facts = [] if tensor.name is None else [tensor.name]
    facts += [str(tensor.shape) if tensor.shape else "scalar", str(tensor.dtype)]
    if tensor._node is not None:
        facts.append(f"result of {tensor._node.op.name}")
    elif tensor.requires_grad:
        facts.append("requires a gradient")
    return " · ".join(facts)


def _numbers(array: np.ndarray) -> str:
    """Mean ± standard deviation, minimum … maximum of what is finite; and how much isn't."""
    if array.size < 2 or array.dtype == np.bool_:
        return ""
    finite = array[np.isfinite(array)]
    said = []
    if finite.size:
        with np.errstate(all="ignore"):
            mean, std = (float(of(dtype=np.float64)) for of in (finite.mean, finite.std))
        said.append(f"{number(mean, 3)} ± {number(std, 3)}, {_written(finite.min())} … {_written(finite.max())}")
    if nans := int(np.isnan(array).sum()):
        said.append(f"{nans:,} NaN")
    if infinite := array.size - finite.size - nans:
        said.append(f"{infinite:,} ∞")
    return html.line(", ".join(said))


def _table(matrix: np.ndarray) -> str:
    rows, columns = (_few(size) for size in matrix.shape)
    seen = matrix[np.ix_([r for r in rows if r is not None], [c for c in columns if c is not None])]
    size = np.abs(seen.astype(np.float64))
    largest = float(size[np.isfinite(size)].max(initial=0.0))
    body = []
    for r in rows:
        cells = (None if None in (r, c) else matrix[r, c] for c in columns)
        body.append(f"<tr>{''.join(_cell(value, largest) for value in cells)}</tr>")
    return f'<table style="font-variant-numeric: tabular-nums">{"".join(body)}</table>'


def _few(size: int) -> list[int | None]:
    """Indices along an axis, with None for those that are left out."""
    half = SHOWN // 2
    return list(range(size)) if size <= SHOWN else [*range(half), None, *range(size - half, size)]


def _cell(value: Any, largest: float) -> str:
    if value is None:
        return "<td>…</td>"
    fraction = abs(float(value)) / largest if largest and math.isfinite(float(value)) else 0.0
    tint = f"background: rgba({TINTS[float(value) > 0]}, {0.5 * fraction:.2f})" if value.dtype != np.bool_ else ""
    return f'<td style="text-align: right; {tint}">{html.escape(_written(value))}</td>'


def _written(value: Any) -> str:
    return number(value.item())
