"""NumPy's functions that place elements anew or several times: `np.pad(t, 1)`, `np.tile(t, 2)`, `np.roll(t, 1)`."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.errors import ArgumentError, restate, restated
from tensorgrad.interop.functions.arguments import refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import indexing, joining
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.images import padding
from tensorgrad.ops.operands import as_tensor
from tensorgrad.ops.shapes import broadcast_to

if TYPE_CHECKING:
    pass


@answers(np.pad)
def pad(array, pad_width, mode="constant", **options):
    """`np.pad`."""
    value = options.pop("constant_values", 0) if mode == "constant" else 0
    if mode == "reflect" and options.get("reflect_type") == "even":
        del options["reflect_type"]
    refuse("np.pad", **options)
    if mode not in ("constant", "reflect", "symmetric", "edge", "wrap") or isinstance(pad_width, dict):
        expected = "mode 'constant', 'reflect', 'symmetric', 'edge' or 'wrap', and widths that aren't a dict"
        problem = "the mode or a dict of widths isn't supported"
        raise ArgumentError(restate("np.pad", problem, expected=expected, mode=mode))
    x = as_tensor(array)
    try:
        frame = [(operator.index(a), operator.index(b)) for a, b in np.broadcast_to(pad_width, (x.ndim, 2))]
    except (ValueError, TypeError):
        frame = [(-1, -1)]
    if any(a < 0 or b < 0 for a, b in frame):
        problem = f"pad_width must be an int ≥ 0, a pair, or {x.ndim} pairs"
        raise ArgumentError(restate("np.pad", problem, array=x, pad_width=pad_width))
    if mode == "constant":
        return padding.pad(x, [width for pair in reversed(frame) for width in pair], value=value)
    for axis, widths in enumerate(frame):
        if widths != (0, 0):
            # The source of each padded element: indexing with repeats, whose gradients accumulate.
            with restated("np.pad", array=x, pad_width=pad_width):
                places = np.pad(np.arange(x.shape[axis]), widths, mode)
            x = x[(slice(None),) * axis + (places,)]
    return x


@answers(np.tile)
def tile(A, reps):
    """`np.tile`."""
    x = as_tensor(A)
    counts = tuple(map(operator.index, reps if np.ndim(reps) else (reps,)))
    ndim = max(len(counts), x.ndim)
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - x.ndim) + x.shape
    # (n, …) -> (1, n, …), repeated along the new axes -> (count · n, …)
    rows = x.reshape(tuple(k for n in shape for k in (1, n)))
    wide = broadcast_to(rows, [k for pair in zip(counts, shape, strict=True) for k in pair])
    return wide.reshape(tuple(c * n for c, n in zip(counts, shape, strict=True)))


@answers(np.repeat)
def repeat(a, repeats, axis=None):
    """`np.repeat`."""
    x = as_tensor(a)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, normalize_axis("np.repeat", x, axis))
    with restated("np.repeat", a=x, repeats=repeats, axis=axis):
        places = np.repeat(np.arange(x.shape[axis]), repeats)
    return indexing.getitem(x, (slice(None),) * axis + (places,))


@answers(np.roll)
def roll(a, shift, axis=None):
    """`np.roll`."""
    x = as_tensor(a)
    if axis is None:
        return roll(x.reshape(-1), shift, 0).reshape(x.shape)
    pairs = np.broadcast(shift, axis)
    for step, k in [(int(s), operator.index(k)) for s, k in pairs]:
        k = normalize_axis("np.roll", x, k)
        n = x.shape[k]
        lead, cut = (slice(None),) * k, n - step % n if n else 0
        x = joining.concatenate([x[(*lead, slice(cut, None))], x[(*lead, slice(cut))]], k)
    return x
