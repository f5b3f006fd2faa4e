"""Everyday mistakes in a derivative rule, recognised from the numbers that it gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.viz.exercise.rule_check.rule import StudentRule, summed_to
from tensorgrad.viz.format import theme

TOLERANCE = 1e-5
"""The largest error of a gradient, relative to the largest element, that counts as right: finite differences round."""

NAMES = {2.0: "twice as large", 0.5: "half as large"}


@dataclass(frozen=True)
class Trial:
    """A gradient that a rule gave, beside the right one.

    Attributes:
        given: what the rule gave for the input at `position`.
        expected: the gradient by finite differences.
        position: of the input.
        inputs, output, upstream: what the rule was given.
        gradients: the right gradients of all inputs; None of those that have none.
        rule: the student's.
    """

    given: np.ndarray
    expected: np.ndarray
    position: int
    inputs: Sequence[np.ndarray]
    output: np.ndarray
    upstream: np.ndarray
    gradients: Sequence[np.ndarray | None]
    rule: StudentRule

    def matches(self, gradient: Any) -> bool:
        """Whether a gradient is the right one."""
        return close(gradient, self.expected)

    def again(self, upstream: np.ndarray, inputs: Sequence[np.ndarray], output: np.ndarray) -> np.ndarray | None:
        """What the rule gives for other arrays; None where it fails."""
        try:
            return self.rule.gradients(upstream, inputs, output)[self.position]
        except Exception:  # a rule may raise anything
            return None


def close(given: Any, expected: np.ndarray) -> bool:
    """Whether a gradient has the right shape, and is right up to rounding."""
    if given is None or given.shape != expected.shape:
        return False
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return bool((np.abs(given - expected) <= TOLERANCE * scale).all())


def mistake(trial: Trial) -> str:
    """What the mistake looks like; "" where it is none that is known."""
    with np.errstate(all="ignore"):
        found = (find(trial) for find in (_SHAPES if trial.given.shape != trial.expected.shape else _NUMBERS))
        return next((said for said in found if said), "")


# -------------------------------------------------------------------------------------------------------------- shapes


def _transposed(trial: Trial) -> str:
    return "transposed" if trial.given.ndim >= 2 and trial.matches(np.swapaxes(trial.given, -1, -2)) else ""


def _not_summed(trial: Trial) -> str:
    shape = trial.expected.shape
    if trial.given.ndim < len(shape) or not trial.matches(summed_to(trial.given, shape)):
        return ""
    lead = trial.given.ndim - len(shape)
    axes = [k for k, n in enumerate(trial.given.shape) if k < lead or shape[k - lead] != n]
    named = f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"
    return f"not summed over the broadcast {named}: sum({axes[0] if len(axes) == 1 else tuple(axes)})"


def _without_axes(trial: Trial) -> str:
    same = trial.given.size == trial.expected.size and trial.matches(trial.given.reshape(trial.expected.shape))
    return "the right numbers in another shape: keepdim=True or reshape" if same else ""


def _exchanged(trial: Trial) -> str:
    if trial.rule.is_local:
        own = trial.rule.gradients(trial.upstream, trial.inputs, trial.output, of=trial.position)
        others = [k for k, g in enumerate(own) if k != trial.position and trial.matches(g)]
    else:
        rights = enumerate(trial.gradients)
        others = [k for k, g in rights if k != trial.position and g is not None and close(trial.given, g)]
    return f"it is that of {trial.rule.name(others[0])}: give them in the order of the inputs" if others else ""


def _other_shape(trial: Trial) -> str:
    return f"the shape is {trial.given.shape}, and must be that of the input, {trial.expected.shape}"


# ------------------------------------------------------------------------------------------------------------- numbers


def _not_finite(trial: Trial) -> str:
    count = int((~np.isfinite(trial.given)).sum())
    return f"{count} of {trial.given.size} elements are NaN or infinite" if count else ""


def _factor(trial: Trial) -> str:
    ratio = common_ratio(trial.given, trial.expected)
    if ratio is None:
        return ""
    if ratio in NAMES:
        return NAMES[ratio]
    if ratio == -1:
        return "the sign is wrong"
    sizes = {trial.output.size: "elements of the output", trial.given.size: "elements of the input"}
    sizes |= {n: f"axis {k} of the output" for k, n in enumerate(trial.output.shape) if n > 1}
    for size, name in sizes.items():
        if math.isclose(ratio, size, rel_tol=1e-4):
            return f"{size} times as large, the number of {name}: a sum in place of a mean"
        if math.isclose(ratio * size, 1, rel_tol=1e-4):
            return f"divided by {size}, the number of {name}: a mean in place of a sum"
    return "zero everywhere" if ratio == 0 else f"{theme.number(ratio)} times as large"


def _without_upstream(trial: Trial) -> str:
    again = trial.again(2 * trial.upstream, trial.inputs, trial.output)
    if again is None or trial.rule.is_local or not trial.given.any() or not close(again, trial.given):
        return ""
    return "not multiplied with the upstream gradient"


def _other_operand(trial: Trial) -> str:
    """x where z belongs, or z where x does: tried by giving the rule the one in place of the other."""
    if trial.output.shape != trial.inputs[trial.position].shape:
        return ""
    inputs, x = list(trial.inputs), trial.inputs[trial.position]
    if trial.matches(trial.again(trial.upstream, inputs, x)):
        return "z, the output, is taken where x, the input, belongs"
    inputs[trial.position] = trial.output
    if trial.matches(trial.again(trial.upstream, inputs, trial.output)):
        return "x, the input, is taken where z, the output, belongs"
    return ""


def _offset(trial: Trial) -> str:
    """The local derivative differs by a number: 1 − z² without the 1."""
    if trial.output.shape != trial.expected.shape:
        return ""
    steps = (trial.given - trial.expected) / trial.upstream
    step = float(np.median(steps))
    if not np.allclose(steps, step, rtol=1e-4, atol=1e-4):
        return ""
    return f"the local derivative is {theme.number(_rounded(abs(step)))} too {'large' if step > 0 else 'small'}"


def _one_side(trial: Trial) -> str:
    """Right for positive or for negative inputs alone."""
    x = trial.inputs[trial.position]
    if x.shape != trial.given.shape:
        return ""
    wrong = np.abs(trial.given - trial.expected) > TOLERANCE * max(1.0, float(np.abs(trial.expected).max()))
    for sign, name, other in ((x < 0, "x < 0", "x > 0"), (x > 0, "x > 0", "x < 0")):
        if wrong.any() and not wrong[~sign].any() and (~sign).any():
            return f"wrong only where {name}, right where {other}"
    return ""


def common_ratio(given: np.ndarray, expected: np.ndarray) -> float | None:
    """The number by which all elements differ; None if there is none."""
    scale = float(np.abs(expected).max(initial=0.0))
    counted = np.abs(expected) > 1e-3 * scale
    if not scale or not np.isfinite(given).all():
        return None
    ratio = float(np.median(given[counted] / expected[counted]))
    return _rounded(ratio) if np.abs(given - ratio * expected).max() <= 1e-4 * scale * max(1.0, abs(ratio)) else None


def _rounded(ratio: float) -> float:
    return float(f"{ratio:.4g}")


_SHAPES: tuple[Callable[[Trial], str], ...] = (_transposed, _not_summed, _without_axes, _exchanged, _other_shape)
_NUMBERS: tuple[Callable[[Trial], str], ...] = (
    *(_not_finite, _without_upstream, _factor, _transposed, _exchanged, _other_operand, _offset, _one_side),
)
