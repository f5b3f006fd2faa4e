"""The kernels in plain NumPy: what runs where numba may not compile, and gradients of weights that are infinite.

Same arguments, same results; the last bits may differ, since sums may be taken in another order. Tests hold these
functions to definitions in plain loops (tests/definitions.py), and kernels to these functions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tensorgrad.formulas.loops import ON_ARRAYS, Loop
from tensorgrad.formulas.programs import program
from tensorgrad.windows import Pads, Sizes

NO_PADDING = ((0, 0), (0, 0))


def _windows(x: np.ndarray, kernel: Sizes, stride: Sizes, dilation: Sizes) -> np.ndarray:
    """All windows of a padded x `(N, C, H, W)`, as a view `(N, C, OH, OW, KH, KW)` that can be written."""
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    # (N, C, H, W) -> (N, C, H − extent + 1, W − extent + 1, extent, extent)
    view = sliding_window_view(x, extent, axis=(2, 3), writeable=True)
    # -> (N, C, OH, OW, KH, KW)
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def _pad(x: np.ndarray, padding: Pads, value: float = 0.0) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def _crop(x: np.ndarray, padding: Pads, size: Sizes) -> np.ndarray:
    (top, _), (left, _) = padding
    return np.ascontiguousarray(x[:, :, top : top + size[0], left : left + size[1]])


# --------------------------------------------------------------------------------------------------------- convolution


def conv_forward(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None = None,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Each output pixel is the dot product of its window with its filter: see `convolution.forward`."""
    windows = _windows(_pad(x, padding), w.shape[2:], stride, dilation)
    # (N, C, OH, OW, KH, KW) -> (N, groups, C/groups, OH, OW, KH, KW); (K, …) -> (groups, K/groups, …)
    windows = windows.reshape(x.shape[0], groups, w.shape[1], *windows.shape[2:])
    filters = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    y = np.einsum("ngcpqij,gkcij->ngkpq", windows, filters, optimize=True)
    # (N, groups, K/groups, OH, OW) -> (N, K, OH, OW)
    y = y.reshape(x.shape[0], w.shape[0], *y.shape[3:])
    return y if bias is None else y + bias[:, None, None]


def conv_grad_input(
    g: np.ndarray,
    w: np.ndarray,
    input_size: Sizes,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Tap by tap, each gradient is added to the pixel that the tap read: see `convolution.grad_input`."""
    n, _, oh, ow = g.shape
    # (N, K, OH, OW) -> (N, groups, K/groups, OH, OW); (K, …) -> (groups, K/groups, …)
    g = g.reshape(n, groups, w.shape[0] // groups, oh, ow)
    filters = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    height, width = (size + before + after for size, (before, after) in zip(input_size, padding, strict=True))
    x = np.zeros((n, w.shape[1] * groups, height, width), g.dtype)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            # (N, groups, C/groups, OH, OW) -> (N, C, OH, OW)
            part = np.einsum("ngkpq,gkc->ngcpq", g, filters[..., i, j], optimize=True).reshape(n, x.shape[1], oh, ow)
            top, left = i * dilation[0], j * dilation[1]
            x[:, :, top : top + oh * stride[0] : stride[0], left : left + ow * stride[1] : stride[1]] += part
    return _crop(x, padding, input_size)


def conv_grad_weight(
    x: np.ndarray,
    g: np.ndarray,
    kernel_size: Sizes,
    stride: Sizes = (1, 1),
    padding: Pads = NO_PADDING,
    dilation: Sizes = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Each weight's gradient is the dot product of g with the pixels the weight met: see `convolution.grad_weight`."""
    windows = _windows(_pad(x, padding), kernel_size, stride, dilation)
    windows = windows.reshape(x.shape[0], groups, x.shape[1] // groups, *windows.shape[2:])
    # (N, K, OH, OW) -> (N, groups, K/groups, OH, OW)
    grads = g.reshape(g.shape[0], groups, g.shape[1] // groups, *g.shape[2:])
    dw = np.einsum("ngcpqij,ngkpq->gkcij", windows, grads, optimize=True)
    # (groups, K/groups, C/groups, KH, KW) -> (K, C/groups, KH, KW)
    return dw.reshape(g.shape[1], x.shape[1] // groups, *kernel_size)


# ------------------------------------------------------------------------------------------------------------- pooling


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
        _windows(_pad(array, reach, fill), kernel, stride, dilation)[:, :, :oh, :ow].reshape(
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
    """How many pixels of each window count, `(OH, OW)`, found by counting: see `pooling.divisors`."""
    if divisor_override is not None:
        return np.full(output_size, divisor_override, np.float64)
    counted = np.pad(np.ones(input_size), padding, constant_values=float(count_include_pad))[None, None]
    reach = _reach(input_size, kernel, stride, padding, (1, 1), output_size)
    overhang = tuple((0, max(0, after - asked)) for (_, after), (_, asked) in zip(reach, padding, strict=True))
    windows = _windows(_pad(counted, overhang), kernel, stride, (1, 1))
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
    """The sum of each window over its divisor: see `pooling.avg_forward`."""
    size, (oh, ow) = x.shape[2:], output_size
    table = divisors(size, kernel, stride, padding, output_size, count_include_pad, divisor_override)
    padded = _pad(x, _reach(size, kernel, stride, padding, (1, 1), output_size))
    # (N, C, H, W) -> (N, C, OH, OW, KH, KW) -> (N, C, OH, OW)
    total = _windows(padded, kernel, stride, (1, 1))[:, :, :oh, :ow].sum((-2, -1))
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
    """Each gradient over its divisor, added to the pixels of its window: see `pooling.avg_backward`."""
    (n, c), output_size = g.shape[:2], g.shape[2:]
    table = divisors(input_size, kernel, stride, padding, output_size, count_include_pad, divisor_override)
    reach = _reach(input_size, kernel, stride, padding, (1, 1), output_size)
    x = _pad(np.zeros((n, c, *input_size), g.dtype), reach)
    windows = _windows(x, kernel, stride, (1, 1))[:, :, : output_size[0], : output_size[1]]
    contribution = (g / table).astype(g.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            # One tap meets each pixel at most once, so nothing is lost in the addition.
            windows[..., i, j] += contribution
    return _crop(x, reach, input_size)


# ------------------------------------------------------------------------------------------------------------- products


def product(a: np.ndarray, b: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Row times column, plus the bias of the column: see `matmul.product`."""
    z = np.einsum("mk,kn->mn", a, b)
    return z if bias is None else z + bias


# ----------------------------------------------------------------------------------------------------------- pointwise


def relu(x: np.ndarray) -> np.ndarray:
    """Negative numbers become 0: see `pointwise.relu`."""
    return np.where(x <= 0, np.zeros_like(x), x)


def relu_gradient(g: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The gradient passes where the rectifier let its input pass: see `pointwise.relu_gradient`."""
    return np.where(z <= 0, np.zeros_like(g), g)


def channel_sums(x: np.ndarray) -> np.ndarray:
    """All axes but the second are summed over: see `pointwise.channel_sums`."""
    return x.sum(axis=(0, *range(2, x.ndim)), dtype=np.float64).astype(x.dtype)


# --------------------------------------------------------------------------------------------------------- elementwise


def loop(loop: Loop, arrays: Sequence[np.ndarray], parameters: Sequence[np.floating]) -> np.ndarray:
    """The loop's formula, run on whole arrays: see `loops.compute`."""
    symbols = (*loop.arrays, *(loop.parameters or ("unused",)))
    return program(loop.meaning, symbols, ON_ARRAYS)(*arrays, *parameters).astype(arrays[0].dtype, copy=False)


# -------------------------------------------------------------------------------------------------------------- losses


def cross_entropy(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Softmax, and its negative logarithm at y: see `losses.cross_entropy`."""
    shifted = x - x.max(axis=1, keepdims=True, initial=-np.inf)
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    # (N, 1), (N, C) -> (N,)
    return np.log(total)[:, 0] - shifted[np.arange(len(x)), y], np.exp(shifted) / total


def cross_entropy_gradient(g: np.ndarray, probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The probabilities, less 1 at y, times the upstream gradient: see `losses.cross_entropy_gradient`."""
    return (probabilities - (np.arange(probabilities.shape[1]) == y[:, None])) * g[:, None]


# ------------------------------------------------------------------------------------------------------------- softmax


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Exponentials over their sum: see `softmax.softmax`."""
    e = np.exp(_shifted(x, axis))
    return e / e.sum(axis, keepdims=True)


def softmax_gradient(g: np.ndarray, z: np.ndarray, axis: int = -1) -> np.ndarray:
    """The shares of what g exceeds its weighted mean by: see `softmax.softmax_gradient`."""
    return z * (g - (g * z).sum(axis, keepdims=True))


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Logits minus the logarithm of the sum of their exponentials: see `softmax.log_softmax`."""
    s = _shifted(x, axis)
    return s - np.log(np.exp(s).sum(axis, keepdims=True))


def log_softmax_gradient(g: np.ndarray, z: np.ndarray, axis: int = -1) -> np.ndarray:
    """g less the shares of its sum: see `softmax.log_softmax_gradient`."""
    return g - np.exp(z) * g.sum(axis, keepdims=True)


def _shifted(x: np.ndarray, axis: int) -> np.ndarray:
    """`x` less its maximum along the axis: the largest exponent is then 0."""
    return x - np.max(x, axis, keepdims=True, initial=-np.inf)


# ------------------------------------------------------------------------------------------------- batch normalization


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel: see `normalization.moments`."""
    axes = (0, *range(2, x.ndim))
    return x.mean(axes, np.float64), x.var(axes, np.float64)


def scale_and_shift(x: np.ndarray, center: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(x − center) · scale + shift, per channel: see `normalization.scale_and_shift`."""
    return (x - _per_channel(center, x)) * _per_channel(scale, x) + _per_channel(shift, x)


def gradient_sums(g: np.ndarray, x: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ g and Σ g · (x − mean), per channel: see `normalization.gradient_sums`."""
    axes = (0, *range(2, x.ndim))
    return g.sum(axes, np.float64), (g * (x - _per_channel(mean.astype(x.dtype), x))).sum(axes, np.float64)


def batch_norm_grad_input(
    g: np.ndarray, x: np.ndarray, mean: np.ndarray, scale: np.ndarray, offset: np.ndarray, slope: np.ndarray
) -> np.ndarray:
    """scale · (g − offset − slope · (x − mean)), per channel: see `normalization.grad_input`."""
    mean, scale, offset, slope = (_per_channel(values, x) for values in (mean, scale, offset, slope))
    return scale * (g - offset - slope * (x - mean))


def normalize(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, eps: float, centered: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows normalized, scaled and shifted: see `row_normalization.normalize`."""
    mean = x.mean((1, 2), np.float64) if centered else np.zeros(len(x))
    inverse = 1 / np.sqrt(np.square(x - mean[:, None, None]).mean((1, 2)) + eps)
    z = _standardized(x, mean, inverse) * _per_block(w, x) + _per_block(b, x)
    return z.astype(x.dtype), mean, inverse


def normalize_grad_input(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, mean: np.ndarray, inverse: np.ndarray, centered: bool
) -> np.ndarray:
    """The gradient for the rows: see `row_normalization.grad_input`."""
    gw, standard = g * _per_block(w, x), _standardized(x, mean, inverse)
    offset = gw.mean((1, 2), keepdims=True) if centered else 0
    inner = gw - offset - standard * (gw * standard).mean((1, 2), keepdims=True)
    return (inner * inverse[:, None, None]).astype(x.dtype)


def normalize_grad_weights(
    g: np.ndarray, x: np.ndarray, mean: np.ndarray, inverse: np.ndarray, groups: int
) -> np.ndarray:
    """Σ g · x̂ and Σ g of each weight: see `row_normalization.grad_weights`."""
    pairs = np.stack([g * _standardized(x, mean, inverse), g.astype(np.float64)])
    # (2, R, K, S) -> (2, R/G, G, K, S) -> (2, G · K)
    return pairs.reshape(2, len(x) // groups, groups, *x.shape[1:]).sum((1, 4)).reshape(2, -1)


def _standardized(x: np.ndarray, mean: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    return (x - mean[:, None, None]) * inverse[:, None, None]


def _per_block(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    # (G · K,) -> (R, K, 1), beside rows (R, K, S)
    blocks = values.reshape(-1, x.shape[1], 1)
    return np.tile(blocks, (len(x) // max(len(blocks), 1), 1, 1))


def _per_channel(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    # (C,) -> (C, 1, ...), beside x (N, C, ...)
    return values.reshape(-1, *[1] * (x.ndim - 2))


# ------------------------------------------------------------------------------------------ padding and interpolation


def resample(x: np.ndarray, tables: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The last axes of x read by the tables of taps, one axis after the other: see `separable.resample`.

    Of dtypes without fractions too, where each element has one tap of weight 1.
    """
    for axis, (index, weight) in zip(range(-len(tables), 0), tables, strict=True):
        shape = (-1, *[1] * (-axis - 1))
        padded = np.concatenate([x, np.zeros_like(np.take(x, [0], axis))], axis) if x.shape[axis] else x
        parts = [np.take(padded, at, axis) for at in index.astype(np.intp)]
        if x.dtype.kind == "f":
            parts = [by.astype(x.dtype).reshape(shape) * part for by, part in zip(weight, parts, strict=True)]
        x = sum(parts[1:], parts[0])
    return x


# --------------------------------------------------------------------------------------------- selection by place


def select(mode: int, pixels: np.ndarray, entries: np.ndarray, places: np.ndarray) -> None:
    """Read (mode 0), add (1) or write (2) the pixels at the places, per row, in place: see `selection`."""
    rows = np.arange(len(pixels))[:, None]
    if mode == 0:
        entries[...] = pixels[rows, places]
        return
    pixels[...] = 0
    if mode == 1:
        np.add.at(pixels, (rows, places), entries)
    else:
        pixels[rows, places] = entries


def window_max_indices(x: np.ndarray, bounds: Sequence[np.ndarray]) -> np.ndarray:
    """The place of the first maximum or NaN of each window of volumes (P, D, H, W): see `adaptive.max_indices`."""
    own = max(map(len, bounds))
    if own > 1:  # each plane has windows of its own
        bounds = [np.broadcast_to(axis, (own, *axis.shape[1:])) for axis in bounds]
        return np.concatenate(
            [window_max_indices(x[p : p + 1], [axis[p : p + 1] for axis in bounds]) for p in range(own)]
        )
    _, _, height, width = x.shape
    indices = np.empty((len(x), *[axis.shape[1] for axis in bounds]), np.int64)
    for at in np.ndindex(indices.shape[1:]):
        (d, d_end), (h, h_end), (w, w_end) = (axis[0, k] for axis, k in zip(bounds, at, strict=True))
        window = x[:, d:d_end, h:h_end, w:w_end]
        # NumPy's argmax takes the first NaN for the largest.
        found = np.unravel_index(window.reshape(len(x), -1).argmax(1) if len(x) else np.zeros(0, int), window.shape[1:])
        indices[(slice(None), *at)] = ((d + found[0]) * height + h + found[1]) * width + w + found[2]
    return indices


def add_rows(values: np.ndarray, rows: np.ndarray, x: np.ndarray | None, sums: np.ndarray) -> None:
    """Write x, or 0, and the values that come to each row, into `sums`: see `row_sums`."""
    sums[...] = 0 if x is None else x
    for plane, part in zip(sums, values, strict=True):
        np.add.at(plane, rows, part)


# -------------------------------------------------------------------------------------------------- samples at places


def pixels(
    places: Sequence[np.ndarray], offsets: np.ndarray, size: Sequence[int], padding: str, align_corners: bool
) -> np.ndarray:
    """The numbers of pixels in a channel, −1 for none: see `weighted.pixels`."""
    number, inside = np.zeros((), np.int64), np.ones((), bool)
    for x, n, offset in zip(places, size, offsets.T, strict=True):
        # (N, Q) and (T,) -> (N, Q, T)
        place = _moved_inside(x[..., None] + offset, n, padding, align_corners)
        within = (place >= 0) & (place < n)  # NaN is nowhere
        number, inside = number * n + np.where(within, place, 0).astype(np.int64), inside & within
    return np.where(inside, number, -1)


def _moved_inside(place: np.ndarray, n: int, padding: str, align_corners: bool) -> np.ndarray:
    if padding == "reflection":
        low, high = (0, n - 1) if align_corners else (-0.5, n - 0.5)
        if high == low:
            return np.zeros_like(place)
        distance = np.abs(place - low)
        extra, turns = distance % (high - low), distance // (high - low)
        place = np.where(turns % 2 == 0, extra + low, high - extra)
    return place if padding == "zeros" else np.clip(place, 0, n - 1)


def sample(x: np.ndarray, w: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Σ_t w[n, q, t] · x[n, c, k[n, q, t]], k = −1 being nothing: see `weighted.sample`."""
    padded = np.concatenate([x, np.zeros_like(x[..., :1])], 2)
    # (N, C, P + 1) -> (N, C, Q, T) -> (N, C, Q)
    at = np.arange(len(x))[:, None, None, None], np.arange(x.shape[1])[:, None, None], k[:, None]
    return (padded[at] * w[:, None]).sum(-1)


def sample_adjoint(g: np.ndarray, w: np.ndarray, k: np.ndarray, pixels: int) -> np.ndarray:
    """Each g, times its weights, added to the pixels it was made of: see `weighted.adjoint`."""
    x = np.zeros((*g.shape[:2], pixels + 1), g.dtype)
    at = np.arange(len(g))[:, None, None, None], np.arange(g.shape[1])[:, None, None], k[:, None]
    np.add.at(x, at, g[..., None] * w[:, None])
    return np.ascontiguousarray(x[..., :pixels])


def sample_dots(x: np.ndarray, g: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Σ_c g[n, c, q] · x[n, c, k[n, q, t]]: see `weighted.dots`."""
    padded = np.concatenate([x, np.zeros_like(x[..., :1])], 2)
    at = np.arange(len(x))[:, None, None, None], np.arange(x.shape[1])[:, None, None], k[:, None]
    return (padded[at] * g[..., None]).sum(1)


def bilinear(x: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The values of x (N, C, H, W) between pixels: see `bilinear.sample`."""
    k, (top, bottom), (left, right) = _around(v, u, x.shape[2:])
    w = np.stack([top * left, top * right, bottom * left, bottom * right], -1)
    return sample(x.reshape(*x.shape[:2], -1), w, k)


def bilinear_adjoint(g: np.ndarray, v: np.ndarray, u: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each g added to the pixels around its place: see `bilinear.adjoint`."""
    k, (top, bottom), (left, right) = _around(v.astype(np.float64), u.astype(np.float64), size)
    w = np.stack([top * left, top * right, bottom * left, bottom * right], -1)
    x = sample_adjoint(g.astype(np.float64), w, k, size[0] * size[1])
    return x.reshape(*g.shape[:2], *size).astype(g.dtype)


def bilinear_slopes(g: np.ndarray, x: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The derivatives by the places, summed over the channels: see `bilinear.slopes`."""
    k, (top, bottom), (left, right) = _around(v, u, x.shape[2:])
    dots = sample_dots(x.reshape(*x.shape[:2], -1).astype(np.float64), g.astype(np.float64), k)
    a, b, c, d = np.moveaxis(dots, -1, 0)
    return np.stack([left * (c - a) + right * (d - b), top * (b - a) + bottom * (d - c)]).astype(x.dtype)


def _around(v: np.ndarray, u: np.ndarray, size: tuple[int, ...]) -> tuple:
    """The four pixels around each place, (N, Q, 4), -1 for none, and the weights of the two along each axis."""
    (height, width), inside = size, (v >= -1) & (v < size[0]) & (u >= -1) & (u < size[1])
    v, u = np.where(inside, v, 0), np.where(inside, u, 0)
    rows = np.floor(v).astype(np.int64)[..., None] + [0, 0, 1, 1]
    columns = np.floor(u).astype(np.int64)[..., None] + [0, 1, 0, 1]
    there = inside[..., None] & (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    down, across = v - np.floor(v), u - np.floor(u)
    return np.where(there, rows * width + columns, -1), (1 - down, down), (1 - across, across)
