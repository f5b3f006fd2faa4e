"""NumPy's functions that join tensors or split them: `np.stack([t, u])`, `np.split(t, 2)`."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import as_dtype
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.interop.functions.arguments import in_dtype, refuse
from tensorgrad.interop.functions.registry import answers
from tensorgrad.ops import joining
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import as_tensor

if TYPE_CHECKING:
    pass


@answers(np.concatenate)
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """`np.concatenate`."""
    if axis is None:
        arrays, axis = [as_tensor(x).reshape(-1) for x in arrays], 0
    return _joined("np.concatenate", joining.cat(arrays, axis), out, dtype, casting)


@answers(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """`np.stack`."""
    return _joined("np.stack", joining.stack(arrays, axis), out, dtype, casting)


@answers(np.vstack)
def vstack(tup, *, dtype=None, casting="same_kind"):
    """`np.vstack`: along the first axis, vectors as rows."""
    rows = [x if x.ndim > 1 else x.reshape(1, -1) for x in map(as_tensor, tup)]
    return _joined("np.vstack", joining.cat(rows), None, dtype, casting)


@answers(np.hstack)
def hstack(tup, *, dtype=None, casting="same_kind"):
    """`np.hstack`: along the second axis, or the only one."""
    parts = [x if x.ndim else x.reshape(1) for x in map(as_tensor, tup)]
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return _joined("np.hstack", joining.cat(parts, axis), None, dtype, casting)


def _joined(call, z, out, dtype, casting):
    refuse(call, out=out)
    if dtype is not None and not np.can_cast(z.dtype, as_dtype(call, dtype), casting):
        problem = f"casting {casting!r} doesn't allow {z.dtype} to become {dtype}"
        raise DTypeError(restate(call, problem, tensors=z, dtype=dtype, casting=casting))
    return in_dtype(z, dtype)


@answers(np.split)
def split(ary, indices_or_sections, axis=0):
    """`np.split`: into equal parts, or before the given indices."""
    return _split("np.split", ary, indices_or_sections, axis, even=True)


@answers(np.array_split)
def array_split(ary, indices_or_sections, axis=0):
    """`np.array_split`: the first parts may be longer by 1."""
    return _split("np.array_split", ary, indices_or_sections, axis, even=False)


def _split(call, ary, indices_or_sections, axis, even):
    x = as_tensor(ary)
    if not x.ndim:
        raise ShapeError(restate(call, "a scalar can't be split", ary=x))
    axis = normalize_axis(call, x, axis)
    n = x.shape[axis]
    if hasattr(indices_or_sections, "__index__") and not np.ndim(indices_or_sections):
        parts = operator.index(indices_or_sections)
        if parts < 1 or (even and n % parts):
            problem = "the number of parts must be ≥ 1" + (f" and divide {n}, the size of the axis" if even else "")
            raise ArgumentError(restate(call, problem, ary=x, sections=parts))
        ends = np.cumsum([n // parts + (k < n % parts) for k in range(parts)]).tolist()
        starts = [0, *ends[:-1]]
    else:
        cuts = [operator.index(k) for k in np.asarray(indices_or_sections, int)]
        starts, ends = [0, *cuts], [*cuts, n]
    lead = (slice(None),) * axis
    return [x[(*lead, slice(start, end))] for start, end in zip(starts, ends, strict=True)]
