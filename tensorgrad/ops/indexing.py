"""Reading and writing by index: slices, integers, arrays, masks; gather and one-hot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import windows
from tensorgrad.arrays.dtypes import as_array, is_float
from tensorgrad.autograd.engine import Variable, apply, constant, guard, host_call, tell
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, RangeError, ShapeError, restate, restated
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import TensorLike, as_tensor, holds_tensors, loses_gradient, quiet

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["gather", "one_hot"]


class GetItem(Op):
    """z = x[index]."""

    name = "getitem"
    symbol, formula = "[ ]", "z = x[index]"
    derivatives = ("∂L/∂x[index] += ∂L/∂z",)
    aliases = True
    index: tuple

    def forward(self, x):
        self.residuals = x.shape
        return x[self.index]

    def backward_x(self, grad, residuals):
        return apply(ScatterAdd, grad, index=self.index, shape=residuals)


class ScatterAdd(Op):
    """z = 0, then z[index] += x; an element that is named twice gets both. The adjoint of reading."""

    symbol, formula = "[ ]+=", "z[index] += x"
    derivatives = ("∂L/∂x = ∂L/∂z[index]",)
    index: tuple
    shape: tuple[int, ...]

    @quiet
    def forward(self, x):
        if _names_each_once(self.index):
            z = np.zeros(self.shape, x.dtype)
            z[self.index] = x
        else:
            # In float64: one element may be named very often.
            wide = np.zeros(self.shape, np.float64 if is_float(x.dtype) else x.dtype)
            np.add.at(wide, self.index, x.astype(wide.dtype, copy=False))
            return wide.astype(x.dtype, copy=False)
        return z

    def backward_x(self, grad):
        return apply(GetItem, grad, index=self.index)


class SetItem(Op):
    """z = x, then z[index] = v."""

    name = "setitem"
    symbol, formula = "[ ]=", "z = x, z[index] = v"
    derivatives = ("∂L/∂x = ∂L/∂z, 0 at the index", "∂L/∂v = ∂L/∂z[index]")
    index: tuple

    def forward(self, x, v):
        z = x.copy()
        z[self.index] = v
        return z

    def backward_x(self, grad):
        return apply(SetItem, grad, constant(np.zeros((), grad.dtype)), index=self.index)

    def backward_v(self, grad):
        read = apply(GetItem, grad, index=self.index)
        if _names_each_once(self.index):
            return read
        return read * as_tensor(host_call(_stays, read.shape, grad.shape, grad.dtype, *self.index))


class OneHot(Op):
    """z[…, c] = [label = c]."""

    symbol, formula = "one-hot", "z[c] = [x = c]"
    num_classes: int

    def forward(self, x):
        # (...) -> (..., C)
        return (x[..., None] == np.arange(self.num_classes)).astype(np.int64)


def _names_each_once(index: tuple) -> bool:
    return not any(isinstance(k, np.ndarray) and k.dtype != np.bool_ for k in index)


def _stays(values: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype, *index: Any) -> np.ndarray:
    """1 for each of the values of which z[index] = values has left something, 0 for those written over."""
    order = np.arange(math.prod(values)).reshape(values)
    last = np.zeros(shape, np.int64)
    last[index] = order
    return (last[index] == order).astype(dtype)


def normal_index(op: str, x: Tensor, index: Any) -> tuple:
    """The index as a tuple of slices, ints, None, Ellipsis and arrays of our own, so that nobody changes them later."""
    parts = []
    for k in index if isinstance(index, tuple) else (index,):
        if isinstance(k, Variable):
            if k._data.dtype == np.bool_:
                tell("bypassed", "how many elements a mask selects, by the values", k)
            with restated(op, x=x, index=k):
                k = host_call(np.array, k._data)
        elif isinstance(k, (np.ndarray, list)):
            k = np.array(as_tensor(k).data if holds_tensors(k) else k)
        if isinstance(k, np.ndarray):
            k = k.astype(np.intp) if k.size == 0 and k.dtype.kind == "f" else k
            if k.dtype.kind not in "iub":
                expected = "integers or bools"
                raise DTypeError(restate(op, f"an index of dtype {k.dtype}", expected=expected, x=x, index=k))
        parts.append(k)
    return tuple(parts)


def getitem(x: TensorLike, index: Any) -> Tensor:
    """x[index], NumPy's indexing: slices, ints, None, `...`, integer arrays (repeats accumulate their gradients), bool
    masks.

    Slices share memory with x. Raises RangeError outside the axis, DTypeError for an index that isn't integer or bool.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x[[0, 0, 2]] * tg.tensor([1.0, 10.0, 100.0])).sum().backward()
    >>> x.grad
    tensor([ 11.,   0., 100.])
    """
    x = as_tensor(x)
    return apply(GetItem, x, index=normal_index("getitem", x, index))


def setitem(x: Tensor, index: Any, value: TensorLike) -> Tensor:
    """A copy of x with x[index] = value; the gradient goes to both. `x[index] = value` is built on it.

    >>> import tensorgrad as tg
    >>> from tensorgrad.ops.indexing import setitem
    >>> setitem(tg.zeros(3), 1, 5.0)
    tensor([0., 5., 0.])
    """
    index, value, _ = fitting("setitem", x, index, value)
    return apply(SetItem, x, value, index=index)


def fitting(op: str, x: Tensor, index: Any, value: TensorLike) -> tuple[tuple, Tensor, Any]:
    """A normal index, the value as a tensor in the dtype of x that broadcasts to x[index], and the array x[index].

    Raises RangeError for an index outside of x, ShapeError for a value that doesn't broadcast, DTypeError for either of
    a dtype that it can't have.
    """
    value = _in_precision_of(x, value)
    if loses_gradient(value) and not is_float(x.dtype):
        problem, fix = f"{x.dtype} has no gradients, so that of the value would be lost", "assign v.detach()"
        raise GraphError(restate(op, problem, fix=fix, x=x, index=index, v=value))
    value = value if value.dtype == x.dtype else value.astype(x.dtype)
    index = normal_index(op, x, index)
    try:
        place = x._data[index]
    except IndexError as error:
        raise RangeError(restate(op, str(error), x=x, index=index, v=value)) from None
    # NumPy lets (1, 3) be written into (3,): drop the leading ones that the place doesn't have.
    while value.ndim > place.ndim and value.shape[0] == 1:
        value = value.reshape(value.shape[1:])
    try:
        np.broadcast_to(value._data, place.shape)
    except ValueError:
        problem, expected = f"can't broadcast the value to x[index], which is {place.shape}", "a value that broadcasts"
        raise ShapeError(restate(op, problem, expected=expected, x=x, index=index, v=value)) from None
    return index, value, place


def scattered(value: Tensor, index: tuple, x: Tensor, place: Any) -> Tensor:
    """Zeros like x, to which `value` is added at the index as often as it names each place."""
    return apply(ScatterAdd, value.broadcast_to(place.shape), index=index, shape=x.shape)


def _in_precision_of(x: Tensor, value: TensorLike) -> Tensor:
    """The value as a tensor. Python floats go into a float64 tensor as they are, not by way of float32."""
    if x.dtype == np.float64 and isinstance(value, (float, list, tuple)):
        tensor = as_tensor(value)
        exact = not tensor._requires_grad and tensor.dtype == np.float32
        return constant(as_array(value, np.float64)) if exact else tensor
    return as_tensor(value)


def gather(x: TensorLike, indices: TensorLike, axis: int) -> Tensor:
    """z[i, j, …] = x[i, indices[i, j, …], …] along `axis`; NumPy's `take_along_axis`, PyTorch's `gather`.

    The gradients of repeated indices accumulate. Raises RangeError for an index outside the axis, ShapeError where the
    other sizes of the indices don't fit.

    >>> import tensorgrad as tg
    >>> tg.gather(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), [[1], [0]], axis=1)
    tensor([[2.],
            [3.]])
    """
    x, k = as_tensor(x), as_tensor(indices)
    axis = normalize_axis("gather", x, axis)
    if k.ndim != x.ndim or any(k.shape[a] > x.shape[a] for a in range(x.ndim) if a != axis):
        expected = "indices with as many axes as x, no longer than x outside the axis"
        raise ShapeError(restate("gather", "the indices don't fit", expected=expected, x=x, indices=k, axis=axis))
    if k.dtype.kind not in "iu":
        raise DTypeError(restate("gather", "indices must be integers", x=x, indices=k))
    index = list(np.ogrid[tuple(slice(n) for n in k.shape)])
    index[axis : axis + 1] = [k] if x.ndim else []
    return getitem(x, tuple(index))


def one_hot(labels: TensorLike, num_classes: int = -1) -> Tensor:
    """Integer labels `(...)` as int64 rows `(..., num_classes)` with a single 1; by default as many classes as needed.

    Raises RangeError for a label outside 0 … num_classes − 1, DTypeError for labels that aren't integers.

    >>> import tensorgrad as tg
    >>> tg.one_hot(tg.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    labels = as_tensor(labels)
    if labels.dtype.kind not in "iu":
        raise DTypeError(restate("one_hot", "labels must be integers", fix="labels.astype('int64')", labels=labels))
    k, num_classes = labels._data, windows.as_tuple(num_classes, 1, op="one_hot", name="num_classes")[0]
    if num_classes == -1:
        if k.size == 0:
            raise ArgumentError(
                restate("one_hot", "no labels to count classes from", fix="pass num_classes", labels=labels)
            )
        num_classes = int(k.max()) + 1
        guard(_needs_classes, k, num_classes)
    if not guard(_are_classes, k, num_classes):
        expected = f"0 ≤ label < {num_classes}"
        problem = f"labels run from {k.min()} to {k.max()}"
        raise RangeError(restate("one_hot", problem, expected=expected, labels=labels, num_classes=num_classes))
    return apply(OneHot, labels, num_classes=num_classes)


def _needs_classes(labels: np.ndarray, count: int) -> bool:
    return int(labels.max()) + 1 == count


def _are_classes(labels: np.ndarray, count: int) -> bool:
    return not labels.size or 0 <= labels.min() <= labels.max() < count
