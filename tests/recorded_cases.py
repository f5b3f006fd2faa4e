"""Cases of the table as recorded computations: their leaves, their graphs, and who observes them."""

from collections.abc import Iterable, Iterator

import numpy as np
from cases import CASES

import tensorgrad as tg
from tensorgrad.autograd.node import Node

GRADIENT_CASES = [case for case in CASES if case.row.differentiable]
FLOATS_IN = [case for case in CASES if any(x.dtype.kind == "f" for x in case.inputs())]


def leaves(arrays: Iterable[np.ndarray], only: int | None = None) -> list[tg.Tensor]:
    """Tensors whose floats require a gradient, or the one at `only`."""
    return [tg.Tensor(x, requires_grad=x.dtype.kind == "f" and only in (None, k)) for k, x in enumerate(arrays)]


def graph(z: tg.Tensor) -> Iterator[Node]:
    """The nodes below z."""
    seen, stack = set(), [z._node]
    while stack:
        node = stack.pop()
        if isinstance(node, Node) and node not in seen:
            seen.add(node)
            stack.extend(node.edges)
            yield node


class Recorder(tg.Observer):
    """An observer that keeps what it sees."""

    def __init__(self):
        self.ops, self.outputs, self.errors = [], [], []

    def op_applied(self, op, inputs, output):
        self.ops.append(op)
        self.outputs.append(output)

    def op_failed(self, op, inputs, error):
        self.errors.append(error)
