"""A computation as a scalar program: slots for the elements of its tensors, instructions for each op."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, GraphError, restate
from tensorgrad.viz.playground.application import Application
from tensorgrad.viz.playground.lowering import Unplayable, lower
from tensorgrad.viz.playground.memory import memory_of, owners_of
from tensorgrad.viz.playground.tape import Slots, Tape
from tensorgrad.viz.record.check import TOLERANCE as GRADIENT_TOLERANCE, relative_error
from tensorgrad.viz.record.steps import Computed, Key, Step, flows_of

MOST_NUMBERS = 5_000
"""The most elements of all tensors together: at every drag the page computes them all, and their gradients."""

CALL = "Drawing.playground"


@dataclass(frozen=True)
class Place:
    """A tensor in the program.

    Attributes:
        key: of the tensor.
        slots: of its elements.
        free: whether the reader may change it: a parameter, or an input that has a name.
        trained: whether it is a leaf with a gradient, which gradient descent changes.
    """

    key: Key
    slots: Slots
    free: bool
    trained: bool


@dataclass(frozen=True)
class Port:
    """A tensor on its way into an op: a copy of its elements, whose gradient is what flows back along this edge."""

    source: Key
    slots: Slots
    carries: bool


@dataclass(frozen=True)
class Stage:
    """One op in the program.

    Attributes:
        number: of the op among the steps of the computation.
        ports: its inputs.
        first: the number of its first block.
        last: the number behind its last block.
    """

    number: int
    ports: tuple[Port, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Program:
    """A computation as a scalar program.

    Attributes:
        tape: the slots and the blocks.
        places: the tensors, in the order of their first use.
        stages: the ops that depend on something that may be changed; at the end of the blocks stands the sum of the
            losses.
        loss: the slot of what is differentiated.
    """

    tape: Tape
    places: dict[Key, Place]
    stages: tuple[Stage, ...]
    loss: int


def program_of(computed: Computed) -> Program:
    """The program of a computation.

    Raises:
        GraphError: a value that it starts from isn't known any more, or it has no loss.
        ArgumentError: it has too many numbers, or ops that the page can't compute.
    """
    return _Builder(computed).program()


class _Builder:
    def __init__(self, computed: Computed) -> None:
        self._computed = computed
        self._tape = Tape()
        self._places: dict[Key, Place] = {}
        self._arrays: dict[Key, np.ndarray] = {}
        self._moving: set[Key] = set()  # tensors that change when the reader changes something
        self._owners = owners_of(computed)
        self._flows = flows_of(computed.passes)

    def program(self) -> Program:
        if failed := [step.op.name for step in self._computed.steps if step.error]:
            fix = 'trace a computation that runs to its end; graph(step).save("step.html") shows this one'
            raise GraphError(restate(CALL, f"the computation must not have failed, and {failed[0]} did", fix=fix))
        self._check_size()
        stages, refused = [], dict[str, str]()
        for number, step in enumerate(self._computed.steps):
            for key, shape in zip(step.inputs, step.input_shapes, strict=True):
                self._meet(key, step, shape)
            if self._moving.isdisjoint(step.inputs):
                self._keep(step)
                continue
            try:
                stages.append(self._stage(number, step))
            except Unplayable as why:
                refused.setdefault(step.op.name, str(why))
                self._place(step.output, self._run(step))
            self._moving.add(step.output)
        if refused:
            said = "; ".join(f"{name} ({why})" for name, why in refused.items())
            fix = "draw the graph without them, or save it as .html, which shows the numbers of this run"
            raise ArgumentError(restate(CALL, f"the page can't compute these ops: {said}", fix=fix))
        if not stages:
            fix = "set requires_grad=True, or name the input: tg.tensor(data, name='x')"
            raise ArgumentError(restate(CALL, "the graph must have a parameter or an input that has a name", fix=fix))
        return Program(self._tape, self._places, tuple(stages), self._loss())

    # --------------------------------------------------------------------------------------------------------- tensors

    def _check_size(self) -> None:
        sizes = {step.output: math.prod(step.shape) for step in self._computed.steps}
        for step in self._computed.steps:
            sizes |= {key: math.prod(shape) for key, shape in zip(step.inputs, step.input_shapes, strict=True)}
        if (count := sum(sizes.values())) > MOST_NUMBERS:
            problem = f"the graph must have at most {MOST_NUMBERS:,} numbers, got {count:,}"
            raise ArgumentError(restate(CALL, problem, fix="use fewer samples, a smaller image or a smaller network"))

    def _meet(self, key: Key, step: Step, shape: tuple[int, ...]) -> None:
        """Give a tensor its slots at its first use."""
        known = self._computed.known.get(key)
        array = step.leaves.get(key, None if known is None else known.array)
        if key in self._places:
            if key in step.leaves and not np.array_equal(step.leaves[key], self._arrays[key], equal_nan=True):
                fix = "trace one step of training: the forward pass and backward()"
                raise ArgumentError(restate(CALL, "a parameter was changed between two ops that use it", fix=fix))
            return
        if array is None:
            fix = "trace the step, which keeps all values: with tg.viz.trace() as step: ..."
            raise GraphError(restate(CALL, f"the graph didn't keep an input of {step.op.name}", fix=fix, shape=shape))
        owner = self._owners.get(memory_of(array))
        if owner is not None and owner is not key and owner in self._places:
            # The same memory under another name, behind detach(): it has the values, and no gradient.
            self._places[key] = Place(key, self._places[owner].slots, False, False)
            self._arrays[key] = self._arrays[owner]
            self._moving.update({key} if owner in self._moving else ())
            return
        is_leaf = isinstance(key, Variable)
        free = array.dtype.kind == "f" and (is_leaf or bool(known and known.name))
        self._place(key, array, free, is_leaf)
        self._moving.update({key} if free else ())

    def _place(self, key: Key, array: np.ndarray, free: bool = False, trained: bool = False) -> Slots:
        self._arrays[key] = array.astype(np.float64) if array.dtype.kind == "f" else array
        slots = self._tape.new(self._arrays[key])
        self._places[key] = Place(key, slots, free, trained)
        return slots

    def _keep(self, step: Step) -> None:
        """Place the output of an op that nothing changes: as it was, also where it was drawn at random."""
        known = self._computed.known.get(step.output)
        self._place(step.output, self._run(step) if known is None or known.array is None else known.array)

    def _run(self, step: Step) -> np.ndarray:
        return self._applied(step, ()).output()

    def _applied(self, step: Step, inputs: tuple[Slots, ...]) -> Application:
        return Application(step.op, tuple([self._arrays[key] for key in step.inputs]), inputs, step.shape)

    # ------------------------------------------------------------------------------------------------------------- ops

    def _stage(self, number: int, step: Step) -> Stage:
        for key in step.inputs:
            if key in self._moving and self._arrays[key].dtype.kind not in "fb":
                raise Unplayable("it chooses by integers that change with the numbers")
        self._check_gradients(step)
        first = len(self._tape.blocks)
        ports = tuple(
            Port(key, self._tape.new(self._arrays[key]), step.carries(position))
            for position, key in enumerate(step.inputs)
        )
        applied = self._applied(step, tuple([port.slots for port in ports]))
        out = lower(self._tape, applied)
        self._arrays[step.output] = applied.output()
        self._places[step.output] = Place(step.output, out, False, False)
        return Stage(number, ports, first, len(self._tape.blocks))

    def _check_gradients(self, step: Step) -> None:
        """Refuse an op whose rule isn't the derivative, such as that of an embedding that leaves a row out."""
        arrays = [self._arrays[key] for key in step.inputs]
        for position in range(len(arrays)):
            flow = None if step.node is None else self._flows.get((step.node, position))
            if flow is None:
                continue
            error = relative_error(step.op, arrays, position, flow.upstream, flow.contribution)
            if error is not None and error > GRADIENT_TOLERANCE:
                raise Unplayable("its gradient isn't the derivative of what it computes")

    def _loss(self) -> int:
        """The slot of Σ seed · output: what backward() began with, times what it began at."""
        seeds: dict[Hashable, np.ndarray] = {}
        for backward in self._computed.passes:
            for key, seed in backward.seeds.items():
                if key in self._places:
                    seeds[key] = seeds.get(key, 0) + np.asarray(seed, np.float64)
        if not seeds:
            seeds = {key: np.ones(()) for key in self._computed.outputs if self._places[key].slots.size == 1}
        if not seeds:
            problem, fix = "the graph must have a loss: a single number", "reduce the result, for example by .sum()"
            raise GraphError(restate(CALL, problem, fix=fix))
        slots = np.concatenate([self._places[key].slots for key in seeds])
        coefficients = np.concatenate(
            [np.broadcast_to(seed, self._arrays[key].shape).ravel() for key, seed in seeds.items()]
        )
        return int(self._tape.products(1, np.zeros(len(slots), int), coefficients, [slots])[0])
