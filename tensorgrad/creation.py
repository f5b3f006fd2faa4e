"""Create tensors: from data, constants, ranges, random values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_array, as_dtype, check_device, default_float, is_float
from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import Variable, constant, host_call, observers
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate, restated
from tensorgrad.ops.operands import TensorLike, as_tensor, detached, loses_gradient, number
from tensorgrad.ops.shapes import as_shape
from tensorgrad.ops.spelling import numpy_spellings, one_or_several
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple

Shape = int | Sequence[int]


def tensor(
    data: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    name: str | None = None,
) -> Tensor:
    """A tensor with a copy of `data`.

    Args:
        data: a number, nested lists, an array or a tensor.
        dtype: by default that of an array; float32 for Python floats, int64 for Python ints.
        device: "cpu", the only one.
        requires_grad: whether `backward()` leaves a gradient in `.grad`; floats only.
        pin_memory: accepted for PyTorch's scripts, and without effect.
        name: the name in errors and drawings.

    The result is a new leaf. If `data` contains tensors that require a gradient, a warning names `clone` and `stack`,
    which keep the gradient.

    Raises:
        DTypeError: data that isn't numeric, or an integer tensor that is to require a gradient.
        ArgumentError: lists of uneven lengths; a device other than the CPU.

    >>> import tensorgrad as tg
    >>> tg.tensor([[1, 2], [3, 4]], dtype=tg.float64)
    tensor([[1., 2.],
            [3., 4.]], dtype=float64)
    """
    check_device("tensor", device)
    source = detached("tensor", data)
    if isinstance(source, Variable):
        return Tensor(host_call(as_array, source._data, dtype, True), requires_grad, name=name)
    made = Tensor(as_array(source, dtype, copy=True), requires_grad, name=name)
    if not requires_grad:
        for observer in observers():
            observer.constant_made(made)
    return made


@numpy_spellings
def zeros(
    *sizes: Shape,
    size: Shape | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor of zeros, `tg.zeros(2, 3)` or `tg.zeros((2, 3))`.

    Args:
        sizes: as `(2, 3)` or `2, 3`.
        size: the same by name.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    _check("zeros", device, ignored)
    return _constant(_made("zeros", np.zeros, one_or_several("zeros", sizes, "size", size), dtype), requires_grad)


@numpy_spellings
def ones(
    *sizes: Shape,
    size: Shape | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor of ones, `tg.ones(2, 3)` or `tg.ones((2, 3))`.

    Args:
        sizes: as `(2, 3)` or `2, 3`.
        size: the same by name.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.ones(2, dtype=tg.int64)
    tensor([1, 1])
    """
    _check("ones", device, ignored)
    return _constant(_made("ones", np.ones, one_or_several("ones", sizes, "size", size), dtype), requires_grad)


@numpy_spellings
def full(
    size: Shape,
    fill_value: float,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """A tensor filled with one value.

    Args:
        size: an int or a tuple of ints.
        fill_value: a number.
        dtype: the dtype, by default float32 for a Python float, int64 for an int, bool for a bool.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        GraphError: `fill_value` is a tensor that requires a gradient; `t.broadcast_to(size)` repeats it.

    >>> import tensorgrad as tg
    >>> tg.full((2,), 3.0)
    tensor([3., 3.])
    """
    _check("full", device, ignored)
    if loses_gradient(fill_value):
        fix = "t.broadcast_to(size) repeats it and keeps the gradient; t.detach() drops the gradient"
        problem = "fill_value requires a gradient, which would be lost"
        raise GraphError(restate("full", problem, fix=fix, fill_value=fill_value))
    with restated("full", size=size, fill_value=fill_value, dtype=dtype):
        array = np.full(as_shape((size,)), as_array(fill_value, dtype))
    return _constant(array, requires_grad)


@numpy_spellings
def zeros_like(
    input: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Zeros with the shape of the input.

    Args:
        input: a tensor or array.
        dtype: by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.zeros_like(tg.tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    _check("zeros_like", device, ignored)
    dtype = None if dtype is None else as_dtype("zeros_like", dtype)
    with restated("zeros_like", input=input, dtype=dtype):
        array = np.zeros_like(as_tensor(input)._data, dtype)
    return _constant(array, requires_grad)


@numpy_spellings
def ones_like(
    input: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Ones with the shape of the input.

    Args:
        input: a tensor or array.
        dtype: by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.ones_like(tg.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    _check("ones_like", device, ignored)
    dtype = None if dtype is None else as_dtype("ones_like", dtype)
    with restated("ones_like", input=input, dtype=dtype):
        array = np.ones_like(as_tensor(input)._data, dtype)
    return _constant(array, requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """The identity matrix `(n, m)`.

    Args:
        n: the number of rows.
        m: the number of columns, n by default.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    _check("eye", device, ignored)
    with restated("eye", n=n, m=m):
        rows = _whole("eye", "n", n)
        columns = rows if m is None else _whole("eye", "m", m)
        array = np.eye(rows, columns, dtype=_float_unless("eye", dtype))
    return _constant(array, requires_grad)


def arange(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """start, start + step, … below end; from 0 if only one bound is given.

    Args:
        start: the first value; the end, if `end` is None.
        end: the bound, not included.
        step: the distance, not 0.
        dtype: the dtype, by default int64 if all numbers are ints, else float32.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        ArgumentError: `step` is 0, or the values don't fit into memory.

    >>> import tensorgrad as tg
    >>> tg.arange(3), tg.arange(0.5, 2)
    (tensor([0, 1, 2]), tensor([0.5, 1.5]))
    """
    _check("arange", device, ignored)
    bounds = {"start": 0, "end": start} if end is None else {"start": start, "end": end}
    given = {name: number("arange", name, value) for name, value in (bounds | {"step": step}).items()}
    if dtype is not None and as_dtype("arange", dtype).kind in "iu":
        with restated("arange", **given, dtype=dtype):
            given = {name: int(value) for name, value in given.items()}
    if given["step"] == 0:
        raise ArgumentError(restate("arange", "step must not be 0", **given))
    if dtype is None and any(isinstance(value, float) for value in given.values()):
        dtype = default_float()
    with restated("arange", **given, dtype=dtype):
        array = np.arange(*given.values(), dtype=dtype)
    return _constant(array, requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """`steps` evenly spaced values from start to end, both included.

    Args:
        start: the first value.
        end: the last value.
        steps: the number of values.
        dtype: the dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    >>> import tensorgrad as tg
    >>> tg.linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    _check("linspace", device, ignored)
    start, end = number("linspace", "start", start), number("linspace", "end", end)
    with restated("linspace", start=start, end=end, steps=steps, dtype=dtype):
        count = _whole("linspace", "steps", steps, minimum=0)
        kind = _float_unless("linspace", dtype)
        array = np.linspace(start, end, count, dtype=kind) if is_float(kind) else _steps(start, end, count, kind)
    return _constant(array, requires_grad)


def _steps(start: float, end: float, count: int, dtype: np.dtype) -> np.ndarray:
    """Evenly spaced integers as PyTorch rounds them, towards 0: the ends first, then steps from the nearer end."""
    start, end = int(start), int(end)
    step, k = (end - start) / max(count - 1, 1), np.arange(count)
    return np.where(k < count / 2, start + step * k, end - step * (count - 1 - k)).astype(dtype)


@numpy_spellings
def rand(
    *sizes: Shape,
    size: Shape | None = None,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Random values, uniform on [0, 1).

    Args:
        sizes: as `(2, 3)` or `2, 3`.
        size: the same by name.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: a float dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        DTypeError: a dtype that isn't a float.

    >>> import tensorgrad as tg
    >>> x = tg.rand(1000)
    >>> x.dtype, bool((x >= 0).all()), bool((x < 1).all())
    (dtype('float32'), True, True)
    """
    _check("rand", device, ignored)
    return Tensor(
        _random("rand", "random", generator, one_or_several("rand", sizes, "size", size), dtype), requires_grad
    )


@numpy_spellings
def randn(
    *sizes: Shape,
    size: Shape | None = None,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Random values, standard normal.

    Args:
        sizes: as `(2, 3)` or `2, 3`.
        size: the same by name.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: a float dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        DTypeError: a dtype that isn't a float.

    >>> import tensorgrad as tg
    >>> tg.randn(2, 3).shape
    (2, 3)
    """
    _check("randn", device, ignored)
    return Tensor(
        _random("randn", "standard_normal", generator, one_or_several("randn", sizes, "size", size), dtype),
        requires_grad,
    )


@numpy_spellings
def randint(
    low: int,
    high: int | Sequence[int] | None = None,
    size: Shape | None = None,
    *,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Random integers, uniform on [low, high): `randint(low, high, size)`, or `randint(high, size)` from 0.

    Args:
        low: the smallest value; the bound, if only one is given.
        high: the bound, not included.
        size: a tuple of ints.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: the dtype, int64 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        ArgumentError: low ≥ high, or no size.

    >>> import tensorgrad as tg
    >>> x = tg.randint(0, 10, (1000,))
    >>> x.dtype, x.min().item(), x.max().item(), tg.randint(3, (2,)).shape
    (dtype('int64'), 0, 9, (2,))
    """
    _check("randint", device, ignored)
    if size is None and isinstance(high, (tuple, list)):  # randint(high, size)
        high, size = None, high
    if size is None:
        fix = "tg.randint(low, high, size)"
        raise ArgumentError(restate("randint", "size must be given", fix=fix, low=low, high=high))
    first, bound = (0, low) if high is None else (low, high)
    source = checked_generator("randint", generator)
    kind = np.dtype(np.int64) if dtype is None else as_dtype("randint", dtype)
    with restated("randint", low=first, high=bound, size=size):
        first, bound = _whole("randint", "low", first), _whole("randint", "high", cast(int, bound))
        return Tensor(host_call(_integers, source, first, bound, as_shape((size,)), kind), requires_grad)


def _integers(
    generator: np.random.Generator, low: int, high: int, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    return np.asarray(generator.integers(low, high, shape)).astype(dtype, copy=False)


def randperm(
    n: int,
    *,
    generator: np.random.Generator | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """The integers 0 … n − 1 in random order.

    Args:
        n: how many, ≥ 0.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: the dtype, int64 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        ArgumentError: n < 0.
        DTypeError: n isn't an int.

    >>> import tensorgrad as tg
    >>> sorted(tg.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    _check("randperm", device, ignored)
    source = checked_generator("randperm", generator)
    kind = np.dtype(np.int64) if dtype is None else as_dtype("randperm", dtype)
    with restated("randperm", n=n):
        count = _whole("randperm", "n", n, minimum=0)
        return Tensor(host_call(_permuted, source, count, kind), requires_grad)


def _permuted(generator: np.random.Generator, count: int, dtype: np.dtype) -> np.ndarray:
    return generator.permutation(count).astype(dtype, copy=False)


def _check(call: str, device: object, ignored: dict[str, object]) -> None:
    """Check the device, and that other keywords are PyTorch's."""
    check_device(call, device)
    for name in ignored:
        if name == "out":
            fix = "assign: t[...] = result"
            raise ArgumentError(restate(call, "the result can't be written into `out`", fix=fix))
        if name not in ("layout", "memory_format", "pin_memory"):
            raise DTypeError(restate(call, f"unexpected keyword argument {name!r}"))


def _float_unless(call: str, dtype: DTypeLike) -> np.dtype:
    return default_float() if dtype is None else as_dtype(call, dtype)


def _whole(call: str, name: str, value: int, minimum: int | None = None) -> int:
    return as_tuple(value, 1, op=call, name=name, minimum=minimum)[0]


def _made(call: str, maker: Callable[..., np.ndarray], shape: tuple, dtype: DTypeLike) -> np.ndarray:
    with restated(call, size=shape, dtype=dtype):
        return maker(as_shape(shape), _float_unless(call, dtype))


def _random(
    call: str, distribution: str, generator: np.random.Generator | None, shape: tuple, dtype: DTypeLike
) -> np.ndarray:
    source, dtype = checked_generator(call, generator), _float_unless(call, dtype)
    if not is_float(dtype):
        problem, fix = f"dtype must be a float dtype, got {dtype}", "tg.randint draws integers"
        raise DTypeError(restate(call, problem, fix=fix, size=shape, dtype=dtype))
    with restated(call, size=shape, dtype=dtype):
        return host_call(_drawn, source, distribution, as_shape(shape), dtype)


def _drawn(generator: np.random.Generator, distribution: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    return getattr(generator, distribution)(shape).astype(dtype)


def _constant(array: np.ndarray, requires_grad: bool) -> Tensor:
    return Tensor(array, True) if requires_grad else constant(as_array(array))
