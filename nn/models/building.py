"""What several networks share: joined feature maps, initial values, checks of arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn import init
from tensorgrad.nn.layers import BatchNorm2d, Conv2d, Linear
from tensorgrad.nn.module import Module


def joined(parts: Sequence[tg.Tensor]) -> tg.Tensor:
    """Feature maps `(N, Cᵢ, H, W)` joined along the channels: `(N, ΣCᵢ, H, W)`."""
    return tg.concatenate(parts, 1)


def he_initialized(net: Module, linear_std: float | None = None, bias: bool = False, mode: str = "fan_out") -> None:
    """He's initial values for convolutions, weight 1 and bias 0 for normalizations, and small weights for Linear.

    Args:
        net: the network.
        linear_std: the standard deviation of the weights of Linear layers, whose biases become 0; None leaves both.
        bias: set the biases of convolutions to 0.
        mode: as in `init.kaiming_normal_`.
    """
    for module in net.modules():
        if isinstance(module, Conv2d):
            init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
            if bias and module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, Linear) and linear_std is not None:
            init.normal_(module.weight, 0, linear_std)
            if module.bias is not None:
                init.zeros_(module.bias)


def check_weights(call: str, weights: Any, options: dict[str, Any]) -> None:
    """Raise ArgumentError for trained weights, which the package doesn't include.

    Args:
        call: the call, for errors.
        weights: must be None.
        options: the call's other keywords; `pretrained`, PyTorch's former name, is taken out, and must be False.
    """
    if weights is not None or options.pop("pretrained", False):
        problem, fix = "weights must be None: no trained weights are included", "net.load_state_dict(tg.load(file))"
        raise ArgumentError(restate(call, problem, fix=fix, weights=weights))


def check_option(call: str, name: str, value: Any, options: Sequence[Any]) -> None:
    """Raise ArgumentError unless `value` is one of the options."""
    if value not in options:
        problem = f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}"
        raise ArgumentError(restate(call, problem, **{name: value}))
