"""Networks out of modules, for the two libraries that share PyTorch's names: PyTorch, and tensorgrad."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.layers import BRANCHING, CONVOLVING, Layer, Shape, has_bias, output_shape, per_axis, window

PLAIN = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "silu": "SiLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "flatten": "Flatten",
    "linear": "Linear",
    "dropout": "Dropout",
}
"""Layers whose module takes what the layer says, for any number of axes."""


class Builder:
    """Makes modules of the namespace `nn`; `cat` joins a list of tensors along an axis."""

    def __init__(self, nn: Any, cat: Callable[..., Any]) -> None:
        self.nn = nn
        self._merge = _merge_module(nn, cat)

    def sequential(self, layers: Sequence[Layer], shape: Shape) -> Any:
        """The network for an input of `shape`; its weights are still the library's own."""
        made, shape = [], tuple(shape)
        for layer in layers:
            made.append(self._module(layer, shape))
            shape = output_shape([layer], shape)
        return self.nn.Sequential(*made)

    def _module(self, layer: Layer, shape: Shape) -> Any:
        kind, *arguments = layer
        axes = len(shape) - 2
        if kind in BRANCHING:
            return self._merge(kind, [self.sequential(branch, shape) for branch in arguments])
        if kind in PLAIN:
            return getattr(self.nn, PLAIN[kind])(*arguments)
        if kind in CONVOLVING:
            cls = "Conv" if kind == "conv" else "ConvTranspose"
            c, k, size = arguments[:3]
            options = window(layer, axes) | {"bias": has_bias(layer)}
            return getattr(self.nn, f"{cls}{axes}d")(c, k, per_axis(size, axes), **options)
        if kind == "upsample":
            return self.nn.Upsample(scale_factor=arguments[0])
        if kind == "average":
            return getattr(self.nn, f"AdaptiveAvgPool{axes}d")(1)
        names = {"maxpool": "MaxPool", "avgpool": "AvgPool", "batchnorm": "BatchNorm"}
        return getattr(self.nn, f"{names[kind]}{max(axes, 1)}d")(*arguments)


def _merge_module(nn: Any, cat: Callable[..., Any]) -> type:
    class Merge(nn.Module):
        """The sum, the product or the joined channels of what its branches make of the same input."""

        def __init__(self, kind: str, branches: Sequence[Any]) -> None:
            super().__init__()
            self.kind, self.branches = kind, nn.ModuleList(branches)

        def forward(self, x):
            first, *others = [branch(x) for branch in self.branches]
            if self.kind == "concat":
                return cat([first, *others], 1)
            for other in others:
                first = first + other if self.kind == "sum" else first * other
            return first

    return Merge


def weighted(model: Any) -> list[Any]:
    """Its modules that have weights, in the order of `inputs.weights`."""
    return [module for module in model.modules() if getattr(module, "weight", None) is not None]
