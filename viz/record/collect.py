"""The records of a live graph: `collect` walks it once, and copies what drawings need."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from operator import attrgetter
from types import FrameType
from typing import Any

import numpy as np

from tensorgrad.autograd.backward_pass import gradients
from tensorgrad.autograd.modes import observe
from tensorgrad.autograd.node import Node, Saved
from tensorgrad.autograd.op import OUTPUT
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate
from tensorgrad.viz.record.naming import tell_apart
from tensorgrad.viz.record.recorder import OUTLINE, Depth, Recorder
from tensorgrad.viz.record.records import GraphRecord
from tensorgrad.viz.record.steps import Computed, Flows, Key, Known, Pass, Step, key_of, learn_from

MAX_OPS = 10_000
"""The default limit: to record and to lay out so many ops takes a minute."""


def collect(
    output: Variable,
    names: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    max_ops: int = MAX_OPS,
    depth: Depth = OUTLINE,
) -> GraphRecord:
    """The records of all that led to `output`, before or after `backward()`: a node's structure outlives its values.

    Args:
        output: a tensor that was computed while recording was on; usually the loss.
        names: tensors by the names to give them; they go before a tensor's own `.name`.
        variables: tensors by the names of the caller's variables; they come after a tensor's own `.name`.
        max_ops: the largest graph to accept.
        depth: the level of detail. With `numbers`, a backward pass runs that adds to no `.grad`, to see what flows
            along each edge, if the graph still allows it; hooks run, as they do in `backward()`. Values that the graph
            didn't keep are computed again.

    Raises:
        DTypeError: `output` isn't a tensor.
        GraphError: nothing was recorded for it.
        ArgumentError: more than `max_ops` ops led to it.

    >>> import tensorgrad as tg
    >>> from tensorgrad.viz.record.collect import collect
    >>> a = tg.Tensor(2.0, requires_grad=True, name="a")
    >>> graph = collect(a * 3)
    >>> graph.ops[0].formula, [(e.operand, e.derivative) for e in graph.edges]
    ('z = x · y', [('x', '∂z/∂x = y'), ('y', '')])
    """
    find = live_computation if depth.numbers else live_steps
    return Recorder(find(output, names, variables, max_ops), depth).record()


def live_computation(
    output: Variable,
    names: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    max_ops: int = MAX_OPS,
) -> Computed:
    """The steps that led to `output`, with a backward pass that adds to no `.grad`; see `collect`."""
    found = live_steps(output, names, variables, max_ops)
    found.passes = _backward_pass(output, [step.node for step in found.steps if step.node is not None])
    if found.passes:
        _compute_again(found.steps, found.known)
    return found


def live_steps(
    output: Variable,
    names: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    max_ops: int = MAX_OPS,
) -> Computed:
    """The steps that led to `output`, in the order they ran, and what is known of their tensors; see `collect`."""
    nodes = _oldest_first(_root(output), max_ops)
    steps, known = [live_step(node) for node in nodes], _what_is_known(output, nodes, names or {}, variables or {})
    tell_apart(steps, known, (variables or {}).items())
    return Computed(steps, known, (output._node,))


def variables_of(frame: FrameType) -> dict[str, Any]:
    """The variables of a caller, without those of tools: a notebook's begin with an underscore, pytest's with an @."""
    return {name: value for name, value in frame.f_locals.items() if name.isidentifier() and name[0] != "_"}


def live_step(node: Node) -> Step:
    """The step that a node of a live graph records."""
    inputs: list[Key] = []
    for position, source in enumerate(node.edges):
        saved = (node.saved or {}).get(position)
        if source is not None:
            inputs.append(source)
        else:
            inputs.append((node, position) if saved is None else _constant(saved))
    return Step(node.op, node, tuple(inputs), node.input_shapes, node, node.shape)


def _constant(saved: Saved) -> Key:
    """The key of a saved tensor without history: its array, or that array before it was changed in place."""
    return id(saved.array) if saved.version.current else (id(saved.array), id(saved.version))


def _backward_pass(output: Variable, nodes: Iterable[Node]) -> tuple[Pass, ...]:
    """A backward pass from a scalar output; none where values have been freed or changed since."""
    leaves = list({leaf: None for node in nodes for leaf in node.edges if isinstance(leaf, Variable)})
    if output._data.size != 1 or not leaves or any(node.freed for node in nodes):
        return ()
    flows = Flows()
    try:
        with observe(flows):
            found = gradients([output], leaves, [None], retain_graph=True)
    except GraphError:
        return ()
    (backward,) = (backward for backward in flows.passes if key_of(output) in backward.seeds)
    reached = ((leaf, gradient) for leaf, gradient in zip(leaves, found, strict=True) if gradient is not None)
    backward.added = {leaf: gradient._data for leaf, gradient in reached}
    return (backward,)


def _compute_again(steps: Iterable[Step], known: Mapping[Key, Known]) -> None:
    """Compute the values that the graph didn't keep from those that it did: ops are deterministic.

    A weight may have been changed in place since, where no rule keeps it. So a value that was computed again is shown
    only if a later value, which the graph did keep, agrees with it.
    """
    behind: dict[Key, set[Key]] = {}  # per value computed again: itself and those that it was computed from
    confirmed: set[Key] = set()
    for step in steps:
        arrays, kept = [a for key in step.inputs if (a := known[key].array) is not None], known[step.output].array
        sources: set[Key] = set().union(*(behind.get(key, ()) for key in step.inputs))
        if len(arrays) < len(step.inputs) or (kept is not None and not sources):
            continue
        op = copy.copy(step.op)
        again = np.asarray(op.forward(*arrays))
        if kept is None:
            known[step.output].array = again
            behind[step.output] = {step.output, *sources}
        elif np.allclose(again, kept, rtol=1e-5, equal_nan=True):
            confirmed |= sources
    for key in behind.keys() - confirmed:
        known[key].array = None


def _root(output: Any) -> Node:
    if not isinstance(output, Variable):
        fix = "pass the loss, before or after backward()"
        raise DTypeError(restate("graph", "output must be a tensor", fix=fix, output=output))
    if output._node is None:
        problem = "output is a leaf: no op made it" if output._requires_grad else "nothing was recorded for output"
        fix = "compute it from tensors made with requires_grad=True, outside no_grad(), and pass the result itself"
        raise GraphError(restate("graph", problem, expected="a tensor computed by ops", fix=fix, output=output))
    return output._node


def _oldest_first(root: Node, max_ops: int) -> list[Node]:
    """All nodes that led to the root, in topological order; raises ArgumentError as soon as there are too many."""
    seen, stack = {root}, [root]
    while stack:
        for edge in stack.pop().edges:
            if type(edge) is Node and edge not in seen:
                seen.add(edge)
                stack.append(edge)
        if len(seen) > max_ops:
            raise ArgumentError(
                restate(
                    "graph",
                    f"the graph must have at most max_ops ops, got more than {max_ops:,}",
                    fix="draw a part (one layer, fewer time steps), or pass a larger max_ops and wait for the layout",
                    max_ops=max_ops,
                )
            )
    return sorted(seen, key=attrgetter("age"))


def _what_is_known(
    output: Variable, nodes: Iterable[Node], names: Mapping[str, Any], variables: Mapping[str, Any]
) -> dict[Key, Known]:
    """Names and values of the tensors of a graph, by key, as far as they are known.

    The graph keeps its leaves, and of other tensors only what backward needs, until it has run. The rest comes from the
    tensors that are still alive: the output, and whatever the caller names.
    """
    known: dict[Key, Known] = defaultdict(Known)
    for name, value in names.items():
        learn_from(known, value, name)
    learn_from(known, output, output.name)
    for node in nodes:
        retained = node.retained() if node.retained is not None else None
        known[node].learn(node.name, None, retained._grad if retained is not None else None)
        for leaf in node.edges:
            if isinstance(leaf, Variable):
                known[leaf].learn(leaf.name, leaf._data, leaf._grad)
        for k, saved in (node.saved or {}).items():
            source = node if k == OUTPUT else saved.source
            known[_constant(saved) if source is None else source].learn(saved.name, saved.value)
    for name, value in variables.items():
        learn_from(known, value, value.name or name if isinstance(value, Variable) else name)
    return known
