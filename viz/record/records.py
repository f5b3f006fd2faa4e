"""The plain records that every drawing is made from: frozen, comparable, without arrays or references to a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tensorgrad.autograd.observer import Scope

Scalar = float | int | bool
Kind = Literal["parameter", "constant", "interior", "output"]


@dataclass(frozen=True, slots=True)
class Details:
    """An array in detail.

    Attributes:
        values: all elements in C order, of an array of at most `statistics.FEW` elements, of what flows into a
            parameter at most `statistics.MANY`; else none.
        histogram: counts of the finite elements in equal bins between the minimum and the maximum.
        picture: rows of one or more channels side by side, sampled where they are large; none of a scalar.
    """

    values: tuple[Scalar, ...]
    histogram: tuple[int, ...]
    picture: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of an array; the first four are of its finite elements, 0 where there are none.

    Attributes:
        mean: the mean.
        std: the standard deviation (ddof 0).
        min: the minimum.
        max: the maximum.
        zeros: the fraction of elements that are exactly 0.
        nans: how many elements are NaN.
        infinities: how many elements are infinite.
    """

    mean: float
    std: float
    min: float
    max: float
    zeros: float
    nans: int
    infinities: int


@dataclass(frozen=True, slots=True)
class GradientRecord:
    """A gradient: that of a tensor, or the part of it that came along one edge.

    Attributes:
        shape: its sizes.
        mean_abs: mean absolute value, NaN if it holds a NaN.
        value: of a scalar.
        statistics: of an array, where they were asked for.
        details: where they were asked for.
    """

    shape: tuple[int, ...]
    mean_abs: float
    value: Scalar | None
    statistics: Statistics | None = None
    details: Details | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What `.grad` of a parameter holds, next to the gradient that is drawn.

    Attributes:
        before: its value before the backward passes that are drawn; None if it was empty, or none of them added to it.
        after: its value after them; where none added to it, its value now. None if it is empty.
        alone: whether `after` is the gradient that is drawn, and nothing else.
    """

    before: GradientRecord | None
    after: GradientRecord | None
    alone: bool


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """One tensor of the graph.

    Attributes:
        id: `t0`, `t1`, … in the order of the computation.
        kind: `parameter` for a leaf that requires a gradient, `constant` for anything that gets none (inputs, labels,
            numbers), `interior` for the result of an op, `output` for the tensors that the graph was asked for, or
            that `backward()` started from.
        name: `""` where nobody named it.
        shape: its sizes.
        dtype: `""` for a constant that the graph didn't keep.
        value: of a scalar (one element, no axes), where it is still known.
        gradient: where the numbers were asked for, what arrived in the backward passes that are drawn, after the hooks
            of the tensor; else what backward has left in `.grad`.
        statistics: of the values, where they were asked for and the values are still known.
        details: of the values, under the same conditions.
        altered: why the gradient isn't the sum of the contributions that are drawn; `""` if it is.
        held: what `.grad` held, for a parameter whose gradient comes from a backward pass.
        symbol: what formulas call it, which no other tensor of the graph is called: its name, or `u₁`, `L`, …; `""` for
            a constant that they write as a number.
    """

    id: str
    kind: Kind
    name: str
    shape: tuple[int, ...]
    dtype: str
    value: Scalar | None
    gradient: GradientRecord | None
    statistics: Statistics | None = None
    details: Details | None = None
    altered: str = ""
    held: Held | None = None
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Where the user's program called an op: the file, the number of the line, and its text without indentation."""

    file: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class OpRecord:
    """One applied op `z = f(x, y, …)`.

    Attributes:
        id: `op0`, `op1`, … in the order they ran.
        name: what it is called.
        symbol: how it is written in short.
        formula: how it is written in full, for any operands: `z = x · y`.
        params: its keyword arguments as text.
        output: the id of its tensor; `""` for an op that failed.
        scopes: the modules whose calls it ran in, outermost first; only traced graphs have them.
        source: the line that called it; only traced graphs have it.
        error: what it raised, `""` if it ran.
        idle: the fraction that lets no gradient through: of relu's units, those that are zero for the whole batch; of
            the elements of sigmoid and tanh, those on the flat parts; None for other ops.
        calls: for each of the scopes a number that no other call in the graph has.
        applied: the formula of these operands: `u₁ = w · x`.
    """

    id: str
    name: str
    symbol: str
    formula: str
    params: tuple[tuple[str, str], ...]
    output: str
    scopes: tuple[Scope, ...] = ()
    source: SourceLine | None = None
    error: str = ""
    idle: float | None = None
    calls: tuple[int, ...] = ()
    applied: str = ""


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """A tensor going into an op.

    Attributes:
        tensor: its id.
        op: its id.
        operand: what the op's formula calls this input: `x`.
        derivative: the op's local derivative for it: `∂z/∂x = y`; `""` where no gradient flows back.
        carries_gradient: whether a gradient flows back along this edge.
        through: names of the view ops that a drawing folded into this edge.
        local: the number ∂z/∂x, between scalars, where it is known.
        contribution: what flows back along this edge: the upstream gradient times the local derivative.
        summed: the axes of z over which the contribution was summed, because x was broadcast along them.
        checked: the relative error of the contribution, by central differences; None where it wasn't checked, or they
            aren't finite.
        applied: the local derivative of these operands: `∂u₁/∂w = x`.
        rule: the step of the chain rule with them: `∂L/∂w = ∂L/∂u₁ · x`.
        symbol: of the last result of the view ops that were folded into this edge: what the op's formula calls it.
    """

    tensor: str
    op: str
    operand: str
    derivative: str
    carries_gradient: bool
    through: tuple[str, ...] = ()
    local: Scalar | None = None
    contribution: GradientRecord | None = None
    summed: tuple[int, ...] = ()
    checked: float | None = None
    applied: str = ""
    rule: str = ""
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class ModuleRecord:
    """One box of a drawing: a folded call of a module, or several equal calls in a row.

    Edges lead from tensors into it as into an op.

    Attributes:
        id: of the first of its calls: `module-0`, …, by the number of the module; `module-0-1`, … for its later calls.
        paths: of the modules, in the order they ran.
        kind: the name of their class; `""` where only their parameters' names are known.
        ops: the ids of the ops inside.
        outputs: the ids of the tensors that leave it.
        parameters: how many numbers its parameters hold.
        gradient: of all its parameters together, where it is known.
        calls: the keys of the calls, as in `Modules.calls`.
    """

    id: str
    paths: tuple[str, ...]
    kind: str
    ops: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int
    gradient: GradientRecord | None
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BoxRecord:
    """One box of a compact drawing: an op or a folded module, with tensors that aren't drawn by themselves.

    Attributes:
        id: of the op, or of the module.
        results: the ids of the tensors that it makes.
        inside: the positions of the inputs that are leaves in the box; no edge is drawn for them.
        shown: those of them that the box tells about.
        marks: the positions of biases, which it only names.
    """

    id: str
    results: tuple[str, ...]
    inside: tuple[int, ...]
    shown: tuple[int, ...]
    marks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """The computation behind one tensor or several.

    Attributes:
        ops: in the order they ran; of a computation that failed, the last is the one that raised.
        tensors: in the order of their first use.
        edges: from the tensors into the ops, in the order of the ops and of their inputs.
        output: the id of the tensor that the graph is about, of several the last; `""` if the computation failed.
        modules: what a drawing folded; none as collected.
        loss: what formulas call that which is differentiated: the symbol of the output, or L for the sum of several.
        boxes: of a compact drawing, one for each op and module; else none.
    """

    ops: tuple[OpRecord, ...]
    tensors: tuple[TensorRecord, ...]
    edges: tuple[EdgeRecord, ...]
    output: str
    modules: tuple[ModuleRecord, ...] = ()
    loss: str = "L"
    boxes: tuple[BoxRecord, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The ids of all tensors that the graph is about, such as several losses, in the order of their first use."""
        return tuple(tensor.id for tensor in self.tensors if tensor.kind == "output")

    @property
    def reached(self) -> frozenset[str]:
        """The ids of the tensors that a gradient flows back to."""
        return frozenset(edge.tensor for edge in self.edges if edge.carries_gradient).union(self.outputs)
