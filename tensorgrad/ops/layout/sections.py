"""An axis in parts: so many of nearly one size, or cut before given indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import TensorLike, as_tensor, values
from tensorgrad.ops.spelling import numpy_spellings
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["dsplit", "hsplit", "tensor_split", "vsplit"]

Cuts = int | Sequence[int] | TensorLike


@numpy_spellings
def tensor_split(input: TensorLike, indices_or_sections: Cuts, dim: int = 0) -> tuple[Tensor, ...]:
    """Split an axis into so many parts, whose sizes differ by 1 at most; or before each of several indices.

    Args:
        input: a tensor with an axis.
        indices_or_sections: the number of parts; or indices, a list or an integer tensor, negative from the end.
        dim: the axis.

    Raises:
        ShapeError: a number without axes. ArgumentError: fewer than one part.

    >>> import tensorgrad as tg
    >>> tg.tensor_split(tg.arange(5), 2), tg.tensor_split(tg.arange(4), [1, 3])
    ((tensor([0, 1, 2]), tensor([3, 4])), (tensor([0]), tensor([1, 2]), tensor([3])))
    """
    return _split("tensor_split", input, indices_or_sections, dim)


def hsplit(input: TensorLike, indices_or_sections: Cuts) -> tuple[Tensor, ...]:
    """`tensor_split` of columns: axis 1, or the only axis. A number of parts must divide it.

    >>> import tensorgrad as tg
    >>> [t.shape for t in tg.hsplit(tg.zeros(2, 4), 2)]
    [(2, 2), (2, 2)]
    """
    return _divided("hsplit", input, indices_or_sections, 1 if as_tensor(input).ndim > 1 else 0, 1)


def vsplit(input: TensorLike, indices_or_sections: Cuts) -> tuple[Tensor, ...]:
    """`tensor_split` of rows: axis 0 of two axes or more. A number of parts must divide it.

    >>> import tensorgrad as tg
    >>> [t.shape for t in tg.vsplit(tg.zeros(4, 2), [1])]
    [(1, 2), (3, 2)]
    """
    return _divided("vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: TensorLike, indices_or_sections: Cuts) -> tuple[Tensor, ...]:
    """`tensor_split` along axis 2 of three axes or more. A number of parts must divide it.

    >>> import tensorgrad as tg
    >>> [t.shape for t in tg.dsplit(tg.zeros(1, 2, 6), 3)]
    [(1, 2, 2), (1, 2, 2), (1, 2, 2)]
    """
    return _divided("dsplit", input, indices_or_sections, 2, 3)


def _divided(op: str, input: TensorLike, cuts: Cuts, dim: int, fewest: int) -> tuple[Tensor, ...]:
    x = as_tensor(input)
    if x.ndim < fewest:
        raise ShapeError(restate(op, f"input must have at least {fewest} axes, got {x.ndim}", input=x))
    if isinstance(cuts, int) and (cuts < 1 or x.shape[dim] % cuts):
        problem = f"the number of parts must divide axis {dim}, {x.shape[dim]}, got {cuts}"
        raise ArgumentError(restate(op, problem, fix="tg.tensor_split takes any number", input=x))
    return _split(op, x, cuts, dim)


def _split(op: str, input: TensorLike, cuts: Cuts, dim: int) -> tuple[Tensor, ...]:
    x = as_tensor(input)
    if not x.ndim:
        raise ShapeError(restate(op, "input must have an axis", input=x))
    axis = normalize_axis(op, x, dim)
    given = values(cuts).tolist() if hasattr(cuts, "shape") else cuts
    if isinstance(given, (list, tuple)):
        where = as_tuple(given, len(given), op=op, name="indices_or_sections") if given else ()
    else:
        (parts,) = as_tuple(given, 1, op=op, name="indices_or_sections", minimum=1)
        where = tuple(np.cumsum([len(part) for part in np.array_split(range(x.shape[axis]), parts)])[:-1].tolist())
    lead = (slice(None),) * axis
    starts, stops = (0, *where), (*where, x.shape[axis])
    return tuple([x[(*lead, slice(a, b))] for a, b in zip(starts, stops, strict=True)])
