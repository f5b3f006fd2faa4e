"""Windows of padded images in plain NumPy, for convolution and pooling."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tensorgrad.windows import Pads, Sizes

NO_PADDING = ((0, 0), (0, 0))


def windows_of(x: np.ndarray, kernel: Sizes, stride: Sizes, dilation: Sizes) -> np.ndarray:
    """All windows of a padded x `(N, C, H, W)`: a view `(N, C, OH, OW, KH, KW)`, which may be written to."""
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    # (N, C, H, W) -> (N, C, H − EH + 1, W − EW + 1, EH, EW) for the extent (EH, EW)
    view = sliding_window_view(x, extent, axis=(2, 3), writeable=True)
    # -> (N, C, OH, OW, KH, KW)
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def padded(x: np.ndarray, padding: Pads, value: float = 0.0) -> np.ndarray:
    """x `(N, C, H, W)` with a border of `value`: `(N, C, top + H + bottom, left + W + right)`."""
    return np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def cropped(x: np.ndarray, padding: Pads, size: Sizes) -> np.ndarray:
    """The inverse of `padded`: the pixels `(N, C, *size)` inside the border."""
    (top, _), (left, _) = padding
    return np.ascontiguousarray(x[:, :, top : top + size[0], left : left + size[1]])
