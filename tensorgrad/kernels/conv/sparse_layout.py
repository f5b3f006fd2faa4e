"""How `sparse` lays out images and filters: so that a window's pixels in one row are whole vectors.

Many channels: lane l of a vector is a channel, and neighbouring pixels are neighbouring vectors,

    image[block, h, w, l] = x[block · lanes + l, h − top, w − left]        a row of a window: KW vectors

Few channels: the taps of a row are lanes too, and a pixel has a copy of those to its right,

    image[h, w, c · KW + j] = x[c, h − top, w + j − left]                  a row of a window: those of one pixel

with zeros around x, and in the lanes that are left over. Filters and their gradients are laid out as one window.
"""

from typing import NamedTuple

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from tensorgrad.kernels.conv import taps
from tensorgrad.kernels.conv.im2row import pack
from tensorgrad.kernels.jit.dispatch import inlined, kernel
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.kernels.simd.tiles import copy_rows, fold_row, turn_rows
from tensorgrad.windows import Window

# The fraction of lanes that must be in use.
FILLED = 0.6


class Layout(NamedTuple):
    """Lengths count elements."""

    channels: int
    height: int
    width: int
    kernel_h: int
    kernel_w: int
    top: int
    left: int
    output_h: int
    output_w: int
    rows: int  # of pixels, the zeros above and below included
    blocks: int  # of channels
    columns: int  # vectors that a row of a window has in a block
    pixel: int  # from one pixel to the next
    row: int  # from one row of pixels to the next
    block: int  # from one block to the next
    window: int  # length of a filter in one block
    copied: int  # 1 where pixels have copies of those to their right


class Places(NamedTuple):
    """Where the parts of a thread's scratch begin, numbers first, then integers."""

    image: int  # laid out
    gradient: int  # of an image, laid out
    filters: int  # laid out
    plane: int  # of the gradient
    values: int  # one for each window of the pooling, filter by filter
    corners: int
    transposed_values: int  # and window by window
    transposed_corners: int
    by_filter: int  # those that aren't zero
    by_pixel: int
    sums: int  # the gradients of the filters, laid out
    lines: int
    end: int
    filter_places: int  # where in the image the windows of the entries begin
    filter_starts: int
    pixel_places: int  # where the filters of the entries begin
    pixel_starts: int
    flag: int  # the status flag; other than 0: the result is invalid
    integers_end: int


LAYOUT, PACKING, PLACES = (len(kind._fields) for kind in (Layout, taps.Layout, Places))
NUMBERS = LAYOUT + PACKING + PLACES


def layout(window: Window, channels: int, itemsize: int) -> Layout | None:
    """How images with this many channels are laid out for this window. None if too many lanes would be empty."""
    (height, width), (kh, kw), lanes = window.size, window.kernel, WIDTH // itemsize
    (top, left), (output_h, output_w) = window.before, window.output
    copied = channels < lanes
    blocks = 1 if copied else -(-channels // lanes)
    columns = -(-channels * kw // lanes) if copied else kw
    if channels * kw < FILLED * blocks * columns * lanes:
        return None
    rows, pixel = output_h + kh - 1, (columns if copied else 1) * lanes
    row = (output_w if copied else output_w + kw - 1) * pixel
    weights = kh * columns * lanes
    return Layout(
        channels, height, width, kh, kw, top, left, output_h, output_w, rows, blocks, columns, pixel, row, rows * row,
        weights, int(copied),
    )  # fmt: skip


def slack(layout: Layout, itemsize: int) -> int:
    """How many elements behind a laid out image, or behind filters, may be overwritten."""
    lanes = WIDTH // itemsize
    return (lanes + 1) * max(layout.pixel, lanes)


def lines(layout: Layout, itemsize: int) -> int:
    """The length of the scratch in which images and filters are transposed."""
    lanes = WIDTH // itemsize
    taps = layout.channels * layout.kernel_w if layout.copied else lanes
    across = layout.rows * layout.output_w if layout.copied else layout.width
    window = (layout.channels + lanes + 1) * max(layout.kernel_h * layout.kernel_w, lanes)
    return max((taps + lanes) * -(-across // lanes) * lanes, window) + lanes


def places(layout: Layout, filters: int, itemsize: int) -> Places:
    """A scratch for so many filters."""
    lanes, pixels, windows = WIDTH // itemsize, layout.output_h * layout.output_w, pooled(layout)
    image, weights = layout.blocks * layout.block, layout.blocks * filters * layout.window
    image, weights = image + slack(layout, itemsize), weights + slack(layout, itemsize)
    # (filters, windows) transposed is (windows, filters), both rounded up to whole vectors.
    transposed, entries = -(-windows // lanes) * lanes * -(-filters // lanes) * lanes, filters * windows + lanes
    rest = [transposed, transposed, entries, entries, weights, lines(layout, itemsize)]
    lengths = [image, image, weights, pixels, entries, entries, *rest]
    floats = np.cumsum([0] + [-(-length // lanes) * lanes for length in lengths])
    integers = np.cumsum([0, entries, filters + 1, entries, 4 * windows + 1, 1])
    return Places(*floats.tolist(), *integers.tolist())


def table(layout: Layout, filters: int) -> np.ndarray:
    """Offsets, int32: of the pooling's windows, in a plane and in an image; of the filters; of the windows of all
    pixels, in the order of the pooling's windows.
    """
    # (rows, 1, 1, 1), (columns, 1, 1), (2, 1), (2,) -> (rows, columns, 2, 2)
    p, q, down, right = np.ogrid[: layout.output_h // 2, : layout.output_w // 2, :2, :2]
    h, w = 2 * p + down, 2 * q + right
    in_plane, in_image = (h * layout.output_w + w).ravel(), (h * layout.row + w * layout.pixel).ravel()
    parts = [in_plane[::4], in_image[::4], np.arange(filters) * layout.window, in_image]
    return np.concatenate(parts).astype(np.int32)


def numbers(window: Window, layout: Layout, filters: int, itemsize: int) -> np.ndarray:
    """The numbers that a kernel needs, for `unpacked`."""
    return np.array([*layout, *taps.layout(window, layout.channels, 1), *places(layout, filters, itemsize)])


def pooled(layout: Layout) -> int:
    """How many windows of 2×2 a plane of the output has."""
    return (layout.output_h // 2) * (layout.output_w // 2)


@kernel
def unpacked(numbers):
    """The layout, that of `im2row` for images with copies, and the places in a scratch."""
    layout, packing = numbers[:LAYOUT], numbers[LAYOUT : LAYOUT + PACKING]
    places = numbers[LAYOUT + PACKING : NUMBERS]
    return (
        Layout(*to_fixed_tuple(layout, LAYOUT)),
        taps.Layout(*to_fixed_tuple(packing, PACKING)),
        Places(*to_fixed_tuple(places, PLACES)),
    )


@inlined
def lay_out_image(x, n, image, lines, packing, layout):
    """x[n] (C, H, W) -> image. The border of the image must be zero already."""
    width = WIDTH // x.itemsize
    if layout.copied:
        pack(x, n, 1, packing.bands - 1, lines, packing)
        # (C · KW, rows · OW) -> (rows · OW, C · KW)
        taps, count = layout.channels * layout.kernel_w, layout.rows * layout.output_w
        turn_rows(image, 0, layout.pixel, lines, 0, count, taps, count)
        return
    pixels, plane = flattened(x), layout.height * layout.width
    for block in range(layout.blocks):
        source = (n * layout.channels + block * width) * plane
        for h in range(layout.height):
            # (lanes, W) -> (W, lanes); the zeros behind the last pixel end up in the row that is written next.
            at = block * layout.block + (h + layout.top) * layout.row + layout.left * width
            count = min(width, layout.channels - block * width)
            turn_rows(image, at, width, pixels, source + h * layout.width, plane, count, layout.width)


@inlined
def take_image(image, x, n, first, end, lines, layout):
    """x[n] (C, H, W) from the blocks first to end of an image to which windows were added."""
    if layout.copied:
        _fold_image(image, x, n, lines, layout)
        return
    pixels, plane, width = flattened(x), layout.height * layout.width, WIDTH // x.itemsize
    across = -(-layout.width // width) * width
    for h in range(layout.height):
        for block in range(first, end):
            at = block * layout.block + (h + layout.top) * layout.row + layout.left * width
            target = (n * layout.channels + block * width) * plane + h * layout.width
            count = min(width, layout.channels - block * width)
            # (W, lanes) -> (lanes, W). Whole vectors may reach into the rows below, which are written later.
            if h * layout.width + across <= plane and count == width:
                turn_rows(pixels, target, plane, image, at, width, layout.width, count)
                continue
            turn_rows(lines, 0, across, image, at, width, layout.width, count)
            for c in range(count):
                for q in range(layout.width):
                    pixels[target + c * plane + q] = lines[c * across + q]


@inlined
def _fold_image(image, x, n, lines, layout):
    """x[n] (C, H, W) from an image with copies: a pixel is the sum of its copies."""
    pixels, lanes, count = flattened(x), WIDTH // x.itemsize, layout.rows * layout.output_w
    across = -(-count // lanes) * lanes
    # (rows · OW, C · KW) -> (C · KW, rows · OW)
    turn_rows(lines, 0, across, image, 0, layout.pixel, count, layout.channels * layout.kernel_w)
    for c in range(layout.channels):
        for h in range(layout.height):
            row = c * layout.kernel_w * across + (h + layout.top) * layout.output_w
            target = ((n * layout.channels + c) * layout.height + h) * layout.width
            fold_row(
                pixels, target, layout.width, lines, row, 1, 0, layout.kernel_w, across, 1, layout.left,
                layout.output_w,
            )  # fmt: skip


@inlined
def lay_out_filters(w, filters, layout):
    """w (K, C, KH, KW) -> filters (blocks, K, KH, columns · lanes)."""
    weights, taps, width = flattened(w), layout.kernel_h * layout.kernel_w, WIDTH // w.itemsize
    for block in range(layout.blocks):
        for k in range(len(w)):
            at, source = (block * len(w) + k) * layout.window, (k * layout.channels + block * width) * taps
            if layout.copied:
                # (C, KH, KW) -> (KH, C · KW)
                for t in range(at, at + layout.window):
                    filters[t] = 0
                for i in range(layout.kernel_h):
                    row, start = at + i * layout.pixel, source + i * layout.kernel_w
                    copy_rows(
                        filters, row, layout.kernel_w, layout.channels, weights, start, taps, 0, layout.kernel_w
                    )  # fmt: skip
            else:
                # (lanes, KH · KW) -> (KH · KW, lanes); vector stores overrun into the next filter.
                count = min(width, layout.channels - block * width)
                turn_rows(filters, at, width, weights, source, taps, count, taps)


@inlined
def take_filters(floats, at, dw, first, end, lines, layout):
    """dw[first:end] (K, C, KH, KW) from the sums in each line of floats (blocks · K · window), line after line."""
    taps, width, total = layout.kernel_h * layout.kernel_w, WIDTH // dw.itemsize, floats[0][at.sums : at.lines]
    for block in range(layout.blocks):
        begin, stop = (block * len(dw) + first) * layout.window, (block * len(dw) + end) * layout.window
        for i in range(1, len(floats)):
            others = floats[i][at.sums : at.lines]
            for t in range(begin, stop):
                total[t] += others[t]
    whole, filter_size = flattened(dw), layout.channels * taps
    for k in range(first, end):
        # Vector stores overrun into the next filter, which rewrites it; behind the last filter is memory of others.
        inside = (end - 1 - k) * filter_size >= (width + 1) * max(taps, width)
        target, row = (whole, k * filter_size) if inside else (lines, 0)
        for block in range(layout.blocks):
            at, start = (block * len(dw) + k) * layout.window, row + block * width * taps
            if layout.copied:
                # (KH, C · KW) -> (C, KH, KW)
                for c in range(layout.channels):
                    source = at + c * layout.kernel_w
                    copy_rows(
                        target, start + c * taps, layout.kernel_w, layout.kernel_h, total, source, layout.pixel, 0,
                        layout.kernel_w,
                    )  # fmt: skip
                continue
            # (KH · KW, lanes) -> (lanes, KH · KW), the last taps first, for the same reason
            channels = min(width, layout.channels - block * width)
            for t in range((taps - 1) // width * width, -1, -width):
                turn_rows(target, start + t, taps, total, at + t * width, width, min(width, taps - t), channels)
        if not inside:
            for t in range(filter_size):
                whole[k * filter_size + t] = lines[t]
