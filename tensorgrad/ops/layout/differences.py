"""Differences of neighbours along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.errors import ShapeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise.closeness import logical_xor
from tensorgrad.ops.joining import concatenate
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.spelling import numpy_spellings
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["diff"]


@numpy_spellings
def diff(
    input: TensorLike,
    n: int = 1,
    dim: int = -1,
    prepend: TensorLike | None = None,
    append: TensorLike | None = None,
) -> Tensor:
    """x[k + 1] − x[k] along an axis, n times; of bools whether they differ.

    Args:
        input: a tensor with an axis.
        n: how often, ≥ 0; 0 gives `input`, without what is put before and behind it.
        dim: the axis.
        prepend: a tensor to put before `input` along the axis, first.
        append: a tensor to put behind it.

    Raises:
        ShapeError: a scalar, or sizes that don't fit. ArgumentError: a negative n.

    >>> import tensorgrad as tg
    >>> tg.diff(tg.tensor([1, 4, 9])), tg.diff(tg.tensor([1, 4, 9]), 2)
    (tensor([3, 5]), tensor([2]))
    """
    x = as_tensor(input)
    (times,) = as_tuple(n, 1, op="diff", name="n", minimum=0)
    if not x.ndim:
        raise ShapeError(restate("diff", "a scalar has no axis", input=x))
    axis = normalize_axis("diff", x, dim, "dim")
    given = [as_tensor(t) for t in (prepend, x, append) if t is not None]
    if not times:
        return x.clone()
    z = concatenate(given, axis) if len(given) > 1 else x
    lead = (slice(None),) * axis
    for _ in range(min(times, z.shape[axis])):
        after, before = z[(*lead, slice(1, None))], z[(*lead, slice(None, -1))]
        z = logical_xor(after, before) if z.dtype == np.bool_ else after - before
    return z
