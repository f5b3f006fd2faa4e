"""Ops that join, split and pad tensors."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate, restated
from tensorgrad.formulas.symbolic import words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import Stack, TensorLike, as_tensor, in_one_dtype, number
from tensorgrad.ops.shapes import as_shape

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["concatenate", "pad", "split", "stack"]


class Concatenate(Op):
    """z = the inputs, one after the other along an axis."""

    symbol, formula = "concat", lambda: words("[x₀, x₁, …]")
    derivatives = (lambda grad: words("its part of", grad),)
    axis: int

    def forward(self, *xs):
        self.residuals = np.cumsum([0] + [x.shape[self.axis] for x in xs]).tolist()
        return np.concatenate(xs, self.axis)

    def backward_xs(self, grad, i, residuals):
        part = slice(residuals[i], residuals[i + 1])
        return grad[(slice(None),) * self.axis + (part,)]


class Pad(Op):
    """z = x with constants around it."""

    symbol, formula = "pad", lambda x: words(x, "in a frame")
    derivatives = (lambda grad: words("the inside of", grad),)
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


def concatenate(tensors: Sequence[TensorLike], axis: int | None = 0) -> Tensor:
    """Concatenate tensors along an axis; their other sizes must be equal. PyTorch's `cat`.

    Args:
        tensors: one tensor or more.
        axis: the axis to concatenate along; None flattens the tensors first, as in NumPy.

    Raises:
        ShapeError: no tensors, or other sizes that differ.
        DTypeError: `tensors` isn't a sequence.

    >>> import tensorgrad as tg
    >>> tg.concatenate([tg.tensor([1.0]), tg.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    xs = _several("concatenate", tensors)
    if axis is None:
        xs, axis = [x.reshape(-1) for x in xs], 0
    arguments: dict[str, Any] = {f"tensors[{k}]": x for k, x in enumerate(xs)} | {"axis": axis}
    if any(x.ndim != xs[0].ndim for x in xs):
        raise ShapeError(restate("concatenate", "the tensors must have the same number of axes", **arguments))
    axis = normalize_axis("concatenate", xs[0], axis)
    if xs[0].ndim == 0:
        raise ShapeError(restate("concatenate", "scalars have no axes", fix="use tg.stack", **arguments))
    return apply(Concatenate, *xs, axis=axis)


def _several(op: str, tensors: Sequence[TensorLike]) -> list[Tensor]:
    """The arguments of concatenate and stack as one or more tensors of one dtype. Raises DTypeError, ShapeError."""
    if not isinstance(tensors, Iterable) or isinstance(tensors, (str, bytes)) or not getattr(tensors, "ndim", 1):
        problem = f"tensors must be a list or tuple of tensors, got {type(tensors).__name__}"
        raise DTypeError(restate(op, problem, tensors=tensors))
    xs = in_one_dtype(list(tensors))
    if not xs:
        raise ShapeError(restate(op, "tensors must have at least one entry", tensors=tensors))
    return xs


def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Stack tensors of the same shape along a new axis.

    Args:
        tensors: at least one.
        axis: where the new axis stands in the result.

    Raises:
        ShapeError: no tensors, or tensors of different shapes.
        RangeError: an axis that the result doesn't have.

    >>> import tensorgrad as tg
    >>> tg.stack([tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0])])
    tensor([[1., 2.],
            [3., 4.]])
    """
    xs = _several("stack", tensors)
    if any(x.shape != xs[0].shape for x in xs):
        arguments: dict[str, Any] = {f"tensors[{k}]": x for k, x in enumerate(xs)}
        raise ShapeError(restate("stack", "the tensors must have the same shape", **arguments))
    return apply(Stack, *xs, axis=normalize_axis("stack", xs[0], axis, ndim=xs[0].ndim + 1))


def split(x: TensorLike, sizes: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """Split x along an axis into parts of `sizes`, or of one size (the last may be smaller), as in PyTorch.

    Args:
        x: a tensor with an axis.
        sizes: the size of each part, with the sum of the axis; or one size for all.
        axis: the axis to split.

    Raises:
        ShapeError: sizes with another sum, or a scalar x.
        ArgumentError: one size that isn't > 0.

    >>> import tensorgrad as tg
    >>> [t.shape for t in tg.split(tg.zeros(5, 2), 2)]
    [(2, 2), (2, 2), (1, 2)]
    """
    x = as_tensor(x)
    axis = normalize_axis("split", x, axis)
    if x.ndim == 0:
        raise ShapeError(restate("split", "a scalar can't be split", x=x, sizes=sizes))
    n = x.shape[axis]
    each = hasattr(sizes, "__index__") and not getattr(sizes, "ndim", 0)
    given, sizes = sizes, as_shape((sizes,))
    if each:
        (size,) = sizes
        if size <= 0:
            raise ArgumentError(restate("split", f"sizes must be > 0, got {size}", x=x, sizes=size))
        sizes = [min(size, n - start) for start in range(0, n, size)] or [0]
    if sum(sizes) != n or min(sizes, default=0) < 0:
        problem = f"sizes must be ≥ 0 and sum to {n}, the size of the axis"
        raise ShapeError(restate("split", problem, x=x, sizes=given, axis=axis))
    ends = np.cumsum(sizes).tolist()
    lead = (slice(None),) * axis
    return tuple(x[(*lead, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True))


def pad(
    x: TensorLike,
    widths: int | Sequence[int] | Sequence[Sequence[int]],
    mode: str = "constant",
    value: float = 0.0,
) -> Tensor:
    """x with padding around it.

    Args:
        x: a tensor of any shape.
        widths: as in NumPy, one `(before, after)` pair per axis, one pair for all axes, or one int for all.
        mode: "constant" (filled with `value`), or as in PyTorch "reflect" (mirrored without the edge), "replicate" (the
            edge repeated) or "circular" (the opposite end).
        value: the value for "constant".

    Raises:
        ArgumentError: another mode, negative widths, or widths of another shape.
        ShapeError: padding wider than the mode can fill.

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
        problem = f"widths must be an int ≥ 0, a pair, or {x.ndim} pairs"
        raise ArgumentError(restate("pad", problem, x=x, widths=widths))
    mode = mode if isinstance(mode, str) else repr(mode)
    if mode == "constant":
        return apply(Pad, x, widths=tuple(frame), value=number("pad", "value", value))
    numpy_mode: Any = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}.get(mode)
    if numpy_mode is None:
        problem = f'mode must be "constant", "reflect", "replicate" or "circular", got {mode!r}'
        raise ArgumentError(restate("pad", problem, x=x, mode=mode))
    for axis, (a, b) in enumerate(frame):
        if a == b == 0:
            continue
        n = x.shape[axis]
        if max(a, b) > {"reflect": n - 1, "edge": math.inf if n else 0, "wrap": n}[numpy_mode]:
            raise ShapeError(restate("pad", f"axis {axis} is too short for {mode} padding", x=x, widths=widths))
        # The source of each padded element: indexing with repeats, whose gradients accumulate.
        with restated("pad", x=x, widths=widths):
            source = np.pad(np.arange(n), (a, b), mode=numpy_mode)
        x = x[(slice(None),) * axis + (source,)]
    return x
