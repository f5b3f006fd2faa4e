"""Networks out of functions, for libraries without PyTorch's modules: JAX, tinygrad, MyGrad."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.layers import BRANCHING, CONVOLVING, WEIGHTED, Layer, window
from benchmarks.workers import Unsupported

EPSILON = 1e-5


class Ops:
    """A library's layers: a method per kind of layer, of x, the weights if there are any, and the layer's arguments.

    The methods here need nothing but operators and the shape of x. A library that lacks a method lacks the layer.
    """

    def __init__(self, training: bool = True) -> None:
        self.training = training

    def run(self, layers: Sequence[Layer], parameters: Sequence[tuple[Any, Any]], x: Any) -> Any:
        """The output of the network whose (w, b) are `parameters`."""
        return self._run(layers, iter(parameters), x)

    def _run(self, layers: Sequence[Layer], parameters: Iterator[tuple[Any, Any]], x: Any) -> Any:
        for layer in layers:
            kind, *arguments = layer
            if kind in BRANCHING:
                x = getattr(self, kind)([self._run(branch, parameters, x) for branch in arguments])
                continue
            if not hasattr(self, kind):
                raise Unsupported(f"no layer of the kind {kind}")
            own = next(parameters) if kind in WEIGHTED else ()
            if kind in CONVOLVING:
                x = getattr(self, kind)(x, *own, **window(layer, x.ndim - 2))
            else:
                # A linear layer's and a batch norm's sizes are those of their weights.
                x = getattr(self, kind)(x, *own, *(() if own else arguments))
        return x

    def sum(self, branches):
        first, *others = branches
        for other in others:
            first = first + other
        return first

    def product(self, branches):
        first, *others = branches
        for other in others:
            first = first * other
        return first

    def linear(self, x, w, b):
        return x @ w.T + b

    def flatten(self, x):
        return x.reshape(x.shape[0], -1)

    def average(self, x):
        return x.mean(tuple(range(2, x.ndim)), keepdims=True)

    def dropout(self, x, p):
        return x * self.mask(x.shape, p) if self.training and p > 0 else x

    def mask(self, shape, p):
        """Random numbers: 0 with probability p, otherwise 1 / (1 - p)."""
        raise Unsupported("no dropout")

    def batchnorm(self, x, w, b):
        """In evaluation the running statistics are those of a new network, 0 and 1; nothing updates them here."""
        w, b = (per_channel(parameter, x.ndim - 2) for parameter in (w, b))
        if not self.training:
            return x * (w / (1 + EPSILON) ** 0.5) + b
        axes = (0, *range(2, x.ndim))
        mean = x.mean(axes, keepdims=True)
        var = ((x - mean) ** 2).mean(axes, keepdims=True)
        return (x - mean) * (var + EPSILON) ** -0.5 * w + b


def per_channel(b: Any, axes: int) -> Any:
    """The numbers `(K,)` as `(K, 1, …)`, so that they broadcast along `axes` axes of pixels."""
    return b.reshape(-1, *(1 for _ in range(axes)))
