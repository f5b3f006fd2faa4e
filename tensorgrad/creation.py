"""Create tensors: from data, constants, ranges, random values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tensorgrad.arrays.dtypes import DEFAULT_FLOAT, DTypeLike, as_array, as_dtype, is_float
from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import Variable, constant, host_call, observers
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate, restated
from tensorgrad.ops.operands import TensorLike, as_tensor, detached, loses_gradient, number
from tensorgrad.ops.shapes import as_shape
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple

Shape = int | Sequence[int]


def tensor(data: TensorLike, dtype: DTypeLike = None, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """A tensor with a copy of `data`.

    Args:
        data: a number, nested lists, an array or a tensor.
        dtype: by default that of an array; float32 for Python floats, int64 for Python ints.
        requires_grad: whether `backward()` leaves a gradient in `.grad`; floats only.
        name: the name in errors and drawings.

    The result is a new leaf. If `data` contains tensors that require a gradient, a warning names `clone` and `stack`,
    which keep the gradient.

    Raises:
        DTypeError: data that isn't numeric, or an integer tensor that is to require a gradient.
        ArgumentError: lists of uneven lengths.

    >>> import tensorgrad as tg
    >>> tg.tensor([[1, 2], [3, 4]], dtype="float64")
    tensor([[1., 2.],
            [3., 4.]], dtype=float64)
    """
    source = detached("tensor", data)
    if isinstance(source, Variable):
        return Tensor(host_call(as_array, source._data, dtype, True), requires_grad, name=name)
    made = Tensor(as_array(source, dtype, copy=True), requires_grad, name=name)
    if not requires_grad:
        for observer in observers():
            observer.constant_made(made)
    return made


def zeros(*shape: Shape, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros, `tg.zeros(2, 3)` or `tg.zeros((2, 3))`.

    Args:
        shape: the sizes, as `(2, 3)` or `2, 3`.
        dtype: the dtype, float32 by default.
        requires_grad: whether the tensor requires a gradient.

    >>> import tensorgrad as tg
    >>> tg.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _constant(_made("zeros", np.zeros, shape, dtype), requires_grad)


def ones(*shape: Shape, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """A tensor of ones, `tg.ones(2, 3)` or `tg.ones((2, 3))`.

    Args:
        shape: the sizes, as `(2, 3)` or `2, 3`.
        dtype: the dtype, float32 by default.
        requires_grad: whether the tensor requires a gradient.

    >>> import tensorgrad as tg
    >>> tg.ones(2, dtype="int64")
    tensor([1, 1])
    """
    return _constant(_made("ones", np.ones, shape, dtype), requires_grad)


def full(shape: Shape, value: float, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with one value.

    Args:
        shape: an int or a tuple of ints.
        value: a number.
        dtype: by default float32 for a Python float, int64 for an int.
        requires_grad: whether the tensor requires a gradient.

    Raises:
        GraphError: `value` is a tensor that requires a gradient; `t.broadcast_to(shape)` repeats it.

    >>> import tensorgrad as tg
    >>> tg.full((2,), 3.0)
    tensor([3., 3.])
    """
    if loses_gradient(value):
        fix = "t.broadcast_to(shape) repeats it and keeps the gradient; t.detach() drops the gradient"
        raise GraphError(restate("full", "value requires a gradient, which would be lost", fix=fix, value=value))
    with restated("full", shape=shape, value=value, dtype=dtype):
        array = np.full(as_shape((shape,)), as_array(value, dtype))
    return _constant(array, requires_grad)


def zeros_like(x: TensorLike, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """Zeros with the shape of x.

    Args:
        x: a tensor or array.
        dtype: by default that of x.
        requires_grad: whether the tensor requires a gradient.

    >>> import tensorgrad as tg
    >>> tg.zeros_like(tg.tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    dtype = None if dtype is None else as_dtype("zeros_like", dtype)
    with restated("zeros_like", x=x, dtype=dtype):
        array = np.zeros_like(as_tensor(x)._data, dtype)
    return _constant(array, requires_grad)


def ones_like(x: TensorLike, dtype: DTypeLike = None, requires_grad: bool = False) -> Tensor:
    """Ones with the shape of x.

    Args:
        x: a tensor or array.
        dtype: by default that of x.
        requires_grad: whether the tensor requires a gradient.

    >>> import tensorgrad as tg
    >>> tg.ones_like(tg.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    dtype = None if dtype is None else as_dtype("ones_like", dtype)
    with restated("ones_like", x=x, dtype=dtype):
        array = np.ones_like(as_tensor(x)._data, dtype)
    return _constant(array, requires_grad)


def eye(n: int, m: int | None = None, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False) -> Tensor:
    """The identity matrix `(n, m)`.

    Args:
        n: the number of rows.
        m: the number of columns, n by default.
        dtype: the dtype, float32 by default.
        requires_grad: whether the tensor requires a gradient.

    >>> import tensorgrad as tg
    >>> tg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    with restated("eye", n=n, m=m):
        rows = _whole("eye", "n", n)
        columns = rows if m is None else _whole("eye", "m", m)
        array = np.eye(rows, columns, dtype=as_dtype("eye", dtype))
    return _constant(array, requires_grad)


def arange(
    start: float, end: float | None = None, step: float = 1, dtype: DTypeLike = None, requires_grad: bool = False
) -> Tensor:
    """start, start + step, … below end; from 0 if only one bound is given.

    Args:
        start: the first value; the end, if `end` is None.
        end: the bound, not included.
        step: the distance, not 0.
        dtype: by default int64 if all numbers are ints, else float32.
        requires_grad: whether the tensor requires a gradient.

    Raises:
        ArgumentError: `step` is 0, or the values don't fit into memory.

    >>> import tensorgrad as tg
    >>> tg.arange(3), tg.arange(0.5, 2)
    (tensor([0, 1, 2]), tensor([0.5, 1.5]))
    """
    bounds = {"start": 0, "end": start} if end is None else {"start": start, "end": end}
    given = {name: number("arange", name, value) for name, value in (bounds | {"step": step}).items()}
    if given["step"] == 0:
        raise ArgumentError(restate("arange", "step must not be 0", **given))
    if dtype is None and any(isinstance(value, float) for value in given.values()):
        dtype = DEFAULT_FLOAT
    with restated("arange", **given, dtype=dtype):
        array = np.arange(*given.values(), dtype=dtype)
    return _constant(array, requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: DTypeLike = DEFAULT_FLOAT, requires_grad: bool = False
) -> Tensor:
    """`steps` evenly spaced values from start to end, both included.

    Args:
        start: the first value.
        end: the last value.
        steps: the number of values.
        dtype: the dtype, float32 by default.
        requires_grad: whether the tensor requires a gradient.

    >>> import tensorgrad as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    start, end = number("linspace", "start", start), number("linspace", "end", end)
    with restated("linspace", start=start, end=end, steps=steps, dtype=dtype):
        count = _whole("linspace", "steps", steps)
        array = np.linspace(start, end, count, dtype=as_dtype("linspace", dtype))
    return _constant(array, requires_grad)


def rand(
    *shape: Shape,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = DEFAULT_FLOAT,
    requires_grad: bool = False,
) -> Tensor:
    """Random values, uniform on [0, 1).

    Args:
        shape: the sizes, as `(2, 3)` or `2, 3`.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: a float dtype.
        requires_grad: whether the tensor requires a gradient.

    Raises:
        DTypeError: a dtype that isn't a float.

    >>> import tensorgrad as tg
    >>> x = tg.rand(1000)
    >>> x.dtype, bool((x >= 0).all()), bool((x < 1).all())
    (dtype('float32'), True, True)
    """
    return Tensor(_random("rand", "random", generator, shape, dtype), requires_grad)


def randn(
    *shape: Shape,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = DEFAULT_FLOAT,
    requires_grad: bool = False,
) -> Tensor:
    """Random values, standard normal.

    Args:
        shape: the sizes, as `(2, 3)` or `2, 3`.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: a float dtype.
        requires_grad: whether the tensor requires a gradient.

    Raises:
        DTypeError: a dtype that isn't a float.

    >>> import tensorgrad as tg
    >>> tg.randn(2, 3).shape
    (2, 3)
    """
    return Tensor(_random("randn", "standard_normal", generator, shape, dtype), requires_grad)


def randint(low: int, high: int, shape: Shape, generator: np.random.Generator | None = None) -> Tensor:
    """Random integers, uniform on [low, high), int64.

    Args:
        low: the smallest value.
        high: the bound, not included.
        shape: an int or a tuple of ints.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).

    Raises:
        ArgumentError: low ≥ high.

    >>> import tensorgrad as tg
    >>> x = tg.randint(0, 10, (1000,))
    >>> x.dtype, x.min().item(), x.max().item()
    (dtype('int64'), 0, 9)
    """
    source = checked_generator("randint", generator)
    with restated("randint", low=low, high=high, shape=shape):
        low, high = _whole("randint", "low", low), _whole("randint", "high", high)
        return Tensor(host_call(source.integers, low, high, as_shape((shape,))))


def randperm(n: int, generator: np.random.Generator | None = None) -> Tensor:
    """The integers 0 … n − 1 in random order, int64.

    Args:
        n: how many, ≥ 0.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).

    Raises:
        ArgumentError: n < 0.
        DTypeError: n isn't an int.

    >>> import tensorgrad as tg
    >>> sorted(tg.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    source = checked_generator("randperm", generator)
    with restated("randperm", n=n):
        count = _whole("randperm", "n", n, minimum=0)
        return Tensor(host_call(source.permutation, count))


def _whole(call: str, name: str, value: int, minimum: int | None = None) -> int:
    return as_tuple(value, 1, op=call, name=name, minimum=minimum)[0]


def _made(call: str, maker: Callable[..., np.ndarray], shape: tuple, dtype: DTypeLike) -> np.ndarray:
    with restated(call, shape=shape, dtype=dtype):
        return maker(as_shape(shape), as_dtype(call, dtype))


def _random(
    call: str, distribution: str, generator: np.random.Generator | None, shape: tuple, dtype: DTypeLike
) -> np.ndarray:
    source, dtype = checked_generator(call, generator), as_dtype(call, dtype)
    if not is_float(dtype):
        problem, fix = f"dtype must be a float dtype, got {dtype}", "tg.randint draws integers"
        raise DTypeError(restate(call, problem, fix=fix, shape=shape, dtype=dtype))
    with restated(call, shape=shape, dtype=dtype):
        return host_call(_drawn, source, distribution, as_shape(shape), dtype)


def _drawn(generator: np.random.Generator, distribution: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    return getattr(generator, distribution)(shape).astype(dtype)


def _constant(array: np.ndarray, requires_grad: bool) -> Tensor:
    return Tensor(array, True) if requires_grad else constant(as_array(array))
