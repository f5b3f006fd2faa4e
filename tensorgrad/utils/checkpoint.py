"""Checkpoints of activations: a part of a network is computed again in the backward pass, to save memory."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.backward_pass import gradients
from tensorgrad.autograd.function import Function
from tensorgrad.autograd.modes import enable_grad, is_grad_enabled
from tensorgrad.autograd.node import Node, next_age
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate
from tensorgrad.func.trees import flatten, rebuilt

__all__ = ["checkpoint", "checkpoint_sequential"]


class Segment:
    """A call whose activations aren't kept: the function, its arguments, and the random state it began with."""

    def __init__(self, function: Callable[..., Any], args: tuple, kwargs: dict[str, Any], keep_random: bool) -> None:
        self.function, self.tree, self.keep_random = function, (args, kwargs), keep_random
        self.places = [k for k, x in enumerate(flatten(self.tree)[0]) if isinstance(x, Variable)]
        self.rest = [None if isinstance(x, Variable) else x for x in flatten(self.tree)[0]]
        self.tree = rebuilt(self.tree, [0] * len(self.rest))  # the structure alone
        self.random = default_generator().bit_generator.state if keep_random else None
        self.leaves: list[Any] = []  # what the function reads besides its arguments

    def run(self, tensors: Any, again: bool = False) -> Any:
        """Call the function with these tensors, again with the same random numbers."""
        leaves = list(self.rest)
        for place, x in zip(self.places, tensors, strict=True):
            leaves[place] = x
        args, kwargs = rebuilt(self.tree, leaves)
        generator = default_generator().bit_generator
        before = generator.state
        if again and self.random is not None:
            generator.state = self.random
        try:
            with enable_grad():
                return self.function(*args, **kwargs)
        finally:
            if again and self.random is not None:
                generator.state = before

    @contextlib.contextmanager
    def leaves_at(self, others: Any) -> Iterator[None]:
        """The leaves with the values of others, as drawings move them; afterwards they have their own again."""
        before = [x._data for x in self.leaves]
        try:
            for x, other in zip(self.leaves, others, strict=True):
                x._data = other._data
            yield
        finally:
            for x, data in zip(self.leaves, before, strict=True):
                x._data = data


class Recomputed(Function):
    """The op that stands for a segment: its backward computes the segment again, and differentiates it."""

    @staticmethod
    def forward(ctx: Any, segment: Segment, outputs: list[Any], count: int, *tensors: Any) -> Any:
        ctx.segment, ctx.count = segment, count
        ctx.save_for_backward(*tensors)
        if not outputs:  # a drawing asks what the op computes at other inputs, or once more
            with segment.leaves_at(tensors[count:]):
                outputs = _tensors(segment.run(tensors[:count], again=True))
        found = [y.detach() for y in outputs]
        outputs.clear()  # the segment's graph goes, and with it its activations
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        saved = ctx.saved_tensors
        recorded = is_grad_enabled()
        needed = ctx.needs_input_grad[3:]
        inputs = list(saved[: ctx.count])
        if not recorded:
            inputs = [_leaf(x, need) for x, need in zip(inputs, needed, strict=False)]
        wanted = [x for x, need in zip([*inputs, *ctx.segment.leaves], needed, strict=True) if need]
        with ctx.segment.leaves_at(saved[ctx.count :]):
            outputs = _tensors(ctx.segment.run(inputs, again=True))
            pairs = [(y, g) for y, g in zip(outputs, grads, strict=True) if y.requires_grad]
            found: Any = iter(gradients([y for y, _ in pairs], wanted, [g for _, g in pairs], recorded, recorded))
        return None, None, None, *[next(found) if need else None for need in needed]


def _leaf(x: Any, need: bool) -> Any:
    y = x.detach()
    return y.requires_grad_() if need else y


def _tensors(output: Any) -> list[Any]:
    found = flatten(output)[0]
    for y in found:
        if not isinstance(y, Variable):
            raise DTypeError(restate("checkpoint", f"the function must return tensors, got {type(y).__name__}"))
    return found


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = False,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs) without keeping what its backward pass needs: that is computed again there.

    The memory of the activations between is saved for the time of one more forward pass. Gradients flow to the
    arguments, and to the leaves that the function reads, such as a layer's parameters. What changes in a call, such as
    the running statistics of batch normalization, changes twice.

    Chen and others, Training Deep Nets with Sublinear Memory Cost, 2016.

    Args:
        function: a function or module that returns a tensor, or nested tuples of them.
        args: its arguments.
        use_reentrant: False; True means the same here.
        preserve_rng_state: draw the same random numbers again, those of dropout for example.
        kwargs: its keyword arguments.

    Raises:
        GraphError: the function reads a tensor with a graph that isn't among its arguments.

    >>> import tensorgrad as tg
    >>> from tensorgrad.utils.checkpoint import checkpoint
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda x: (x * x).exp(), x).sum().backward()
    >>> x.grad
    tensor([  5.4366, 218.3926])
    """
    if not callable(function):
        raise DTypeError(restate("checkpoint", f"expected a function, got {type(function).__name__}"))
    if not is_grad_enabled():
        return function(*args, **kwargs)
    segment = Segment(function, args, kwargs, preserve_rng_state)
    given = [x for x in flatten((args, kwargs))[0] if isinstance(x, Variable)]
    inputs = [_leaf(x, x._requires_grad) for x in given]
    start = next_age()
    output = segment.run(inputs)
    outputs = _tensors(output)
    if not any(y._requires_grad for y in outputs):
        return output
    segment.leaves = leaves = _read_leaves(outputs, inputs, start)
    structure = rebuilt(output, [0] * len(outputs))
    results = Recomputed.apply(segment, outputs, len(given), *given, *leaves)
    return rebuilt(structure, results)


def _read_leaves(outputs: list[Any], inputs: list[Any], start: int) -> list[Any]:
    """The leaves besides the inputs that the outputs depend on. Raises GraphError for a node older than the call."""
    own = {id(x) for x in inputs}
    waiting: list[Any] = [y._node or y for y in outputs if y._requires_grad]
    seen: set[int] = set()
    found = []
    while waiting:
        x = waiting.pop()
        if x is None or id(x) in seen or id(x) in own:
            continue
        seen.add(id(x))
        if isinstance(x, Node):
            if x.age < start:
                problem = "the function reads a tensor with a graph that isn't among its arguments"
                raise GraphError(restate("checkpoint", problem, fix="pass it as an argument", made_by=x.op.name))
            waiting.extend(x.edges)
        else:
            found.append(x)
    return found


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = False, **kwargs: Any
) -> Any:
    """A chain of modules, cut into segments, each of which but the last is a checkpoint.

    Args:
        functions: an `nn.Sequential`, or a list of functions or modules.
        segments: into how many.
        input: the input of the first.
        use_reentrant: as for `checkpoint`.
        kwargs: `preserve_rng_state`, as for `checkpoint`.

    Raises:
        ArgumentError: fewer than one segment, or more than there are functions.

    >>> import tensorgrad as tg
    >>> from tensorgrad.utils.checkpoint import checkpoint_sequential
    >>> checkpoint_sequential([tg.exp, tg.log, tg.square], 2, tg.tensor([3.0], requires_grad=True)).tolist()
    [9.0]
    """
    chain = list(functions)
    if isinstance(segments, bool) or not isinstance(segments, int) or not 1 <= segments <= len(chain):
        problem = f"segments must be in [1, {len(chain)}], the number of functions, got {segments!r}"
        raise ArgumentError(restate("checkpoint_sequential", problem))
    size = len(chain) // segments
    starts = [k * size for k in range(segments)]
    for start, end in itertools.pairwise([*starts, len(chain)]):
        part = chain[start:end]
        if end == len(chain):
            return _chained(part, input)
        input = checkpoint(_chained, part, input, use_reentrant=use_reentrant, **kwargs)
    return input


def _chained(functions: list[Any], x: Any) -> Any:
    for function in functions:
        x = function(x)
    return x
