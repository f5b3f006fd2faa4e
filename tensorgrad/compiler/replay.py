"""A recorded call as one op: forward runs the program of its steps, backward that of its gradients."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import compress
from typing import Any

import numpy as np

from tensorgrad.autograd.backward import gradients
from tensorgrad.autograd.engine import (
    Node,
    Variable,
    apply,
    enable_grad,
    is_grad_enabled,
    note_shared_memory,
    observe,
    wrap,
)
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.versions import Version, add_stranger, version_of
from tensorgrad.compiler.backward_pass import Backward, Walk, grouped
from tensorgrad.compiler.capture import Shortcut
from tensorgrad.compiler.fusion import fused
from tensorgrad.compiler.journal import Journal
from tensorgrad.compiler.program import GIVEN, Underway, folded, function_of, live, names_given
from tensorgrad.compiler.recording import Recording, Step, insist
from tensorgrad.errors import GraphError, restate

INSIDE = -1
"""Among the walks back, by outputs, those of the function itself."""


class Plan:
    """What to compute for a call like the one recorded, and what for each output's gradient.

    Args:
        recording: of the forward pass; the gradients of what was returned are recorded here, by a dry run.
        inputs: the tensors that the call was given.
        outputs: the tensors that it returned.
    """

    def __init__(self, recording: Recording, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.recording = recording
        self.outputs = tuple(recording.name_of(tensor) for tensor in outputs)
        self.forward = tuple(recording.steps)
        self.walked = tuple(step for steps in recording.walks for step in steps)
        self.variables, variables = recording.variables, (*inputs, *recording.leaves.values())
        self.spent = {k for k, output in enumerate(outputs) if output._node is not None and output._node.freed}
        wanted = [k for k, output in enumerate(outputs) if output._node is not None and k not in self.spent]
        self.backward = [self._dry_run(group, outputs, variables) for group in grouped(outputs, wanted)]

    def _dry_run(self, group: Sequence[int], outputs: Sequence[Variable], variables: Sequence[Variable]) -> Walk:
        """The walk back from a group of outputs."""
        recording, before = self.recording, len(self.recording.steps)
        seeds = [wrap(np.ones_like(outputs[k]._data)) for k in group]
        upstream = {k: recording.introduce(g._data, f"grad_{k + 1}") for k, g in zip(group, seeds, strict=True)}
        wanted = [x for x in variables if x._requires_grad]
        recording.wanted = {x._node or x for x in wanted}
        recording.contributions.clear()
        with observe(recording):
            gradients([outputs[k] for k in group], wanted, seeds, retain_graph=True, leaf_hooks=False, ends=True)
        found = tuple(tuple(recording.contributions.get(x._node or x, ())) for x in variables)
        return Walk(upstream, tuple(recording.steps[before:]), found)

    def returns_one_of(self, names: Container[str]) -> bool:
        """Whether an output is one of the arrays of these names, or a view of one."""
        return any(_root(name, self.forward) in names for name in self.outputs)

    def agrees_with(self, other: Plan) -> bool:
        """Whether both calls did the same."""
        return (
            self.outputs == other.outputs
            # The steps are compared below: all of them are the recording's.
            and [walk[::2] for walk in self.backward] == [walk[::2] for walk in other.backward]
            and self.recording.agrees_with(other.recording)
        )


class Program:
    """A plan as functions of arrays. A walk back that the function itself has done is a part of `forward`.

    Args:
        plan: what to compute.
        made_anew: leaves that the call makes by itself, always alike: constants of the program.

    Attributes:
        leaves: the tensors that the calls read beside their inputs, parameters above all.
        forward: a function of the arrays of inputs and leaves: the outputs, then what the gradients need.
        run: the same, or a shorter way to it.
        given: whether it takes the tensors themselves that the call was given, before the arrays.
        watched: the outputs whose memory backward needs.
        moves: what it does beside the ops: masks that it draws, statistics that it updates.
        spent: per output whose graph was used up inside, a node that says so.
        count: how many outputs there are.
        lent: per array that forward keeps, the number of the input or leaf of which it is a view, None if of none.
        seen: the same, with the watched outputs.
        nbytes: bytes of its constants.
        groups: the outputs that have a gradient, those that share a part of their graph together.
        backward: the walk back from each group, and where what it needs stands in what forward kept.
        source: the text of all of them.
    """

    def __init__(self, plan: Plan, made_anew: Mapping[str, np.ndarray]) -> None:
        recording = plan.recording
        leaves = {name: leaf for name, leaf in recording.leaves.items() if name not in made_anew}
        self.leaves, self.count = tuple(leaves.values()), len(plan.outputs)
        parameters, effects = (*recording.inputs, *leaves), tuple(recording.effects)
        self.moves = ", ".join(dict.fromkeys(_besides_ops((*plan.forward, *effects))))

        wanted = [name not in made_anew for name in plan.variables]
        backward = [walk._replace(gradients=tuple(compress(walk.gradients, wanted))) for walk in plan.backward]
        ends = (*plan.outputs, *_taken_by(effects))
        found = tuple(name for walk in backward for name in walk.found)
        walks = {k: walk.steps for k, walk in enumerate(backward)} | {INSIDE: plan.walked}
        forward, walks = fused(plan.forward, walks, (*ends, *found), recording.shapes)
        forward, constants = folded((*forward, *walks.pop(INSIDE)), recording.constants | made_anew, (*ends, *found))
        made = {name for step in forward for name in step.outputs}.union(parameters)
        ways = [Backward(walk, walks[k], made, constants) for k, walk in enumerate(backward)]
        kept = tuple(dict.fromkeys(name for way in ways for name in way.kept))
        steps, results = live(forward, (*ends, *kept)), (*plan.outputs, *kept)
        before = (*recording.conditions, *effects[: recording.begins_with])
        effects = effects[recording.begins_with :]
        name = "step" if plan.walked else "forward"
        self.given = any(names_given(value) for step in (*before, *effects) for value in step.settings.values())
        taken = (GIVEN, *parameters) if self.given else parameters
        self.forward = function_of(name, taken, steps, results, constants, before, effects)
        self.run = self.forward
        if not (backward or self.given) and all(_is_op(step) for step in (*plan.forward, *plan.walked)):
            self.run = Shortcut(self.forward, before, steps, effects, parameters, results, constants)
        roots = [_root(name, plan.forward) for name in kept]
        self.lent = [parameters.index(name) if name in parameters else None for name in roots]
        self.watched = tuple(k for k, name in enumerate(plan.outputs) if _root(name, plan.forward) in roots)
        places = {_root(plan.outputs[k], plan.forward): place for place, k in enumerate(self.watched)}
        self.seen = [places.get(name) for name in roots]

        self._journal = Journal((*plan.forward, *plan.walked), recording.effects)
        self._begins_with = recording.begins_with

        self.nbytes = sum(array.nbytes for array in constants.values())
        self.groups = [tuple(walk.upstream) for walk in backward]
        self.backward = [(way, [kept.index(name) for name in way.kept]) for way in ways]
        self.spent = {k: _spent() for k in plan.spent}
        functions = (self.forward, *[way.function(g).run for way, g in zip(ways, self.groups, strict=True)])
        self.source = "\n".join(function.source for function in functions)

    def run_or_undo(self, variables: Sequence[Variable]) -> tuple[np.ndarray, ...]:
        """What `run` returns. Should it raise, the world is as it was; else, where that can't be, it's `Underway`."""
        noted, arrays = self._journal.note(variables), [x._data for x in variables]
        try:
            return self.run(variables, *arrays) if self.given else self.run(*arrays)
        except Underway as stop:
            if self._journal.put_back(noted, self._begins_with + stop.done):
                raise stop.__cause__ from None
            raise
        except Exception:
            self._journal.put_back(noted, self._begins_with)
            raise


def _spent() -> Node:
    """A node whose backward has been."""
    node = Node(Compiled(), (), wrap(np.empty(0)))
    node.free()
    return node


def _is_op(step: Step) -> bool:
    """Whether a step may be done any number of times: a random mask may not."""
    return isinstance(step.function, type) or step.function is insist


def _root(name: str, steps: Sequence[Step]) -> str:
    """The array whose memory this one may share."""
    for step in reversed(steps):
        if name in step.outputs[:1] and isinstance(step.function, type) and step.function.aliases:
            name = step.inputs[0]
    return name


def _taken_by(steps: Sequence[Step]) -> list[str]:
    return [name for step in steps for name in step.takes]


def _besides_ops(steps: Sequence[Step]) -> list[str]:
    return [step.function.__name__.strip("_") for step in steps if not isinstance(step.function, type)]


class Run:
    """One call of a program: its outputs, and what it keeps for backward."""

    __slots__ = ("again", "kept", "outputs", "program", "shown", "upstream", "variables", "versions")

    def __init__(self, program: Program, variables: Sequence[Variable], again: Callable) -> None:
        self.program, self.variables, self.again = program, variables, again
        results = program.run_or_undo(variables)
        self.outputs = [np.asarray(array) for array in results[: program.count]]
        self.kept = results[program.count :]
        self.shown: list[Version] = []  # of the watched outputs; the outputs themselves would be a cycle
        self.versions = [version_of(x) for x in variables] if program.backward else []
        self.upstream: dict[int, Variable] = {}  # gradients of outputs that wait for others

    def gradients(
        self, group: int, grads: dict[int, Variable], positions: Sequence[int], last: bool
    ) -> list[tuple[int, Variable]]:
        """What the input at each position gets, one after the other, given ∂L/∂(output) of some outputs of a group."""
        way, places = self.program.backward[group]
        walk = way.function(tuple(grads))
        needed = [places[k] for k in walk.kept]
        kept = self._values(needed)
        if last and len(self.program.backward) == 1:
            self.kept = ()  # the walk alone holds it now, and lets it go piece by piece
        upstream = [grad._data for grad in grads.values()]
        found = walk.run(*upstream, kept) if kept else walk.run(*upstream)
        return [(position, wrap(found[place])) for position in positions for place in walk.places[position]]

    def differentiable_gradients(
        self, grads: dict[int, Variable], positions: Sequence[int]
    ) -> Iterator[tuple[int, Variable]]:
        """The same, recorded, for a second derivative: the function itself runs once more, op by op."""
        if self.program.moves:
            problem = "a gradient of a gradient needs the function itself once more, which wouldn't do the same again"
            fix = "call the function, not the compiled one, where create_graph=True"
            raise GraphError(restate("compiled", problem, fix=fix, besides=self.program.moves))
        for x, version in zip(self.variables, self.versions, strict=True):
            if not version.current:
                raise GraphError(_changed("a tensor that", "after the compiled function used it", x))
        wanted, outputs = [self.variables[position] for position in positions], self.again()
        found = gradients([outputs[k] for k in grads], wanted, list(grads.values()), create_graph=True, ends=True)
        return ((position, g) for position, g in zip(positions, found, strict=True) if g is not None)

    def arrived_at(self, outputs: Sequence[int], there: np.ndarray) -> dict[int, Variable]:
        """The gradients of those outputs that have one: what isn't `there` was left by a walk that didn't end."""
        found = {k: self.upstream[k] for k, one in zip(outputs, there.tolist(), strict=True) if one}
        self.upstream.clear()
        return found

    def _values(self, needed: Sequence[int]) -> list[np.ndarray]:
        """What was kept at these places, as it was: a recorded change in place leaves a copy of the old values."""
        kept = [self.kept[place] for place in needed]
        for k, place in enumerate(needed):
            for source, versions in ((self.program.lent[place], self.versions), (self.program.seen[place], self.shown)):
                if source is None or versions[source].current:
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

    symbol, formula = "f", "z = f(xs)"
    derivatives = ("∂L/∂xᵢ by the recorded rules",)
    run: Run | None
    group: int
    outputs: tuple[int, ...]

    def forward(self, *xs):
        """What the program has computed by now: of several outputs none, for `Part` gives them."""
        # Not among the parameters any longer: those stay with the node when backward frees what it kept.
        self.residuals = self.__dict__.pop("run")
        return self.residuals.outputs[self.outputs[0]] if len(self.outputs) == 1 else np.zeros(len(self.outputs))

    def backward_together(
        self, grad: Variable, residuals: Run, positions: Sequence[int], last: bool
    ) -> Iterable[tuple[int, Variable]]:
        """What the walk back through the program gives."""
        grads = {self.outputs[0]: grad} if len(self.outputs) == 1 else residuals.arrived_at(self.outputs, grad._data)
        if is_grad_enabled():
            return residuals.differentiable_gradients(grads, positions)
        return residuals.gradients(self.group, grads, positions, last)


class Part(Op):
    """One of several outputs of a recorded function, all of which have to wait for each other on the way back.

    Its gradient is left with the run. What it hands on tells which outputs have one: 1 at its place, and 0 elsewhere.
    """

    symbol, formula = "f", "z = f(xs)ₖ"
    derivatives = ("∂L/∂f(xs)ₖ = ∂L/∂z",)
    run: Run | None
    output: int
    place: int
    count: int

    def forward(self, whole):
        """What the program has computed by now."""
        self.residuals = self.__dict__.pop("run")
        return self.residuals.outputs[self.output]

    def backward_together(
        self, grad: Variable, residuals: Run, positions: Sequence[int], last: bool
    ) -> Iterable[tuple[int, Variable]]:
        """That there is a gradient."""
        residuals.upstream[self.output] = grad
        here = np.zeros(self.count)
        here[self.place] = 1
        return [(0, wrap(here))]


def replay(program: Program, inputs: Sequence[Variable], again: Callable) -> list[Any]:
    """Run the program on the inputs: the outputs, as tensors through which gradients flow."""
    variables = (*inputs, *program.leaves)
    run = Run(program, variables, again)
    outputs = [wrap(array) for array in run.outputs]
    for k, spent in program.spent.items():
        outputs[k] = wrap(run.outputs[k], True, spent)
    for output in outputs:
        note_shared_memory(output, variables, False)
    with nullcontext() if is_grad_enabled() else enable_grad():  # as the function itself did inside
        for number, group in enumerate(program.groups):
            whole = apply(Compiled, *variables, run=run, group=number, outputs=group)
            for place, k in enumerate(group):
                how = {"run": run, "output": k, "place": place, "count": len(group)}
                outputs[k] = whole if len(group) == 1 else apply(Part, whole, **how)
    for k, output in enumerate(outputs):
        other = next((x for x in outputs[:k] if np.may_share_memory(x._data, output._data)), None)
        if other is not None and output._aliases is None:
            add_stranger(output, other)
    run.shown = [version_of(outputs[k]) for k in program.watched]
    return outputs
