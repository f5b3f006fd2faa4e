"""The parameters that a plot looks at: found in whatever holds them, moved about, and put back to the bit."""

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
        call: whose error it would be.
        holder: a tensor; a mapping of tensors by name; whatever has `named_parameters()`, such as a module or an
            optimizer; or several tensors, called by their own names.

    Raises:
        DTypeError: something else, or tensors that aren't floats. ArgumentError: none, the same one twice.
    """
    found = holder
    if callable(getattr(holder, "named_parameters", None)):
        found = holder.named_parameters()
    elif isinstance(holder, Tensor):
        found = [holder]
    if not isinstance(found, Iterable):
        expected = "a module, a mapping of tensors by name, or tensors"
        raise DTypeError(restate(call, "no parameters", expected=expected, parameters=holder))
    pairs = list(found.items()) if isinstance(found, Mapping) else list(found)
    if not all(isinstance(pair, tuple) for pair in pairs):
        pairs = [(getattr(p, "name", None) or f"parameter {k}", p) for k, p in enumerate(pairs)]
    for name, parameter in pairs:
        if not isinstance(parameter, Tensor) or not is_float(parameter.dtype):
            problem = f"{name!r} is no tensor of floats"
            raise DTypeError(restate(call, problem, parameter=parameter))
    if not pairs:
        raise ArgumentError(restate(call, "there are no parameters", parameters=holder))
    for what, keys in (("names", {name for name, _ in pairs}), ("tensors", {id(p) for _, p in pairs})):
        if len(keys) < len(pairs):
            raise ArgumentError(restate(call, f"two parameters are the same, by their {what}", parameters=holder))
    return dict(pairs)


def flat(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """All values in one float64 vector `(P,)`."""
    return np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])


@contextmanager
def restored(call: str, parameters: Iterable[Tensor]) -> Iterator[None]:
    """Afterwards, values and gradients are to the bit what they were, whatever happened inside.

    Values are to be written straight into the parameters' memory, `write`: their versions don't change, so that a graph
    recorded before can still be walked back afterwards.

    Raises ArgumentError for a parameter in read-only memory.
    """
    parameters = list(parameters)
    for parameter in parameters:
        if not parameter.data.flags.writeable:
            fix = "make it of a copy: tg.tensor(array, requires_grad=True)"
            raise ArgumentError(restate(call, "the parameter's memory is read-only", fix=fix, parameter=parameter))
    saved = [(p, p.data, p.data.copy(), p.grad, None if p.grad is None else p.grad.data.copy()) for p in parameters]
    try:
        yield
    finally:
        for parameter, data, values, grad, slopes in saved:
            data[...] = values
            if parameter.data is not data:
                parameter.data = data
            parameter.grad = grad
            if grad is not None:
                grad.data[...] = slopes


def shaped(vector: np.ndarray, parameters: Iterable[Tensor]) -> Iterator[np.ndarray]:
    """The values of a vector `(P,)` as arrays like the parameters, in their order: what `flat` made one."""
    start = 0
    for parameter in parameters:
        stop = start + parameter.size
        # (p,) -> the parameter's shape
        yield vector[start:stop].reshape(parameter.shape)
        start = stop


def write(parameters: Sequence[Tensor], vector: np.ndarray) -> None:
    """Put the values of a vector `(P,)` into the parameters, in their order."""
    for parameter, values in zip(parameters, shaped(vector, parameters), strict=True):
        parameter.data[...] = values


def scalar(call: str, cost: Any) -> float:
    """What `cost()` computes, as a number. Raises DTypeError unless it is callable and gives a single number."""
    value = cost()
    if np.size(value) != 1 or not isinstance(value, Tensor | float | int | np.number | np.ndarray):
        expected = "a scalar, such as nn.cross_entropy(model(images), labels)"
        raise DTypeError(restate(call, "cost() must give one number", expected=expected, value=value))
    return float(value.item() if hasattr(value, "item") else value)


def check_cost(call: str, cost: Any) -> None:
    """Raise DTypeError unless `cost` can be called."""
    if not callable(cost):
        fix = "pass a function without arguments: lambda: loss(model(images), labels)"
        raise DTypeError(restate(call, "cost can't be called", fix=fix, cost=cost))
