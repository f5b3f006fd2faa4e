"""Reading and writing by index: slices, integers, arrays, masks; gather and one-hot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels, windows
from tensorgrad.arrays.dtypes import as_array, is_float
from tensorgrad.autograd.engine import apply, constant, guard, host_call
from tensorgrad.autograd.modes import observers
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, RangeError, ShapeError, restate, restated
from tensorgrad.formulas.symbolic import LOSS, at, equal, equation, partial, words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import Index, TensorLike, as_tensor, flag, holds_tensors, loses_gradient, quiet
from tensorgrad.ops.row_sums import added_to_zeros
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["gather", "one_hot"]


class GetItem(Op):
    """z = x[index]."""

    name = "getitem"
    symbol, formula = "[ ]", lambda x, index: at(x, index)
    derivatives = (lambda grad, x, index: equation(at(partial(LOSS, x), index), grad, "+="),)
    aliases = True
    index: tuple

    def forward(self, x):
        self.residuals = x.shape
        if len(self.index) == x.ndim and _ints_alone(self.index):
            return x[(*self.index, ...)]  # a view, where x[index] would be a number
        return x[self.index]

    def backward_x(self, grad, residuals):
        return apply(ScatterAdd, grad, index=self.index, shape=residuals)


class ScatterAdd(Op):
    """z = 0, then z[index] += x; values at repeated indices accumulate. The adjoint of reading."""

    symbol, formula = "[ ]+=", lambda z, x, index: equation(at(z, index), x, "+=")
    derivatives = (lambda grad, index: at(grad, index),)
    index: tuple
    shape: tuple[int, ...]

    @quiet
    def forward(self, x):
        if _names_each_once(self.index):
            z = np.zeros(self.shape, x.dtype)
            z[self.index] = x
            return z
        return added_to_zeros(self.shape, self.index, x)

    def backward_x(self, grad):
        return apply(GetItem, grad, index=self.index)


class SetItem(Op):
    """z = x, then z[index] = v."""

    name = "setitem"
    symbol, formula = "[ ]=", lambda x, z, v, index: words(x, ",", at(z, index), "=", v)
    derivatives = (lambda grad: words(grad, ", 0 at the index"), lambda grad, index: at(grad, index))
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


class PickPixels(Op):
    """z = x at the places k, in each channel."""

    symbol, formula = "pick", lambda x: words(x, "[k]")
    derivatives = (lambda grad, x: equation(words(partial(LOSS, x), "[k]"), grad, "+="),)

    def forward(self, x, k):
        self.residuals = x.shape[2:]
        return kernels.selection.pick(x, k)

    def backward_x(self, grad, k, residuals):
        return apply(AddPixels, grad, k, size=residuals)


class AddPixels(Op):
    """z = 0, then g is added at the places k, in each channel."""

    symbol, formula = "add at", lambda z, g: equation(words(z, "[k]"), g, "+=")
    derivatives = (lambda grad: words(grad, "[k]"),)
    size: tuple[int, ...]

    def forward(self, g, k):
        return kernels.selection.add(g, k, self.size)

    def backward_g(self, grad, k):
        return apply(PickPixels, grad, k)


class OneHot(Op):
    """z[…, c] = [label = c]."""

    symbol, formula = "one-hot", lambda z, x, c: equation(words(z, "[c]"), equal(x, c))
    num_classes: int

    def forward(self, x):
        # (...) -> (..., C)
        return (x[..., None] == np.arange(self.num_classes)).astype(np.int64)


def _ints_alone(index: tuple) -> bool:
    """Whether the index names one element by its numbers."""
    return all([isinstance(k, (int, np.integer)) and not isinstance(k, (bool, np.bool_)) for k in index])


def _names_each_once(index: tuple) -> bool:
    return not any(isinstance(k, np.ndarray) and k.dtype != np.bool_ for k in index)


def _stays(values: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype, *index: Any) -> np.ndarray:
    """1 for each value that is still there after z[index] = values, 0 for those overwritten by later ones."""
    order = np.arange(math.prod(values)).reshape(values)
    last = np.zeros(shape, np.int64)
    last[index] = order
    return np.asarray(last[index] == order, dtype)


def normal_index(op: str, x: Tensor, index: Any) -> tuple:
    """The index as a tuple of slices, ints, None, Ellipsis and copies of arrays, which can't change later."""
    parts = []
    for k in index if isinstance(index, tuple) else (index,):
        if isinstance(k, Variable):
            if k._data.dtype == np.bool_:
                for observer in observers():
                    observer.engine_bypassed("how many elements a mask selects, by the values", k)
            with restated(op, x=x, index=k):
                k = host_call(np.array, k._data)
        elif isinstance(k, (np.ndarray, list)):
            k = np.array(as_tensor(k).data if holds_tensors(k) else k)
        if isinstance(k, np.ndarray):
            k = k.astype(np.intp) if k.size == 0 and k.dtype.kind == "f" else k
            if k.dtype.kind not in "iub":
                problem = f"index must hold integers or bools, got dtype {k.dtype}"
                raise DTypeError(restate(op, problem, x=x, index=k))
        parts.append(k)
    return tuple(parts)


def getitem(x: TensorLike, index: Index) -> Tensor:
    """x[index], NumPy's indexing: slices, ints, None, `...`, integer arrays, bool masks.

    Slices share memory with x. The gradients of repeated indices accumulate.

    Raises:
        RangeError: an index out of range.
        DTypeError: an index that is neither integer nor bool.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x[[0, 0, 2]] * tg.tensor([1.0, 10.0, 100.0])).sum().backward()
    >>> x.grad
    tensor([ 11.,   0., 100.])
    """
    x = as_tensor(x)
    return apply(GetItem, x, index=normal_index("getitem", x, index))


def setitem(x: Tensor, index: Any, value: TensorLike) -> Tensor:
    """A copy of x with x[index] = value; gradients flow to both. The op behind `x[index] = value`.

    >>> import tensorgrad as tg
    >>> from tensorgrad.ops.indexing import setitem
    >>> setitem(tg.zeros(3), 1, 5.0)
    tensor([0., 5., 0.])
    """
    index, value, _ = fitting("setitem", x, index, value)
    return apply(SetItem, x, value, index=index)


def fitting(op: str, x: Tensor, index: Any, value: TensorLike) -> tuple[tuple, Tensor, Any]:
    """The normalized index, the value as a tensor in the dtype of x that broadcasts to x[index], and x[index] itself.

    Raises:
        RangeError: an index out of range.
        ShapeError: a value that doesn't broadcast to x[index].
        DTypeError: an index or a value of a wrong dtype.
        GraphError: a value that requires a gradient, for an x whose dtype has none.
    """
    value = fitting_value(op, x, index, value)
    index = normal_index(op, x, index)
    try:
        place = x._data[index]
    except IndexError as error:
        raise RangeError(restate(op, str(error), x=x, index=index, v=value)) from None
    # NumPy writes (1, 3) into (3,): drop leading axes of length 1 that the place doesn't have.
    while value.ndim > place.ndim and value.shape[0] == 1:
        value = value.reshape(value.shape[1:])
    try:
        np.broadcast_to(value._data, place.shape)
    except ValueError:
        problem = f"the value must broadcast to {place.shape}, the shape of x[index], got {value.shape}"
        raise ShapeError(restate(op, problem, x=x, index=index, v=value)) from None
    return index, value, place


def fitting_value(op: str, x: Tensor, index: Any, value: TensorLike) -> Tensor:
    """The value as a tensor in the dtype of x. Raises DTypeError and GraphError as `fitting` does."""
    value = _in_precision_of(x, value)
    if loses_gradient(value) and not is_float(x.dtype):
        problem, fix = f"{x.dtype} has no gradients, so the gradient of the value would be lost", "assign v.detach()"
        raise GraphError(restate(op, problem, fix=fix, x=x, index=index, v=value))
    return value if value.dtype == x.dtype else value.astype(x.dtype)


def scattered(value: Tensor, index: tuple, x: Tensor, place: Any) -> Tensor:
    """Zeros like x, with `value` added at the index; values at repeated indices accumulate."""
    return apply(ScatterAdd, value.broadcast_to(place.shape), index=index, shape=x.shape)


def _in_precision_of(x: Tensor, value: TensorLike) -> Tensor:
    """The value as a tensor. For a float64 x Python floats become float64, without rounding to float32."""
    if x.dtype == np.float64 and isinstance(value, (float, list, tuple)):
        tensor = as_tensor(value)
        exact = not tensor._requires_grad and tensor.dtype == np.float32
        return constant(as_array(value, np.float64)) if exact else tensor
    return as_tensor(value)


@numpy_spellings
def gather(input: TensorLike, dim: int, index: TensorLike, *, sparse_grad: bool = False) -> Tensor:
    """z[i, j, …] = input[i, index[i, j, …], …] along `dim`; NumPy's `take_along_axis`.

    The gradients of repeated indices accumulate.

    Args:
        input: a tensor of any shape.
        dim: the axis to index.
        index: integers ≥ 0, with as many axes as the input, no longer than it outside `dim`.
        sparse_grad: accepted for PyTorch's scripts; gradients are dense.

    Raises:
        RangeError: an index out of range.
        ShapeError: an index of another number of axes, or longer than the input outside `dim`.
        DTypeError: an index that isn't of integers.

    >>> import tensorgrad as tg
    >>> tg.gather(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, tg.tensor([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    if isinstance(dim, Variable) or (isinstance(index, int) and not isinstance(dim, int)):
        fix = "tg.gather(input, dim, index)"
        raise ArgumentError(restate("gather", "dim must be one int, and stand before index", fix=fix, dim=dim))
    flag("gather", "sparse_grad", sparse_grad)
    k = as_tensor(index)
    if not k._data.size and k.dtype.kind in "iu":  # nothing is read, whatever the sizes
        return as_tensor(input).reshape(-1)[:0].reshape(k.shape)
    if not guard(_are_positive, k._data):
        x = as_tensor(input)
        size = x._data.shape[normalize_axis("gather", x, dim)] if x._data.ndim else 1
        problem = f"index must be in [0, {size}), got {k.amin().item()}"
        raise RangeError(restate("gather", problem, input=x, index=k, dim=dim))
    return along("gather", input, dim, k)


def _are_positive(index: np.ndarray) -> bool:
    return not index.size or index.min() >= 0


def along(op: str, input: TensorLike, dim: int, index: TensorLike) -> Tensor:
    """What `gather` computes, under the name `op`; negative indices count from the end."""
    x, k = as_tensor(input), as_tensor(index)
    axis = normalize_axis(op, x, dim)
    if not x.ndim and k.ndim <= 1:  # a number counts as a vector of one element
        return along(op, x.reshape(1), 0, k.reshape(-1)).reshape(k.shape)
    if k.ndim != x.ndim or any(k.shape[a] > x.shape[a] for a in range(x.ndim) if a != axis):
        problem = "index must have as many axes as input, and be no longer than it outside dim"
        raise ShapeError(restate(op, problem, input=x, index=k, dim=dim))
    if k.dtype.kind not in "iu":
        raise DTypeError(restate(op, "index must be of integers", input=x, index=k))
    places: list[Any] = list(np.ogrid[tuple(slice(n) for n in k.shape)])
    places[axis] = k
    return getitem(x, tuple(places))


def one_hot(tensor: TensorLike, num_classes: int = -1) -> Tensor:
    """Integer labels `(...)` as int64 rows `(..., num_classes)` with a single 1.

    Args:
        tensor: the labels, integers in [0, num_classes).
        num_classes: the number of classes; by default the largest label + 1.

    Raises:
        RangeError: a label outside [0, num_classes).
        DTypeError: labels that aren't integers.
        ArgumentError: no labels, and no num_classes.

    >>> import tensorgrad as tg
    >>> tg.one_hot(tg.tensor([0, 2]), 3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    labels = as_tensor(tensor)
    if labels.dtype.kind not in "iu":
        raise DTypeError(restate("one_hot", "labels must be integers", fix="labels.long()", tensor=labels))
    k, num_classes = labels._data, windows.as_tuple(num_classes, 1, op="one_hot", name="num_classes")[0]
    if num_classes == -1:
        if k.size == 0:
            problem = "without labels num_classes is needed"
            raise ArgumentError(restate("one_hot", problem, fix="pass num_classes", tensor=labels))
        num_classes = int(k.max()) + 1
        guard(_needs_classes, k, num_classes)
    if not guard(_are_classes, k, num_classes):
        problem = f"labels must be in [0, {num_classes}), got {k.min()} to {k.max()}"
        raise RangeError(restate("one_hot", problem, tensor=labels, num_classes=num_classes))
    return apply(OneHot, labels, num_classes=num_classes)


def _needs_classes(labels: np.ndarray, count: int) -> bool:
    return int(labels.max()) + 1 == count


def _are_classes(labels: np.ndarray, count: int) -> bool:
    return not labels.size or 0 <= labels.min() <= labels.max() < count
