"""A recorded call as one op: forward runs the program of its steps, backward the program of its gradients."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import compress
from typing import Any

import numpy as np

from tensorgrad.autograd.backward_pass import gradients, is_spent
from tensorgrad.autograd.engine import apply, note_shared_memory
from tensorgrad.autograd.modes import enable_grad, is_grad_enabled, observe
from tensorgrad.autograd.node import Node, node_of
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.autograd.versions import Version, add_stranger, version_of
from tensorgrad.compiler.backward_pass import Backward, RecordedPass, grouped, leaves_below
from tensorgrad.compiler.capture import GraphCapture, NotReplayed
from tensorgrad.compiler.fusion import fused, loops
from tensorgrad.compiler.journal import Journal
from tensorgrad.compiler.program import GIVEN, StoppedHalfway, folded, function_of, live, names_given, renewed, viewed
from tensorgrad.compiler.recording import Recording
from tensorgrad.compiler.steps import Step, identifier
from tensorgrad.errors import GraphError, TensorgradError, restate
from tensorgrad.formulas.symbolic import equation, function, partial, words
from tensorgrad.ops.assignment import ReadPart, WritePart

INSIDE = -1
"""Among the backward passes, by outputs, those of the function itself."""


class Plan:
    """The steps to compute for a call like the one recorded, and for the gradient of each output.

    Args:
        recording: of the forward pass; the gradients of what was returned are recorded here, by a dry run.
        inputs: the tensors that the call was given.
        outputs: the tensors that it returned.
    """

    def __init__(self, recording: Recording, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.recording = recording
        self.outputs = tuple(recording.name_of(tensor) for tensor in outputs)
        self.forward = tuple(recording.steps)
        self.inside = tuple(step for steps in recording.passes for step in steps)
        self.variables, variables = recording.variables, (*inputs, *recording.leaves.values())
        self.spent = {
            k: [x in leaves_below(output._node) for x in variables]
            for k, output in enumerate(outputs)
            if output._node is not None and is_spent(output._node)
        }
        wanted = [k for k, output in enumerate(outputs) if output._node is not None and k not in self.spent]
        groups = grouped(outputs, wanted)
        if groups is None:
            problem = (
                "the gradients of its results add to one tensor by turns, which a replay would sum in another order"
            )
            recording.refuse(f"{problem}; call backward() inside, or return one result")
        self.backward: list[RecordedPass] = []
        try:
            self.backward = [self._dry_run(group, outputs, variables) for group in groups or ()]
        except TensorgradError as error:  # the function itself raises it where its gradient is taken
            recording.refuse(f"the gradient of its result can't be taken: {error}".split("\n")[0])

    def _dry_run(
        self, group: Sequence[int], outputs: Sequence[Variable], variables: Sequence[Variable]
    ) -> RecordedPass:
        """Record the backward pass from a group of outputs."""
        recording, before = self.recording, len(self.recording.steps)
        seeds = [wrap(np.ones_like(outputs[k]._data)) for k in group]
        upstream = {k: recording.introduce(g._data, f"grad_{k + 1}") for k, g in zip(group, seeds, strict=True)}
        wanted = [x for x in variables if x._requires_grad]
        recording.wanted = {x._node or x for x in wanted}
        recording.contributions.clear()
        with observe(recording):
            gradients([outputs[k] for k in group], wanted, seeds, retain_graph=True, leaf_hooks=False, ends=True)
        found = tuple(tuple(recording.contributions.get(x._node or x, ())) for x in variables)
        return RecordedPass(upstream, tuple(recording.steps[before:]), found)

    def returns_one_of(self, names: Container[str]) -> bool:
        """Whether an output is one of the arrays of these names, or a view of one."""
        return any(_root(name, self.forward) in names for name in self.outputs)

    def agrees_with(self, other: Plan) -> bool:
        """Whether both calls did the same."""
        return (
            self.outputs == other.outputs
            # Not the steps: they are all in the recordings, which are compared below.
            and [recorded[::2] for recorded in self.backward] == [recorded[::2] for recorded in other.backward]
            and self.recording.agrees_with(other.recording)
        )


class Program:
    """A plan as functions of arrays. A `backward()` inside the function is a part of `forward`.

    Args:
        plan: what to compute.
        made_anew: leaves that each call makes anew with the same values: constants of the program.

    Attributes:
        leaves: the tensors that the calls read beside their inputs, parameters above all.
        forward: a function of the arrays of inputs and leaves: the outputs, then what the gradients need.
        run: the same, or its graph capture.
        given: whether its first argument is the tuple of the call's tensors.
        watched: the outputs whose memory backward needs.
        host_calls: the names of its host calls and effects: masks that it draws, statistics that it updates.
        spent: per output whose graph a `backward()` inside has freed, the inputs and leaves below it, as a mask.
        count: how many outputs there are.
        variables_of: per array that forward keeps, the numbers of inputs and leaves that it may be a view of.
        outputs_of: the same, of the watched outputs.
        nbytes: bytes of its constants.
        groups: the outputs that have a gradient, grouped by shared parts of their graph.
        backward: the backward pass from each group, and the positions of what it needs among the kept arrays.
        source: the text of all of them.
    """

    def __init__(self, plan: Plan, made_anew: Mapping[str, np.ndarray]) -> None:
        recording = plan.recording
        leaves = {name: leaf for name, leaf in recording.leaves.items() if name not in made_anew}
        self.leaves, self.count = tuple(leaves.values()), len(plan.outputs)
        parameters, effects = (*recording.inputs, *leaves), tuple(recording.effects)
        self.host_calls = ", ".join(dict.fromkeys(_host_calls((*plan.forward, *effects))))

        wanted = [name not in made_anew for name in plan.variables]
        backward = [
            recorded._replace(gradients=tuple(compress(recorded.gradients, wanted))) for recorded in plan.backward
        ]
        ends = (*plan.outputs, *_taken_by(effects))
        found = tuple(name for recorded in backward for name in recorded.found)
        recorded_passes = {k: recorded.steps for k, recorded in enumerate(backward)} | {INSIDE: plan.inside}
        ends = (*ends, *_idle(plan, (*ends, *found)))
        forward, passes = fused(plan.forward, recorded_passes, (*ends, *found), recording.kinds)
        known = recording.constants | dict(made_anew)
        forward, known = renewed((*forward, *passes.pop(INSIDE)), known, ends)
        forward, constants = folded(forward, known, (*ends, *found))
        made = {name for step in forward for name in step.outputs}.union(parameters)
        kinds = recording.kinds
        ways = [Backward(recorded, passes[k], made, constants, kinds) for k, recorded in enumerate(backward)]
        kept = tuple(dict.fromkeys(name for way in ways for name in way.kept))
        steps, results = loops.fused(live(forward, (*ends, *kept)), (*ends, *kept), kinds), (*plan.outputs, *kept)
        before = (*recording.conditions, *effects[: recording.begins_with])
        effects = effects[recording.begins_with :]
        name = "step" if plan.inside else "forward"
        self.given = any(names_given(value) for step in (*before, *effects) for value in step.settings.values())
        taken = (GIVEN, *parameters) if self.given else parameters
        self.forward = function_of(name, taken, steps, results, constants, before, effects)
        self.run = self.forward
        if not (backward or self.given):
            self.run = GraphCapture(self.forward, before, steps, effects, parameters, results, constants)
        roots = [_root(name, plan.forward) for name in kept]
        self.variables_of = [[k for k, name in enumerate(parameters) if name == root] for root in roots]
        roots_of_outputs = [_root(name, plan.forward) for name in plan.outputs]
        self.watched = tuple(k for k, root in enumerate(roots_of_outputs) if root in roots)
        self.outputs_of = [
            [place for place, k in enumerate(self.watched) if roots_of_outputs[k] == root] for root in roots
        ]

        self._journal = Journal((*plan.forward, *plan.inside), recording.effects)
        self._begins_with = recording.begins_with

        self.nbytes = sum(array.nbytes for array in constants.values())
        self.groups = [tuple(recorded.upstream) for recorded in backward]
        self.backward = [(way, [kept.index(name) for name in way.kept]) for way in ways]
        self.spent = {k: list(compress(below, wanted)) for k, below in plan.spent.items()}
        self._spent_nodes: dict[int, Node] = {}
        functions = (self.forward, *[way.function(g).run for way, g in zip(ways, self.groups, strict=True)])
        self.source = "\n".join(function.source for function in functions)

    def spent_node(self, output: int, variables: Sequence[Variable]) -> Node:
        """A freed node, as a backward pass leaves it, over the variables below the output: one where all are leaves."""
        node, below = self._spent_nodes.get(output), self.spent[output]
        if node is None:
            found = tuple(compress(variables, below))
            node = node_of(Compiled(), found, wrap(np.empty(0)), (True,) * len(found))
            node.free()
            if not any(below[: -len(self.leaves) or None]):
                self._spent_nodes[output] = node
        return node

    def run_or_undo(self, variables: Sequence[Variable]) -> tuple[np.ndarray, ...]:
        """Call `run`. If it raises, undo its changes; if they can't be undone, raise `StoppedHalfway`."""
        before, arrays = self._journal.note(variables), [x._data for x in variables]
        try:
            try:
                return self.run(variables, *arrays) if self.given else self.run(*arrays)
            except NotReplayed:
                self._journal.restore(before, self._begins_with)
                return self.forward(*arrays)
        except StoppedHalfway as stop:
            if self._journal.restore(before, self._begins_with + stop.done):
                raise stop.error from None
            raise
        except Exception:
            self._journal.restore(before, self._begins_with)
            raise


def _root(name: str, steps: Sequence[Step]) -> str:
    """The name of the array that this one may be a view of."""
    return viewed(name, steps)[-1]


def _idle(plan: Plan, taken: Iterable[str]) -> list[str]:
    """The names of what the function computes and nobody reads: it may raise, as of a label out of range."""
    steps = (*plan.forward, *plan.inside, *(step for recorded in plan.backward for step in recorded.steps))
    read = {*taken, *(name for step in steps for name in step.takes)}
    return [
        step.outputs[0]
        for step in plan.forward
        if step.op is not None and step.function not in (ReadPart, WritePart) and read.isdisjoint(step.outputs)
    ]


def _taken_by(steps: Sequence[Step]) -> list[str]:
    return [name for step in steps for name in step.takes]


def _host_calls(steps: Sequence[Step]) -> list[str]:
    return [identifier(step.function) for step in steps if step.op is None]


class Run:
    """One call of a program: its outputs, and what it keeps for backward."""

    __slots__ = ("again", "arrays", "kept", "outputs", "program", "shown", "upstream", "variables", "versions")

    def __init__(
        self,
        program: Program,
        variables: Sequence[Variable],
        outputs: list[np.ndarray],
        kept: tuple[np.ndarray, ...],
        again: Callable,
    ) -> None:
        self.program, self.variables, self.again = program, variables, again
        self.outputs, self.kept = outputs, kept
        self.shown: list[Version] = []  # of the watched outputs; the outputs themselves would be a cycle
        self.versions = [version_of(x) for x in variables]
        self.arrays = [x._data for x in variables]
        self.upstream: dict[int, Variable] = {}  # gradients of outputs that wait for others

    def gradients(
        self, group: int, grads: dict[int, Variable], positions: Sequence[int], last: bool
    ) -> list[tuple[int, Variable]]:
        """The contributions to the inputs at these positions, given ∂L/∂(output) of some outputs of a group."""
        way, places = self.program.backward[group]
        recorded = way.function(tuple(grads))
        needed = [places[k] for k in recorded.kept]
        kept = self._values(needed)
        if last and len(self.program.backward) == 1:
            self.kept = ()  # only the backward pass holds it now, and frees it step by step
        upstream = [grad._data for grad in grads.values()]
        found = recorded.run(*upstream, kept) if kept else recorded.run(*upstream)
        return [(position, wrap(found[place])) for position in positions for place in recorded.places[position]]

    def differentiable_gradients(
        self, grads: dict[int, Variable], positions: Sequence[int]
    ) -> Iterator[tuple[int, Variable]]:
        """The same, recorded for a second derivative: the function itself runs once more, op by op."""
        if self.program.host_calls:
            problem = "a second derivative runs the function once more, and its host calls would not do the same again"
            fix = "call the function, not the compiled one, where create_graph=True"
            raise GraphError(restate("compiled", problem, fix=fix, host_calls=self.program.host_calls))
        for x, version in zip(self.variables, self.versions, strict=True):
            if not version.current:
                raise GraphError(_changed("a tensor that", "after the compiled function used it", x))
        wanted, outputs = [self.variables[position] for position in positions], self.again()
        found = gradients([outputs[k] for k in grads], wanted, list(grads.values()), create_graph=True, ends=True)
        return ((position, g) for position, g in zip(positions, found, strict=True) if g is not None)

    def arrived_at(self, outputs: Sequence[int], there: np.ndarray) -> dict[int, Variable]:
        """The gradients of the outputs that have one in this pass; a pass that failed may have left others."""
        found = {k: self.upstream[k] for k, one in zip(outputs, there.tolist(), strict=True) if one}
        self.upstream.clear()
        return found

    def _values(self, needed: Sequence[int]) -> list[np.ndarray]:
        """The kept arrays at these positions, with the values from the forward pass even after in-place changes."""
        kept = [self.kept[place] for place in needed]
        for k, place in enumerate(needed):
            variables, outputs = self.program.variables_of[place], self.program.outputs_of[place]
            sources = [(source, self.versions, self.arrays[source]) for source in variables]
            sources += [(source, self.shown, self.outputs[self.program.watched[source]]) for source in outputs]
            for source, versions, array in sources:
                if versions[source].current or not np.may_share_memory(kept[k], array):
                    continue
                value = versions[source].value(kept[k])
                if value is None and versions is self.shown:
                    raise GraphError(_changed("what the compiled function returned, which", ""))
                if value is None:
                    raise GraphError(
                        _changed("a tensor that", "after the compiled function used it", self.variables[source])
                    )
                kept[k] = value
        return kept


def _changed(what: str, when: str, tensor: Variable | None = None) -> str:
    problem = f"backward needs {what} was changed in place {when}".rstrip()
    fix = "change a copy (t.clone()), or make the change after backward()"
    facts = {} if tensor is None else {"tensor": tensor}
    return restate("compiled", problem, expected="the values as they were", fix=fix, **facts)


class Compiled(Op):
    """z = f(xs): a recorded function, replayed; xs are its inputs and the parameters that it uses."""

    symbol, formula = "f", lambda xs: function("f")(xs)
    derivatives = (lambda grad: words("what the recorded rules say"),)
    run: Run | None
    group: int
    outputs: tuple[int, ...]

    def forward(self, *xs):
        """The output, already computed; a placeholder if there are several outputs, which `Part` returns."""
        # No longer among the parameters, which stay with the node when backward frees the residuals.
        self.residuals = self.__dict__.pop("run")
        return self.residuals.outputs[self.outputs[0]] if len(self.outputs) == 1 else np.zeros(len(self.outputs))

    def backward_together(
        self, grad: Variable, residuals: Run, positions: Sequence[int], last: bool
    ) -> Iterable[tuple[int, Variable]]:
        """The gradients by the program's backward pass."""
        grads = {self.outputs[0]: grad} if len(self.outputs) == 1 else residuals.arrived_at(self.outputs, grad._data)
        if is_grad_enabled():
            return residuals.differentiable_gradients(grads, positions)
        return residuals.gradients(self.group, grads, positions, last)


class Part(Op):
    """One of several outputs of a recorded function, whose gradients wait for each other in the backward pass.

    The run holds its gradient. Its own contribution marks which outputs have one: 1 at its place, 0 elsewhere.
    """

    symbol, formula = "f", lambda xs, k: function("f")(xs)[k]
    derivatives = (lambda grad, xs, k: equation(partial("L", function("f")(xs)[k]), grad),)
    run: Run | None
    output: int
    place: int
    count: int

    def forward(self, whole):
        """The output, already computed."""
        self.residuals = self.__dict__.pop("run")
        return self.residuals.outputs[self.output]

    def backward_together(
        self, grad: Variable, residuals: Run, positions: Sequence[int], last: bool
    ) -> Iterable[tuple[int, Variable]]:
        """A mark that this output has a gradient."""
        residuals.upstream[self.output] = grad
        here = np.zeros(self.count)
        here[self.place] = 1
        return [(0, wrap(here))]


def replay(program: Program, inputs: Sequence[Variable], again: Callable) -> list[Any]:
    """Run the program on the inputs: the outputs, as tensors through which gradients flow."""
    variables = (*inputs, *program.leaves)
    results = program.run_or_undo(variables)
    arrays = [np.asarray(array) for array in results[: program.count]]
    outputs = [wrap(array) for array in arrays]
    for k in program.spent:
        outputs[k] = wrap(arrays[k], True, program.spent_node(k, variables))
    for output in outputs:
        note_shared_memory(output, variables, False)
    run = Run(program, variables, arrays, results[program.count :], again) if program.groups else None
    if run is not None:
        _connect(program, variables, run, outputs)
    for k in range(1, len(outputs)):
        output = outputs[k]
        other = next((x for x in outputs[:k] if np.may_share_memory(x._data, output._data)), None)
        if other is not None and output._aliases is None:
            add_stranger(output, other)
    if run is not None:
        run.shown = [version_of(outputs[k]) for k in program.watched]
    return outputs


def _connect(program: Program, variables: tuple[Variable, ...], run: Run, outputs: list[Any]) -> None:
    """Replace the outputs through which gradients flow by results of ops."""
    with nullcontext() if is_grad_enabled() else enable_grad():  # as the function itself did
        for number, group in enumerate(program.groups):
            whole = apply(Compiled, *variables, run=run, group=number, outputs=group)
            for place, k in enumerate(group):
                how = {"run": run, "output": k, "place": place, "count": len(group)}
                outputs[k] = whole if len(group) == 1 else apply(Part, whole, **how)
                if outputs[k] is not whole:
                    note_shared_memory(outputs[k], variables, outputs[k]._requires_grad)
