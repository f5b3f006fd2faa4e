"""Elements repeated, rolled, reversed and rotated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.autograd.engine import apply, constant, guard, host_call
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate, restated
from tensorgrad.formulas.symbolic import words
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.layout.indices import as_index
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.shapes import as_shape, broadcast_to, clone, flip, reshape, swapaxes
from tensorgrad.ops.spelling import numpy_spellings
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["fliplr", "flipud", "repeat_interleave", "roll", "rot90", "tile"]


class Roll(Op):
    """z = x, shifted along axes; what leaves at one end enters at the other."""

    symbol, formula = "roll", lambda x: words(x, ", rolled")
    derivatives = (lambda grad: words(grad, ", rolled back"),)
    shifts: tuple[int, ...]
    axis: tuple[int, ...]

    def forward(self, x):
        return np.roll(x, self.shifts, self.axis)

    def backward_x(self, grad):
        return apply(Roll, grad, shifts=tuple(-k for k in self.shifts), axis=self.axis)


def repeat(input: TensorLike, repeats: int | Sequence[int], *more: int) -> Tensor:
    """`input` side by side, as often along each axis as its count says. (`repeat_interleave` is NumPy's `repeat`.)

    Args:
        input: a tensor of any shape.
        repeats: a count ≥ 0 per axis, as `(2, 3)` or `2, 3`; counts beyond the axes of `input` stand for new axes in
            front.
        more: the other counts, if `repeats` is one.

    Raises:
        ShapeError: fewer counts than axes.
        ArgumentError: a negative count.

    >>> import tensorgrad as tg
    >>> tg.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    x, counts = as_tensor(input), as_shape((repeats, *more))
    if len(counts) < x.ndim:
        problem, fix = f"repeats must have a count for each of the {x.ndim} axes", "tg.tile takes fewer"
        raise ShapeError(restate("repeat", problem, fix=fix, input=x, repeats=counts))
    return _repeated("repeat", x, counts)


@numpy_spellings
def tile(input: TensorLike, dims: int | Sequence[int], *more: int) -> Tensor:
    """`input` side by side, as often along each axis as its count says.

    Args:
        input: a tensor of any shape.
        dims: counts ≥ 0 of the last axes, as `(2, 3)` or `2, 3`; more counts than axes stand for new axes in front.
        more: the other counts, if `dims` is one.

    Raises:
        ArgumentError: a negative count.

    >>> import tensorgrad as tg
    >>> tg.tile(tg.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
    """
    x, counts = as_tensor(input), as_shape((dims, *more))
    return _repeated("tile", x, (1,) * (x.ndim - len(counts)) + counts)


def _repeated(call: str, x: Tensor, counts: tuple[int, ...]) -> Tensor:
    if min(counts, default=0) < 0:
        raise ArgumentError(restate(call, "counts must be ≥ 0", input=x, repeats=counts))
    sizes = (1,) * (len(counts) - x.ndim) + x.shape
    if all(count == 1 for count in counts):
        return clone(reshape(x, sizes))
    # (n, …) -> (1, n, …) -> (count, n, …) -> (count · n, …)
    apart = reshape(x, [n for size in sizes for n in (1, size)])
    wide = broadcast_to(apart, [n for pair in zip(counts, sizes, strict=True) for n in pair])
    return reshape(clone(wide), [count * size for count, size in zip(counts, sizes, strict=True)])


@numpy_spellings
def repeat_interleave(
    input: TensorLike, repeats: TensorLike | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element of an axis, as often as its count says; NumPy's `repeat`.

    Args:
        input: a tensor of any shape. Alone, it is the counts, and the result the indices to take.
        repeats: a count for all elements, or integers `(n,)`, one count for each.
        dim: the axis; None takes the elements of all axes in a row.
        output_size: the length of the result along the axis, checked where it is given.

    Raises:
        DTypeError: counts that aren't integers.
        ArgumentError: negative counts, or counts with another sum than `output_size`.
        ShapeError: another number of counts than elements.

    >>> import tensorgrad as tg
    >>> tg.repeat_interleave(tg.tensor([5.0, 6.0]), 2), tg.repeat_interleave(tg.tensor([5.0, 6.0]), [1, 2])
    (tensor([5., 5., 6., 6.]), tensor([5., 6., 6.]))
    """
    x = as_tensor(input)
    if repeats is None:
        counts, x = x, constant(np.arange(math.prod(x.shape)))
    else:
        counts = as_index(repeats)
    x = reshape(x, -1) if dim is None else x
    axis = normalize_axis("repeat_interleave", x, 0 if dim is None else dim, "dim")
    x = x if x.ndim else reshape(x, 1)
    n = x.shape[axis]
    given: dict[str, Any] = {"input": x, "repeats": counts, "dim": dim}
    if counts._data.dtype.kind not in "iu":
        raise DTypeError(restate("repeat_interleave", "repeats must be integers", **given))
    if counts.ndim > 1 or counts.shape not in ((), (1,), (n,)):
        problem = f"repeats must be one count, or {n}, one for each element of the axis"
        raise ShapeError(restate("repeat_interleave", problem, **given))
    if not guard(_are_counts, counts._data):
        raise ArgumentError(restate("repeat_interleave", "repeats must be ≥ 0", **given))
    index = host_call(_indices, counts._data, n)
    guard(_have_sum, counts._data, n, len(index))  # the shape of the result depends on it
    if output_size is not None and output_size != len(index):
        problem = f"output_size must be {len(index)}, the sum of the counts, got {output_size}"
        raise ArgumentError(restate("repeat_interleave", problem, **given))
    if repeats is None:
        return as_tensor(index)
    return x[(slice(None),) * axis + (as_tensor(index),)]


def _are_counts(counts: np.ndarray) -> bool:
    return not counts.size or bool(counts.min() >= 0)


def _indices(counts: np.ndarray, n: int) -> np.ndarray:
    total = int(np.broadcast_to(counts, n).sum(dtype=np.float64))  # which doesn't overflow
    check_memory("repeat_interleave", (total,), np.dtype(np.int64), repeats=counts)
    with restated("repeat_interleave", repeats=counts):
        return np.repeat(np.arange(n), counts)


def _have_sum(counts: np.ndarray, n: int, total: int) -> bool:
    return int(np.broadcast_to(counts, n).sum()) == total


@numpy_spellings
def roll(input: TensorLike, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """`input`, shifted along axes; the elements that leave at one end enter at the other.

    Args:
        input: a tensor of any shape.
        shifts: how far, for each of `dims`; negative shifts go to the front.
        dims: the axes; None shifts the elements of all axes in a row.

    Raises:
        ArgumentError: another number of shifts than axes.

    >>> import tensorgrad as tg
    >>> tg.roll(tg.arange(4), 1)
    tensor([3, 0, 1, 2])
    """
    x, by = as_tensor(input), as_shape((shifts,))
    if dims is None:
        if len(by) != 1:
            raise ArgumentError(restate("roll", "several shifts need dims, one axis each", input=x, shifts=shifts))
        return reshape(apply(Roll, reshape(x, -1), shifts=by, axis=(0,)), x.shape)
    axes = as_shape((dims,))
    if len(axes) != len(by):
        problem = "shifts and dims must have the same length"
        raise ArgumentError(restate("roll", problem, input=x, shifts=shifts, dims=dims))
    along = tuple([normalize_axis("roll", x, axis, "dims") for axis in axes])
    return apply(Roll, x, shifts=by, axis=along) if x.ndim else clone(x)


@numpy_spellings
def rot90(input: TensorLike, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """`input` rotated by k quarters, from the first of two axes towards the second.

    Args:
        input: a tensor with two axes or more.
        k: how often; negative rotates the other way.
        dims: two different axes.

    Raises:
        ArgumentError: anything but two different axes.

    >>> import tensorgrad as tg
    >>> tg.rot90(tg.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    x, (quarters,) = as_tensor(input), as_tuple(k, 1, op="rot90", name="k")
    if x.ndim < 2:
        raise ShapeError(restate("rot90", "input must have two axes or more", input=x))
    axes = [normalize_axis("rot90", x, axis, "dims") for axis in as_shape((dims,))]
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ArgumentError(restate("rot90", "dims must be two different axes", input=x, dims=dims))
    first, second = axes
    if quarters % 4 == 0:
        return clone(x)
    if quarters % 4 == 2:
        return flip(x, axes)
    # x[i, j] -> x[j, −i] and x[−j, i]
    return flip(swapaxes(x, first, second), first if quarters % 4 == 1 else second)


def fliplr(input: TensorLike) -> Tensor:
    """The columns of `input` in reverse: along its second axis. Raises ShapeError if there is none.

    >>> import tensorgrad as tg
    >>> tg.fliplr(tg.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    return _flipped("fliplr", input, 1)


def flipud(input: TensorLike) -> Tensor:
    """The rows of `input` in reverse: along its first axis. Raises ShapeError if there is none.

    >>> import tensorgrad as tg
    >>> tg.flipud(tg.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
    """
    return _flipped("flipud", input, 0)


def _flipped(call: str, input: Any, axis: int) -> Tensor:
    x = as_tensor(input)
    if x.ndim <= axis:
        raise ShapeError(restate(call, f"input must have {axis + 1} or more axes", input=x))
    return flip(x, axis)
