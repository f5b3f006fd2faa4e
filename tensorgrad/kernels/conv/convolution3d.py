"""Convolution of volumes (D, H, W), by convolutions of images.

An output plane depends on KD input planes in each channel. These become the channels of one image:

    x (N, C, D, H, W) -> planes (N · OD, C · KD, H, W),    w (K, C/groups, KD, KH, KW) -> (K, C/groups · KD, KH, KW)

Then `convolution` computes the output plane, and both gradients likewise. The price is a copy of the input for each of
the KD taps along the depth.
"""

from collections.abc import Iterator
from math import prod

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.arguments import floats
from tensorgrad.kernels.conv import convolution
from tensorgrad.windows import Sizes, Window, convolution_shapes

# The planes of a batch are made in slices of the batch whose planes take at most this many bytes, or of one volume.
SCRATCH = 256 * 1024**2


def forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, window: Window) -> np.ndarray:
    """As `convolution.forward`: x `(N, C, D, H, W)`, w `(K, C/groups, KD, KH, KW)` -> `(N, K, OD, OH, OW)`.

    >>> window = Window.fitting("conv3d", (2, 2, 2), (2, 2, 2), (1, 1, 1), ((0, 0),) * 3, (1, 1, 1))
    >>> forward(np.ones((1, 1, 2, 2, 2)), np.ones((1, 1, 2, 2, 2)), None, window)
    array([[[[[8.]]]]])
    """
    shapes = convolution_shapes("conv3d", window, x=x.shape, w=w.shape)
    x, w = floats("conv3d", "x w", x, w)
    y, filters, channels = memory.empty(shapes.y, x.dtype), _as_channels(w), shapes.x[1]
    for part in _slices(window, len(x), channels, x.itemsize):
        planes = convolution.forward(_planes(x[part], window), filters, bias, window.plane)
        y[part] = _as_volumes(planes, window)
    return y


def grad_input(g: np.ndarray, w: np.ndarray, window: Window, bias: np.ndarray | None = None) -> np.ndarray:
    """As `convolution.grad_input`: g `(N, K, OD, OH, OW)` -> `(N, C, D, H, W)`, to which a bias `(C,)` may be added."""
    shapes = convolution_shapes("conv3d_grad_input", window, w=w.shape, y=g.shape)
    g, w = floats("conv3d_grad_input", "g w", g, w)
    x, filters, channels = memory.empty(shapes.x, g.dtype), _as_channels(w), shapes.x[1]
    if bias is not None:
        convolution.check_bias(channels, bias, "conv_transpose3d")
    x[...] = 0 if bias is None else bias[:, None, None, None]
    for part in _slices(window, len(g), channels, g.itemsize):
        planes = convolution.grad_input(_as_images(g[part], window), filters, window.plane)
        # (n · OD, C · KD, H, W) -> (n, OD, C, KD, H, W)
        planes = planes.reshape(-1, window.output[0], channels, window.kernel[0], *window.size[1:])
        # `at`: the output planes whose tap lies inside the volume; `met`: the input planes that it meets there.
        for tap, (at, met) in enumerate(window.met(0)):
            # (n, at, C, H, W) -> (n, C, met, H, W)
            x[part, :, met] += planes[:, at, :, tap].swapaxes(1, 2)
    return x


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window) -> np.ndarray:
    """As `convolution.grad_weight`: x `(N, C, D, H, W)`, g `(N, K, OD, OH, OW)` -> `(K, C/groups, KD, KH, KW)`."""
    shapes = convolution_shapes("conv3d_grad_weight", window, x=x.shape, y=g.shape)
    x, g = floats("conv3d_grad_weight", "x g", x, g)
    parts = [
        convolution.grad_weight(_planes(x[part], window), _as_images(g[part], window), window.plane)
        for part in _slices(window, len(x), shapes.x[1], x.itemsize)
    ]
    return sum(parts[1:], parts[0]).reshape(shapes.w) if parts else np.zeros(shapes.w, x.dtype)


def _slices(window: Window, count: int, channels: int, itemsize: int) -> Iterator[slice]:
    """Slices of a batch of `count` volumes, whose planes take at most SCRATCH bytes."""
    size = window.output[0] * channels * window.kernel[0] * prod(window.size[1:]) * itemsize
    step = max(1, SCRATCH // size)
    for first in range(0, count, step):
        yield slice(first, min(first + step, count))


def _planes(x: np.ndarray, window: Window) -> np.ndarray:
    """(N, C, D, H, W) -> (N · OD, C · KD, H, W): the planes that each output plane's taps meet, or zeros of padding."""
    shape: Sizes = (len(x), window.output[0], x.shape[1], window.kernel[0], *window.size[1:])
    planes = memory.empty(shape, x.dtype)
    for tap, (at, met) in enumerate(window.met(0)):
        planes[:, : at.start, :, tap] = planes[:, at.stop :, :, tap] = 0
        # (N, C, met, H, W) -> (N, at, C, H, W)
        planes[:, at, :, tap] = x[:, :, met].swapaxes(1, 2)
    # (N, OD, C, KD, H, W) -> (N · OD, C · KD, H, W)
    return planes.reshape(len(x) * shape[1], shape[2] * shape[3], *shape[4:])


def _as_channels(w: np.ndarray) -> np.ndarray:
    # (K, C/groups, KD, KH, KW) -> (K, C/groups · KD, KH, KW)
    return w.reshape(len(w), w.shape[1] * w.shape[2], *w.shape[3:])


def _as_images(g: np.ndarray, window: Window) -> np.ndarray:
    # (N, K, OD, OH, OW) -> (N, OD, K, OH, OW) -> (N · OD, K, OH, OW)
    images = memory.empty((len(g), window.output[0], g.shape[1], *window.output[1:]), g.dtype)
    images[...] = g.swapaxes(1, 2)
    return images.reshape(-1, *images.shape[2:])


def _as_volumes(planes: np.ndarray, window: Window) -> np.ndarray:
    # (N · OD, K, OH, OW) -> (N, OD, K, OH, OW) -> (N, K, OD, OH, OW)
    return planes.reshape(-1, window.output[0], *planes.shape[1:]).swapaxes(1, 2)
