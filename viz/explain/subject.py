"""The tensor to explain, and the facts that every section needs."""

from __future__ import annotations

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

    def value(self, gradient: np.ndarray) -> Any:
        """The element of a gradient as a number, or all of it."""
        return gradient if self.index is None else float(gradient[self.index])

    def said(self, gradient: np.ndarray) -> str:
        """A gradient in a formula: the number of the element, or the array in short."""
        return words.arrays(np.asarray(self.value(gradient)))


def _backward_pass(computation: Computation, wrt: Variable) -> tuple[np.ndarray, dict[tuple[Node, int], Flow]]:
    flows = Flows()
    with observe(flows):
        (gradient,) = gradients([computation.loss], [computation.tensor(wrt)], [None], retain_graph=True)
    assert gradient is not None
    return gradient._data, flows_of(flows.passes)
