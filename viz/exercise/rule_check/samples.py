"""Inputs to try an op on: shapes and numbers with which it runs, found by trying."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.ops.operands import values
from tensorgrad.tensor import Tensor

LABELS = "labels"
"""Stands for class labels, whole numbers from 0 to 2, in place of a shape."""

SHAPES: dict[int, tuple[tuple[Any, ...], ...]] = {
    1: (((3, 4),), ((3, 3),), ((2, 3, 7),), ((2, 3, 6, 5),), ((5,),), ((2, 2, 4, 5, 4),)),
    2: (
        *(((3, 4), (4, 2)), ((3, 4), (2, 4)), ((2, 3, 7), (4, 3, 3)), ((2, 3, 6, 5), (4, 3, 3, 2)), ((4, 3), LABELS)),
        *(((3, 4), (4,)), ((3, 4), (3, 4)), ((3, 3), (3, 2)), ((5,), (5,)), (LABELS, (5, 3)), ((2, 3, 4), (2, 4, 2))),
        *(((2, 3, 7), (3, 4, 3)), ((2, 3, 6, 5), (3, 4, 3, 2)), ((1, 2, 4, 5, 4), (3, 2, 2, 3, 2))),
    ),
    3: (
        *(((3, 4), (2, 4), (2,)), ((2, 3, 7), (4, 3, 3), (4,)), ((2, 3, 6, 5), (4, 3, 3, 2), (4,))),
        *(((3, 2), (3, 4), (4, 2)), ((3, 4), (3, 5), (2, 4, 5)), ((2, 3, 5), (2, 3, 4), (2, 4, 5))),
        *(((3,), (3, 4), (4,)), ((3, 4), (3,), (4,)), ((3, 5), (2, 3, 4), (2, 4, 5))),
        *(((3, 4), (4,), (3, 1)), ((3, 4), (4,), (4,)), ((3, 4), (3, 4), (3, 4))),
    ),
    4: (((3, 4), (4,), (3, 1), (3, 4)), ((3, 4), (3, 4), (3, 4), (3, 4))),
}
"""Shapes to try, by the number of inputs: those that few ops take come first, so that a product isn't tried on vectors.
Sizes differ, so that an axis that is taken for another is noticed."""

RANGES = ((-2.0, 2.0), (-0.9, 0.9), (0.2, 0.9), (1.1, 3.0), (-7.0, 7.0))
"""Where numbers are drawn from, until the results are finite: logarithms and roots need positive numbers."""

SAMPLES = 3
"""How many sets of inputs a rule is tried on."""


def operation(op: str | Callable[..., Any]) -> tuple[str, Callable[..., Any]]:
    """The name and the function of an op that is given by name, or as a function of tensors.

    >>> operation("sigmoid")[0]
    'sigmoid'
    """
    if callable(op):
        return getattr(op, "__name__", type(op).__name__), op
    if not isinstance(op, str):
        fix = 'pass "sigmoid", tg.sigmoid or a function of tensors'
        raise DTypeError(restate("check_rule", f"op must be a name or a function, got {op!r}", fix=fix))
    function = getattr(importlib.import_module("tensorgrad"), op, None)
    if not callable(function) or isinstance(function, type):
        fix = "pass the function itself, such as tg.nn.functional.silu, or lambda x: x * x.sigmoid()"
        raise ArgumentError(restate("check_rule", f"op must be the name of a function of tg, got {op!r}", fix=fix))
    return op, function


def required(function: Callable[..., Any]) -> int:
    """How many arguments without defaults a function takes by position; 1 where it doesn't say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in by_position and p.default is p.empty for p in parameters) or 1


def run(function: Callable[..., Any], arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The op's result on arrays, without recording."""
    with no_grad(), np.errstate(all="ignore"):
        return np.asarray(values(function(*(Tensor(array.copy()) for array in arrays))))


def find_samples(name: str, function: Callable[..., Any], count: int, seed: int) -> list[list[np.ndarray]]:
    """Sets of inputs on which the op runs and gives finite floats.

    Raises:
        ArgumentError: none of the shapes and ranges will do.
    """
    found = list(islice(_runs(function, count, seed), SAMPLES))
    if not found:
        shapes = ", ".join(str(shapes) for shapes in SHAPES.get(count, ())[:4])
        problem = f"found no inputs for {name}: tried {count} float64 inputs of the shapes {shapes}, …"
        fix = "pass some: check_rule(op, rule, inputs=[x, w]); fix other arguments: lambda x: tg.max_pool2d(x, 2)"
        raise ArgumentError(restate("check_rule", problem, fix=fix))
    return found


def _runs(function: Callable[..., Any], count: int, seed: int) -> Iterator[list[np.ndarray]]:
    """Inputs of the first shapes that will do, with numbers of every range that will."""
    rng = np.random.default_rng(seed)
    for shapes in SHAPES.get(count, ()):
        fits = False
        for low, high in RANGES:
            arrays = [rng.integers(0, 3, 4) if shape == LABELS else rng.uniform(low, high, shape) for shape in shapes]
            try:
                output = run(function, arrays)
            except Exception:  # an op that doesn't take these inputs may raise anything
                break
            if output.dtype.kind == "f" and output.size and np.isfinite(output).all():
                fits = True
                yield arrays
        if fits:
            return
