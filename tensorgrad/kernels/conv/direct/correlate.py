"""A matrix of filters times a matrix of lines, in tiles of vectors.

    y[k, q] = bias[k] + Σ_tap w[k, tap] · line[tap][q]

is a convolution and, for each phase of the stride, its input gradient. An image's lines stand in a scratch (see
`taps`), or are its own planes.
"""

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.kernels.arguments import zeros
from tensorgrad.kernels.conv import taps
from tensorgrad.kernels.conv.im2row import pack, unpacked
from tensorgrad.kernels.jit.dispatch import chunks_for, inlined, is_recording, kernel, run
from tensorgrad.kernels.jit.partition import Access
from tensorgrad.kernels.jit.views import flattened, tail
from tensorgrad.kernels.simd.emitter import COLUMNS, PANELS, ROWS, WIDTH
from tensorgrad.kernels.simd.gemm import fill_panel, panel_products, products
from tensorgrad.kernels.simd.planes import merge_rows, store_rows
from tensorgrad.kernels.simd.tiles import turn_rows


def correlate(x: np.ndarray, w: np.ndarray, bias: np.ndarray, total: taps.Sum, y: np.ndarray) -> None:
    """The sum over taps that `total` describes, to y (N, K, OH, OW). The arrays are contiguous."""
    chunks, width = chunks_for(total.blocks * total.cuts, total.work), WIDTH // x.itemsize
    scratch = memory.empty((chunks, total.scratch), x.dtype)
    packed = packed_filters(w, bias, total.packed) if total.packed else zeros(0, x.dtype)
    panels = _panels(w, bias, total) if total.panels else zeros(0, x.dtype)
    arguments = (total.rest, packed, panels, scratch, total.lengths, total.step, total.group, total.cuts, width)
    partition = taps.partition(total) if is_recording() else None
    access = None if partition is None else Access(partition, (y,), (y, scratch))
    run(correlate_kernel, (x, w, bias, y, total.table, *arguments), chunks, access)


def interleave(parts: np.ndarray, x: np.ndarray) -> None:
    """x[n, c, u · s + a, v · s + b] = parts[a, b, n, c, u, v], for phases of one size."""
    run(_interleave_kernel, (parts, x), chunks_for(len(x), x.size))


@kernel
def _interleave_kernel(parts, x, index, chunks):
    down, right, _, _, rows, columns = parts.shape
    count, channels, height, width = x.shape
    source, target, apart = flattened(parts), flattened(x), x.size // (down * right)
    for n in range(count * index // chunks, count * (index + 1) // chunks):
        for a in range(down):
            to, at = n * channels * height * width + a * width, a * right * apart + n * channels * rows * columns
            if right == 2:
                merge_rows(
                    target, to, down * width, height * width, source, at, columns, rows * columns, rows, channels,
                    width, apart,
                )  # fmt: skip
                continue
            for line in range(channels * rows):
                begin = to + line // rows * height * width + line % rows * down * width
                for b in range(right):
                    for v in range(columns):
                        target[begin + v * right + b] = source[at + b * apart + line * columns + v]


def packed_filters(w: np.ndarray, bias: np.ndarray, length: int) -> np.ndarray:
    """(taps, K rounded up to vectors) filters, then bias (K,), flat: the layout that `taps.Sum.rest` refers to."""
    width = WIDTH // w.itemsize
    packed = memory.empty((length,), w.dtype)
    run(_pack_filters_kernel, (w, bias, packed, -(-len(w) // width) * width), 1)
    return packed


def _panels(w: np.ndarray, bias: np.ndarray, total: taps.Sum) -> np.ndarray:
    """The filters of all groups and their biases as `panel_products` takes them."""
    panels, groups = memory.empty((total.panels,), w.dtype), total.layout.groups
    numbers = (groups, total.shape[1] // groups, total.step, total.group)
    run(_panels_kernel, (w, bias, panels, total.table, *numbers), chunks_for(len(w), total.panels))
    return panels


@kernel
def _panels_kernel(w, bias, panels, table, groups, filters, step, group_step, index, chunks):
    blocks, weights = -(-filters // ROWS), flattened(w)
    for unit in range(groups * blocks * index // chunks, groups * blocks * (index + 1) // chunks):
        group, block = unit // blocks, unit % blocks
        panel, group_weights = tail(panels, unit * (1 + len(table)) * ROWS), tail(weights, group * group_step)
        fill_panel(filters, block, group_weights, step, table, tail(bias, group * filters), panel)


@kernel
def _pack_filters_kernel(w, bias, packed, across, index, chunks):
    taps = w.size // len(w)
    # (K, taps) -> (taps, K)
    turn_rows(packed, 0, across, w, 0, taps, len(w), taps)
    for k in range(len(w)):
        packed[taps * across + k] = bias[k]


@inlined
def _correlate_group(group, filters, cut, cuts, pixels, w, bias, table, panels, image, layout, step, group_step, y,
                     y_step, panel, width):  # fmt: skip
    """`pixels` pixels of the part `cut` of the `cuts` parts of a group's filters; `width` lanes make a vector."""
    lines, row, blocks = tail(image, group * layout.group), group * filters, -(-filters // ROWS)
    first, end = blocks * cut // cuts, blocks * (cut + 1) // cuts
    if PANELS and len(panels):  # otherwise numba leaves the tiles of panels out, which take long to compile
        group_panels = tail(panels, group * blocks * (1 + len(table)) * ROWS)
        panel_products(filters, first, end, pixels, group_panels, table, lines, y, y_step, panel, width)
    else:
        group_weights = tail(flattened(w), group * group_step)
        products(filters, first, end, pixels, group_weights, step, table, lines, tail(bias, row), y, y_step, width)


@inlined
def _correlate_band(image, w, bias, y, n, band, cut, cuts, table, panels, layout, step, group_step, pixels, panel,
                    width):  # fmt: skip
    """`pixels` pixels of a band of y[n], for the part `cut` of the `cuts` parts of each group's filters."""
    filters, plane = y.shape[1] // layout.groups, layout.output_h * layout.output_w
    for group in range(layout.groups):
        first = (n * y.shape[1] + group * filters) * plane + band * layout.band * layout.output_w
        _correlate_group(
            group, filters, cut, cuts, pixels, w, bias, table, panels, image, layout, step, group_step,
            tail(flattened(y), first), plane, panel, width,
        )  # fmt: skip


@inlined
def _correlate_rest(image, y, n, rest_table, packed, layout, whole, width):
    """The pixels of y[n] from `whole` on, vectorized over filters instead of pixels; each sum is in the same order.

    Here the pixels are the weights of `products`: a row of ones in `image` multiplies the bias, a row of zeros is where
    the sums start.
    """
    filters, plane = y.shape[1], layout.output_h * layout.output_w
    across, target = -(-filters // width) * width, flattened(y)
    zeros, out = tail(image, layout.image + 2 * width), tail(image, layout.image + 3 * width)
    rows, none = plane - whole, np.intp(0)
    blocks = -(-rows // ROWS)
    products(rows, none, blocks, across, tail(image, whole), np.intp(1), rest_table, packed, zeros, out, across, width)
    # (rows, K) -> (K, rows)
    for k in range(filters):
        for q in range(rows):
            target[(n * filters + k) * plane + whole + q] = out[q * across + k]


@inlined
def _correlate_images(x, w, bias, y, table, panels, image, layout, step, group_step, panel, width, index, chunks):
    """As `correlate_kernel`, for a layout in which several images lie side by side in a row.

    Their output is computed in the scratch, and copied from there to each image's planes.
    """
    blocks, filters = -(-len(x) // layout.images), y.shape[1] // layout.groups
    plane, line = layout.output_h * layout.output_w, layout.output_h * layout.columns
    target, out = flattened(y), layout.image + 2 * width - WIDTH // x.itemsize
    for block in range(blocks * index // chunks, blocks * (index + 1) // chunks):
        first = block * layout.images
        images = min(layout.images, len(x) - first)
        pack(x, first, images, 0, image, layout)
        for group in range(layout.groups):
            row = group * filters
            _correlate_group(
                group, filters, np.intp(0), np.intp(1), line, w, bias, table, panels, image, layout, step, group_step,
                tail(image, out), line, panel, width,
            )  # fmt: skip
            for k in range(filters):
                store_rows(
                    target, (first * y.shape[1] + row + k) * plane, layout.output_w, y.shape[1] * plane, image,
                    out + k * line, layout.columns, layout.output_w, layout.output_h, images, layout.output_w,
                )  # fmt: skip


@kernel
def correlate_kernel(x, w, bias, y, table, rest_table, packed, panels, scratch, lengths, step, group_step, cuts, width,
                     index, chunks):  # fmt: skip
    """y (N, K, OH, OW) as a `taps.Sum` describes it.

    The chunks share out units: the bands of all images, times the `cuts` parts into which each group's filters are
    divided. `rest_table` isn't empty if the pixels beyond the last whole vector are computed by `_correlate_rest`.
    """
    layout, image = unpacked(lengths), scratch[index]
    panel = tail(image, len(image) - len(table) * COLUMNS * width) if PANELS and len(panels) else image
    if layout.images > 1:
        _correlate_images(x, w, bias, y, table, panels, image, layout, step, group_step, panel, width, index, chunks)
        return
    units, plane = len(x) * layout.bands * cuts, layout.output_h * layout.output_w
    # A row of ones, then one of zeros: see `_correlate_rest`.
    for i in range(width if len(rest_table) else 0):
        image[layout.image + width + i], image[layout.image + 2 * width + i] = 1, 0
    first = units * index // chunks
    for unit in range(first, units * (index + 1) // chunks):
        block, cut = unit // cuts, unit % cuts
        n, band = block // layout.bands, block % layout.bands
        lines = image
        if layout.direct:
            lines = tail(flattened(x), n * layout.image + band * layout.band * layout.output_w)
        elif cut == 0 or unit == first:
            pack(x, n, 1, band, image, layout)
        pixels = min(layout.band * layout.output_w, plane - band * layout.band * layout.output_w)
        if len(rest_table):
            pixels = pixels // width * width
            _correlate_rest(image, y, n, rest_table, packed, layout, pixels, width)
        _correlate_band(
            lines, w, bias, y, n, band, cut, cuts, table, panels, layout, step, group_step, pixels, panel, width
        )
