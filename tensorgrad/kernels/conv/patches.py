"""The patches of images side by side, and back: one copy for each tap of the window."""

from itertools import product

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.windows import Window, check_pooled


def unfold(x: np.ndarray, window: Window) -> np.ndarray:
    """The pixels that each tap meets, zeros in the padding: x `(N, C, H, W)` -> `(N, C, KH, KW, OH, OW)`.

    >>> window = Window.fitting("unfold", (2, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> unfold(np.arange(6.0).reshape(1, 1, 2, 3), window)[0, 0, 1, 0]
    array([[3., 4.]])
    """
    check_pooled("unfold", window, x=x.shape)
    z = memory.empty((*x.shape[:2], *window.kernel, *window.output), x.dtype)
    for (i, (down, rows)), (j, (across, columns)) in _taps(window):
        z[:, :, i, j, : down.start] = z[:, :, i, j, down.stop :] = 0
        z[:, :, i, j, down, : across.start] = z[:, :, i, j, down, across.stop :] = 0
        z[:, :, i, j, down, across] = x[:, :, rows, columns]
    return z


def fold(g: np.ndarray, window: Window) -> np.ndarray:
    """The adjoint of `unfold`: patches `(N, C, KH, KW, OH, OW)` are added up where they lay, `(N, C, H, W)`."""
    x = memory.empty((*g.shape[:2], *window.size), g.dtype)
    x.fill(0)
    for (i, (down, rows)), (j, (across, columns)) in _taps(window):
        x[:, :, rows, columns] += g[:, :, i, j, down, across]
    return x


def _taps(window: Window) -> product:
    return product(enumerate(window.met(0)), enumerate(window.met(1)))
