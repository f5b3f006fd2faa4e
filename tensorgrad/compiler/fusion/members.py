"""Steps as members of fused loops: the formula that an op's step computes, and its operands in terms of the loop.

Steps that prepare numbers per channel come before the loop, steps that use its sums after it. A member holds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import NamedTuple, cast

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import KERNEL_FLOATS
from tensorgrad.compiler.fusion.chains import placed
from tensorgrad.compiler.steps import Kind, Step
from tensorgrad.ops.convolution import ChannelSum
from tensorgrad.ops.elementwise.activations import ReluGradient
from tensorgrad.ops.elementwise.elementwise import Elementwise, Gradient
from tensorgrad.ops.normalization import BatchNorm, BatchNormGradient, BatchNormSums, ScaleAndShift
from tensorgrad.ops.reductions import DivideByCount
from tensorgrad.ops.shapes import BroadcastTo

SMALLEST = 4096
"""Elements from which a pass is worth a kernel of its own: to compile one takes a second, once per machine."""

PIXELS = 16
"""The smallest planes that are summed in a loop: the call for each plane takes as long as the sum of so many."""

Shape = tuple[int, ...]
Kinds = Mapping[str, Kind]


class Operand(NamedTuple):
    """An array as an operand of a loop: its name, and its shape with as many axes as the loop's."""

    name: str
    shape: Shape


class Member(NamedTuple):
    """A step as a part of a loop: a link, or sums that end it.

    Attributes:
        step: as recorded.
        formula: the name of the link's formula, or of the sums.
        operands, parameters: of the formula.
        sums: the names of the sums; empty for a link.
        before, after: steps that prepare operands, and that use the sums.
    """

    step: Step
    formula: str
    operands: tuple[Operand, ...]
    parameters: tuple[float, ...] = ()
    sums: tuple[str, ...] = ()
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()

    @property
    def reads(self) -> Iterator[str]:
        """The names of all arrays that it takes."""
        for operand in self.operands:
            yield operand.name
        for step in self.before:
            yield from step.takes


def member_of(step: Step, kinds: Kinds, makers: Mapping[str, Step], least: int = SMALLEST) -> Member | None:
    """The step as a part of a loop over at least so many elements; None if it can't be."""
    made = kinds.get(step.inputs[0] if step.function in _SUMS else step.outputs[0]) if step.inputs else None
    if step.op is None or made is None or made.dtype not in KERNEL_FLOATS or prod(made.shape) < least:
        return None
    special = _SUMS.get(step.op) or _BY_CHANNEL.get(step.op)
    if special is not None:
        found = special(step, made)
        return found if prod(made.shape[2:]) >= PIXELS or not found.sums else None
    formula, parameters = _formula(step)
    if formula is None or step.arrays or not kernels.fused_ir.can_fuse(formula):
        return None
    operands = []
    for name in step.inputs:
        while name in makers and makers[name].function is BroadcastTo:
            name = makers[name].inputs[0]
        kind = kinds.get(name)
        if kind is None or kind.dtype != made.dtype:
            return None
        operands.append(Operand(name, (1,) * (len(made.shape) - len(kind.shape)) + kind.shape))
    return Member(step, formula, tuple(operands), parameters)


def _formula(step: Step) -> tuple[str | None, tuple[float, ...]]:
    """The name of the formula that a step computes, and its parameters."""
    op, settings = step.op, step.settings
    if op is Gradient:
        return settings["loop"], settings["parameters"]
    if op is DivideByCount:
        return "divide by", (settings["count"],)
    if op is ReluGradient:
        return "relu gradient", ()
    if op is None or not issubclass(op, Elementwise):
        return None, ()
    return op.name, cast(Elementwise, op.of(**settings)).values if op.parameters else ()


def _channels(shape: Shape, *names: str) -> list[Operand]:
    """Arrays with one number per channel."""
    return [Operand(name, (1, shape[1], *[1] * (len(shape) - 2))) for name in names]


def _scale_and_shift(step: Step, made: Kind) -> Member:
    shape = made.shape
    x, *numbers = step.inputs
    return Member(step, "scale and shift", (Operand(x, shape), *_channels(shape, *numbers)))


def _batch_norm(step: Step, made: Kind) -> Member:
    shape = made.shape
    (x, w, b), z, eps = step.inputs, step.outputs[0], step.settings["eps"]
    names = tuple([f"{z}_{what}" for what in ("center", "scale", "shift")])
    taken = step.arrays["mean"], step.arrays["var"], w, b
    before = Step(_scaling, placed([eps]), taken, {}, names)
    return Member(step, "scale and shift", (Operand(x, shape), *_channels(shape, *names)), before=(before,))


def _batch_norm_gradient(step: Step, made: Kind) -> Member:
    shape = made.shape
    (g, x, w, sums), z, eps = step.inputs, step.outputs[0], step.settings["eps"]
    names = tuple([f"{z}_{what}" for what in ("center", "scale", "offset", "slope")])
    taken = sums, step.arrays["mean"], step.arrays["var"], w
    before = Step(_gradient_scaling, placed([prod(shape) // shape[1], eps]), taken, {}, names)
    operands = Operand(g, shape), Operand(x, shape), *_channels(shape, *names)
    return Member(step, "scale and shift gradient", operands, before=(before,))


def _batch_norm_sums(step: Step, made: Kind) -> Member:
    shape = made.shape
    (g, x), (z,), eps = step.inputs, step.outputs, step.settings["eps"]
    mean, var, names = step.arrays["mean"], step.arrays["var"], (f"{z}_sum", f"{z}_product")
    after = Step(_weight_gradients, placed([eps, made.dtype]), (*names, mean, var), {}, (z,))
    operands = Operand(g, shape), Operand(x, shape), *_channels(shape, mean)
    return Member(step, "sum and product", operands, sums=names, after=(after,))


def _channel_sum(step: Step, made: Kind) -> Member:
    shape = made.shape
    return Member(step, "sum", (Operand(step.inputs[0], shape),), sums=step.outputs)


_BY_CHANNEL = {ScaleAndShift: _scale_and_shift, BatchNorm: _batch_norm, BatchNormGradient: _batch_norm_gradient}
_SUMS = {BatchNormSums: _batch_norm_sums, ChannelSum: _channel_sum}


def _scaling(*arguments):
    return kernels.normalization.scaling(*arguments)


def _gradient_scaling(*arguments):
    return kernels.normalization.gradient_scaling(*arguments)


def _weight_gradients(*arguments):
    return kernels.normalization.weight_gradients(*arguments)
