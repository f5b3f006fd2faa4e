"""Ops that move elements without changing them: reshape, transpose, broadcast, join, split, pad, flip."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.arrays.dtypes import repeated
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate, restated
from tensorgrad.ops.axes import normalize_axes, normalize_axis
from tensorgrad.ops.operands import Stack, TensorLike, as_tensor, in_one_dtype, number

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "broadcast_to",
    "clone",
    "concatenate",
    "expand",
    "flatten",
    "flip",
    "pad",
    "reshape",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "transpose",
    "unsqueeze",
]


class Clone(Op):
    """z = x, in memory of its own."""

    symbol, formula = "clone", "z = x"
    derivatives = ("∂z/∂x = 1",)

    def forward(self, x):
        return x.copy()

    def backward_x(self, grad):
        return grad


class Reshape(Op):
    """z = x, read in another shape."""

    symbol, formula = "reshape", "z = x, reshaped"
    derivatives = ("∂L/∂x = ∂L/∂z, reshaped back",)
    aliases = True
    shape: tuple[int, ...]

    def forward(self, x):
        self.residuals = x.shape
        return x.reshape(self.shape)

    def backward_x(self, grad, residuals):
        return grad.reshape(residuals)


class Transpose(Op):
    """z = x with its axes in another order."""

    symbol, formula = "transpose", "z = xᵀ"
    derivatives = ("∂L/∂x = (∂L/∂z)ᵀ",)
    aliases = True
    axes: tuple[int, ...]

    def forward(self, x):
        return x.transpose(self.axes)

    def backward_x(self, grad):
        return grad.transpose(tuple(self.axes.index(a) for a in range(len(self.axes))))


class BroadcastTo(Op):
    """z = x, repeated along new axes and those of length 1."""

    symbol, formula = "broadcast", "z = x, repeated"
    derivatives = ("∂L/∂x = Σ ∂L/∂z over the repeats",)
    aliases = True
    shape: tuple[int, ...]

    def forward(self, x):
        return repeated(x, self.shape)

    def backward_x(self, grad):
        return grad  # the engine sums over broadcast axes


class Flip(Op):
    """z = x with its elements reversed along the axes."""

    symbol, formula = "flip", "z = x, reversed"
    derivatives = ("∂L/∂x = ∂L/∂z, reversed",)
    aliases = True
    axis: tuple[int, ...]

    def forward(self, x):
        return np.flip(x, self.axis)

    def backward_x(self, grad):
        return grad.flip(self.axis)


class Concatenate(Op):
    """z = the inputs, one after the other along an axis."""

    symbol, formula = "concat", "z = [x₀, x₁, …]"
    derivatives = ("∂L/∂xᵢ = its part of ∂L/∂z",)
    axis: int

    def forward(self, *xs):
        self.residuals = np.cumsum([0] + [x.shape[self.axis] for x in xs]).tolist()
        return np.concatenate(xs, self.axis)

    def backward_xs(self, grad, i, residuals):
        part = slice(residuals[i], residuals[i + 1])
        return grad[(slice(None),) * self.axis + (part,)]


class Pad(Op):
    """z = x with constants around it."""

    symbol, formula = "pad", "z = x in a frame"
    derivatives = ("∂L/∂x = the inside of ∂L/∂z",)
    widths: tuple[tuple[int, int], ...]
    value: float = 0.0

    def forward(self, x):
        z = np.full([a + n + b for n, (a, b) in zip(x.shape, self.widths, strict=True)], self.value, x.dtype)
        z[self._inside(z.shape)] = x
        return z

    def backward_x(self, grad):
        return grad[self._inside(grad.shape)]

    def _inside(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        return tuple(slice(a, n - b) for n, (a, b) in zip(shape, self.widths, strict=True))


def clone(x: TensorLike) -> Tensor:
    """A copy of x in memory of its own; gradients flow through it."""
    return apply(Clone, as_tensor(x))


def reshape(x: TensorLike, *shape: int | Sequence[int]) -> Tensor:
    """The elements of x in another shape, one size may be −1. Shares memory where it can. ShapeError where sizes don't
    fit.

    >>> import tensorgrad as tg
    >>> tg.reshape(tg.arange(6), (2, -1)).shape
    (2, 3)
    """
    x, sizes = as_tensor(x), as_shape(shape)
    if min(sizes, default=0) < -1:  # which NumPy takes for −1
        raise ShapeError(
            restate("reshape", "a size is negative", expected="sizes ≥ 0, one may be −1", x=x, shape=sizes)
        )
    return apply(Reshape, x, shape=sizes)


def flatten(x: TensorLike, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim` as one: `(N, C, H, W) -> (N, C·H·W)` for `start_dim=1`.

    >>> import tensorgrad as tg
    >>> tg.flatten(tg.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    x = as_tensor(x)
    first = normalize_axis("flatten", x, start_dim, "start_dim")
    last = normalize_axis("flatten", x, end_dim, "end_dim")
    if x.ndim == 0:
        return x.reshape(1)
    if first > last:
        problem = "start_dim comes after end_dim"
        raise ArgumentError(restate("flatten", problem, x=x, start_dim=start_dim, end_dim=end_dim))
    shape = x._data.shape
    return apply(Reshape, x, shape=(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def transpose(x: TensorLike, *axes: int | Sequence[int]) -> Tensor:
    """x with its axes in the given order, reversed where none is given; PyTorch's `permute`. Shares memory.

    >>> import tensorgrad as tg
    >>> tg.transpose(tg.zeros(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = as_tensor(x)
    if not axes:
        return apply(Transpose, x, axes=tuple(range(x._data.ndim))[::-1])
    one = len(axes) == 1 and (axes[0] is None or isinstance(axes[0], Sequence) or np.ndim(axes[0]) == 1)
    given = axes[0] if one else axes
    given = range(x.ndim)[::-1] if given is None or not len(given) else given
    order = tuple(normalize_axis("transpose", x, a, "axes") for a in given)
    if sorted(order) != list(range(x.ndim)):
        raise ArgumentError(restate("transpose", "not an order of the axes", expected="each axis once", x=x, axes=axes))
    return apply(Transpose, x, axes=order)


def swapaxes(x: TensorLike, a: int, b: int) -> Tensor:
    """x with two axes exchanged. Shares memory.

    >>> import tensorgrad as tg
    >>> tg.swapaxes(tg.zeros(2, 3, 4), 0, -1).shape
    (4, 3, 2)
    """
    x = as_tensor(x)
    order = list(range(x._data.ndim))
    i, j = normalize_axis("swapaxes", x, a, "a"), normalize_axis("swapaxes", x, b, "b")
    if i != j:
        order[i], order[j] = order[j], order[i]
    return apply(Transpose, x, axes=tuple(order))


def broadcast_to(x: TensorLike, shape: int | Sequence[int]) -> Tensor:
    """x repeated to `shape` by NumPy's rule, without copying; the gradient sums over the repeats.

    >>> import tensorgrad as tg
    >>> tg.broadcast_to(tg.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    x, sizes = as_tensor(x), as_shape((shape,))
    if min(sizes, default=0) < 0:
        fix = "expand takes −1 for a size that stays"
        raise ShapeError(restate("broadcast_to", "a negative size", fix=fix, x=x, shape=shape))
    return apply(BroadcastTo, x, shape=sizes)


def expand(x: TensorLike, *shape: int | Sequence[int]) -> Tensor:
    """PyTorch's `expand`: `broadcast_to` in which −1 keeps a size.

    >>> import tensorgrad as tg
    >>> tg.expand(tg.zeros(3, 1), -1, 4).shape
    (3, 4)
    """
    x, sizes = as_tensor(x), as_shape(shape)
    lead = len(sizes) - x.ndim
    return broadcast_to(x, [x.shape[k - lead] if n == -1 and k >= lead else n for k, n in enumerate(sizes)])


def squeeze(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """x without its axes of length 1: all of them, or those in `axis`. ShapeError where one is longer.

    >>> import tensorgrad as tg
    >>> tg.squeeze(tg.zeros(1, 3, 1)).shape
    (3,)
    """
    x = as_tensor(x)
    given = normalize_axes("squeeze", x, axis)
    if axis is not None and any(x.shape[a] != 1 for a in given):
        raise ShapeError(restate("squeeze", "an axis to drop is longer than 1", x=x, axis=axis))
    return x.reshape(tuple(n for k, n in enumerate(x.shape) if not (k in given and n == 1)))


def unsqueeze(x: TensorLike, axis: int | Sequence[int]) -> Tensor:
    """x with a new axis of length 1 at `axis`, or at each of several places in the result; NumPy's `expand_dims`.

    Raises RangeError for a place outside the result, ArgumentError for one named twice.

    >>> import tensorgrad as tg
    >>> tg.unsqueeze(tg.zeros(3), -1).shape
    (3, 1)
    """
    x = as_tensor(x)
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    ndim = x._data.ndim + len(given)
    places = {normalize_axis("unsqueeze", x, place, ndim=ndim) for place in given}
    if len(places) < len(given):
        raise ArgumentError(restate("unsqueeze", "a place is given twice", x=x, axis=axis))
    sizes = iter(x._data.shape)
    return x.reshape(tuple([1 if k in places else next(sizes) for k in range(ndim)]))


def flip(x: TensorLike, axis: int | Sequence[int] | None = None) -> Tensor:
    """x with its elements reversed along `axis`, all axes for None.

    >>> import tensorgrad as tg
    >>> tg.flip(tg.tensor([1.0, 2.0, 3.0]))
    tensor([3., 2., 1.])
    """
    x = as_tensor(x)
    return apply(Flip, x, axis=normalize_axes("flip", x, axis))


def concatenate(tensors: Sequence[TensorLike], axis: int | None = 0) -> Tensor:
    """The tensors one after the other along an axis; their other sizes must agree. PyTorch's `cat`.

    An axis of None joins them flattened, as in NumPy. Raises ShapeError for none at all, or sizes that differ.

    >>> import tensorgrad as tg
    >>> tg.concatenate([tg.tensor([1.0]), tg.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    xs = _several("concatenate", tensors)
    if axis is None:
        xs, axis = [x.reshape(-1) for x in xs], 0
    arguments = {f"tensors[{k}]": x for k, x in enumerate(xs)} | {"axis": axis}
    if any(x.ndim != xs[0].ndim for x in xs):
        raise ShapeError(restate("concatenate", "the numbers of axes differ", **arguments))
    axis = normalize_axis("concatenate", xs[0], axis)
    if xs[0].ndim == 0:
        raise ShapeError(restate("concatenate", "scalars have no axis to join", fix="use tg.stack", **arguments))
    return apply(Concatenate, *xs, axis=axis)


def _several(op: str, tensors: Sequence[TensorLike]) -> list[Tensor]:
    """What joins tensors takes: at least one, in one dtype. Raises DTypeError, ShapeError."""
    if not isinstance(tensors, Iterable) or isinstance(tensors, (str, bytes)) or not getattr(tensors, "ndim", 1):
        raise DTypeError(restate(op, "no sequence of tensors", expected="a list or tuple of them", tensors=tensors))
    xs = in_one_dtype(list(tensors))
    if not xs:
        raise ShapeError(restate(op, "no tensors", expected="at least one", tensors=tensors))
    return xs


def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Tensors of one shape along a new axis.

    >>> import tensorgrad as tg
    >>> tg.stack([tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])])
    tensor([[1., 2.],
            [3., 4.]])
    """
    xs = _several("stack", tensors)
    if any(x.shape != xs[0].shape for x in xs):
        arguments = {f"tensors[{k}]": x for k, x in enumerate(xs)}
        raise ShapeError(restate("stack", "the shapes differ", expected="tensors of one shape", **arguments))
    return apply(Stack, *xs, axis=normalize_axis("stack", xs[0], axis, ndim=xs[0].ndim + 1))


def split(x: TensorLike, sizes: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """x cut along an axis into pieces of `sizes`, or of one size (the last may be smaller), as in PyTorch.

    >>> import tensorgrad as tg
    >>> [t.shape for t in tg.split(tg.zeros(5, 2), 2)]
    [(2, 2), (2, 2), (1, 2)]
    """
    x = as_tensor(x)
    axis = normalize_axis("split", x, axis)
    if x.ndim == 0:
        raise ShapeError(restate("split", "a scalar can't be cut", x=x, sizes=sizes))
    n = x.shape[axis]
    each = hasattr(sizes, "__index__") and not getattr(sizes, "ndim", 0)
    given, sizes = sizes, as_shape((sizes,))
    if each:
        (size,) = sizes
        if size <= 0:
            raise ArgumentError(restate("split", "a piece needs a positive size", x=x, sizes=size))
        sizes = [min(size, n - start) for start in range(0, n, size)] or [0]
    if sum(sizes) != n or min(sizes, default=0) < 0:
        expected = f"sizes that add up to {n}"
        raise ShapeError(restate("split", "the sizes don't add up", expected=expected, x=x, sizes=given, axis=axis))
    ends = np.cumsum(sizes).tolist()
    lead = (slice(None),) * axis
    return tuple(x[(*lead, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True))


def pad(
    x: TensorLike,
    widths: int | Sequence[int] | Sequence[Sequence[int]],
    mode: str = "constant",
    value: float = 0.0,
) -> Tensor:
    """x in a frame, NumPy's argument: one `(before, after)` pair per axis, one pair for all, or one int for all.

    Modes: "constant" (filled with `value`), and as in PyTorch "reflect" (mirrored without the edge), "replicate" (the
    edge repeated) and "circular" (from the other end).

    Raises:
        ArgumentError: an unknown mode, negative or misshapen widths.
        ShapeError: a frame wider than the mode can fill.

    >>> import tensorgrad as tg
    >>> tg.pad(tg.tensor([1.0, 2.0, 3.0]), (1, 2), mode="reflect")
    tensor([2., 1., 2., 3., 2., 1.])
    """
    x = as_tensor(x)
    try:
        frame = [(operator.index(a), operator.index(b)) for a, b in np.broadcast_to(widths, (x.ndim, 2))]
    except (ValueError, TypeError):
        frame = [(-1, -1)]
    if any(a < 0 or b < 0 for a, b in frame):
        expected = f"an int, a pair, or {x.ndim} pairs, none negative"
        raise ArgumentError(restate("pad", "bad widths", expected=expected, x=x, widths=widths))
    mode = mode if isinstance(mode, str) else repr(mode)
    if mode == "constant":
        return apply(Pad, x, widths=tuple(frame), value=number("pad", "value", value))
    numpy_mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}.get(mode)
    if numpy_mode is None:
        expected = '"constant", "reflect", "replicate" or "circular"'
        raise ArgumentError(restate("pad", "unknown mode", expected=expected, x=x, mode=mode))
    for axis, (a, b) in enumerate(frame):
        if a == b == 0:
            continue
        n = x.shape[axis]
        if max(a, b) > {"reflect": n - 1, "edge": math.inf if n else 0, "wrap": n}[numpy_mode]:
            raise ShapeError(restate("pad", f"axis {axis} is too short for {mode} padding", x=x, widths=widths))
        # Where each element of the frame comes from: a read with repeats, whose gradient accumulates.
        with restated("pad", x=x, widths=widths):
            source = np.pad(np.arange(n), (a, b), mode=numpy_mode)
        x = x[(slice(None),) * axis + (source,)]
    return x


def as_shape(shape: tuple) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` alike. Raises DTypeError for anything but whole numbers."""
    one = len(shape) == 1 and isinstance(shape[0], Iterable) and getattr(shape[0], "ndim", 1)
    sizes = tuple(shape[0] if one else shape)
    try:
        if any(isinstance(n, bool) for n in sizes):
            raise TypeError("a bool is no size")
        return tuple([operator.index(n) for n in sizes])
    except TypeError:
        expected = "ints or a tuple of ints"
        raise DTypeError(restate("shape", "sizes are whole numbers", expected=expected, shape=shape)) from None
