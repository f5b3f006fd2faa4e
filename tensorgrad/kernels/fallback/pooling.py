"""Max and average pooling in plain NumPy."""

import numpy as np

from tensorgrad.kernels.fallback.windows import NO_PADDING, cropped, padded, windows_of
from tensorgrad.windows import Pads, Sizes


def _reach(input_size: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, output_size: Sizes) -> Pads:
    """Padding that ends where the last window does: further than asked for in ceil mode, short of it in floor mode."""
    return tuple(
        (before, max(0, (out - 1) * s + d * (k - 1) + 1 - size - before))
        for size, k, s, (before, _), d, out in zip(
            input_size, kernel, stride, padding, dilation, output_size, strict=True
        )
    )


def max_forward(
    x: np.ndarray,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    *,
    output_size: Sizes,
) -> tuple[np.ndarray, np.ndarray]:
    """The first largest value of each window and where it stood: see `pooling.max_forward`."""
    n, c, h, w = x.shape
    reach = _reach((h, w), kernel, stride, padding, dilation, output_size)
    oh, ow = output_size
    positions = np.broadcast_to(np.arange(h * w).reshape(h, w), x.shape)
    # (N, C, OH, OW, KH, KW) -> (N, C, OH, OW, KH · KW)
    values, where = (
        windows_of(padded(array, reach, fill), kernel, stride, dilation)[:, :, :oh, :ow].reshape(
            n, c, oh, ow, kernel[0] * kernel[1]
        )
        for array, fill in ((x, -np.inf), (positions, -1))
    )
    # Real pixels beat padding, NaN beats numbers, the larger beats the smaller, the first beats the later.
    rank = np.where(np.isnan(values), np.inf, values)
    first_nan = np.isnan(values).argmax(-1)
    best = np.where(where >= 0, rank, -np.inf).max(-1, keepdims=True)
    winner = ((rank == best) & (where >= 0)).argmax(-1)
    winner = np.where(np.isnan(values).any(-1), first_nan, winner)[..., None]
    y, indices = (np.take_along_axis(array, winner, -1)[..., 0] for array in (values, where))
    return y, indices.astype(np.int32)


def scatter(g: np.ndarray, indices: np.ndarray, input_size: Sizes) -> np.ndarray:
    """Each gradient is added to the pixel that won: see `pooling.scatter`."""
    n, c = g.shape[:2]
    x = np.zeros((n, c, input_size[0] * input_size[1]), g.dtype)
    np.add.at(x, (np.arange(n)[:, None, None, None], np.arange(c)[:, None, None], indices), g)
    # (N, C, H · W) -> (N, C, H, W)
    return x.reshape(n, c, *input_size)


def gather(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """The pixels that won: see `pooling.gather`."""
    n, c, h, w = x.shape
    # (N, C, H, W) -> (N, C, H · W) -> (N, C, OH, OW)
    return x.reshape(n, c, h * w)[np.arange(n)[:, None, None, None], np.arange(c)[:, None, None], indices]


def divisors(
    input_size: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads,
    output_size: Sizes,
    count_include_pad: bool,
    divisor_override: int | None,
) -> np.ndarray:
    """How many pixels of each window count, `(OH, OW)`, found by counting: see `average_pooling.divisors`."""
    if divisor_override is not None:
        return np.full(output_size, divisor_override, np.float64)
    counted = np.pad(np.ones(input_size), padding, constant_values=float(count_include_pad))[None, None]
    reach = _reach(input_size, kernel, stride, padding, (1, 1), output_size)
    overhang = tuple((0, max(0, after - asked)) for (_, after), (_, asked) in zip(reach, padding, strict=True))
    windows = windows_of(padded(counted, overhang), kernel, stride, (1, 1))
    # (1, 1, OH, OW, KH, KW) -> (OH, OW)
    return windows[0, 0, : output_size[0], : output_size[1]].sum((-2, -1))


def avg_forward(
    x: np.ndarray,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads = NO_PADDING,
    *,
    output_size: Sizes,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """The sum of each window over its divisor: see `average_pooling.avg_forward`."""
    size, (oh, ow) = x.shape[2:], output_size
    table = divisors(size, kernel, stride, padding, output_size, count_include_pad, divisor_override)
    image = padded(x, _reach(size, kernel, stride, padding, (1, 1), output_size))
    # (N, C, H, W) -> (N, C, OH, OW, KH, KW) -> (N, C, OH, OW)
    total = windows_of(image, kernel, stride, (1, 1))[:, :, :oh, :ow].sum((-2, -1))
    return (total / table).astype(x.dtype)


def avg_backward(
    g: np.ndarray,
    input_size: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads = NO_PADDING,
    *,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:
    """Each gradient over its divisor, added to the pixels of its window: see `average_pooling.avg_backward`."""
    (n, c), output_size = g.shape[:2], g.shape[2:]
    table = divisors(input_size, kernel, stride, padding, output_size, count_include_pad, divisor_override)
    reach = _reach(input_size, kernel, stride, padding, (1, 1), output_size)
    x = padded(np.zeros((n, c, *input_size), g.dtype), reach)
    windows = windows_of(x, kernel, stride, (1, 1))[:, :, : output_size[0], : output_size[1]]
    contribution = (g / table).astype(g.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            # One tap meets each pixel at most once, so nothing is lost in the addition.
            windows[..., i, j] += contribution
    return cropped(x, reach, input_size)
