"""Elements read by position: along an axis, in a row, where a mask holds, where they aren't zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tensorgrad.autograd.engine import guard, host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.elementwise.choice import where as choice
from tensorgrad.ops.indexing import getitem
from tensorgrad.ops.layout.indices import as_index
from tensorgrad.ops.layout.views import broadcast_shapes
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, values
from tensorgrad.ops.selection.positions import as_mask, checked_indices, grid, places_where
from tensorgrad.ops.shapes import broadcast_to, reshape
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from typing import Literal

    from tensorgrad.tensor import Tensor

__all__ = ["argwhere", "index_select", "masked_select", "nonzero", "take", "take_along_dim", "where"]


@numpy_spellings
def index_select(input: TensorLike, dim: int, index: TensorLike) -> Tensor:
    """The parts of an axis at the given indices, in their order; an index may occur several times.

    Args:
        input: a tensor of any shape.
        dim: the axis, of n elements.
        index: integers `(K,)` in [0, n), or one of them.

    Returns:
        A tensor like `input`, K long along the axis.

    Raises:
        RangeError: an index out of range. ShapeError: an index with several axes. DTypeError: no integers.

    >>> import tensorgrad as tg
    >>> tg.index_select(tg.tensor([[1, 2], [3, 4]]), 1, tg.tensor([1, 1, 0]))
    tensor([[2, 2, 1],
            [4, 4, 3]])
    """
    x = as_tensor(input)
    axis = normalize_axis("index_select", x, dim, "dim")
    k = checked_indices("index_select", x, axis, index)
    if k.ndim > 1:
        raise ShapeError(restate("index_select", "index must be a vector", input=x, dim=dim, index=k))
    if not x.ndim:
        if math.prod(k.shape) != 1:
            raise ShapeError(restate("index_select", "of a scalar one index is taken", input=x, index=k))
        return x.clone()
    return getitem(x, (*(slice(None),) * axis, reshape(k, -1)))


def take(input: TensorLike, index: TensorLike) -> Tensor:
    """The elements at the given positions, counted through all axes: a tensor of the shape of `index`.

    Args:
        input: a tensor of any shape, with n elements.
        index: integers in [−n, n), of any shape.

    Raises:
        RangeError: an index out of range. DTypeError: no integers.

    >>> import tensorgrad as tg
    >>> tg.take(tg.tensor([[1, 2], [3, 4]]), tg.tensor([0, 3]))
    tensor([1, 4])
    """
    x, k = as_tensor(input), as_index(index)
    if k._data.dtype.kind not in "iu":
        raise DTypeError(restate("take", "index must hold integers", input=x, index=k))
    n = math.prod(x.shape)
    if not guard(_are_positions, k._data, n):
        found = values(k)
        problem = f"index must be in [{-n}, {n}), got {found.min()} to {found.max()}"
        raise RangeError(restate("take", problem, input=x, index=k))
    return getitem(reshape(x, -1), k)


def _are_positions(index: np.ndarray, n: int) -> bool:
    return not index.size or bool(-n <= index.min() and index.max() < n)


@numpy_spellings
def take_along_dim(input: TensorLike, indices: TensorLike, dim: int | None = None) -> Tensor:
    """z[i, j, …] = input[i, indices[i, j, …], …] along an axis, as what `argsort` gives; the other axes broadcast.

    Args:
        input: a tensor of any shape.
        indices: integers, with as many axes as `input`; negative ones count from the end.
        dim: the axis; None takes the elements of all axes in a row.

    Raises:
        RangeError: an index out of range. ShapeError: another number of axes. DTypeError: no integers.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([[3, 1, 2]])
    >>> tg.take_along_dim(x, tg.tensor([[1, 2, 0]]), 1)
    tensor([[1, 2, 3]])
    """
    x, k = as_tensor(input), as_index(indices)
    if dim is None:
        x, k, dim = reshape(x, -1), reshape(k, -1), 0
    axis = normalize_axis("take_along_dim", x, dim, "dim")
    if not x.ndim and not k.ndim:  # a number counts as a vector of one element
        return reshape(take_along_dim(reshape(x, 1), reshape(k, 1), 0), ())
    if k.ndim != x.ndim:
        problem = "indices must have as many axes as input"
        raise ShapeError(restate("take_along_dim", problem, input=x, indices=k, dim=dim))
    shape = broadcast_shapes(
        *[tuple([1 if a == axis else n for a, n in enumerate(shape)]) for shape in (x.shape, k.shape)]
    )
    wide = [broadcast_to(t, tuple([t.shape[axis] if a == axis else n for a, n in enumerate(shape)])) for t in (x, k)]
    return getitem(wide[0], grid("take_along_dim", wide[0], axis, wide[1], negative=True)[2])


def masked_select(input: TensorLike, mask: TensorLike) -> Tensor:
    """The elements where the mask holds, in a row. `input` and `mask` broadcast together.

    Args:
        input: a tensor of any shape.
        mask: bools.

    Raises:
        DTypeError: a mask that doesn't hold bools. ShapeError: shapes that don't broadcast.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, -2.0, 3.0])
    >>> tg.masked_select(x, x > 0)
    tensor([1., 3.])
    """
    x = as_tensor(input)
    m = as_mask("masked_select", x, mask)
    shape = broadcast_shapes(x.shape, m.shape)
    places = places_where(m, shape)
    return getitem(reshape(broadcast_to(x, shape), -1), as_tensor(places))


@overload
def nonzero(input: TensorLike, *, as_tuple: Literal[False] = False) -> Tensor: ...
@overload
def nonzero(input: TensorLike, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]: ...
def nonzero(input: TensorLike, *, as_tuple: bool = False) -> Any:
    """The positions of all elements that aren't zero, int64, in the order of memory.

    Args:
        input: a tensor of any shape `(N₀, N₁, …)`.
        as_tuple: for True, one tensor per axis, of its indices: `input[tg.nonzero(input, as_tuple=True)]`. A number
            without axes counts as a vector of length 1.

    Returns:
        A tensor `(K, ndim)`: a row of indices for each of the K elements.

    >>> import tensorgrad as tg
    >>> tg.nonzero(tg.tensor([[0, 1], [2, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    x, as_tuple = as_tensor(input), flag("nonzero", "as_tuple", as_tuple)
    x = x.detach().reshape(1) if as_tuple and not x.ndim else x
    # host call: (N₀, N₁, …) -> (K, ndim); the guard, since K is part of the shapes of all that follows
    positions = host_call(_positions, x._data)
    guard(_has_nonzero, x._data, positions.shape[0])
    if not as_tuple:
        return wrap(positions)
    rows: Any = wrap(positions)
    return tuple([rows[:, k] for k in range(x.ndim)])


def argwhere(input: TensorLike) -> Tensor:
    """The positions of all elements that aren't zero: `nonzero`.

    >>> import tensorgrad as tg
    >>> tg.argwhere(tg.tensor([0, 5]))
    tensor([[1]])
    """
    return nonzero(input)


def _positions(x: np.ndarray) -> np.ndarray:
    return np.stack(np.nonzero(x), -1) if x.ndim else np.zeros((int(x != 0), 0), np.int64)


def _has_nonzero(x: np.ndarray, count: int) -> bool:
    return np.count_nonzero(x) == count


@overload
def where(condition: TensorLike) -> tuple[Tensor, ...]: ...
@overload
def where(condition: TensorLike, input: TensorLike, other: TensorLike) -> Tensor: ...
def where(condition: TensorLike, input: TensorLike | None = None, other: TensorLike | None = None) -> Any:
    """`input` where the condition holds, `other` elsewhere, with broadcasting; no gradient reaches what isn't taken.

    Args:
        condition: bools; numbers count as true unless 0.
        input: the values where the condition holds.
        other: the values elsewhere.

    With the condition alone, the positions where it holds: one tensor of indices for each axis, as
    `nonzero(condition, as_tuple=True)`.

    Raises:
        ArgumentError: only one of `input` and `other`.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([-1.0, 2.0])
    >>> tg.where(x > 0, x, 0), tg.where(x > 0)
    (tensor([0., 2.]), (tensor([1]),))
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if input is None or other is None:
        raise ArgumentError(restate("where", "input and other must both be given, or neither", condition=condition))
    return choice(condition, input, other)
