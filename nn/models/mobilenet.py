"""MobileNetV2: Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorgrad as tg
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.layers import BatchNorm2d, Conv2d, Dropout, Linear, ReLU6, Sequential
from tensorgrad.nn.models.building import check_option, check_weights, he_initialized
from tensorgrad.nn.module import Module

Norm = Callable[[int], Module]

SETTING = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""The paper's table 2: expansion t, channels c, number of blocks n, stride s of the first block."""


def _convolution(inp: int, oup: int, norm: Norm, kernel_size: int = 3, stride: int = 1, groups: int = 1) -> Sequential:
    """Convolution, normalization and ReLU6."""
    padding = (kernel_size - 1) // 2
    convolution = Conv2d(inp, oup, kernel_size, stride, padding, groups=groups, bias=False)
    return Sequential(convolution, norm(oup), ReLU6(inplace=True))


class InvertedResidual(Module):
    """Expand the channels (1 × 1), filter them one by one (3 × 3), project them (1 × 1), and add x if shapes agree.

    Args:
        inp: the channels of x.
        oup: the channels of z.
        stride: of the 3 × 3 convolution, 1 or 2.
        expand_ratio: the channels inside, in units of `inp`.
        norm_layer: makes a normalization of a number of channels; `BatchNorm2d` by default.
    """

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: float, norm_layer: Norm | None = None) -> None:
        check_option("InvertedResidual", "stride", stride, (1, 2))
        norm = norm_layer or BatchNorm2d
        hidden = round(inp * expand_ratio)
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        self.conv = Sequential(
            *([] if expand_ratio == 1 else [_convolution(inp, hidden, norm, kernel_size=1)]),
            _convolution(hidden, hidden, norm, stride=stride, groups=hidden),
            Conv2d(hidden, oup, 1, 1, 0, bias=False),
            norm(oup),
        )

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The projection, plus x if shapes agree."""
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(Module):
    """Inverted residuals: x `(N, 3, H, W)`, usually 224 × 224.

    Args:
        num_classes: the number of outputs.
        width_mult: scales the number of channels in every layer.
        inverted_residual_setting: rows (t, c, n, s): expansion, channels, number of blocks, stride of the first; the
            paper's by default.
        round_nearest: channels become multiples of this number.
        block: the class of the blocks, `InvertedResidual` by default.
        norm_layer: makes a normalization of a number of channels; `BatchNorm2d` by default.
        dropout: the probability of dropping an input of the last layer.

    Raises:
        ArgumentError: a setting whose rows don't have four numbers.

    >>> import tensorgrad as tg
    >>> net = MobileNetV2(num_classes=10, width_mult=0.25)
    >>> net.eval()(tg.zeros(1, 3, 32, 32)).shape
    (1, 10)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., Module] | None = None,
        norm_layer: Norm | None = None,
        dropout: float = 0.2,
    ) -> None:
        setting = SETTING if inverted_residual_setting is None else inverted_residual_setting
        if not setting or any(len(row) != 4 for row in setting):
            problem = "inverted_residual_setting must be rows of four numbers (t, c, n, s)"
            raise ArgumentError(restate("MobileNetV2", problem, inverted_residual_setting=setting))
        norm, make = norm_layer or BatchNorm2d, block or InvertedResidual
        channels = _multiple(32 * width_mult, round_nearest)
        self.last_channel = _multiple(1280 * max(1.0, width_mult), round_nearest)
        features: list[Module] = [_convolution(3, channels, norm, stride=2)]
        for t, c, n, s in setting:
            width = _multiple(c * width_mult, round_nearest)
            for k in range(n):
                features.append(make(channels, width, s if k == 0 else 1, expand_ratio=t, norm_layer=norm))
                channels = width
        features.append(_convolution(channels, self.last_channel, norm, kernel_size=1))
        self.features = Sequential(*features)
        self.classifier = Sequential(Dropout(p=dropout), Linear(self.last_channel, num_classes))
        he_initialized(self, linear_std=0.01, bias=True)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """The logits `(N, num_classes)`."""
        x = tg.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(tg.flatten(x, 1))


def _multiple(value: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to `value`, but not below 90 % of it."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def mobilenet_v2(*, weights: None = None, progress: bool = True, **kwargs: Any) -> MobileNetV2:
    """A `MobileNetV2`; keywords are its arguments. `weights` must be None, and `progress` is accepted."""
    check_weights("mobilenet_v2", weights, kwargs)
    return MobileNetV2(**kwargs)
