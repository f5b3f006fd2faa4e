"""Random tensors: like another one, or drawn by the parameters in tensors. No gradient flows through a draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, is_float
from tensorgrad.arrays.random import checked_generator
from tensorgrad.autograd.engine import guard, host_call
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate, restated
from tensorgrad.ops.layout.views import broadcast_shapes
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating, number
from tensorgrad.ops.sampling.options import check_options, chosen_dtype, float_dtype, leaf
from tensorgrad.ops.shapes import as_shape
from tensorgrad.windows import as_tuple

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["bernoulli", "multinomial", "normal", "rand_like", "randint_like", "randn_like"]

Generator = np.random.Generator


def rand_like(
    input: TensorLike,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Random values with the shape of the input, uniform on [0, 1).

    Args:
        input: a tensor or array.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: a float dtype, by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        DTypeError: a dtype that isn't a float's.

    >>> import tensorgrad as tg
    >>> tg.rand_like(tg.zeros(2, 3)).shape
    (2, 3)
    """
    check_options("rand_like", device, requires_grad, ignored)
    return _like("rand_like", input, "random", generator, dtype, requires_grad)


def randn_like(
    input: TensorLike,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Random values with the shape of the input, standard normal.

    Args:
        input: a tensor or array.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: a float dtype, by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        DTypeError: a dtype that isn't a float's.

    >>> import tensorgrad as tg
    >>> tg.randn_like(tg.zeros(2, 3)).shape
    (2, 3)
    """
    check_options("randn_like", device, requires_grad, ignored)
    return _like("randn_like", input, "standard_normal", generator, dtype, requires_grad)


def _like(
    call: str, input: TensorLike, distribution: str, generator: Generator | None, dtype: DTypeLike, requires_grad: bool
) -> Tensor:
    x, source = as_tensor(input), checked_generator(call, generator)
    kind = float_dtype(call, chosen_dtype(call, dtype, x.dtype))
    return leaf(call, host_call(_standard, source, distribution, x.shape, kind), requires_grad)


def _standard(source: Generator, distribution: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.asarray(getattr(source, distribution)(shape)).astype(dtype)


def randint_like(
    input: TensorLike,
    low: int,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Random integers with the shape of the input, uniform on [low, high): `randint_like(x, high)` from 0.

    Args:
        input: a tensor or array.
        low: the smallest value; the bound, if only one is given.
        high: the bound, not included.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: the dtype, by default that of the input.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout`, `memory_format` and `pin_memory`, accepted for PyTorch's scripts.

    Raises:
        ArgumentError: low ≥ high.

    >>> import tensorgrad as tg
    >>> tg.randint_like(tg.zeros(2, 3), 10).dtype
    dtype('float32')
    """
    check_options("randint_like", device, requires_grad, ignored)
    x, source = as_tensor(input), checked_generator("randint_like", generator)
    first, bound = (0, low) if high is None else (low, high)
    (first,), (bound,) = [
        as_tuple(value, 1, op="randint_like", name=name) for name, value in (("low", first), ("high", bound))
    ]
    if first >= bound:
        raise ArgumentError(restate("randint_like", f"low must be < high, got {first} and {bound}", input=x))
    kind = chosen_dtype("randint_like", dtype, x.dtype)
    return leaf("randint_like", host_call(_integers, source, first, bound, x.shape, kind), requires_grad)


def _integers(source: Generator, low: int, high: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.asarray(source.integers(low, high, shape)).astype(dtype)


def normal(
    mean: TensorLike,
    std: TensorLike = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    **ignored: object,
) -> Tensor:
    """Normal random values, each with the mean and standard deviation that stand at its place.

    Args:
        mean: a tensor, or a number.
        std: a tensor that broadcasts with it, or a number, ≥ 0.
        size: the sizes, where mean and std are numbers.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).
        dtype: where mean and std are numbers, a float dtype, float32 by default.
        device: "cpu", the only one.
        requires_grad: whether the tensor requires a gradient.
        ignored: `layout` and `pin_memory`, accepted for PyTorch's scripts.

    No gradient flows to the parameters: `mean + std * tg.randn_like(std)` has them.

    Raises:
        ArgumentError: a negative std, or numbers without a size.

    >>> import tensorgrad as tg
    >>> tg.normal(tg.arange(3) * 1.0, 0.0), tg.normal(0.0, 1.0, (2, 3)).shape
    (tensor([0., 1., 2.]), (2, 3))
    """
    check_options("normal", device, requires_grad, ignored)
    source, numbers = checked_generator("normal", generator), not _is_array(mean) and not _is_array(std)
    if numbers != (size is not None):
        problem = "size must be given where mean and std are numbers, and only there"
        raise ArgumentError(restate("normal", problem, mean=mean, std=std, size=size))
    centre, deviation = [floating(as_tensor(x)) for x in (mean, std)]
    if not guard(_are_not_negative, deviation._data):
        raise ArgumentError(restate("normal", "std must be ≥ 0", mean=mean, std=std))
    if size is not None:
        shape, kind = as_shape((size,)), float_dtype("normal", chosen_dtype("normal", dtype))
    else:
        shape = broadcast_shapes(centre.shape, deviation.shape)
        kind = np.result_type(*[x.dtype for x, given in ((centre, mean), (deviation, std)) if _is_array(given)])
    return leaf("normal", host_call(_normal, source, centre._data, deviation._data, shape, kind), requires_grad)


def _is_array(x: Any) -> bool:
    return isinstance(x, (Variable, np.ndarray, list, tuple))


def _are_not_negative(values: np.ndarray) -> bool:
    return bool((values >= 0).all())


def _normal(
    source: Generator, mean: np.ndarray, std: np.ndarray, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    return np.asarray(mean + std * source.standard_normal(shape)).astype(dtype)


def bernoulli(input: TensorLike, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that stands at its place in the input, else 0, in the dtype of the input.

    Args:
        input: probabilities in [0, 1].
        p: one probability for all elements, in place of those.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).

    Raises:
        ArgumentError: a probability outside [0, 1]. DTypeError: probabilities that aren't floats.

    >>> import tensorgrad as tg
    >>> tg.bernoulli(tg.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    x, source = as_tensor(input), checked_generator("bernoulli", generator)
    if p is None and not is_float(x.dtype):
        raise DTypeError(restate("bernoulli", "input must hold floats", input=x))
    chances = x if p is None else as_tensor(number("bernoulli", "p", p))
    if not guard(are_chances, chances._data):
        name = "input" if p is None else "p"
        raise ArgumentError(restate("bernoulli", f"{name} must be in [0, 1]", input=x, p=p))
    return wrap(host_call(successes, source, chances._data, x.shape, x.dtype))


def are_chances(values: np.ndarray) -> bool:
    """Whether all values are probabilities."""
    return bool(((values >= 0) & (values <= 1)).all())


def successes(source: Generator, p: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """1 with the probability p, else 0."""
    return np.asarray(source.random(shape) < p).astype(dtype)


def multinomial(
    input: TensorLike, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Random positions, int64, each drawn with a probability in proportion to the weight that stands there.

    Args:
        input: weights ≥ 0, `(C,)` or one row for each draw `(N, C)`; they needn't sum to 1.
        num_samples: how many positions are drawn from each row.
        replacement: whether a position may be drawn again.
        generator: the source of random numbers, by default the package's generator (`tg.manual_seed`).

    Returns:
        A tensor `(num_samples,)` or `(N, num_samples)`.

    Raises:
        ArgumentError: negative or infinite weights, rows of zeros; without replacement, fewer weights > 0 than samples.
        ShapeError: other numbers of axes. DTypeError: weights that aren't floats.

    >>> import tensorgrad as tg
    >>> sorted(tg.multinomial(tg.tensor([0.0, 3.0, 0.0, 1.0]), 2).tolist())
    [1, 3]
    """
    x, source = as_tensor(input), checked_generator("multinomial", generator)
    (count,) = as_tuple(num_samples, 1, op="multinomial", name="num_samples", minimum=1)
    replacement = flag("multinomial", "replacement", replacement)
    if x.ndim not in (1, 2):
        raise ShapeError(restate("multinomial", "input must have one or two axes", input=x))
    if not is_float(x.dtype):
        raise DTypeError(restate("multinomial", "input must hold floats", input=x))
    if not guard(_are_weights, x._data):
        raise ArgumentError(restate("multinomial", "weights must be finite and ≥ 0, and one of a row > 0", input=x))
    if not replacement and not guard(_suffice, x._data, count):
        problem = f"each row must have {count} weights > 0 to draw as many without replacement"
        raise ArgumentError(restate("multinomial", problem, fix="pass replacement=True", input=x))
    with restated("multinomial", input=x, num_samples=num_samples):
        return wrap(host_call(_with_replacement if replacement else _without, source, x._data, count))


def _are_weights(x: np.ndarray) -> bool:
    return bool((np.isfinite(x) & (x >= 0)).all() and (x > 0).any(-1).all())


def _suffice(x: np.ndarray, count: int) -> bool:
    return bool(((x > 0).sum(-1) >= count).all())


def _with_replacement(source: Generator, x: np.ndarray, count: int) -> np.ndarray:
    """By the inverse of the cumulative distribution."""
    ends = np.cumsum(x, -1, np.float64).reshape(-1, x.shape[-1])
    draws = source.random((len(ends), count)) * ends[:, -1:]
    # side: a draw of exactly 0 belongs to the first weight > 0
    found = [np.searchsorted(row, draw, "right") for row, draw in zip(ends, draws, strict=True)]
    return np.array(found, np.int64).reshape(*x.shape[:-1], count)


def _without(source: Generator, x: np.ndarray, count: int) -> np.ndarray:
    """The first of exponential clocks that run at the rates x: Efraimidis and Spirakis, 2006."""
    with np.errstate(divide="ignore"):
        times = source.standard_exponential(x.shape) / x
    return np.argsort(times, -1, kind="stable")[..., :count].astype(np.int64)
