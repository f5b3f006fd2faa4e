"""A recorded call as one op: forward runs the program of its steps, backward that of its gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from tensorgrad.aliases import Version, version_of
from tensorgrad.backward import gradients
from tensorgrad.compiler.capture import Shortcut
from tensorgrad.compiler.fusion import fused
from tensorgrad.compiler.program import folded, function_of, live
from tensorgrad.compiler.recording import Recording, Step, insist
from tensorgrad.engine import Node, Variable, apply, enable_grad, is_grad_enabled, observe, wrap
from tensorgrad.errors import GraphError, restate
from tensorgrad.op import Op

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
        self.backward: dict[int, tuple[str, tuple[Step, ...], tuple[str | None, ...]]] = {}
        variables = (*inputs, *recording.leaves.values())
        self.spent = {k for k, output in enumerate(outputs) if output._node is not None and output._node.freed}
        for k, output in enumerate(outputs):
            if output._node is not None and k not in self.spent:
                self.backward[k] = self._dry_run(k, output, variables)

    def _dry_run(self, k: int, output: Variable, variables: Sequence[Variable]) -> tuple[str, tuple, tuple]:
        """The name of the upstream gradient, the steps from there on, and the names of the gradients found."""
        recording, before = self.recording, len(self.recording.steps)
        seed = wrap(np.ones_like(output._data))
        upstream = recording.introduce(seed._data, f"grad_{k + 1}")
        wanted = [x for x in variables if x._requires_grad]
        with observe(recording):
            found = iter(gradients([output], wanted, [seed], retain_graph=True, leaf_hooks=False))
        per_variable = [next(found) if x._requires_grad else None for x in variables]
        names = tuple(None if g is None else recording.name_of(g) for g in per_variable)
        return upstream, tuple(recording.steps[before:]), names

    def agrees_with(self, other: Plan) -> bool:
        """Whether both calls did the same."""
        return (
            self.outputs == other.outputs
            and self.backward.keys() == other.backward.keys()
            # The steps are compared below: all of them are the recording's.
            and all(walk[::2] == other.backward[k][::2] for k, walk in self.backward.items())
            and self.recording.agrees_with(other.recording)
        )


class Program:
    """A plan as functions of arrays. A walk back that the function itself has done is a part of `forward`.

    Attributes:
        leaves: the tensors that the calls read beside their inputs, parameters above all.
        forward: a function of the arrays of inputs and leaves: the outputs, then what the gradients need.
        run: the same, or a shorter way to it.
        watched: the outputs whose memory backward needs.
        moves: what it does beside the ops: masks that it draws, statistics that it updates.
        spent: per output whose graph was used up inside, a node that says so.
        count: how many outputs there are.
        backward: per output that has a gradient: a function of the upstream gradient and of what forward kept for it,
            where that stands in what forward kept, and per input and leaf where its gradient stands in the result.
        source: the text of all of them.
    """

    def __init__(self, plan: Plan) -> None:
        recording = plan.recording
        self.leaves, self.count = tuple(recording.leaves.values()), len(plan.outputs)
        parameters, effects = (*recording.inputs, *recording.leaves), tuple(recording.effects)
        self.moves = ", ".join(dict.fromkeys(_besides_ops((*plan.forward, *effects))))

        gradients = {k: tuple(n for n in names if n is not None) for k, (_, _, names) in plan.backward.items()}
        ends = (*plan.outputs, *_taken_by(effects))
        found = tuple(name for names in gradients.values() for name in names)
        walks = {k: steps for k, (_, steps, _) in plan.backward.items()} | {INSIDE: plan.walked}
        forward, walks = fused(plan.forward, walks, (*ends, *found), recording.shapes)
        forward, constants = folded((*forward, *walks.pop(INSIDE)), recording.constants, (*ends, *found))
        walks = {k: live(steps, gradients[k]) for k, steps in walks.items()}

        made = {name for step in forward for name in step.outputs}.union(parameters)
        read = {k: dict.fromkeys((*_taken_by(steps), *gradients[k])) for k, steps in walks.items()}
        kept_by = {k: tuple(name for name in names if name in made) for k, names in read.items()}
        kept = tuple(dict.fromkeys(name for names in kept_by.values() for name in names))
        steps, results = live(forward, (*ends, *kept)), (*plan.outputs, *kept)
        before = (*recording.conditions, *effects[: recording.begins_with])
        effects = effects[recording.begins_with :]
        name = "step" if plan.walked else "forward"
        self.forward = function_of(name, parameters, steps, results, constants, before, effects)
        self.run = self.forward
        if not plan.backward and all(_is_op(step) for step in (*plan.forward, *plan.walked)):
            self.run = Shortcut(self.forward, before, steps, effects, parameters, results, constants)
        roots = {_root(name, plan.forward) for name in kept}
        self.watched = tuple(k for k, name in enumerate(plan.outputs) if _root(name, plan.forward) in roots)

        self.backward: dict[int, tuple[Callable, tuple[int, ...], tuple[int | None, ...]]] = {}
        for k, steps in walks.items():
            upstream, _, names = plan.backward[k]
            run = function_of(f"backward_{k + 1}", (upstream,), steps, gradients[k], constants, kept=kept_by[k])
            places = tuple(None if name is None else gradients[k].index(name) for name in names)
            self.backward[k] = run, tuple(kept.index(name) for name in kept_by[k]), places
        self.spent = {k: _spent() for k in plan.spent}
        functions = (self.forward, *(run for run, _, _ in self.backward.values()))
        self.source = "\n".join(function.source for function in functions)


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

    __slots__ = ("again", "kept", "outputs", "program", "shown", "variables", "versions")

    def __init__(self, program: Program, variables: Sequence[Variable], again: Callable) -> None:
        self.program, self.variables, self.again = program, variables, again
        results = program.run(*[x._data for x in variables])
        self.outputs = [np.asarray(array) for array in results[: program.count]]
        self.kept = results[program.count :]
        self.shown: list[Version] = []  # of the watched outputs; the outputs themselves would be a cycle
        self.versions = [x._version or version_of(x) for x in variables] if program.backward else []

    def gradients(self, k: int, grad: Variable, positions: Sequence[int], last: bool) -> list[tuple[int, Variable]]:
        """∂L/∂(input at each position), given ∂L/∂(output k)."""
        self._check_versions()
        walk, places, names = self.program.backward[k]
        kept = [self.kept[place] for place in places]
        if last and len(self.program.backward) == 1:
            self.kept = ()  # the walk alone holds it now, and lets it go piece by piece
        found = walk(grad._data, kept) if kept else walk(grad._data)
        places = [(position, names[position]) for position in positions]
        return [(position, wrap(found[place])) for position, place in places if place is not None]

    def differentiable_gradients(
        self, k: int, grad: Variable, positions: Sequence[int]
    ) -> Iterator[tuple[int, Variable]]:
        """The same, recorded, for a second derivative: the function itself runs once more, op by op."""
        if self.program.moves:
            problem = "a gradient of a gradient needs the function itself once more, which wouldn't do the same again"
            fix = "call the function, not the compiled one, where create_graph=True"
            raise GraphError(restate("compiled", problem, fix=fix, besides=self.program.moves))
        wanted = [self.variables[position] for position in positions]
        found = gradients([self.again()[k]], wanted, [grad], create_graph=True)
        return ((position, g) for position, g in zip(positions, found, strict=True) if g is not None)

    def _check_versions(self) -> None:
        if not all([version.current for version in self.shown]):
            problem = "backward needs what the compiled function returned, which was changed in place"
            fix = "change a copy (t.clone()), or make the change after backward()"
            raise GraphError(restate("compiled", problem, fix=fix))
        place = next((k for k, version in enumerate(self.versions) if not version.current), None)
        if place is None:
            return
        problem = "backward needs a tensor that was changed in place after the compiled function used it"
        expected = "the values as they were"
        fix = "change a copy (t.clone()), or make the change after backward()"
        raise GraphError(restate("compiled", problem, expected=expected, fix=fix, tensor=self.variables[place]))


class Compiled(Op):
    """z = f(xs): a recorded function, replayed; xs are its inputs and the parameters that it uses."""

    symbol, formula = "f", "z = f(xs)"
    derivatives = ("∂L/∂xᵢ by the recorded rules",)
    run: Run | None
    output: int

    def forward(self, *xs):
        """What the program has computed by now."""
        # Not among the parameters any longer: those stay with the node when backward frees what it kept.
        self.residuals = self.__dict__.pop("run")
        return self.residuals.outputs[self.output]

    def backward_together(
        self, grad: Variable, residuals: Run, positions: Sequence[int], last: bool
    ) -> Iterable[tuple[int, Variable]]:
        """What the walk back through the program gives."""
        if is_grad_enabled():
            return residuals.differentiable_gradients(self.output, grad, positions)
        return residuals.gradients(self.output, grad, positions, last)


def replay(program: Program, inputs: Sequence[Variable], again: Callable) -> list[Any]:
    """Run the program on the inputs: the outputs, as tensors through which gradients flow."""
    variables = (*inputs, *program.leaves)
    run = Run(program, variables, again)
    outputs = []
    for k in range(program.count):
        if k not in program.backward:
            spent = program.spent.get(k)
            outputs.append(wrap(run.outputs[k], spent is not None, spent))
            continue
        with nullcontext() if is_grad_enabled() else enable_grad():  # as the function itself did inside
            outputs.append(apply(Compiled, *variables, run=run, output=k))
    run.shown = [version_of(outputs[k]) for k in program.watched]
    return outputs
