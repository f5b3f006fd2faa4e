"""Tensors side by side in rows, columns and depth; grids of coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.joining import _several, concatenate, stack as stacked
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.ops.shapes import broadcast_to, reshape, swapaxes

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "cartesian_prod", "column_stack", "dstack", "hstack", "meshgrid",
    "row_stack", "vstack",
]  # fmt: skip


def hstack(tensors: Sequence[TensorLike]) -> Tensor:
    """Tensors side by side: along their second axis, vectors along their only one.

    Args:
        tensors: one tensor or more; scalars count as vectors of one element.

    Raises:
        ShapeError: no tensors, or other sizes that differ.

    >>> import tensorgrad as tg
    >>> tg.hstack([tg.tensor([1, 2]), tg.tensor([3])])
    tensor([1, 2, 3])
    """
    xs = _with_axes("hstack", tensors, 1)
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1)


def vstack(tensors: Sequence[TensorLike]) -> Tensor:
    """Tensors on top of each other: along their first axis, vectors as rows.

    Args:
        tensors: one tensor or more.

    Raises:
        ShapeError: no tensors, or other sizes that differ.

    >>> import tensorgrad as tg
    >>> tg.vstack([tg.tensor([1, 2]), tg.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return concatenate(_with_axes("vstack", tensors, 2), 0)


def dstack(tensors: Sequence[TensorLike]) -> Tensor:
    """Tensors one behind the other: along their third axis, `(N,)` as `(1, N, 1)` and `(M, N)` as `(M, N, 1)`.

    Args:
        tensors: one tensor or more.

    Raises:
        ShapeError: no tensors, or other sizes that differ.

    >>> import tensorgrad as tg
    >>> tg.dstack([tg.tensor([1, 2]), tg.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return concatenate(_with_axes("dstack", tensors, 3), 2)


def column_stack(tensors: Sequence[TensorLike]) -> Tensor:
    """Tensors side by side: along their second axis, vectors as columns.

    Args:
        tensors: one tensor or more.

    Raises:
        ShapeError: no tensors, or other sizes that differ.

    >>> import tensorgrad as tg
    >>> tg.column_stack([tg.tensor([1, 2]), tg.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    xs = _several("column_stack", tensors)
    return concatenate([x if x.ndim > 1 else reshape(x, (-1, 1)) for x in xs], 1)


row_stack = vstack


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with one axis or more: scalars become `(1,)`. One tensor gives a tensor, several a tuple.

    >>> import tensorgrad as tg
    >>> tg.atleast_1d(tg.tensor(5.0))
    tensor([5.])
    """
    return _each(tensors, 1)


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with two axes or more: vectors become rows. One tensor gives a tensor, several a tuple.

    >>> import tensorgrad as tg
    >>> tg.atleast_2d(tg.tensor([5.0, 6.0]))
    tensor([[5., 6.]])
    """
    return _each(tensors, 2)


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with three axes or more: `(N,)` becomes `(1, N, 1)`. One tensor gives a tensor, several a tuple.

    >>> import tensorgrad as tg
    >>> tg.atleast_3d(tg.tensor([5.0, 6.0])).shape
    (1, 2, 1)
    """
    return _each(tensors, 3)


def meshgrid(*tensors: TensorLike | Sequence[TensorLike], indexing: str | None = None) -> tuple[Tensor, ...]:
    """Grids of coordinates: tensor k holds at `[i₀, i₁, …]` the element iₖ of the vector k.

    Args:
        tensors: vectors, or scalars, of one dtype; one list of them serves too.
        indexing: "ij" (the default) gives grids `(N₀, N₁, …)`; "xy" exchanges the first two axes, as in plots.

    Raises:
        ShapeError: a tensor that is no vector. ArgumentError: another indexing.

    >>> import tensorgrad as tg
    >>> rows, columns = tg.meshgrid(tg.arange(2), tg.arange(3), indexing="ij")
    >>> rows, columns
    (tensor([[0, 0, 0],
            [1, 1, 1]]), tensor([[0, 1, 2],
            [0, 1, 2]]))
    """
    if indexing is not None and not (isinstance(indexing, str) and indexing in ("ij", "xy")):
        raise ArgumentError(restate("meshgrid", f'indexing must be "ij" or "xy", got {indexing!r}'))
    xs = _vectors("meshgrid", tensors)
    shape = tuple([x.shape[0] for x in xs])
    grids = [
        broadcast_to(reshape(x, [-1 if axis == k else 1 for axis in range(len(xs))]), shape) for k, x in enumerate(xs)
    ]
    exchanged = indexing == "xy" and len(xs) > 1
    return tuple([swapaxes(grid, 0, 1) if exchanged else grid for grid in grids])


def cartesian_prod(*tensors: TensorLike) -> Tensor:
    """All combinations of one element from each vector, as the rows of a matrix; of one vector the vector itself.

    Raises:
        ShapeError: a tensor that is no vector.

    >>> import tensorgrad as tg
    >>> tg.cartesian_prod(tg.tensor([1, 2]), tg.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    xs = _vectors("cartesian_prod", tensors)
    if len(xs) == 1:
        return xs[0]
    return stacked([reshape(grid, -1) for grid in meshgrid(*xs, indexing="ij")], 1)


def _vectors(call: str, tensors: tuple[Any, ...]) -> list[Tensor]:
    """The arguments as vectors of one dtype."""
    xs = _several(call, tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors)
    if any(x.ndim > 1 for x in xs):
        given: dict[str, Any] = {f"tensors[{k}]": x for k, x in enumerate(xs)}
        raise ShapeError(restate(call, "each tensor must have one axis", fix="use t.reshape(-1)", **given))
    return [reshape(x, -1) for x in xs]


def _with_axes(call: str, tensors: Any, ndim: int) -> list[Tensor]:
    return [_widened(x, ndim) for x in _several(call, tensors)]


def _each(tensors: tuple[Any, ...], ndim: int) -> Any:
    if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
        return _widened(as_tensor(tensors[0]), ndim)
    several = tensors[0] if len(tensors) == 1 else tensors
    return tuple([_widened(as_tensor(x), ndim) for x in several])


def _widened(x: Tensor, ndim: int) -> Tensor:
    """() -> (1,); (N,) -> (1, N); (N,) -> (1, N, 1) and (M, N) -> (M, N, 1)."""
    if x.ndim >= ndim:
        return x
    sizes = x.shape or (1,)
    if ndim > 1 and len(sizes) == 1:
        sizes = (1, *sizes)
    return reshape(x, (*sizes, 1) if ndim == 3 else sizes)
