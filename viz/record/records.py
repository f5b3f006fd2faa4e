"""The plain records that every drawing is made from: frozen, comparable, without arrays or references into a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tensorgrad.autograd.engine import Scope

Scalar = float | int | bool
Kind = Literal["parameter", "constant", "interior", "output"]


@dataclass(frozen=True, slots=True)
class Details:
    """What a reader sees who looks closer at an array.

    Attributes:
        values: all elements in C order, of an array of at most `statistics.FEW` elements, of what flows into a
            parameter `statistics.MANY`; else none.
        histogram: counts of the finite elements in equal bins between the least and the greatest.
        picture: rows of one or more channels tiled side by side, thinned out where they are large; none without axes.
    """

    values: tuple[Scalar, ...]
    histogram: tuple[int, ...]
    picture: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean, standard deviation (ddof 0), least and greatest of an array's finite elements, 0 where there are none.

    `zeros` is the share of elements that are exactly 0; `nans` and `infinities` are counts.
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
    """What `.grad` of a parameter has to do with its gradient in a drawing.

    Attributes:
        before: what it held before the walks back that are drawn; None for nothing, or where none of them added to it.
        after: what it held when they were over; of walks that add to no `.grad`, what it holds now. None for nothing.
        alone: whether that is the gradient that is drawn, and nothing else.
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
        dtype: `""` for a constant of which the graph kept nothing.
        value: of a scalar (one element, no axes), where it is still known.
        gradient: where the numbers were asked for, what arrived in the walks back that are drawn, after the hooks of
            the tensor; else what backward has left in `.grad`.
        statistics, details: of the values, where they were asked for and the values are still known.
        altered: why the gradient isn't the sum of the contributions that are drawn; `""` if it is.
        held: of a parameter whose gradient comes from a walk back, what `.grad` held.
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
        name, symbol, formula: what it is called, and written as.
        params: its keyword arguments as text.
        output: the id of its tensor; `""` for an op that failed.
        scopes: the modules whose calls it ran in, outermost first; traced graphs know them.
        calls: for each of them a number that no other call in the graph has.
        source: the line that called it; traced graphs know it.
        error: what it raised, `""` if it ran.
        idle: the share of what it lets no gradient through: relu's units that are zero for the whole batch, elements
            on the flat parts of sigmoid and tanh; None for other ops.
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


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """A tensor going into an op.

    Attributes:
        tensor, op: their ids.
        operand: what the op's formula calls this input: `x`.
        derivative: the op's local derivative for it: `∂z/∂x = y`; `""` where no gradient flows back.
        carries_gradient: whether a gradient flows back along this edge.
        through: names of the ops that a drawing folded into this edge; none as collected.
        local: the number ∂z/∂x, between scalars, where it is known.
        contribution: what flows back along this edge: the upstream gradient times the local derivative.
        summed: the axes of z over which the contribution was summed, for x was broadcast along them.
        checked: how far the contribution is from finite differences, relative; None where nobody looked, or they
            can't tell.
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


@dataclass(frozen=True, slots=True)
class ModuleRecord:
    """What a drawing folded into one box: one call of a module, or of several in a row that are built alike.

    Edges lead from tensors into it as into an op.

    Attributes:
        id: of the first of its calls: `module-0`, …, by the number of the module; `module-0-1`, … for its later calls.
        paths: of the modules, in the order they ran.
        kind: the name of their class; `""` where only their parameters' names are known.
        ops: the ids of the ops inside.
        outputs: the ids of the tensors that come out.
        parameters: how many numbers it holds.
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
class GraphRecord:
    """The computation behind the tensor `output`, an id: ops in the order they ran, tensors as they were first met.

    Where there are several, `output` is the last of the `outputs`. Of a computation that failed, the last op is the one
    that raised, and `output` is `""`. `modules` are what a drawing folded; none as collected.
    """

    ops: tuple[OpRecord, ...]
    tensors: tuple[TensorRecord, ...]
    edges: tuple[EdgeRecord, ...]
    output: str
    modules: tuple[ModuleRecord, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The ids of all tensors that the graph is about, such as several losses, in the order they were met."""
        return tuple(tensor.id for tensor in self.tensors if tensor.kind == "output")
