"""Paths from a tensor to the loss: how many, which, and the product of the local derivatives along each.

The chain rule sums over all of them: ∂L/∂w = Σ over paths of Π of local derivatives (Baur and Strassen, The Complexity
of Partial Derivatives, 1983). Backpropagation never lists them, for there may be exponentially many.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tensorgrad.autograd.backward_pass import gradients
from tensorgrad.autograd.modes import enable_grad, no_grad
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.viz.explain.computation import Computation, Link
from tensorgrad.viz.record.steps import Key

Path = tuple[Link, ...]
"""From the tensor outwards; the last link goes into the op that made the loss."""


def count(computation: Computation, start: Key) -> int:
    """How many paths lead from `start` to the loss, exactly: one pass over the ops, from the loss back."""
    leading = {computation.steps[-1].output: 1}
    for step in reversed(computation.steps):
        for position, key in enumerate(step.inputs):
            if step.carries(position) and step.output in leading:
                leading[key] = leading.get(key, 0) + leading[step.output]
    return leading.get(start, 0)


def shortest(computation: Computation, start: Key) -> Iterator[Path]:
    """The paths from `start` to the loss, those with fewest steps first; of equal ones, those through earlier ops."""
    end = computation.steps[-1].output
    left = {end: 0}
    for step in reversed(computation.steps):
        for position, key in enumerate(step.inputs):
            if step.carries(position) and step.output in left:
                left[key] = min(left.get(key, left[step.output] + 1), left[step.output] + 1)
    # The steps that are left are known exactly, so the search never leaves the way of a next-shortest path.
    numbers = itertools.count()
    queue: list[tuple[Any, ...]] = [(left[start], 0, next(numbers), start, None)]
    while queue:
        _, depth, _, key, trail = heapq.heappop(queue)
        if key is end:
            yield _unrolled(trail)
            continue
        for link in computation.users.get(key, ()):
            to = link.step.output
            if to in left:
                entry = (1 - depth + left[to], depth - 1, next(numbers), to, (trail, link))
                heapq.heappush(queue, entry)


def _unrolled(trail: tuple | None) -> Path:
    links = []
    while trail is not None:
        trail, link = trail
        links.append(link)
    return tuple(reversed(links))


def vjp(link: Link, upstream: Variable) -> Variable:
    """The op's rule applied to the gradient of its output: the gradient for this input."""
    node = link.node
    wanted = {key for key in [node.edges[link.position]] if key is not None}
    gradient = dict(node.input_gradients(upstream, wanted))[link.position]
    fits = gradient._data.shape == node.input_shapes[link.position]
    return gradient if fits else node.unbroadcast(gradient, link.position)


def column(link: Link, index: tuple[int, ...]) -> np.ndarray:
    """∂z/∂x[index] for every element of z: one column of the op's Jacobian matrix, of the shape of z.

    The rule v ↦ vᵀ · ∂z/∂x is linear in v, and made of ops that can be differentiated: the derivative of its element
    at `index` for v is that column.
    """
    node = link.node
    if math.prod(node.shape) == 1:
        with no_grad(), np.errstate(all="ignore"):
            row = vjp(link, wrap(np.ones(node.shape, node.dtype)))._data
        return np.full(node.shape, row[index])
    with enable_grad(), np.errstate(all="ignore"):
        v = wrap(np.ones(node.shape, node.dtype), True)
        g = vjp(link, v)
        if not g._requires_grad:
            return np.zeros(node.shape, node.dtype)
        seed = np.zeros(g._data.shape, g._data.dtype)
        seed[index] = 1
        (found,) = gradients([g], [v], [seed])
    return np.zeros(node.shape, node.dtype) if found is None else found._data


def gradients_along(path: Path) -> list[np.ndarray]:
    """The gradients that reach the tensors of a path if only this path is walked: ∂L/∂L = 1 first, the start last."""
    return list(_walk(path, [_one(path)]))


def products(paths: Sequence[Path]) -> Iterator[tuple[int, np.ndarray]]:
    """Per path its number and the product of its local derivatives, of the shape of its start.

    They come in an order in which what two paths have in common, from the loss on, is walked once.
    """
    before: Path = ()
    walked: list[np.ndarray] = []
    for k in sorted(range(len(paths)), key=lambda k: _from_the_loss(paths[k])):
        path = paths[k]
        walked = _walk(path, walked[: shared(path, before) + 1] or [_one(path)])
        before = path
        yield k, walked[-1]


def shared(path: Path, other: Path) -> int:
    """How many links two paths have in common, from the loss on."""
    pairs = zip(reversed(path), reversed(other), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _one(path: Path) -> np.ndarray:
    node = path[-1].node
    return np.ones(node.shape, node.dtype)


def _walk(path: Path, walked: list[np.ndarray]) -> list[np.ndarray]:
    with no_grad(), np.errstate(all="ignore"):
        for link in path[::-1][len(walked) - 1 :]:
            walked.append(vjp(link, wrap(walked[-1]))._data)
    return walked


def _from_the_loss(path: Path) -> tuple[tuple[int, int], ...]:
    return tuple((link.node.age, link.position) for link in reversed(path))
