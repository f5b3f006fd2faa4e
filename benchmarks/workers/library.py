"""What a library has to do for the benchmarks: a method per kind of case, that returns what is to be timed."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.layers import Layer, Shape
from benchmarks.workers import Unsupported

LR, MOMENTUM, ADAM_LR = 0.01, 0.9, 0.001
Call = Callable[[], Any]


class Library:
    """Each method takes a case's `params` and returns a call: one repetition of the work, done when it returns."""

    def use_threads(self, count: int) -> None:
        """Take this many threads, where the environment doesn't say so already."""

    def peak(self) -> float:
        """GFLOP/s that one core can do at most."""
        raise Unsupported("measures no peak")

    def number(self, result: Any) -> float:
        """What a call returned, as one number, to compare between libraries."""
        parts = result if isinstance(result, list | tuple) else [result]
        return float(sum(np.abs(self.array(part)).mean(dtype=np.float64) for part in parts))

    def array(self, value: Any) -> np.ndarray:
        return np.asarray(value)

    def conv(self, x: Shape, w: Shape, padding: int, part: str) -> Call:
        raise Unsupported("no convolution by itself")

    def layer(self, layer: Layer, x: Shape, backward: bool) -> Call:
        """Forward of one layer; and backward, for its input and its parameters."""
        raise Unsupported("no single layers")

    def module(self, name: str, arguments: tuple, options: dict[str, Any], x: Shape) -> Call:
        """Forward and backward of a layer that PyTorch has a class of this name for."""
        raise Unsupported("no classes of PyTorch's names")

    def loss(self, x: Shape) -> Call:
        """Softmax cross-entropy, forward and backward."""
        raise Unsupported("no loss by itself")

    def matmul(self, n: int) -> Call:
        raise Unsupported("no matrix product by itself")

    def update(self, network: Sequence[Layer], x: Shape, rule: str) -> Call:
        """One step of an optimizer, the gradients given."""
        raise Unsupported("no optimizer")

    def step(self, layers: Sequence[Layer], x: Shape, loss: str) -> Call:
        """One training step; returns the loss."""
        raise Unsupported("no training step")

    def inference(self, layers: Sequence[Layer], x: Shape) -> Call:
        """Forward alone in evaluation mode, nothing recorded."""
        raise Unsupported("no inference")

    def chain(self, op: str, shape: Shape, length: int, backward: bool) -> Call:
        """A chain of small ops."""
        raise Unsupported("compiles the chain into one kernel: no cost per op")
