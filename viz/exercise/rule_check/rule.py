"""The student's rule as a function from the upstream gradient, inputs and output to the gradient of each input."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.ops.operands import values
from tensorgrad.tensor import Tensor

LETTERS = ("x", "y", "w", "v")
"""How the inputs of an elementwise op are called where a local derivative asks for them by name."""

USAGE = "lambda x, z: … for ∂z/∂x of an elementwise op, one per input, or rule(upstream, *inputs, output)"

Rule = Callable[..., Any] | Sequence[Callable[..., Any] | None]


class StudentRule:
    """A rule in one of its two forms.

    Attributes:
        is_local: whether it states ∂z/∂x of an elementwise op, which is multiplied with the upstream gradient here.
        count: how many inputs it is about; None if it doesn't say.
    """

    def __init__(self, rule: Rule, required: int) -> None:
        functions = [rule] if callable(rule) else list(rule) if isinstance(rule, Sequence) else []
        if not functions or not all(f is None or callable(f) for f in functions) or functions == [None]:
            problem = "my_rule must be a function, or one per input"
            raise DTypeError(restate("check_rule", problem, fix=USAGE, my_rule=rule))
        self._functions: list[Any] = functions
        self._names = [_parameters(f) if f is not None else [] for f in functions]
        taken = self._names[0]
        # rule(upstream, x, z) takes two more than there are inputs; ∂z/∂x takes at most the inputs and z.
        self.is_local = not callable(rule) or (taken is not None and len(taken) <= required + 1)
        self.count = None if self.is_local or taken is None else len(taken) - 2

    def name(self, position: int) -> str:
        """How the rule itself calls an input."""
        names = self._names[0] if not self.is_local else ["", *LETTERS]
        return names[position + 1] if names is not None and position + 1 < len(names) else f"input {position}"

    def gradients(
        self, upstream: np.ndarray, arrays: Sequence[np.ndarray], output: np.ndarray, of: int | None = None
    ) -> list[Any]:
        """The gradient of each input, as arrays; None where the rule gives none.

        Those of local derivatives are summed to the shape of the input `of`, by default each to its own.
        """
        shapes = [array.shape if of is None else arrays[of].shape for array in arrays]
        inputs, z = [Tensor(a.copy()) for a in arrays], Tensor(output.copy())
        with no_grad(), np.errstate(all="ignore"):
            if not self.is_local:
                found = self._functions[0](Tensor(upstream.copy()), *inputs, z)
                found = list(found) if isinstance(found, tuple | list) else [found]
                return [None if g is None else np.asarray(values(g), np.float64) for g in found]
            found = [None if f is None else self._local(k, inputs, z) for k, f in enumerate(self._functions)]
        return [None if f is None else summed_to(upstream * f, shape) for f, shape in zip(found, shapes, strict=False)]

    def _local(self, position: int, inputs: list[Tensor], z: Tensor) -> np.ndarray:
        names, function = self._names[position], self._functions[position]
        by_name = dict(zip(LETTERS, inputs, strict=False)) | {"z": z}
        if names is None:
            return np.asarray(values(function(*inputs, z)), np.float64)
        if all(name in by_name for name in names):
            return np.asarray(values(function(*(by_name[name] for name in names))), np.float64)
        given = [*inputs, z]
        return np.asarray(values(function(*given[: len(names)])), np.float64)


def _parameters(function: Callable[..., Any]) -> list[str] | None:
    """The names of a function's positional parameters without defaults; None where it takes any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in by_position and p.default is p.empty]


def summed_to(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient summed over the axes along which an input of that shape was broadcast.

    >>> summed_to(np.ones((3, 4)), (4,))
    array([3., 3., 3., 3.])
    """
    lead = gradient.ndim - len(shape)
    if lead < 0:
        return gradient
    gradient = gradient.sum(axis=tuple(range(lead)))
    repeated = tuple(k for k, n in enumerate(shape) if n == 1 != gradient.shape[k])
    return gradient.sum(axis=repeated, keepdims=True)


def check_elementwise(name: str, inputs: Sequence[np.ndarray], output: np.ndarray) -> None:
    """Raise ArgumentError for an op whose result hasn't one element for each of its broadcast inputs."""
    shapes = [array.shape for array in inputs]
    try:
        elementwise = np.broadcast_shapes(*shapes) == output.shape
    except ValueError:
        elementwise = False
    if not elementwise:
        problem = f"{name} isn't elementwise, so ∂z/∂x alone isn't a rule: inputs {shapes} give {output.shape}"
        fix = "write rule(upstream, *inputs, output), which returns the gradient of each input"
        raise ArgumentError(restate("check_rule", problem, fix=fix))
