"""`check_rule`: a derivative rule compared with finite differences, on inputs that are found by trying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tensorgrad.arrays.differences import numeric_gradient
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.ops.operands import TensorLike, values
from tensorgrad.viz.exercise.rule_check.mistakes import Trial, close, mistake
from tensorgrad.viz.exercise.rule_check.rule import Rule, StudentRule, check_elementwise
from tensorgrad.viz.exercise.rule_check.samples import find_samples, operation, required, run
from tensorgrad.viz.format import theme

STEP = 1e-6
"""Of the central differences, in float64."""


@dataclass(frozen=True)
class WrongGradient:
    """Where a rule is wrong.

    Attributes:
        name: of the input whose gradient is wrong, as the rule calls it; "" where the rule gave no gradients at all.
        mistake: what it looks like: "twice as large", "transposed"; "" if it is none of the everyday ones.
        index: of the element that is farthest off; None where the gradient hasn't the shape of the input.
        input: that element of the input.
        given, expected: its gradient by the rule, and by finite differences.
        shape: that of the gradient which the rule gave.
        inputs: the arrays that the rule was tried on.
    """

    name: str
    mistake: str
    index: tuple[int, ...] | None = None
    input: float | None = None
    given: float | None = None
    expected: float | None = None
    shape: tuple[int, ...] = ()
    inputs: tuple[np.ndarray, ...] = ()

    @property
    def ratio(self) -> float | None:
        """`given` over `expected`; None where that isn't known, or 0."""
        return self.given / self.expected if self.given is not None and self.expected else None

    def __str__(self) -> str:
        if not self.name:
            return self.mistake
        said = f"the gradient of {self.name} is wrong" + (f": {self.mistake}" if self.mistake else "")
        if not self.shape and self.index is None:
            return said
        if self.index is None or self.input is None or self.given is None or self.expected is None:
            tried = " and ".join(str(array.shape) for array in self.inputs)
            return f"{said}\n  Tried on inputs of shape {tried}: the rule gives {self.shape}."
        place = ", ".join(map(str, self.index))
        where = f"At element [{place}], {theme.number(self.input)}," if place else f"At {theme.number(self.input)}"
        numbers = f"the rule gives {theme.number(self.given)}, finite differences give {theme.number(self.expected)}"
        ratio = "" if self.ratio is None else f", a ratio of {theme.number(self.ratio)}"
        return f"{said}\n  {where} {numbers}{ratio}."


@dataclass(frozen=True)
class RuleCheck:
    """The verdict on a derivative rule; it prints, and is true where the rule is right.

    Attributes:
        op: the name of the op.
        wrong: what is wrong, one for each input whose gradient is.
        elements: how many elements of gradients were compared.
    """

    op: str
    wrong: tuple[WrongGradient, ...]
    elements: int

    def __bool__(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        if not self.wrong:
            return f"{self.op}: right. It agrees with finite differences at {self.elements} elements."
        return "\n".join(f"{self.op}: {wrong}" for wrong in self.wrong)

    __repr__ = __str__


def check_rule(
    op: str | Callable[..., Any], my_rule: Rule, inputs: Sequence[TensorLike] | None = None, *, seed: int = 0
) -> RuleCheck:
    """Check a derivative rule that somebody has written, against central differences of the op in float64.

    A rule has one of two forms:

    - of an elementwise op the local derivative ∂z/∂x, a function of any of `x` (and `y`, … for further inputs) and `z`,
      the output: `lambda x, z: z * (1 - z)`. For several inputs a list of such functions;
    - of any op a function `rule(upstream, *inputs, output)` that returns the gradient of each input, in their order,
      None for inputs without one, such as labels.

    It is called with float64 tensors, and may use NumPy too. The upstream gradient is random.

    Args:
        op: the name of a function of tg, or any function of tensors that returns one tensor.
        my_rule: the rule.
        inputs: arrays to try it on; by default shapes and numbers are tried until the op runs and its result is finite.
        seed: of the numbers.

    Returns:
        The verdict: true if the rule is right. Else it says where and by how much it is wrong, and names everyday
        mistakes: a wrong sign or factor, a transposed matrix, a missing sum over a broadcast axis, a missing upstream
        gradient, exchanged inputs, the input in place of the output.

    Raises:
        DTypeError: `op` is neither a name nor a function, or `my_rule` no function.
        ArgumentError: tg has no such function; no inputs were found; the rule is a local derivative, but the op isn't
            elementwise; the op gives another result at each call.

    >>> import tensorgrad as tg
    >>> tg.viz.check_rule("sigmoid", lambda x, z: z * (1 - z))
    sigmoid: right. It agrees with finite differences at 36 elements.
    >>> tg.viz.check_rule("square", lambda x: x)
    square: the gradient of x is wrong: half as large
      At element [2, 1], 1.74, the rule gives 3.311, finite differences give 6.622, a ratio of 0.5.
    >>> verdict = tg.viz.check_rule("matmul", lambda g, x, y, z: (g @ y.T, g.T @ x))
    >>> verdict
    matmul: the gradient of y is wrong: transposed
      Tried on inputs of shape (3, 4) and (4, 2): the rule gives (2, 4).
    >>> bool(verdict)
    False
    """
    name, function = operation(op)
    count = required(function) if inputs is None else len(inputs)
    rule = StudentRule(my_rule, count)
    if inputs is None:
        samples = find_samples(name, function, rule.count or count, seed)
    else:
        samples = [[_wide(array) for array in inputs]]
    elements = 0
    for k, arrays in enumerate(samples):
        wrong, compared = _compare(name, function, rule, arrays, np.random.default_rng([seed, k]))
        elements += compared
        if wrong:
            return RuleCheck(name, tuple(wrong), elements)
    return RuleCheck(name, (), elements)


def _wide(array: TensorLike) -> np.ndarray:
    array = np.asarray(values(array))
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _compare(
    name: str, function: Callable[..., Any], rule: StudentRule, arrays: list[np.ndarray], rng: np.random.Generator
) -> tuple[list[WrongGradient], int]:
    """What is wrong on these inputs, and how many elements were compared."""
    output = run(function, arrays)
    if not np.array_equal(output, run(function, arrays), equal_nan=True):
        problem = f"{name} must give the same for the same inputs"
        raise ArgumentError(restate("check_rule", problem, fix="seed it inside: lambda x: … generator=0"))
    if rule.is_local:
        check_elementwise(name, arrays, output)
    upstream = rng.uniform(0.5, 2.0, output.shape) * rng.choice([-1.0, 1.0], output.shape)
    expected = _gradients(function, arrays, upstream)
    try:
        given = rule.gradients(upstream, arrays, output)
    except Exception as error:  # whatever the rule raises is its author's to read
        shapes = ", ".join(str(array.shape) for array in arrays)
        said = f"the rule raised {type(error).__name__} for inputs of shapes {shapes}: {str(error).splitlines()[0]}"
        return [WrongGradient("", said, inputs=tuple(arrays))], 0
    if len(given) != len(arrays):
        said = f"the rule must return {len(arrays)} gradients, one per input, got {len(given)}"
        return [WrongGradient("", said, inputs=tuple(arrays))], 0
    wrong = []
    for position, (mine, right) in enumerate(zip(given, expected, strict=True)):
        if right is not None and not close(mine, right):
            wrong.append(_wrong(mine, position, arrays, output, upstream, expected, rule))
    return wrong, sum(right.size for right in expected if right is not None)


def _gradients(function: Callable[..., Any], arrays: list[np.ndarray], upstream: np.ndarray) -> list[np.ndarray | None]:
    """The gradient of each input of floats, by central differences."""

    def moved(position: int, x: np.ndarray) -> float:
        return float(np.vdot(upstream, run(function, [*arrays[:position], x, *arrays[position + 1 :]])))

    return [
        numeric_gradient(partial(moved, k), array, STEP) if array.dtype.kind == "f" else None
        for k, array in enumerate(arrays)
    ]


def _wrong(
    mine: np.ndarray | None,
    position: int,
    arrays: list[np.ndarray],
    output: np.ndarray,
    upstream: np.ndarray,
    expected: list[np.ndarray | None],
    rule: StudentRule,
) -> WrongGradient:
    right = expected[position]
    assert right is not None
    if mine is None:
        return WrongGradient(rule.name(position), "the rule gave None", inputs=tuple(arrays))
    said = mistake(Trial(mine, right, position, arrays, output, upstream, expected, rule))
    if mine.shape != right.shape:
        return WrongGradient(rule.name(position), said, shape=mine.shape, inputs=tuple(arrays))
    errors = np.where(np.isfinite(mine), np.abs(mine - right), np.inf)
    index = tuple(int(k) for k in np.unravel_index(int(np.argmax(errors)), errors.shape))
    x = float(arrays[position][index])
    return WrongGradient(
        rule.name(position), said, index, x, float(mine[index]), float(right[index]), mine.shape, tuple(arrays)
    )
