"""Tensors of one value or of none in particular, in given sizes or like another tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_array
from tensorgrad.autograd.engine import constant, host_call
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import GraphError, restate, restated
from tensorgrad.ops.operands import TensorLike, as_tensor, detached, loses_gradient, number
from tensorgrad.ops.sampling.options import check_options, chosen_dtype, leaf
from tensorgrad.ops.shapes import as_shape

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["empty", "empty_like", "full_like"]

Shape = int | Sequence[int]


def empty(
    *size: Shape, dtype: DTypeLike = None, device: object = None, requires_grad: bool = False, **ignored: object
) -> Tensor:
    """A tensor to be filled, `tg.empty(2, 3)` or `tg.empty((2, 3))`: nothing is said about its values.

    Args:
        size: the sizes, as `(2, 3)` or `2, 3`.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        ArgumentError: negative sizes, or a device other than the CPU.

    >>> import tensorgrad as tg
    >>> tg.empty(2, 3).shape
    (2, 3)
    """
    sizes = (ignored.pop("size"),) if not size and "size" in ignored else size
    check_options("empty", device, requires_grad, ignored)
    return _full("empty", sizes, 0, chosen_dtype("empty", dtype), requires_grad)


def empty_like(
    input: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor to be filled with the shape of the input: nothing is said about its values.

    Args:
        input: a tensor or array.
        dtype: the dtype, by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.empty_like(tg.zeros(2, 3)).shape
    (2, 3)
    """
    check_options("empty_like", device, requires_grad, ignored)
    x = as_tensor(input)
    return _full("empty_like", (x.shape,), 0, chosen_dtype("empty_like", dtype, x.dtype), requires_grad)


def full_like(
    input: TensorLike,
    fill_value: float,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor of one value with the shape of the input.

    Args:
        input: a tensor or array.
        fill_value: a number.
        dtype: the dtype, by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        GraphError: a value that requires a gradient; `t.expand(x.shape)` repeats it.

    >>> import tensorgrad as tg
    >>> tg.full_like(tg.zeros(2), 5)
    tensor([5., 5.])
    """
    check_options("full_like", device, requires_grad, ignored)
    x = as_tensor(input)
    return _full("full_like", (x.shape,), fill_value, chosen_dtype("full_like", dtype, x.dtype), requires_grad)


def _full(call: str, sizes: tuple[Any, ...], value: Any, dtype: np.dtype, requires_grad: bool) -> Tensor:
    if loses_gradient(value):
        fix = "t.expand(sizes) repeats it and keeps the gradient; t.detach() drops the gradient"
        raise GraphError(restate(call, "the value requires a gradient, which would be lost", fix=fix, value=value))
    filler = number(call, "the value", value)
    with restated(call, size=sizes, dtype=dtype):
        # (zeros come from the system, without writing)
        array = np.zeros(as_shape(sizes), dtype) if not filler else np.full(as_shape(sizes), filler, dtype)
    return leaf(call, array, requires_grad) if requires_grad else constant(array)


# ------------------------------------------------------------------------------- methods, in the dtype of their tensor


def new_empty(
    input: Tensor,
    size: Shape,
    *more: int,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor to be filled, in the dtype of this one: `tg.empty`."""
    return _new("new_empty", input, (size, *more), 0, dtype, device, requires_grad, ignored)


def new_zeros(
    input: Tensor,
    size: Shape,
    *more: int,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor of zeros in the dtype of this one: `tg.zeros`."""
    return _new("new_zeros", input, (size, *more), 0, dtype, device, requires_grad, ignored)


def new_ones(
    input: Tensor,
    size: Shape,
    *more: int,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor of ones in the dtype of this one: `tg.ones`."""
    return _new("new_ones", input, (size, *more), 1, dtype, device, requires_grad, ignored)


def new_full(
    input: Tensor,
    size: Shape,
    fill_value: float,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor of one value in the dtype of this one: `tg.full`."""
    return _new("new_full", input, (size,), fill_value, dtype, device, requires_grad, ignored)


def new_tensor(
    input: Tensor,
    data: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor with a copy of `data`, by default in the dtype of this one: `tg.tensor`."""
    check_options("new_tensor", device, requires_grad, ignored)
    chosen = chosen_dtype("new_tensor", dtype, input.dtype)
    source = detached("new_tensor", data)
    if isinstance(source, Variable):
        return leaf("new_tensor", host_call(as_array, source._data, chosen, True), requires_grad)
    array = as_array(source, chosen, copy=True)
    return leaf("new_tensor", array, requires_grad) if requires_grad else constant(array)


def _new(
    call: str,
    x: Tensor,
    sizes: tuple[Any, ...],
    value: float,
    dtype: DTypeLike,
    device: object,
    requires_grad: bool,
    ignored: dict[str, object],
) -> Tensor:
    check_options(call, device, requires_grad, ignored)
    return _full(call, sizes, value, chosen_dtype(call, dtype, x.dtype), requires_grad)
