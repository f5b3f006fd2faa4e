"""The tensor to explain, and the facts that every section needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.autograd.backward_pass import gradients
from tensorgrad.autograd.modes import observe
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.variable import Variable
from tensorgrad.viz.explain import words
from tensorgrad.viz.explain.computation import Computation
from tensorgrad.viz.explain.places import Index
from tensorgrad.viz.explain.replay import Replay
from tensorgrad.viz.format.notation import element, partial
from tensorgrad.viz.record.steps import Flow, Flows, Key, flows_of


class Subject:
    """A tensor of a computation, or one element of it, and its gradient by backpropagation.

    Attributes:
        computation: the computation that it is part of.
        wrt: the tensor as the user holds it.
        key: its key in the computation.
        index: of the element, or None.
        replay: the values of all tensors, as far as they are known.
        words: their names.
        gradient: ∂L/∂w as an array.
        flows: every step of the chain rule from the loss to it, by node and position.
    """

    def __init__(self, computation: Computation, wrt: Variable, index: Index | None) -> None:
        self.computation, self.wrt, self.index = computation, wrt, index
        self.key: Key = computation.key_of(wrt)
        self.replay = Replay(computation.steps, computation.known)
        self.words = words.Words(computation, self.replay.values)
        self.gradient, self.flows = _backward_pass(computation, wrt)

    @property
    def one_number(self) -> bool:
        """Whether the gradient asked for is one number."""
        return self.index is not None or self.gradient.size == 1

    @property
    def name(self) -> str:
        """The tensor's name."""
        return self.words[self.key]

    @property
    def symbol(self) -> str:
        """The variable that the loss is differentiated by: `w[0,1]`."""
        return element(self.name, self.index)

    @property
    def goal(self) -> str:
        """`∂L/∂w[0,1]`."""
        return partial("L", self.symbol)

    @property
    def loss(self) -> float:
        """The value of L."""
        return self.computation.loss._data.item()

    @property
    def hooked(self) -> list[str]:
        """The names of the tensors on the way to the loss whose gradient a hook changes; the tensor itself first."""
        met = {self.key}
        for step in self.computation.steps:
            if any(step.carries(position) for position, key in enumerate(step.inputs) if key in met):
                met.add(step.output)
        order = [self.key, *(step.output for step in self.computation.steps)]
        return [self.words[key] for key in order if key in met and key in self.computation.hooked]

    def value(self, gradient: np.ndarray) -> Any:
        """The element of a gradient as a number, or all of it."""
        return gradient if self.index is None else float(gradient[self.index])

    def said(self, gradient: np.ndarray) -> str:
        """A gradient in a formula: the number of the element, or the array in short."""
        return words.arrays(np.asarray(self.value(gradient)))


def _backward_pass(computation: Computation, wrt: Variable) -> tuple[np.ndarray, dict[tuple[Node, int], Flow]]:
    flows = Flows()
    wanted = [computation.tensor(wrt)]
    # What a hook returns isn't the derivative, which the paths and the central difference are compared with.
    with observe(flows), _without_hooks(computation):
        (gradient,) = gradients([computation.loss], wanted, [None], retain_graph=True, leaf_hooks=False)
    assert gradient is not None
    return gradient._data, flows_of(flows.passes)


@contextmanager
def _without_hooks(computation: Computation) -> Iterator[None]:
    """Take the hooks off all interior tensors, and put them back."""
    nodes = [step.node for step in computation.steps if step.node is not None]
    hooks = [node.hooks for node in nodes]
    try:
        for node in nodes:
            node.hooks = None
        yield
    finally:
        for node, own in zip(nodes, hooks, strict=True):
            node.hooks = own
