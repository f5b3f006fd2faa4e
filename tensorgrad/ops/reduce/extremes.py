"""Maxima and minima over axes, and where they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, overload

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.formulas.symbolic import equal, fenced, words
from tensorgrad.ops.axes import Axes, normalize_axes, normalize_axis
from tensorgrad.ops.elementwise.choice import maximum, minimum
from tensorgrad.ops.operands import HoldsArray, TensorLike, as_tensor, flag
from tensorgrad.ops.reductions import Reduction
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "max", "min"]


class ValuesAndIndices(NamedTuple):
    """Values, and their positions along an axis."""

    values: Tensor
    indices: Tensor


class MinAndMax(NamedTuple):
    """The smallest and the largest values."""

    min: Tensor
    max: Tensor


class Extreme(Reduction):
    """A maximum or minimum; elements that tie share the gradient evenly."""

    derivatives = (lambda x, z, i: words(equal(x[i], z), "/ (number of ties)"),)
    of_two: ClassVar[np.ufunc]

    def forward(self, x):
        return self.of_two.reduce(x, self.axis, keepdims=self.keepdims)

    def backward_x(self, grad, x, z):
        hit = (x == self.with_axes(z)).astype(x.dtype)
        return hit / hit.sum(self.axis, True) * self.with_axes(grad)


class Max(Extreme):
    """z = max x."""

    symbol, formula = "max", lambda x: words("max", x)
    of_two = np.maximum


class Min(Extreme):
    """z = min x."""

    symbol, formula = "min", lambda x: words("min", x)
    of_two = np.minimum


class Position(Op):
    """The position of an extreme along an axis, or in the flattened array."""

    axis: int | None
    keepdims: bool = False


class ArgMax(Position):
    """z = the position of the first maximum."""

    name = "argmax"
    symbol, formula = "argmax", lambda x: words("argmax", x)

    def forward(self, x):
        return x.argmax(self.axis, keepdims=self.keepdims)


class ArgMin(Position):
    """z = the position of the first minimum."""

    name = "argmin"
    symbol, formula = "argmin", lambda x: words("argmin", x)

    def forward(self, x):
        return x.argmin(self.axis, keepdims=self.keepdims)


class Pick(Op):
    """z = the one element of each row of x that stands at k."""

    symbol, formula = "x[k]", lambda x, k: words(x, fenced("[", k, "]"))
    derivatives = (lambda grad, k: words(grad, "at", k, ", else 0"),)
    axis: int
    keepdims: bool = False

    def forward(self, x, k):
        self.residuals = x.shape
        if not x.ndim:
            return x.copy()
        z = np.take_along_axis(x, k if self.keepdims else np.expand_dims(k, self.axis), self.axis)
        return z if self.keepdims else z.squeeze(self.axis)

    def backward_x(self, grad, k, residuals):
        return apply(Place, grad, k, axis=self.axis, keepdims=self.keepdims, shape=residuals)


class Place(Op):
    """z = 0, but for the element of each row that stands at k, which is g: the adjoint of Pick."""

    symbol, formula = "[k] = g", lambda g, k: words(g, "at", k, ", else 0")
    derivatives = (lambda grad, k: words(grad, fenced("[", k, "]")),)
    axis: int
    keepdims: bool
    shape: tuple[int, ...]

    def forward(self, g, k):
        if not self.shape:
            return g.copy()
        z = np.zeros(self.shape, g.dtype)
        if not self.keepdims:
            g, k = np.expand_dims(g, self.axis), np.expand_dims(k, self.axis)
        np.put_along_axis(z, k, g, self.axis)
        return z

    def backward_g(self, grad, k):
        return apply(Pick, grad, k, axis=self.axis, keepdims=self.keepdims)


@overload
def max(input: TensorLike, dim: int, keepdim: bool = False, *, other: None = None) -> ValuesAndIndices: ...
@overload
def max(
    input: TensorLike, dim: HoldsArray | None = None, keepdim: bool = False, *, other: TensorLike | None = None
) -> Tensor: ...
@numpy_spellings
def max(
    input: TensorLike,
    dim: int | HoldsArray | None = None,
    keepdim: bool = False,
    *,
    other: TensorLike | None = None,
) -> Tensor | ValuesAndIndices:
    """The maximum: of all elements, along one axis with its positions, or of two tensors. NaN propagates.

    - `max(x)` is the maximum of all elements, which share the gradient evenly where they tie.
    - `max(x, dim)` is the pair `(values, indices)`; each gradient goes to the first maximum alone.
    - `max(x, y)` is `maximum(x, y)`, element by element.

    Args:
        input: a tensor of any shape.
        dim: an axis, or the second tensor.
        keepdim: keep the reduced axis with length 1.
        other: the second tensor.

    Raises:
        ShapeError: a reduction over no elements.
        ArgumentError: several axes, which `amax` takes.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([[1.0, 5.0], [3.0, 4.0]])
    >>> tg.max(x)
    tensor(5.)
    >>> values, indices = tg.max(x, dim=1)
    >>> values, indices
    (tensor([5., 4.]), tensor([1, 1]))
    """
    return _extreme(Max, ArgMax, maximum, input, dim, keepdim, other)


@overload
def min(input: TensorLike, dim: int, keepdim: bool = False, *, other: None = None) -> ValuesAndIndices: ...
@overload
def min(
    input: TensorLike, dim: HoldsArray | None = None, keepdim: bool = False, *, other: TensorLike | None = None
) -> Tensor: ...
@numpy_spellings
def min(
    input: TensorLike,
    dim: int | HoldsArray | None = None,
    keepdim: bool = False,
    *,
    other: TensorLike | None = None,
) -> Tensor | ValuesAndIndices:
    """The minimum: of all elements, along one axis with its positions, or of two tensors. NaN propagates.

    - `min(x)` is the minimum of all elements, which share the gradient evenly where they tie.
    - `min(x, dim)` is the pair `(values, indices)`; each gradient goes to the first minimum alone.
    - `min(x, y)` is `minimum(x, y)`, element by element.

    Args:
        input: a tensor of any shape.
        dim: an axis, or the second tensor.
        keepdim: keep the reduced axis with length 1.
        other: the second tensor.

    Raises:
        ShapeError: a reduction over no elements.
        ArgumentError: several axes, which `amin` takes.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([[1.0, 5.0], [3.0, 4.0]])
    >>> tg.min(x)
    tensor(1.)
    >>> values, indices = tg.min(x, dim=1)
    >>> values, indices
    (tensor([1., 3.]), tensor([0, 0]))
    """
    return _extreme(Min, ArgMin, minimum, input, dim, keepdim, other)


def _extreme(
    of_all: type[Extreme],
    position: type[Position],
    of_two: Callable[[TensorLike, TensorLike], Tensor],
    input: TensorLike,
    dim: Any,
    keepdim: bool,
    other: TensorLike | None,
) -> Tensor | ValuesAndIndices:
    x = as_tensor(input)
    if isinstance(dim, (Variable, np.ndarray)):
        dim, other = None, dim
    if other is not None:
        return of_two(x, other)
    keepdim = flag(of_all.name, "keepdim", keepdim)
    if dim is None:
        return apply(of_all, x, axis=tuple(range(x._data.ndim)), keepdims=keepdim)
    if isinstance(dim, (tuple, list)):
        fix = f"tg.a{of_all.name}(x, dim) takes several axes, and gives the values alone"
        raise ArgumentError(restate(of_all.name, "dim must be one int", fix=fix, input=x, dim=dim))
    axis = normalize_axis(of_all.name, x, dim)
    indices = _position(position, x, axis, keepdim)
    return ValuesAndIndices(apply(Pick, x, indices, axis=axis, keepdims=keepdim), indices)


@numpy_spellings
def amax(input: TensorLike, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """z = max x over `dim`, the values alone; NaN propagates. Elements that tie share the gradient evenly.

    Args:
        input: a tensor of any shape.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.

    Raises:
        ShapeError: a reduction over no elements.
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.amax(tg.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1)
    tensor([5., 4.])
    """
    return _values("amax", Max, input, dim, keepdim)


@numpy_spellings
def amin(input: TensorLike, dim: Axes = None, keepdim: bool = False) -> Tensor:
    """z = min x over `dim`, the values alone; NaN propagates. Elements that tie share the gradient evenly.

    Args:
        input: a tensor of any shape.
        dim: an axis, a tuple of axes, or None for all axes.
        keepdim: keep the reduced axes with length 1.

    Raises:
        ShapeError: a reduction over no elements.
        RangeError: an axis that the input doesn't have.
        ArgumentError: an axis named twice, or one that isn't an int.

    >>> import tensorgrad as tg
    >>> tg.amin(tg.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1)
    tensor([1., 3.])
    """
    return _values("amin", Min, input, dim, keepdim)


def _values(call: str, op: type[Extreme], input: TensorLike, dim: Axes, keepdim: bool) -> Tensor:
    x = as_tensor(input)
    axes = normalize_axes(call, x, dim, True)
    return apply(op, x, axis=axes, keepdims=flag(call, "keepdim", keepdim))


@numpy_spellings
def aminmax(input: TensorLike, *, dim: int | None = None, keepdim: bool = False) -> MinAndMax:
    """The pair `(min, max)` of all elements, or along one axis; ties share the gradient evenly.

    >>> import tensorgrad as tg
    >>> tg.aminmax(tg.tensor([3.0, 1.0, 2.0])).max
    tensor(3.)
    """
    x = as_tensor(input)
    axes = None if dim is None else normalize_axis("aminmax", x, dim)
    return MinAndMax(amin(x, axes, keepdim), amax(x, axes, keepdim))


@numpy_spellings
def argmax(input: TensorLike, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The position of the first maximum along `dim`, int64; in the flattened tensor for None. No gradient.

    Args:
        input: a tensor of any shape.
        dim: an axis, or None for the flattened tensor.
        keepdim: keep the reduced axes with length 1.

    Raises:
        ShapeError: a search among no elements.
        RangeError: an axis that the input doesn't have.

    >>> import tensorgrad as tg
    >>> tg.argmax(tg.tensor([[1.0, 5.0], [7.0, 4.0]]), dim=1)
    tensor([1, 0])
    """
    return _position(ArgMax, as_tensor(input), dim, keepdim)


@numpy_spellings
def argmin(input: TensorLike, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The position of the first minimum along `dim`, int64; in the flattened tensor for None. No gradient.

    Args:
        input: a tensor of any shape.
        dim: an axis, or None for the flattened tensor.
        keepdim: keep the reduced axes with length 1.

    Raises:
        ShapeError: a search among no elements.
        RangeError: an axis that the input doesn't have.

    >>> import tensorgrad as tg
    >>> tg.argmin(tg.tensor([[1.0, 5.0], [7.0, 4.0]]), dim=1)
    tensor([0, 1])
    """
    return _position(ArgMin, as_tensor(input), dim, keepdim)


def _position(op: type[Position], x: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    keepdim = flag(op.name, "keepdim", keepdim)
    if x._data.ndim == 0:
        if dim is not None:
            normalize_axis(op.name, x, dim)
        return apply(op, x, axis=None)
    return apply(op, x, axis=dim if dim is None else normalize_axis(op.name, x, dim), keepdims=keepdim)
