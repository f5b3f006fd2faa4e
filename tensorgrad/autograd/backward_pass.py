"""The backward pass through the graph: reverse-mode automatic differentiation.

Griewank and Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapter 3.
"""

import sys
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.arrays.quiet import quiet
from tensorgrad.autograd import engine, modes, variable
from tensorgrad.autograd.applied import inherit
from tensorgrad.autograd.hooks import run_after_backward
from tensorgrad.autograd.modes import set_grad_enabled
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.observer import BACKWARD
from tensorgrad.autograd.variable import Hook, Variable
from tensorgrad.errors import GraphError, ShapeError, restate


def backward(
    outputs: Sequence[Variable],
    seeds: Sequence[Any],
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> None:
    """Add ∂(Σ outputs·seeds)/∂leaf to the `.grad` of every leaf; if anything fails, nothing is added anywhere.

    Args:
        outputs: where to start.
        seeds: per output its upstream gradient, of its shape; None stands for 1 at a scalar.
        create_graph: record the backward pass, so that the gradients can be differentiated again.
        retain_graph: keep what the nodes saved, so that backward can run again; by default the value of `create_graph`.

    Raises:
        GraphError: no graph, a graph already freed, a non-scalar without a seed, a saved value changed in place.
        ShapeError: a seed of a wrong shape.
    """
    with modes.scope(*BACKWARD), set_grad_enabled(create_graph):
        found = _walk("backward", outputs, seeds, None, create_graph, retain_graph)
        for observer in modes.mode.observers:
            observer.gradients_arrived(dict(found), create_graph)
        leaves = tuple(found)
        gradient: Any
        while found:
            tensor, gradient = found.popitem()
            if tensor._grad is not None:
                tensor._grad = inherit(tensor._grad + gradient, tensor._grad)
            # A gradient may alias another's (z = x + y hands one array to both), so each tensor gets its own.
            elif sys.getrefcount(gradient) == _ONE_NAME and not create_graph and memory.owned(gradient._data):
                tensor._grad = gradient
            else:
                tensor._grad = gradient.clone()
    run_after_backward(leaves)


def _names_of_one() -> int:
    gradient = object()
    return sys.getrefcount(gradient)


# What `sys.getrefcount` reads for an object that one local variable holds and nothing else.
_ONE_NAME = _names_of_one()


def zero_grad(leaves: Sequence[Variable], set_to_none: bool = True) -> None:
    """Forget the gradients of leaves; with `set_to_none=False` those that exist become zeros."""
    engine.host_call(forget, tuple(leaves), set_to_none, effect=True)


def forget(leaves: tuple[Variable, ...], set_to_none: bool) -> None:
    """Drop the gradients of the leaves, or set them to zero: the host call of `zero_grad`."""
    for leaf in leaves:
        leaf._grad = None if set_to_none or leaf._grad is None else variable.wrap(np.zeros_like(leaf._data))


def accumulate(leaves: Sequence[Variable], *gradients: np.ndarray) -> None:
    """Add to the `.grad` of each leaf, as `backward` does at its end: for callers that computed gradients themselves.

    An array with a single reference, the caller's, is donated, not copied: the caller must not use it any longer.
    """
    for leaf, array in zip(leaves, gradients, strict=True):
        if leaf._grad is not None:
            leaf._grad = inherit(leaf._grad + variable.wrap(array), leaf._grad)
        else:
            leaf._grad = variable.wrap(array if memory.owned(array, _PASSED) else array.copy())


def _passed() -> int:
    def references(leaves: Sequence[None], *gradients: np.ndarray) -> int:
        found = 0
        for _leaf, array in zip(leaves, gradients, strict=True):
            found = memory.references(array)
        return found

    gradient = np.zeros(1)
    return references((None,), gradient)


# What is counted for an argument of `accumulate` that one name of the caller holds and nothing else.
_PASSED = _passed()


def gradients(
    outputs: Sequence[Variable],
    inputs: Sequence[Variable],
    seeds: Sequence[Any],
    create_graph: bool = False,
    retain_graph: bool | None = None,
    leaf_hooks: bool = True,
    ends: bool = False,
) -> list[Variable | None]:
    """∂(Σ outputs·seeds)/∂input per input, leaf or not; None for one outside the graph. No `.grad` changes.

    Without `leaf_hooks` they are the gradients before the hooks of leaves see them. With `ends`, the pass ends at the
    inputs: what one gets through another one doesn't count.
    """
    wanted = [x._node or x for x in inputs]
    with modes.scope(*BACKWARD), set_grad_enabled(create_graph):
        found = _walk("grad", outputs, seeds, set(wanted), create_graph, retain_graph, leaf_hooks, ends)
    return [found.get(key) for key in wanted]


def backward_into(
    inputs: Sequence[Any],
    outputs: Sequence[Variable],
    seeds: Sequence[Any],
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> None:
    """As `backward`, but add to the `.grad` of the inputs alone, leaves or not; those outside the graph keep theirs."""
    found: list[Any] = gradients(outputs, inputs, seeds, create_graph, retain_graph)
    for x, gradient in zip(inputs, found, strict=True):
        if gradient is not None:
            x._grad = gradient.clone() if x._grad is None else x._grad + gradient
    run_after_backward([x for x, gradient in zip(inputs, found, strict=True) if gradient is not None])


@quiet  # sums of gradients may meet ∞ − ∞: a value, not a warning
def _walk(
    call: str,
    outputs: Sequence[Variable],
    seeds: Sequence[Any],
    wanted: set[Any] | None,
    create_graph: bool,
    retain_graph: bool | None,
    leaf_hooks: bool = True,
    ends: bool = False,
) -> dict[Any, Variable]:
    """Carry the seeds back through the graph.

    Returns the gradients of all leaves and of the tensors that retain theirs, or those of the `wanted` leaves and
    nodes, at which the pass `ends`.
    """
    retain_graph = create_graph if retain_graph is None else retain_graph
    observers = modes.mode.observers
    table = _GradientTable(keep_all=create_graph or bool(observers))
    checked, roots = [], set()
    for output, seed in zip(outputs, seeds, strict=True):
        seed = _checked_seed(call, output, seed)
        checked.append(seed)
        key = output._node or output
        if key in table:
            table.add(key, seed)
        else:
            table[key] = seed
        if output._node is not None:
            roots.add(output._node)
    order = _newest_first(roots)
    useful = None if wanted is None else _leading_to(wanted, order)
    walked = order if useful is None else {node for node in order if any(edge in useful for edge in node.edges)}
    if ends and wanted is not None and useful is not None:
        walked = {node for node in walked if node not in wanted}
    _check_alive(call, walked)
    for observer in observers:
        observer.backward_started(call, tuple(outputs), tuple(checked), create_graph)
    del checked, seeds, seed  # whoever holds a gradient besides the table makes it be copied

    found: dict[Any, Variable] = {}
    for node in order:
        grad = table.pop(node, None)
        if grad is None:
            continue
        if node.hooks is not None:
            grad = _run_hooks(node.hooks, grad)
        if wanted is None:
            if node.retained is not None and (tensor := node.retained()) is not None:
                found[tensor] = grad
        elif node in wanted:
            found[node] = grad
        if useful is not None and node not in walked:
            continue
        for position, g in node.input_gradients(grad, useful, not retain_graph):
            edge: Any = node.edges[position]
            # As shape_of(edge), without the call.
            if g._data.shape != (edge.shape if type(edge) is Node else edge._data.shape):
                g = node.unbroadcast(g, position)
            if edge in table:
                table.add(edge, g)
            else:
                table[edge] = g
            for observer in observers:
                observer.gradient_contributed(node, position, grad, g)
        if not retain_graph:
            node.free()
    for leaf, grad in table.items():
        if wanted is None or leaf in wanted:
            hooks = leaf._hooks if leaf_hooks else None
            found[leaf] = grad if hooks is None else _run_hooks(hooks, grad)
    return found


class _GradientTable(dict[Any, Variable]):
    """The gradients that have arrived so far, per node or leaf.

    The first to arrive may belong to somebody else; the second makes a sum of the table's own, and only into such a sum
    later ones are added in place (never when somebody may be looking at the parts: `keep_all`).
    """

    __slots__ = ("_keep_all", "_own")

    def __init__(self, keep_all: bool) -> None:
        self._own: set[Any] = set()
        self._keep_all = keep_all

    def add(self, key: Any, grad: Variable) -> None:
        """Add to what has arrived already."""
        have: Any = self[key]
        if key in self._own:
            np.add(have._data, grad._data, out=have._data)
            return
        self[key] = have + grad
        if not self._keep_all:
            self._own.add(key)


def nodes_below(roots: Iterable[Node]) -> set[Node]:
    """The roots and all nodes that they were computed from; a loop, for graphs a million nodes deep."""
    found = set(roots)
    stack = list(found)
    while stack:
        for edge in stack.pop().edges:
            if type(edge) is Node and edge not in found:
                found.add(edge)
                stack.append(edge)
    return found


def is_spent(node: Node) -> bool:
    """Whether an earlier backward has freed the graph of a node, or a part of it: another one would be refused."""
    return any(below.freed for below in nodes_below([node]))


def _newest_first(roots: set[Node]) -> list[Node]:
    """All nodes below the roots, in reverse topological order."""
    return sorted(nodes_below(roots), key=attrgetter("age"), reverse=True)


def _leading_to(wanted: set[Any], order: list[Node]) -> set[Any]:
    """The nodes and leaves on some path to the wanted ones, these included."""
    useful = set(wanted)
    for node in reversed(order):
        if any(edge in useful for edge in node.edges):
            useful.add(node)
    return useful


def _check_alive(call: str, nodes: Iterable[Node]) -> None:
    for node in nodes:
        if node.freed:
            raise GraphError(
                restate(
                    call,
                    f"the graph was freed by an earlier backward (first at op {node.op.name})",
                    expected="a graph that still holds what its ops saved",
                    fix="run the forward pass again, or pass retain_graph=True to the first backward()",
                )
            )


def _checked_seed(call: str, output: Variable, seed: Any) -> Variable:
    data = output._data
    if not output._requires_grad:
        raise GraphError(
            restate(
                call,
                "the output has no graph: nothing it was computed from requires a gradient, or recording was off",
                fix="create the inputs with requires_grad=True and compute outside no_grad()",
                output=output,
            )
        )
    if seed is None:
        if data.size != 1:
            raise GraphError(
                restate(
                    call,
                    "an output with several elements needs an upstream gradient",
                    expected="a scalar output, or a gradient of the output's shape",
                    fix=f"reduce it first (.sum(), .mean()), or call {call}(gradient) with shape {data.shape}",
                    output=output,
                )
            )
        return engine.constant(np.ones_like(data))
    seed = seed if isinstance(seed, Variable) else variable.wrap(np.asarray(seed))
    if seed._data.shape != data.shape:
        raise ShapeError(
            restate(
                call,
                "the upstream gradient has another shape than the output",
                expected=f"gradient of shape {data.shape}",
                output=output,
                gradient=seed,
            )
        )
    return seed if seed._data.dtype == data.dtype else seed.astype(data.dtype)


def _shown(hook: Hook, grad: Variable) -> Variable | None:
    """`hook(grad)`, read-only meanwhile: other tensors' gradients, or the caller's seed, may lie in the same memory."""
    flags = grad._data.flags
    writeable, flags.writeable = flags.writeable, False
    try:
        return hook(grad)
    finally:
        if writeable:
            flags.writeable = True


def _run_hooks(hooks: dict[int, Hook], grad: Variable) -> Variable:
    for hook in list(hooks.values()):
        changed = _shown(hook, grad)
        if changed is None:
            continue
        if not isinstance(changed, Variable) or changed._data.shape != grad._data.shape:
            raise ShapeError(
                restate(
                    "hook",
                    "a gradient hook returned something that can't replace the gradient",
                    expected=f"None, or a tensor of shape {grad._data.shape}",
                    returned=changed,
                )
            )
        grad = changed
    return grad
