"""What the functions of linear algebra check and share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import constant
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.operands import TensorLike, for_kernel

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


def as_matrices(op: str, A: TensorLike, name: str = "A") -> Tensor:
    """A as float32 or float64 matrices `(..., M, N)`. Raises ShapeError for fewer axes, DTypeError for float16."""
    x = for_kernel(op, A)
    if x.ndim < 2:
        given: dict[str, Any] = {name: x}
        raise ShapeError(restate(op, f"{name} must have two axes or more, (..., M, N)", **given))
    return x


def as_square(op: str, A: TensorLike, name: str = "A") -> Tensor:
    """A as square matrices `(..., N, N)`. Raises ShapeError for others."""
    x = as_matrices(op, A, name)
    if x.shape[-1] != x.shape[-2]:
        given: dict[str, Any] = {name: x}
        raise ShapeError(restate(op, f"{name} must be square, (..., N, N)", **given))
    return x


def from_lapack(problem: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator of a forward: where LAPACK finds no result, raise ArgumentError, which says the problem."""

    def decorate(forward: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(forward)
        def checked(self: Any, *arrays: np.ndarray) -> Any:
            try:
                with np.errstate(all="ignore"):
                    return forward(self, *arrays)
            except np.linalg.LinAlgError as error:
                given: dict[str, Any] = dict(zip(("A", "B"), arrays, strict=False))
                raise ArgumentError(restate(self.name, problem, **given)) from error

        return checked

    return decorate


def identity(x: Tensor) -> Tensor:
    """The identity matrix of the size of x's last axis, in its dtype."""
    return constant(np.eye(x.shape[-1], dtype=x.dtype))


def columns(x: Tensor) -> Tensor:
    """`(..., N) -> (..., N, 1)`."""
    return x.reshape((*x.shape, 1))


def rows(x: Tensor) -> Tensor:
    """`(..., N) -> (..., 1, N)`."""
    return x.reshape((*x.shape[:-1], 1, x.shape[-1]))


def masked(x: Tensor, mask: np.ndarray) -> Tensor:
    """x times a matrix of zeros and ones, or of halves."""
    return x * constant(np.asarray(mask, x.dtype))
