"""Elements written where a mask holds; the results are new tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.errors import DTypeError, ShapeError, restate
from tensorgrad.ops.elementwise.choice import Where
from tensorgrad.ops.indexing import getitem, setitem
from tensorgrad.ops.layout.views import broadcast_shapes
from tensorgrad.ops.operands import TensorLike, as_tensor, pair
from tensorgrad.ops.selection.positions import as_mask, of_dtype, places_where
from tensorgrad.ops.shapes import broadcast_to, reshape

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["masked_fill", "masked_scatter"]


def masked_fill(input: TensorLike, mask: TensorLike, value: TensorLike) -> Tensor:
    """`input` with one value where the mask holds.

    Args:
        input: a tensor of any shape.
        mask: bools, that broadcast with `input`.
        value: a number, or a tensor of one, which a gradient flows to; for bools whether it isn't 0.

    Raises:
        DTypeError: a mask that doesn't hold bools, or a value that the dtype of `input` can't hold.
        ShapeError: a value with axes, or shapes that don't broadcast.

    >>> import tensorgrad as tg
    >>> tg.masked_fill(tg.tensor([1.0, -2.0]), tg.tensor([False, True]), 0.0)
    tensor([1., 0.])
    """
    x = as_tensor(input)
    m = as_mask("masked_fill", x, mask)
    given = as_tensor(value)
    if given.ndim:
        problem = "value must be one number, without axes"
        raise ShapeError(restate("masked_fill", problem, fix="tg.where takes tensors", input=x, value=given))
    wider = not np.can_cast(given.dtype, x.dtype, "same_kind") and np.can_cast(x.dtype, given.dtype, "same_kind")
    if wider and x.dtype != np.bool_:
        problem = f"value must be one that {x.dtype} holds, got {given.dtype}"
        raise DTypeError(restate("masked_fill", problem, input=x, value=given))
    number = given if x.dtype == np.bool_ else pair(value, x)[0]
    return apply(Where, m, number if number.dtype == x.dtype else number.astype(x.dtype), x)


def masked_scatter(input: TensorLike, mask: TensorLike, source: TensorLike) -> Tensor:
    """`input` with the elements of `source`, one after the other, where the mask holds.

    Args:
        input: a tensor of any shape.
        mask: bools, that broadcast with `input`.
        source: a tensor of the dtype of `input`, with as many elements as the mask holds for, or more.

    Raises:
        DTypeError: a mask that doesn't hold bools, or a source of another dtype.
        ShapeError: a source that is too small.

    >>> import tensorgrad as tg
    >>> tg.masked_scatter(tg.zeros(3), tg.tensor([True, False, True]), tg.tensor([5.0, 6.0]))
    tensor([5., 0., 6.])
    """
    x = as_tensor(input)
    m, values = as_mask("masked_scatter", x, mask), of_dtype("masked_scatter", x, "source", source)
    shape = broadcast_shapes(x.shape, m.shape)
    places = places_where(m, shape)
    count = places.shape[0]
    values = reshape(values, -1)
    if values.shape[0] < count:
        problem = f"source must have {count} elements or more, one for each True of the mask"
        raise ShapeError(restate("masked_scatter", problem, input=x, mask=m, source=values))
    flat = setitem(reshape(broadcast_to(x, shape), -1), as_tensor(places), getitem(values, slice(count)))
    return reshape(flat, shape)
