"""Tensors from nothing but numbers: constants, ranges, random values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.arrays import DEFAULT_FLOAT, DTypeLike, as_array
from tensorgrad.engine import Variable, aside, fixed
from tensorgrad.ops.operands import TensorLike
from tensorgrad.ops.shapes import as_shape
from tensorgrad.random import default_generator
from tensorgrad.tensor import Tensor

Shape = int | Sequence[int]


def tensor(data: Any, dtype: DTypeLike = None, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """A tensor with a copy of `data`: a number, nested lists, an array or a tensor.

    Arrays keep their dtype; Python floats become float32, Python ints int64. Raises DTypeError, ArgumentError.

    >>> import tensorgrad as tg
    >>> tg.tensor([[1, 2], [3, 4]], dtype="float64")
    tensor([[1., 2.],
            [3., 4.]], dtype=float64)
    """
    data = data.data if isinstance(data, Variable) else data
    return Tensor(as_array(data, dtype, copy=True), requires_grad, name=name)


def zeros(*shape: Shape, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """Zeros, `tg.zeros(2, 3)` or `tg.zeros((2, 3))`."""
    return _fixed(np.zeros(as_shape(shape), dtype), requires_grad)


def ones(*shape: Shape, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """Ones, `tg.ones(2, 3)` or `tg.ones((2, 3))`."""
    return _fixed(np.ones(as_shape(shape), dtype), requires_grad)


def full(shape: Shape, value: float, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """One value everywhere; float32 for a Python float, int64 for an int.

    >>> import tensorgrad as tg
    >>> tg.full((2,), 3.0)
    tensor([3., 3.])
    """
    return _fixed(np.full(as_shape((shape,)), as_array(value, dtype)), requires_grad)


def zeros_like(x: TensorLike, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """Zeros with the shape and dtype of x."""
    return _fixed(np.zeros_like(_data(x), dtype), requires_grad)


def ones_like(x: TensorLike, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """Ones with the shape and dtype of x."""
    return _fixed(np.ones_like(_data(x), dtype), requires_grad)


def eye(n: int, m: int | None = None, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """The identity matrix `(n, m)`, square by default."""
    return _fixed(np.eye(n, m, dtype=dtype), requires_grad)


def arange(
    start: float, end: float | None = None, step: float = 1, dtype: DTypeLike = None, requires_grad: bool = False
) -> Tensor:
    """start, start + step, … below end (from 0 if only one bound is given); int64 if all are ints, else float32.

    >>> import tensorgrad as tg
    >>> tg.arange(3), tg.arange(0.5, 2)
    (tensor([0, 1, 2]), tensor([0.5, 1.5]))
    """
    start, end = (0, start) if end is None else (start, end)
    if dtype is None and any(isinstance(k, float) for k in (start, end, step)):
        dtype = DEFAULT_FLOAT
    return _fixed(np.arange(start, end, step, dtype), requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False
) -> Tensor:
    """`steps` values at even distances from start to end, both included.

    >>> import tensorgrad as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    return _fixed(np.linspace(start, end, steps, dtype=dtype), requires_grad)


def rand(
    *shape: Shape,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = DEFAULT_FLOAT,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform on [0, 1), from the package's generator (`tg.manual_seed`) unless one is given."""
    return Tensor(aside(_drawn, generator or default_generator(), "random", as_shape(shape), dtype), requires_grad)


def randn(
    *shape: Shape,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = DEFAULT_FLOAT,
    requires_grad: bool = False,
) -> Tensor:
    """Standard normal, from the package's generator (`tg.manual_seed`) unless one is given."""
    source = generator or default_generator()
    return Tensor(aside(_drawn, source, "standard_normal", as_shape(shape), dtype), requires_grad)


def randint(low: int, high: int, shape: Shape, generator: np.random.Generator | None = None) -> Tensor:
    """Integers from low to high − 1, int64, evenly likely."""
    source = generator or default_generator()
    return Tensor(aside(source.integers, low, high, as_shape((shape,))))


def randperm(n: int, generator: np.random.Generator | None = None) -> Tensor:
    """The integers 0 … n − 1 in random order, int64."""
    return Tensor(aside((generator or default_generator()).permutation, n))


def _drawn(generator: np.random.Generator, law: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    return getattr(generator, law)(shape).astype(dtype)


def _fixed(array: np.ndarray, requires_grad: bool) -> Tensor:
    return Tensor(array, True) if requires_grad else fixed(as_array(array))


def _data(x: TensorLike) -> np.ndarray:
    return x._data if isinstance(x, Variable) else as_array(x)
