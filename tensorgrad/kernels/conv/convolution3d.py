"""Convolution of volumes: the taps along the depth become channels of a convolution of images.

    x (N, C, D, H, W) -> planes (N · OD, C · KD, H, W),    w (K, C/groups, KD, KH, KW) -> (K, C/groups · KD, KH, KW)

The planes of an output plane stand side by side, so its convolution is one of two dimensions, and runs in the tiles of
`convolution`; so do both gradients. What this adds is a copy of the input for each tap along the depth.
"""

from collections.abc import Iterator
from math import prod

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.arguments import floats
from tensorgrad.kernels.conv import convolution
from tensorgrad.windows import Sizes, Window, convolution_shapes

# Bytes of the planes of so many volumes as are worked on at once; of one volume at least.
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
    for part in _parts(window, len(x), channels, x.itemsize):
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
    for part in _parts(window, len(g), channels, g.itemsize):
        planes = convolution.grad_input(_as_images(g[part], window), filters, window.plane)
        # (N · OD, C · KD, H, W) -> (N, OD, C, KD, H, W)
        planes = planes.reshape(-1, window.output[0], channels, window.kernel[0], *window.size[1:])
        for tap, (at, met) in enumerate(window.met(0)):
            x[part, :, met] += planes[:, at, :, tap].swapaxes(1, 2)
    return x


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window) -> np.ndarray:
    """As `convolution.grad_weight`: x `(N, C, D, H, W)`, g `(N, K, OD, OH, OW)` -> `(K, C/groups, KD, KH, KW)`."""
    shapes = convolution_shapes("conv3d_grad_weight", window, x=x.shape, y=g.shape)
    x, g = floats("conv3d_grad_weight", "x g", x, g)
    parts = [
        convolution.grad_weight(_planes(x[part], window), _as_images(g[part], window), window.plane)
        for part in _parts(window, len(x), shapes.x[1], x.itemsize)
    ]
    return sum(parts[1:], parts[0]).reshape(shapes.w) if parts else np.zeros(shapes.w, x.dtype)


def _parts(window: Window, count: int, channels: int, itemsize: int) -> Iterator[slice]:
    """The volumes that are worked on at once."""
    size = window.output[0] * channels * window.kernel[0] * prod(window.size[1:]) * itemsize
    step = max(1, SCRATCH // size)
    for first in range(0, count, step):
        yield slice(first, min(first + step, count))


def _planes(x: np.ndarray, window: Window) -> np.ndarray:
    """(N, C, D, H, W) -> (N · OD, C · KD, H, W): the planes that the taps of each output plane meet, or zeros."""
    shape: Sizes = (len(x), window.output[0], x.shape[1], window.kernel[0], *window.size[1:])
    planes = memory.empty(shape, x.dtype)
    for tap, (at, met) in enumerate(window.met(0)):
        planes[:, : at.start, :, tap] = planes[:, at.stop :, :, tap] = 0
        planes[:, at, :, tap] = x[:, :, met].swapaxes(1, 2)
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
