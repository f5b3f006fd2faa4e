"""Tensors from nothing but numbers: constants, ranges, random values."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import DEFAULT_FLOAT, DTypeLike, as_array, as_dtype, is_float
from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import Variable, constant, host_call, tell
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate, restated
from tensorgrad.ops.operands import TensorLike, as_tensor, detached, loses_gradient, number
from tensorgrad.ops.shapes import as_shape
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple

Shape = int | Sequence[int]


def tensor(data: Any, dtype: DTypeLike = None, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """A tensor with a copy of `data`: a number, nested lists, an array or a tensor.

    Arrays keep their dtype; Python floats become float32, Python ints int64. The result is a new leaf: where `data`
    holds tensors that a gradient flows to, a warning names `clone` and `stack`, which keep it. Raises DTypeError,
    ArgumentError.

    >>> import tensorgrad as tg
    >>> tg.tensor([[1, 2], [3, 4]], dtype="float64")
    tensor([[1., 2.],
            [3., 4.]], dtype=float64)
    """
    data = detached("tensor", data)
    if isinstance(data, Variable):
        return Tensor(host_call(as_array, data._data, dtype, True), requires_grad, name=name)
    made = Tensor(as_array(data, dtype, copy=True), requires_grad, name=name)
    if not requires_grad:
        tell("made", made)
    return made


def zeros(*shape: Shape, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """Zeros, `tg.zeros(2, 3)` or `tg.zeros((2, 3))`."""
    return _fixed(_made("zeros", np.zeros, shape, dtype), requires_grad)


def ones(*shape: Shape, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """Ones, `tg.ones(2, 3)` or `tg.ones((2, 3))`."""
    return _fixed(_made("ones", np.ones, shape, dtype), requires_grad)


def full(shape: Shape, value: float, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """One value everywhere; float32 for a Python float, int64 for an int.

    Raises GraphError for a tensor that a gradient flows to: `t.broadcast_to(shape)` repeats it.

    >>> import tensorgrad as tg
    >>> tg.full((2,), 3.0)
    tensor([3., 3.])
    """
    if loses_gradient(value):
        fix = "repeat it, t.broadcast_to(shape), or say that no gradient is wanted: t.detach()"
        raise GraphError(restate("full", "no gradient can flow to value", fix=fix, value=value))
    with restated("full", shape=shape, value=value, dtype=dtype):
        array = np.full(as_shape((shape,)), as_array(value, dtype))
    return _fixed(array, requires_grad)


def zeros_like(x: TensorLike, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """Zeros with the shape and dtype of x."""
    dtype = None if dtype is None else as_dtype("zeros_like", dtype)
    with restated("zeros_like", x=x, dtype=dtype):
        array = np.zeros_like(as_tensor(x)._data, dtype)
    return _fixed(array, requires_grad)


def ones_like(x: TensorLike, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """Ones with the shape and dtype of x."""
    dtype = None if dtype is None else as_dtype("ones_like", dtype)
    with restated("ones_like", x=x, dtype=dtype):
        array = np.ones_like(as_tensor(x)._data, dtype)
    return _fixed(array, requires_grad)


def eye(n: int, m: int | None = None, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """The identity matrix `(n, m)`, square by default."""
    with restated("eye", n=n, m=m):
        rows = _whole("eye", "n", n)
        columns = rows if m is None else _whole("eye", "m", m)
        array = np.eye(rows, columns, dtype=as_dtype("eye", dtype))
    return _fixed(array, requires_grad)


def arange(
    start: float, end: float | None = None, step: float = 1, dtype: DTypeLike = None, requires_grad: bool = False
) -> Tensor:
    """start, start + step, … below end (from 0 if only one bound is given); int64 if all are ints, else float32.

    >>> import tensorgrad as tg
    >>> tg.arange(3), tg.arange(0.5, 2)
    (tensor([0, 1, 2]), tensor([0.5, 1.5]))
    """
    start, end = (0, start) if end is None else (start, end)
    start, end, step = [
        number("arange", name, bound) for name, bound in (("start", start), ("end", end), ("step", step))
    ]
    if step == 0:
        raise ArgumentError(restate("arange", "step is 0", start=start, end=end, step=step))
    if dtype is None and any(isinstance(k, float) for k in (start, end, step)):
        dtype = DEFAULT_FLOAT
    with restated("arange", start=start, end=end, step=step, dtype=dtype):
        array = np.arange(start, end, step, dtype)
    return _fixed(array, requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False
) -> Tensor:
    """`steps` values at even distances from start to end, both included.

    >>> import tensorgrad as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    start, end = number("linspace", "start", start), number("linspace", "end", end)
    with restated("linspace", start=start, end=end, steps=steps, dtype=dtype):
        count = _whole("linspace", "steps", steps)
        array = np.linspace(start, end, count, dtype=as_dtype("linspace", dtype))
    return _fixed(array, requires_grad)


def rand(
    *shape: Shape,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = DEFAULT_FLOAT,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform on [0, 1), of a float dtype, from the package's generator (`tg.manual_seed`) unless one is given."""
    return Tensor(_random("rand", "random", generator, shape, dtype), requires_grad)


def randn(
    *shape: Shape,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = DEFAULT_FLOAT,
    requires_grad: bool = False,
) -> Tensor:
    """Standard normal, of a float dtype, from the package's generator (`tg.manual_seed`) unless one is given."""
    return Tensor(_random("randn", "standard_normal", generator, shape, dtype), requires_grad)


def randint(low: int, high: int, shape: Shape, generator: np.random.Generator | None = None) -> Tensor:
    """Integers from low to high − 1, int64, evenly likely."""
    source = checked_generator("randint", generator)
    with restated("randint", low=low, high=high, shape=shape):
        low, high = _whole("randint", "low", low), _whole("randint", "high", high)
        return Tensor(host_call(source.integers, low, high, as_shape((shape,))))


def randperm(n: int, generator: np.random.Generator | None = None) -> Tensor:
    """The integers 0 … n − 1 in random order, int64."""
    source = checked_generator("randperm", generator)
    with restated("randperm", n=n):
        count = _whole("randperm", "n", n, minimum=0)
        return Tensor(host_call(source.permutation, count))


def _whole(call: str, name: str, value: int, minimum: int | None = None) -> int:
    return as_tuple(value, 1, op=call, name=name, minimum=minimum)[0]


def _made(call: str, maker: Callable[..., np.ndarray], shape: tuple, dtype: DTypeLike) -> np.ndarray:
    with restated(call, shape=shape, dtype=dtype):
        return maker(as_shape(shape), as_dtype(call, dtype))


def _random(call: str, law: str, generator: np.random.Generator | None, shape: tuple, dtype: DTypeLike) -> np.ndarray:
    source, dtype = checked_generator(call, generator), as_dtype(call, dtype)
    if not is_float(dtype):
        problem, fix = "the values are fractions, which this dtype can't hold", "tg.randint draws integers"
        raise DTypeError(restate(call, problem, expected="a float dtype", fix=fix, shape=shape, dtype=dtype))
    with restated(call, shape=shape, dtype=dtype):
        return host_call(_drawn, source, law, as_shape(shape), dtype)


def _drawn(generator: np.random.Generator, law: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    return getattr(generator, law)(shape).astype(dtype)


def _fixed(array: np.ndarray, requires_grad: bool) -> Tensor:
    return Tensor(array, True) if requires_grad else constant(as_array(array))
