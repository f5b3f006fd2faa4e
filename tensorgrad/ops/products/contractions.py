"""Products of vectors and matrices whose numbers of axes are fixed, and sums over chosen axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.linear import matmul
from tensorgrad.ops.operands import TensorLike, pair
from tensorgrad.ops.shapes import as_shape, reshape
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["bmm", "dot", "ger", "inner", "mm", "mv", "outer", "tensordot"]


def mm(input: TensorLike, mat2: TensorLike) -> Tensor:
    """The product of two matrices, `(N, K) · (K, M) -> (N, M)`; `matmul` takes batches and vectors too.

    Raises:
        ShapeError: an operand that is no matrix, or inner sizes that differ.

    >>> import tensorgrad as tg
    >>> tg.mm(tg.tensor([[1.0, 2.0]]), tg.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    return matmul(*_with_axes("mm", "input", input, 2, "mat2", mat2, 2))


def bmm(input: TensorLike, mat2: TensorLike) -> Tensor:
    """The products of two batches of matrices, `(B, N, K) · (B, K, M) -> (B, N, M)`; no broadcasting.

    Raises:
        ShapeError: an operand without three axes, or sizes that differ.

    >>> import tensorgrad as tg
    >>> tg.bmm(tg.ones(2, 1, 3), tg.ones(2, 3, 1)).tolist()
    [[[3.0]], [[3.0]]]
    """
    x, y = _with_axes("bmm", "input", input, 3, "mat2", mat2, 3)
    if x.shape[0] != y.shape[0]:
        fix = "tg.matmul broadcasts batches"
        raise ShapeError(restate("bmm", "both must have as many matrices", fix=fix, input=x, mat2=y))
    return matmul(x, y)


def mv(input: TensorLike, vec: TensorLike) -> Tensor:
    """The product of a matrix and a vector, `(N, K) · (K,) -> (N,)`.

    Raises:
        ShapeError: other numbers of axes, or inner sizes that differ.

    >>> import tensorgrad as tg
    >>> tg.mv(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    return matmul(*_with_axes("mv", "input", input, 2, "vec", vec, 1))


def dot(input: TensorLike, tensor: TensorLike) -> Tensor:
    """The scalar product Σ xₖ · yₖ of two vectors of one length.

    Raises:
        ShapeError: operands that aren't vectors, or lengths that differ.

    >>> import tensorgrad as tg
    >>> tg.dot(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return matmul(*_with_axes("dot", "input", input, 1, "tensor", tensor, 1))


def outer(input: TensorLike, vec2: TensorLike) -> Tensor:
    """The products of all pairs from two vectors, `(N,), (M,) -> (N, M)`.

    Raises:
        ShapeError: operands that aren't vectors.

    >>> import tensorgrad as tg
    >>> tg.outer(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    x, y = _with_axes("outer", "input", input, 1, "vec2", vec2, 1)
    return reshape(x, (-1, 1)) * y


ger = outer


def inner(input: TensorLike, other: TensorLike) -> Tensor:
    """The scalar products of all vectors along the last axes, `(..., K), (___, K) -> (..., ___)`.

    A scalar is multiplied with each element of the other operand.

    Raises:
        ShapeError: last axes of different lengths.

    >>> import tensorgrad as tg
    >>> tg.inner(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor(11.)
    """
    x, y = pair(input, other)
    if not x.ndim or not y.ndim:
        return x * y
    if x.shape[-1] != y.shape[-1]:
        raise ShapeError(restate("inner", "the last axes must have one length", input=x, other=y))
    return tensordot(x, y, ([-1], [-1]))


def tensordot(a: TensorLike, b: TensorLike, dims: int | Sequence[Any] = 2) -> Tensor:
    """Σ of products over chosen axes of both operands: what is left of a, then what is left of b.

    Args:
        a: a tensor of any shape.
        b: a tensor of any shape.
        dims: two lists of axes, of a and of b, summed over in pairs; or the number n of axes, the last n of a and the
            first n of b. In a pair one axis may have length 1: it broadcasts.

    Raises:
        ShapeError: axes of different lengths. ArgumentError: another number of axes for a than for b.

    >>> import tensorgrad as tg
    >>> tg.tensordot(tg.ones(2, 3, 4), tg.ones(4, 3), ([1, 2], [1, 0]))
    tensor([12., 12.])
    """
    x, y = pair(a, b)
    left, right = _summed_axes(x, y, dims)
    for i, j in zip(left, right, strict=True):  # an axis of length 1 broadcasts: its one factor stands before a sum
        if x.shape[i] == 1 != y.shape[j]:
            y = y.sum(j, True)
        elif y.shape[j] == 1 != x.shape[i]:
            x = x.sum(i, True)
    if any(x.shape[i] != y.shape[j] for i, j in zip(left, right, strict=True)):
        raise ShapeError(restate("tensordot", "the axes summed over must have one length", a=x, b=y, dims=dims))
    kept = [k for k in range(x.ndim) if k not in left], [k for k in range(y.ndim) if k not in right]
    n = math.prod([x.shape[k] for k in left])
    # (kept..., summed...) -> (M, K) and (summed..., kept...) -> (K, N)
    shapes = tuple([x.shape[k] for k in kept[0]]), tuple([y.shape[k] for k in kept[1]])
    rows = reshape(x.permute((*kept[0], *left)) if x.ndim else x, (math.prod(shapes[0]), n))
    columns = reshape(y.permute((*right, *kept[1])) if y.ndim else y, (n, math.prod(shapes[1])))
    return reshape(matmul(rows, columns), shapes[0] + shapes[1])


def _summed_axes(x: Tensor, y: Tensor, dims: Any) -> tuple[list[int], list[int]]:
    """The axes of both that `dims` says."""
    if not isinstance(dims, Sequence):
        (n,) = as_tuple(dims, 1, op="tensordot", name="dims", minimum=0)
        if n > min(x.ndim, y.ndim):
            raise ArgumentError(restate("tensordot", f"both must have {n} axes to sum over", a=x, b=y, dims=dims))
        return list(range(x.ndim - n, x.ndim)), list(range(n))
    if len(dims) != 2:
        raise ArgumentError(restate("tensordot", "dims must be two lists of axes", a=x, b=y, dims=dims))
    of_x, of_y = [
        [normalize_axis("tensordot", t, k, "dims") for k in as_shape((given,))]
        for t, given in zip((x, y), dims, strict=True)
    ]
    if len(of_x) != len(of_y) or len({*of_x}) < len(of_x) or len({*of_y}) < len(of_y):
        problem = "dims must name as many axes of a as of b, each once"
        raise ArgumentError(restate("tensordot", problem, a=x, b=y, dims=dims))
    return of_x, of_y


def _with_axes(
    call: str, name: str, x: TensorLike, ndim: int, other_name: str, y: TensorLike, other_ndim: int
) -> tuple[Tensor, Tensor]:
    """Both operands in one dtype, with so many axes and, where they are summed over, one length."""
    first, second = pair(x, y)
    given: dict[str, Any] = {name: first, other_name: second}
    if first.ndim != ndim or second.ndim != other_ndim:
        problem = f"{name} must have {ndim} and {other_name} {other_ndim} axes, got {first.ndim} and {second.ndim}"
        raise ShapeError(restate(call, problem, fix="tg.matmul takes any number", **given))
    if call != "outer" and first.shape[-1] != second.shape[-2 if other_ndim > 1 else 0]:
        problem = f"{name} and {other_name} must agree in the size that is summed over"
        raise ShapeError(restate(call, problem, **given))
    return first, second
