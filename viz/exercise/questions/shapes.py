"""Questions for shapes: the sizes of what an op makes of arrays whose sizes are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tensorgrad.viz.exercise.blank import Blank, label
from tensorgrad.viz.exercise.questions.question import FORWARD, Numbering, Question
from tensorgrad.viz.exercise.scene import Scene, formula_of
from tensorgrad.viz.format import theme
from tensorgrad.viz.record.records import OpRecord

KEPT = "One number for each element: the shape stays."
BROADCAST = "One number for each element; axes of size 1, and missing ones, are repeated to fit the other operand."

ABOUT_AXES = ("axis", "index", "shape", "window")
"""Parameters that say what becomes of axes."""

RULES = {
    "linear": "(n, in) times a weight of (out, in), transposed, gives (n, out).",
    "matmul": "(n, k) times (k, m) gives (n, m).",
    "convolution": "As many channels as filters; along each axis (size + padding − filter) / stride + 1, rounded down.",
    "max_pool": "The channels stay; along each axis (size + padding − window) / stride + 1, rounded down.",
    "avg_pool": "The channels stay; along each axis (size + padding − window) / stride + 1, rounded down.",
    "sum": "The axes that are summed over vanish.",
    "mean": "The axes that the mean is taken over vanish.",
    "max": "The axes that the maximum is taken over vanish.",
    "softmax": "One probability for each score: the shape stays.",
    "log_softmax": "One logarithm for each score: the shape stays.",
    "cross_entropy": "One loss for each row.",
    "batch_norm": "Each element is shifted and scaled: the shape stays.",
    "layer_norm": "Each element is shifted and scaled: the shape stays.",
}
"""How the sizes of results follow from those of the operands, for the ops whose formulas don't say it."""


def shape_questions(scene: Scene) -> Iterator[Question]:
    """A question for each array that an op made, where the op's parameters don't say its shape."""
    for position, op in enumerate(scene.ops.values()):
        shape = scene.output(op).shape
        if shape and _rule(op) and not any(str(shape) in text for _, text in op.params):
            places = (("shape", op.output),)
            yield Question("shape", op.name, (FORWARD, position, 0, 1), places, _question(scene, op))


def _rule(op: OpRecord) -> str:
    if op.name in RULES:
        return RULES[op.name]
    formula = formula_of(op)
    if formula is None or not formula.elementwise or any(key in ABOUT_AXES for key, _ in op.params):
        return ""
    return BROADCAST if len({*formula.symbols} - {key for key, _ in op.params}) > 1 else KEPT


def _question(scene: Scene, op: OpRecord) -> Callable[[Numbering], Blank]:
    def blank(numbering: Numbering) -> Blank:
        tensor = scene.output(op)
        said = ", ".join(dict.fromkeys(_size(scene, edge.tensor, numbering) for edge in scene.edges(op)))
        params = (f"{key} {without_result(text)}" for key, text in op.params if text not in ("None", "False"))
        return Blank(
            "shape",
            (("shape", op.output),),
            f"shape of {tensor.name or tensor.symbol}",
            theme.sizes(tensor.shape),
            (f"The op {op.symbol} is given {said}.", _rule(op)),
            about=op.applied,
            given=", ".join(params),
            shape=tensor.shape,
        )

    return blank


def _size(scene: Scene, id: str, numbering: Numbering) -> str:
    tensor, number = scene.tensors[id], numbering.get(("shape", id))
    size = theme.sizes(tensor.shape) if number is None else label(number)
    return f"{tensor.symbol or 'a constant'} {size}"


def without_result(text: str) -> str:
    """A parameter without the sizes of the result, which windows tell after an arrow.

    >>> without_result("3×3 over 6×6 -> 4×4, stride 1×1")
    '3×3 over 6×6, stride 1×1'
    """
    return re.sub(r" -> [\d×]+", "", text)
