"""The computation to be explained: the graph's nodes, and what is known of their tensors."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import set_grad_enabled
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate
from tensorgrad.viz.record.arrivals import HOOK, arrivals
from tensorgrad.viz.record.collect import live_steps
from tensorgrad.viz.record.recorder import names_by_variables
from tensorgrad.viz.record.steps import Computed, Key, Known, Step, key_of
from tensorgrad.viz.record.trace import Trace


class Link(NamedTuple):
    """A tensor as one input of an op: one link of a path, with one local derivative."""

    step: Step
    position: int

    @property
    def node(self) -> Node:
        """The op's record in the graph."""
        assert self.step.node is not None
        return self.step.node


@dataclass
class Computation:
    """Steps with nodes that aren't freed, oldest first; the last one computed the scalar loss.

    Attributes:
        steps: all that led to the loss.
        known: names and arrays by key; keys as in `steps`.
        loss: the result.
        users: per key, the links through which a gradient comes back to it.
        copies: for a trace, the tensors of the second run by the keys of the user's tensors.
        hooked: the keys of the tensors with hooks; of a trace, of those whose gradient a hook changed.
    """

    steps: list[Step]
    known: Mapping[Key, Known]
    loss: Variable
    copies: Mapping[Key, Variable] = field(default_factory=dict)
    hooked: frozenset[Key] = frozenset()
    users: dict[Key, list[Link]] = field(init=False)

    def __post_init__(self) -> None:
        self.users = {}
        reached = {self.steps[-1].output}
        for step in reversed(self.steps):
            if step.output in reached:
                reached.update(key for position, key in enumerate(step.inputs) if step.carries(position))
        # A tensor that leads to the loss only through a no_grad block or the like gets no gradient.
        for step in self.steps:
            for position, key in enumerate(step.inputs):
                if step.output in reached and step.carries(position):
                    self.users.setdefault(key, []).append(Link(step, position))

    def key_of(self, tensor: Any) -> Key:
        """The key of the tensor whose gradient is wanted. Raises DTypeError, GraphError."""
        if not isinstance(tensor, Variable):
            fix = "pass the tensor itself: wrt=model.weight"
            raise DTypeError(restate("explain", "wrt must be a tensor", fix=fix, wrt=tensor))
        key = key_of(self.tensor(tensor))
        if key is self.steps[-1].output:
            raise GraphError(
                restate("explain", "wrt is the loss itself: ∂L/∂L = 1", fix="pass what it was computed from")
            )
        if key not in self.users:
            problem = "no gradient flows from the loss to wrt"
            expected = "a tensor with requires_grad=True that the loss was computed from, or a step on the way"
            raise GraphError(restate("explain", problem, expected=expected, wrt=tensor))
        return key

    def tensor(self, tensor: Variable) -> Variable:
        """The tensor itself, or its copy in a computation that was run again."""
        return self.copies.get(tensor._node or tensor, tensor)


def computation(
    loss: Variable | Trace, names: Mapping[str, Any] | None, variables: Mapping[str, Any], max_ops: int
) -> Computation:
    """The computation of a loss whose graph isn't freed, or that of a trace, which is run again to get its graph.

    Raises DTypeError, GraphError, ArgumentError: no tensor, no scalar, nothing recorded, freed or failed.
    """
    if isinstance(loss, Trace):
        return _revived(loss.computation(None, names, variables, max_ops))
    if not isinstance(loss, Variable):
        fix = "pass the loss, or the trace of a `with tg.viz.trace() as t:` block"
        raise DTypeError(restate("explain", "only a tensor or a trace can be explained", fix=fix, loss=loss))
    found = live_steps(loss, names, variables, max_ops)
    _check_scalar(loss)
    if any(step.node is not None and step.node.freed for step in found.steps):
        problem = "backward() has freed the values that the rules need"
        fix = "explain before backward(), or call backward(retain_graph=True), or pass a trace of the whole step"
        raise GraphError(restate("explain", problem, expected="a graph that is still alive", fix=fix, loss=loss))
    return Computation(found.steps, found.known, loss, hooked=frozenset(_with_hooks(found.steps)))


def _with_hooks(steps: list[Step]) -> Iterator[Key]:
    """The leaves and the interior tensors of a live graph that have hooks."""
    for step in steps:
        yield from (key for key in step.inputs if isinstance(key, Variable) and key._hooks)
        if step.node is not None and step.node.hooks:
            yield step.output


def _check_scalar(loss: Variable) -> None:
    if loss._data.size != 1:
        fix = "reduce it first: loss.sum() or loss.mean()"
        raise ArgumentError(restate("explain", "the loss isn't a scalar", expected="one element", fix=fix, loss=loss))


def _revived(traced: Computed) -> Computation:
    """The traced steps, run again on the arrays that the trace kept: their graph isn't freed."""
    if traced.steps[-1].error:
        fix = "tg.viz.text(trace) and tg.viz.graph(trace) show where"
        raise GraphError(restate("explain", f"the traced computation failed: {traced.steps[-1].error}", fix=fix))
    seeds = _seeds(traced)
    copies: dict[Key, Variable] = {}
    alive, known = list[Step](), dict[Key, Known]()
    for step in _leading_to(list(seeds), traced.steps):
        inputs = [_copy(copies, key, step, traced.known) for key in step.inputs]
        with set_grad_enabled(step.node is not None):
            output = copies[step.output] = apply(type(step.op), *inputs, **step.op.keywords)
        op = step.op if output._node is None else output._node.op
        keys = tuple(key_of(x) for x in inputs)
        alive.append(Step(op, output._node, keys, step.input_shapes, key_of(output), step.shape))
    variables = names_by_variables(traced)
    for old, tensor in copies.items():
        fresh = known.setdefault(key_of(tensor), Known())
        fresh.learn(traced.known[old].name if old in traced.known else None, tensor._data)
        fresh.variable = variables.get(old, "")
    with set_grad_enabled(True):
        loss = functools.reduce(operator.add, [_term(copies[key], seed) for key, seed in seeds.items()])
    if loss._node is None:
        raise GraphError(restate("explain", "nothing was recorded in the trace", fix="compute outside of no_grad()"))
    _check_scalar(loss)
    made = {step.output for step in alive}
    whole = live_steps(loss)  # with the steps that sum several losses
    for step in whole.steps:
        if step.output not in made:
            alive.append(step)
            for key in (*step.inputs, step.output):
                known.setdefault(key, whole.known.get(key, Known()))
    changed = (key for key, arrival in arrivals(traced.passes, traced.steps).items() if arrival.altered == HOOK)
    return Computation(alive, known, loss, copies, frozenset(key_of(copies[key]) for key in changed if key in copies))


def _seeds(traced: Computed) -> dict[Key, np.ndarray | None]:
    """The terms of L, each a result and its seed: all that `backward()` started from; else the last result alone."""
    seeds: dict[Key, Any] = {}
    for walk in traced.passes:
        for key, seed in walk.seeds.items():
            seeds[key] = seeds[key] + seed if key in seeds else seed
    return {key: seeds[key] for key in traced.outputs if key in seeds} or {traced.outputs[-1]: None}


def _leading_to(ends: list[Key], steps: list[Step]) -> list[Step]:
    """The steps that led to some tensors, in the order they ran."""
    wanted, found = set(ends), []
    for step in reversed(steps):
        if step.output in wanted:
            wanted.update(step.inputs)
            found.append(step)
    return found[::-1]


def _term(output: Any, seed: np.ndarray | None) -> Any:
    if seed is None or (seed.size == 1 and (seed == 1).all()):
        return output
    return (output * wrap(seed)).sum()


def _copy(copies: dict[Key, Variable], key: Key, step: Step, known: Mapping[Key, Known]) -> Variable:
    """The tensor for `key` in the second run; made from its array, as the step read it, if no step computed it."""
    array = known[key].array if key in known else None
    array = step.leaves.get(key, array)
    is_leaf = isinstance(key, Variable)
    if key not in copies:
        if array is None:
            problem = f"an input of {step.op.name} was changed in place after the trace saw it"
            raise GraphError(
                restate("explain", problem, fix="change it outside of the traced block, or explain earlier")
            )
        copies[key] = wrap(array, is_leaf)
    elif is_leaf and array is not None and not np.array_equal(copies[key]._data, array, equal_nan=True):
        problem, fix = "a parameter was changed between two uses in the trace", "trace one step at a time"
        raise GraphError(restate("explain", problem, fix=fix, before=step.op.name))
    return copies[key]
