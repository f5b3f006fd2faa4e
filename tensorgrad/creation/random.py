"""Random tensors: `tg.rand`, `tg.randn`, `tg.randint`, `tg.randperm`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, is_float
from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import host_call
from tensorgrad.creation.options import Shape, float_unless, whole
from tensorgrad.errors import ArgumentError, DTypeError, restate, restated
from tensorgrad.ops.sampling.options import check_options
from tensorgrad.ops.shapes import as_shape
from tensorgrad.ops.spelling import numpy_spellings, one_or_several
from tensorgrad.tensor import Tensor


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
    check_options("rand", device, requires_grad, ignored)
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
    check_options("randn", device, requires_grad, ignored)
    return Tensor(
        _random("randn", "standard_normal", generator, one_or_several("randn", sizes, "size", size), dtype),
        requires_grad,
    )


def _random(
    call: str, distribution: str, generator: np.random.Generator | None, shape: tuple, dtype: DTypeLike
) -> np.ndarray:
    source, dtype = checked_generator(call, generator), float_unless(call, dtype)
    if not is_float(dtype):
        problem, fix = f"dtype must be a float dtype, got {dtype}", "tg.randint draws integers"
        raise DTypeError(restate(call, problem, fix=fix, size=shape, dtype=dtype))
    with restated(call, size=shape, dtype=dtype):
        return host_call(_drawn, source, distribution, as_shape(shape), dtype)


def _drawn(generator: np.random.Generator, distribution: str, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    return getattr(generator, distribution)(shape).astype(dtype)


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
    check_options("randint", device, requires_grad, ignored)
    if size is None and isinstance(high, (tuple, list)):  # randint(high, size)
        high, size = None, high
    if size is None:
        fix = "tg.randint(low, high, size)"
        raise ArgumentError(restate("randint", "size must be given", fix=fix, low=low, high=high))
    first, bound = (0, low) if high is None else (low, high)
    source = checked_generator("randint", generator)
    kind = np.dtype(np.int64) if dtype is None else as_dtype("randint", dtype)
    with restated("randint", low=first, high=bound, size=size):
        first, bound = whole("randint", "low", first), whole("randint", "high", cast(int, bound))
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
    check_options("randperm", device, requires_grad, ignored)
    source = checked_generator("randperm", generator)
    kind = np.dtype(np.int64) if dtype is None else as_dtype("randperm", dtype)
    with restated("randperm", n=n):
        count = whole("randperm", "n", n, minimum=0)
        return Tensor(host_call(_permuted, source, count, kind), requires_grad)


def _permuted(generator: np.random.Generator, count: int, dtype: np.dtype) -> np.ndarray:
    return generator.permutation(count).astype(dtype, copy=False)
