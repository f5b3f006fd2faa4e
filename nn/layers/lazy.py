"""Layers that learn the size of their inputs from the first one that they see."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, check_device
from tensorgrad.errors import ShapeError, restate
from tensorgrad.nn.layers.convolution import Conv1d, Conv2d, Conv3d
from tensorgrad.nn.layers.images.transposed import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from tensorgrad.nn.layers.linear import Linear
from tensorgrad.nn.layers.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import as_tensor


class Lazy(Module):
    """The common base: the first call makes the layer that it stands for, and becomes that layer.

    Before it there are no parameters: call the network once before an optimizer is made, or a state is loaded.
    """

    becomes: ClassVar[Any]
    axis: ClassVar[int]
    """The axis of the input whose size is learned."""
    axes: ClassVar[int]
    """The fewest axes of an input."""

    def _wait(self, device: Any, dtype: DTypeLike, *before: Any, **options: Any) -> None:
        if device is not None:
            check_device(type(self).__name__, device)
        dtype = None if dtype is None else as_dtype(type(self).__name__, dtype)
        self._given, self._dtype = (before, options), dtype

    def _expect_dtype(self, dtype: np.dtype) -> None:
        self._dtype = dtype

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Make the layer, and call it."""
        call = type(self).__name__
        x = as_tensor(inputs[0] if inputs else next(iter(kwargs.values())))
        if x.ndim < self.axes:
            problem = f"input must have at least {self.axes} axes, got {x.shape}"
            raise ShapeError(restate(call, problem, input=x))
        self._become(x.shape[self.axis])
        return self.forward(*inputs, **kwargs)

    def _become(self, size: int) -> None:
        (before, options), dtype, layer = self._given, self._dtype, self.becomes
        made: Any = layer(size, *before, **options)  # checks; a failure leaves this layer as it was
        del self._given, self._dtype
        self.__class__ = layer  # type: ignore[assignment]
        for name, value in vars(made.to(dtype=dtype) if dtype is not None else made).items():
            if name not in ("training", "_path"):
                setattr(self, name, value)

    def extra_repr(self) -> str:
        """The settings."""
        before, options = self._given
        shown = [f"{name}={value!r}" for name, value in options.items()]
        return ", ".join([*map(repr, before), *shown])


class LazyLinear(Lazy):
    """A `Linear` that learns `in_features` from its first input.

    Args:
        out_features: the size of the last axis of the output.
        bias: whether the layer has a bias.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.LazyLinear(2)
    >>> layer(tg.zeros(4, 3)).shape, layer
    ((4, 2), Linear(in_features=3, out_features=2, bias=True))
    """

    becomes, axis, axes = Linear, -1, 1

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: DTypeLike = None) -> None:
        self._wait(device, dtype, out_features, bias=bias)


class LazyConvolution(Lazy):
    """The common base of lazy convolutions."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        moves = {"stride": stride, "padding": padding, "dilation": dilation}
        options = {"groups": groups, "bias": bias, "padding_mode": padding_mode}
        self._wait(device, dtype, out_channels, kernel_size, **moves, **options)


class LazyConv1d(LazyConvolution):
    """A `Conv1d` that learns `in_channels` from its first input; the other arguments are those of `Conv1d`.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyConv1d(8, 3)(tg.zeros(2, 4, 10)).shape
    (2, 8, 8)
    """

    becomes, axis, axes = Conv1d, -2, 2


class LazyConv2d(LazyConvolution):
    """A `Conv2d` that learns `in_channels` from its first input; the other arguments are those of `Conv2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyConv2d(8, 3, padding=1)(tg.zeros(2, 4, 10, 10)).shape
    (2, 8, 10, 10)
    """

    becomes, axis, axes = Conv2d, -3, 3


class LazyConv3d(LazyConvolution):
    """A `Conv3d` that learns `in_channels` from its first input; the other arguments are those of `Conv3d`.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyConv3d(8, 3)(tg.zeros(2, 4, 5, 6, 7)).shape
    (2, 8, 3, 4, 5)
    """

    becomes, axis, axes = Conv3d, -4, 4


class LazyTransposedConvolution(Lazy):
    """The common base of lazy transposed convolutions."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        moves = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
        options = {"groups": groups, "bias": bias, "padding_mode": padding_mode}
        self._wait(device, dtype, out_channels, kernel_size, **moves, **options)


class LazyConvTranspose1d(LazyTransposedConvolution):
    """A `ConvTranspose1d` that learns `in_channels` from its first input; the other arguments are the same.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyConvTranspose1d(8, 3)(tg.zeros(2, 4, 10)).shape
    (2, 8, 12)
    """

    becomes, axis, axes = ConvTranspose1d, -2, 2


class LazyConvTranspose2d(LazyTransposedConvolution):
    """A `ConvTranspose2d` that learns `in_channels` from its first input; the other arguments are the same.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyConvTranspose2d(8, 2, stride=2)(tg.zeros(2, 4, 10, 10)).shape
    (2, 8, 20, 20)
    """

    becomes, axis, axes = ConvTranspose2d, -3, 3


class LazyConvTranspose3d(LazyTransposedConvolution):
    """A `ConvTranspose3d` that learns `in_channels` from its first input; the other arguments are the same.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyConvTranspose3d(8, 3)(tg.zeros(2, 4, 5, 6, 7)).shape
    (2, 8, 7, 8, 9)
    """

    becomes, axis, axes = ConvTranspose3d, -4, 4


class LazyNorm(Lazy):
    """The common base of lazy norms."""

    axis, axes = 1, 2

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool | None = None,
        track_running_stats: bool | None = None,
        device: Any = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        usual = issubclass(self.becomes, (BatchNorm1d, BatchNorm2d, BatchNorm3d))
        chosen = [usual if value is None else value for value in (affine, track_running_stats)]
        options = dict(zip(("affine", "track_running_stats"), chosen, strict=True))
        self._wait(device, dtype, eps=eps, momentum=momentum, bias=bias, **options)


class LazyBatchNorm1d(LazyNorm):
    """A `BatchNorm1d` that learns `num_features` from its first input; the other arguments are those of `BatchNorm1d`.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyBatchNorm1d()(tg.zeros(2, 4, 10)).shape
    (2, 4, 10)
    """

    becomes = BatchNorm1d


class LazyBatchNorm2d(LazyNorm):
    """A `BatchNorm2d` that learns `num_features` from its first input; the other arguments are those of `BatchNorm2d`.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyBatchNorm2d()(tg.zeros(2, 4, 5, 5)).shape
    (2, 4, 5, 5)
    """

    becomes = BatchNorm2d


class LazyBatchNorm3d(LazyNorm):
    """A `BatchNorm3d` that learns `num_features` from its first input; the other arguments are those of `BatchNorm3d`.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyBatchNorm3d()(tg.zeros(2, 4, 2, 5, 5)).shape
    (2, 4, 2, 5, 5)
    """

    becomes = BatchNorm3d


class LazyInstanceNorm1d(LazyNorm):
    """An `InstanceNorm1d` that learns `num_features` from its first input; the other arguments are the same.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyInstanceNorm1d()(tg.zeros(2, 4, 10)).shape
    (2, 4, 10)
    """

    becomes = InstanceNorm1d


class LazyInstanceNorm2d(LazyNorm):
    """An `InstanceNorm2d` that learns `num_features` from its first input; the other arguments are the same.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyInstanceNorm2d()(tg.zeros(2, 4, 5, 5)).shape
    (2, 4, 5, 5)
    """

    becomes = InstanceNorm2d


class LazyInstanceNorm3d(LazyNorm):
    """An `InstanceNorm3d` that learns `num_features` from its first input; the other arguments are the same.

    >>> import tensorgrad as tg
    >>> tg.nn.LazyInstanceNorm3d()(tg.zeros(2, 4, 2, 5, 5)).shape
    (2, 4, 2, 5, 5)
    """

    becomes = InstanceNorm3d
