"""Tensors of one value, and the identity matrix: `tg.zeros`, `tg.full`, `tg.eye`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_array, as_dtype
from tensorgrad.creation.options import Shape, constant_or_leaf, float_unless, whole
from tensorgrad.errors import GraphError, restate, restated
from tensorgrad.ops.operands import TensorLike, as_tensor, loses_gradient
from tensorgrad.ops.sampling.options import check_options
from tensorgrad.ops.shapes import as_shape
from tensorgrad.ops.spelling import numpy_spellings, one_or_several
from tensorgrad.tensor import Tensor


@numpy_spellings
def zeros(
    *sizes: Shape,
    size: Shape | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor of zeros, `tg.zeros(2, 3)` or `tg.zeros((2, 3))`.

    Args:
        sizes: as `(2, 3)` or `2, 3`.
        size: the same by name.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    check_options("zeros", device, requires_grad, ignored)
    array = _made("zeros", np.zeros, one_or_several("zeros", sizes, "size", size), dtype)
    return constant_or_leaf(array, requires_grad)


@numpy_spellings
def ones(
    *sizes: Shape,
    size: Shape | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor of ones, `tg.ones(2, 3)` or `tg.ones((2, 3))`.

    Args:
        sizes: as `(2, 3)` or `2, 3`.
        size: the same by name.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.ones(2, dtype=tg.int64)
    tensor([1, 1])
    """
    check_options("ones", device, requires_grad, ignored)
    array = _made("ones", np.ones, one_or_several("ones", sizes, "size", size), dtype)
    return constant_or_leaf(array, requires_grad)


@numpy_spellings
def full(
    size: Shape,
    fill_value: float,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor filled with one value.

    Args:
        size: an int or a tuple of ints.
        fill_value: a number.
        dtype: the dtype, by default float32 for a Python float, int64 for an int, bool for a bool.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        GraphError: `fill_value` is a tensor that requires a gradient; `t.broadcast_to(size)` repeats it.

    >>> import tensorgrad as tg
    >>> tg.full((2,), 3.0)
    tensor([3., 3.])
    """
    check_options("full", device, requires_grad, ignored)
    if loses_gradient(fill_value):
        fix = "t.broadcast_to(size) repeats it and keeps the gradient; t.detach() drops the gradient"
        problem = "fill_value requires a gradient, which would be lost"
        raise GraphError(restate("full", problem, fix=fix, fill_value=fill_value))
    with restated("full", size=size, fill_value=fill_value, dtype=dtype):
        array = np.full(as_shape((size,)), as_array(fill_value, dtype))
    return constant_or_leaf(array, requires_grad)


@numpy_spellings
def zeros_like(
    input: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Zeros with the shape of the input.

    Args:
        input: a tensor or array.
        dtype: by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.zeros_like(tg.tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    check_options("zeros_like", device, requires_grad, ignored)
    dtype = None if dtype is None else as_dtype("zeros_like", dtype)
    with restated("zeros_like", input=input, dtype=dtype):
        array = np.zeros_like(as_tensor(input)._data, dtype)
    return constant_or_leaf(array, requires_grad)


@numpy_spellings
def ones_like(
    input: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Ones with the shape of the input.

    Args:
        input: a tensor or array.
        dtype: by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.ones_like(tg.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    check_options("ones_like", device, requires_grad, ignored)
    dtype = None if dtype is None else as_dtype("ones_like", dtype)
    with restated("ones_like", input=input, dtype=dtype):
        array = np.ones_like(as_tensor(input)._data, dtype)
    return constant_or_leaf(array, requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """The identity matrix `(n, m)`.

    Args:
        n: the number of rows.
        m: the number of columns, n by default.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_options("eye", device, requires_grad, ignored)
    with restated("eye", n=n, m=m):
        rows = whole("eye", "n", n)
        columns = rows if m is None else whole("eye", "m", m)
        array = np.eye(rows, columns, dtype=float_unless("eye", dtype))
    return constant_or_leaf(array, requires_grad)


def _made(call: str, maker: Callable[..., np.ndarray], shape: tuple, dtype: DTypeLike) -> np.ndarray:
    with restated(call, size=shape, dtype=dtype):
        return maker(as_shape(shape), float_unless(call, dtype))
