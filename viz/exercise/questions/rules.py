"""Questions for local derivatives: a formula is asked for, and compared with the op's own slope at random points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from tensorgrad.arrays.differences import CentralDifference, numeric_gradient
from tensorgrad.formulas.expression import Expression, Indexed
from tensorgrad.viz.exercise.blank import Blank, Points
from tensorgrad.viz.exercise.questions.evaluation import CONSTANTS, UPSTREAM, NotComputable, evaluate
from tensorgrad.viz.exercise.questions.question import BACKWARD, RULE, Numbering, Question
from tensorgrad.viz.exercise.scene import Scene, derivative_of, formula_of, left_side, right_side
from tensorgrad.viz.record.records import EdgeRecord, OpRecord

POINTS, TRIES, FEWEST = 12, 400, 4
"""The random points for a rule, how many are drawn at most, and the least number with which a rule is asked for."""

MATRICES, VECTORS = ((2, 3), (3, 4), (4, 3)), ((3,), (4,))
"""Shapes that are tried for the operands of a product."""

STEP, AGREES = 1e-6, 1e-5
"""The step of finite differences, and the largest relative error of a derivative that counts as right."""

RANGES = ((-2.0, 2.0), (0.1, 0.9), (1.1, 3.0), (-7.0, 7.0))
"""Where numbers are drawn from: some functions are defined, or bend, only in one of these ranges."""

Values = dict[str, Any]


def rule_questions(scene: Scene) -> Iterator[Question]:
    """A question for each local derivative that is drawn, and that the page can check."""
    for position, op in enumerate(scene.ops.values()):
        for at, edge in enumerate(scene.edges(op)):
            points = _points(scene, op, edge) if edge.carries_gradient else None
            if points is not None:
                blank = _blank(op, edge, points, several=len(scene.edges(op)) > 1)
                yield Question("rule", op.name, (BACKWARD, -position, at, RULE), blank.places, partial(_same, blank))


def _same(blank: Blank, numbering: Numbering) -> Blank:
    """A rule is written without the numbers of other blanks."""
    return blank


def _blank(op: OpRecord, edge: EdgeRecord, points: Points, several: bool) -> Blank:
    places = (("rule", op.id, edge.operand),)
    sides = left_side(edge.applied), right_side(edge.applied)
    return Blank("rule", places, *sides, _hints(op, edge, several), about=op.applied, points=points)


def _hints(op: OpRecord, edge: EdgeRecord, several: bool) -> tuple[str, str]:
    """What to look at, and the rule in general form; `several`: the op has other operands."""
    name, x = op.name.replace("_", " "), left_side(edge.applied).rpartition("/∂")[2]
    stated = derivative_of(edge)
    if stated is not None and not stated[2]:
        look = f"which product or sum with the gradient that arrives has the shape of {x}?"
    else:
        look = f"differentiate {op.applied} by {x}" + (", as if all else in it were constant." if several else ".")
    return f"The op is called {name}: {look}", f"In general: for {op.formula}, {edge.derivative}."


def _points(scene: Scene, op: OpRecord, edge: EdgeRecord) -> Points | None:
    """Points for a rule that the op states as arithmetic, and that finite differences of its formula confirm."""
    formula, stated = formula_of(op), derivative_of(edge)
    if formula is None or stated is None:
        return None
    by, derivative, is_local = stated
    letters, numbers = scene.letters(op), scene.numbers(op)
    operands = [e.operand for e in scene.edges(op)]
    try:
        if not is_local:
            shapes = [scene.tensors[e.tensor].shape for e in scene.edges(op)]
            found = _matrix_points(formula, derivative, edge.operand, dict(zip(operands, shapes, strict=True)))
            names = {UPSTREAM: f"∂{scene.loss}/∂{letters['z']}"} | {k: letters[k] for k in operands}
        elif isinstance(by, Indexed):
            found = _constant_points(derivative, numbers)
            names = {}
        else:
            found = _scalar_points(formula, derivative, edge.operand, letters, numbers)
            names = {letter: name for letter, name in letters.items() if name}
    except (NotComputable, ValueError):
        return None
    return _table(found, names) if found is not None and _are_readable(names, derivative) else None


def _are_readable(names: Mapping[str, str], derivative: Expression) -> bool:
    """Whether no name is taken for a number, or for a sign of the formula: a tensor e beside Euler's number."""
    signs = {"if", "else", *(set(derivative.symbols) & CONSTANTS.keys() - names.keys())}
    return signs.isdisjoint(names.values()) and not any(name[:1].isdecimal() for name in names.values())


def _table(found: list[tuple[Values, Any]], names: Mapping[str, str]) -> Points:
    unique = {name: letter for letter, name in names.items()}
    rows = tuple(tuple(_plain(values[letter]) for letter in unique.values()) for values, _ in found)
    return Points(tuple(unique), rows, tuple(_plain(slope) for _, slope in found))


def _plain(value: Any) -> Any:
    return np.asarray(value, np.float64).tolist()


# ------------------------------------------------------------------------------------------------------------- numbers


def _constant_points(derivative: Expression, numbers: Values) -> list[tuple[Values, Any]]:
    """Of a sum or a mean: the same number for each element."""
    return [({}, evaluate(derivative, numbers))]


def _scalar_points(
    formula: Expression, derivative: Expression, x: str, letters: Mapping[str, str], numbers: Values
) -> list[tuple[Values, Any]] | None:
    """Points at which an elementwise op is smooth; None where it has too few, or its slope isn't the rule."""
    rng = np.random.default_rng(0)
    found: list[tuple[Values, Any]] = []
    for k in range(TRIES):
        drawn: Values = {name: rng.uniform(*RANGES[k % len(RANGES)]) for name in sorted({*letters.values()} - {""})}
        values: Values = {letter: drawn[name] for letter, name in letters.items() if name} | numbers
        values["z"] = evaluate(formula, values)
        slope = _slope(formula, values, x)
        stated = evaluate(derivative, values)
        if slope is None or not np.isfinite(stated):
            continue
        if not np.isclose(slope, stated, rtol=AGREES, atol=AGREES):
            return None
        found.append((values, slope))
        if len(found) == POINTS:
            break
    return found if len(found) >= FEWEST else None


def _slope(formula: Expression, values: Values, x: str) -> float | None:
    """∂z/∂x by central differences; None at a kink or a pole, and outside of the domain."""
    with np.errstate(all="ignore"):
        at = np.asarray(values[x], np.float64)
        difference = CentralDifference(lambda x_: evaluate(formula, values | {x: x_}), at, np.ones(()), STEP)
        value, kink = float(difference.value), float(difference.kink)
    if not np.isfinite(value + kink) or abs(value) > 1e4 or kink > 1e-3 * max(1.0, abs(value)):
        return None
    return value


# ------------------------------------------------------------------------------------------------------------ matrices


def _matrix_points(
    formula: Expression, derivative: Expression, x: str, shapes: Mapping[str, tuple[int, ...]]
) -> list[tuple[Values, Any]] | None:
    """Points of a product of matrices, at small sizes that all differ where they may; None of another op."""
    if {len(shape) for shape in shapes.values()} - {1, 2} or len(shapes[x]) > 2:
        return None
    rng = np.random.default_rng(0)
    choices = [MATRICES if len(shape) == 2 else VECTORS for shape in shapes.values()]
    found: list[tuple[Values, Any]] = []
    for sizes in product(*choices):
        values: Values = {name: rng.standard_normal(size) for name, size in zip(shapes, sizes, strict=True)}
        z = _fitting(formula, values)
        if z is None:
            continue
        upstream = rng.standard_normal(z.shape)
        gradient = numeric_gradient(partial(_weighted, formula, values, x, upstream), values[x], STEP)
        stated = evaluate(derivative, values | {UPSTREAM: upstream})
        if stated.shape != gradient.shape or not np.allclose(stated, gradient, rtol=AGREES, atol=AGREES):
            return None
        found.append((values | {UPSTREAM: upstream}, gradient))
    return found[:3] or None


def _weighted(formula: Expression, values: Values, x: str, upstream: np.ndarray, at: np.ndarray) -> float:
    """Σ upstream ⊙ z, with one operand moved."""
    return float(np.vdot(upstream, evaluate(formula, values | {x: at})))


def _fitting(formula: Expression, values: Values) -> np.ndarray | None:
    """The result; None where the shapes don't fit, or would only by broadcasting."""
    try:
        z = evaluate(formula, values)
    except ValueError:
        return None
    return z if z.ndim == 2 else None
