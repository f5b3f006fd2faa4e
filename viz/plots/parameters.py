"""The parameters that a plot varies: found in whatever holds them, changed, and restored bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.tensor import Tensor


def named(call: str, holder: Any) -> dict[str, Tensor]:
    """The parameters by name.

    Args:
        call: the function that an error names.
        holder: a tensor; a mapping of tensors by name; an object with `named_parameters()`, such as a module or an
            optimizer; or several tensors, which keep their own names.

    Raises:
        DTypeError: `holder` is something else, or holds tensors that aren't of floats.
        ArgumentError: there are no parameters, or one occurs twice.
    """
    found = holder
    if callable(getattr(holder, "named_parameters", None)):
        found = holder.named_parameters()
    elif isinstance(holder, Tensor):
        found = [holder]
    if not isinstance(found, Iterable):
        expected = "a module, a mapping of tensors by name, or tensors"
        raise DTypeError(restate(call, "parameters must be tensors", expected=expected, parameters=holder))
    pairs = list(found.items()) if isinstance(found, Mapping) else list(found)
    if not all(isinstance(pair, tuple) for pair in pairs):
        pairs = [(getattr(p, "name", None) or f"parameter {k}", p) for k, p in enumerate(pairs)]
    for name, parameter in pairs:
        if not isinstance(parameter, Tensor) or not is_float(parameter.dtype):
            problem = f"parameters must be tensors of floats, {name!r} isn't"
            raise DTypeError(restate(call, problem, parameter=parameter))
    if not pairs:
        raise ArgumentError(restate(call, "parameters must not be empty", parameters=holder))
    for what, keys in (("names", {name for name, _ in pairs}), ("tensors", {id(p) for _, p in pairs})):
        if len(keys) < len(pairs):
            problem = f"parameters must have different {what}, two are the same"
            raise ArgumentError(restate(call, problem, parameters=holder))
    return dict(pairs)


def flat(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """All values in one float64 vector `(P,)`."""
    return np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])


@contextmanager
def restored(call: str, parameters: Iterable[Tensor]) -> Iterator[None]:
    """Restore values and gradients bit for bit at the end, also after an error.

    Inside, values are written into the parameters' memory by `write`: their versions don't change, so that backward
    still works on a graph that was recorded before.

    Raises ArgumentError for a parameter in read-only memory.
    """
    parameters = list(parameters)
    for parameter in parameters:
        if not parameter.data.flags.writeable:
            problem = "a parameter's memory must be writeable, got read-only memory"
            fix = "copy it: tg.tensor(array, requires_grad=True)"
            raise ArgumentError(restate(call, problem, fix=fix, parameter=parameter))
    saved = [(p, p._data, p.data.copy(), p.grad, None if p.grad is None else p.grad.data.copy()) for p in parameters]
    try:
        yield
    finally:
        for parameter, data, values, grad, slopes in saved:
            data[...] = values
            if parameter._data is not data:
                parameter.data = data
            parameter.grad = grad
            if grad is not None:
                grad.data[...] = slopes


def shaped(vector: np.ndarray, parameters: Iterable[Tensor]) -> Iterator[np.ndarray]:
    """The values of a vector `(P,)` as arrays like the parameters, in their order: the inverse of `flat`."""
    start = 0
    for parameter in parameters:
        stop = start + parameter.numel()
        # (p,) -> the parameter's shape
        yield vector[start:stop].reshape(parameter.shape)
        start = stop


def write(parameters: Sequence[Tensor], vector: np.ndarray) -> None:
    """Put the values of a vector `(P,)` into the parameters, in their order."""
    for parameter, values in zip(parameters, shaped(vector, parameters), strict=True):
        parameter.data[...] = values


def scalar(call: str, cost: Any) -> float:
    """The value of `cost()` as a number. Raises DTypeError unless it returns a single number."""
    value = cost()
    if np.size(value) != 1 or not isinstance(value, Tensor | float | int | np.number | np.ndarray):
        expected = "a scalar, such as nn.cross_entropy(model(images), labels)"
        raise DTypeError(restate(call, "cost() must return one number", expected=expected, value=value))
    return float(value.item() if hasattr(value, "item") else value)


def check_cost(call: str, cost: Any) -> None:
    """Raise DTypeError unless `cost` can be called."""
    if not callable(cost):
        fix = "pass a function without arguments: lambda: loss(model(images), labels)"
        raise DTypeError(restate(call, "cost must be a function", fix=fix, cost=cost))
