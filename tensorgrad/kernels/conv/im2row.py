"""Packs an image into a scratch as `taps` lays it out: the pixels that one tap meets, in a line (im2row)."""

from numba.np.unsafe.ndarray import to_fixed_tuple

from tensorgrad.kernels.conv import taps
from tensorgrad.kernels.jit.dispatch import helper
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.simd.planes import shift_rows, shift_rows_2
from tensorgrad.kernels.simd.tiles import copy_rows, skip_rows

LENGTHS = len(taps.Layout._fields)


@helper
def unpacked(lengths):
    """The layout again: a kernel takes an array in an eighth of the time that a named tuple needs."""
    return taps.Layout(*to_fixed_tuple(lengths, LENGTHS))


@helper
def _span(phase, stride, before, size, count):
    """The positions r below `count` whose pixel r · stride + phase − before lies inside the image, as (first, last)."""
    first = min(count, max(0, -((phase - before) // stride)))
    return first, max(first, min(count, -((phase - before - size) // stride)))


@helper
def clear(values, start, end):
    """Zeros from start to end; compiles in a tenth of the time that a slice takes."""
    for i in range(start, end):
        values[i] = 0


@helper
def pack(x, n, band, image, layout):
    """The rows of image n of x (N, C, H, W) that a band of the output meets -> (C, copies, phases, rows, columns)."""
    height, width, columns = x.shape[2], x.shape[3], layout.columns
    pixels, above = flattened(x), layout.top - band * layout.band * layout.stride_h
    # Of the only phase once: to find where one is inside the image takes as long as some rows.
    first, last = _span(0, layout.stride_h, above, height, layout.rows)
    start = 0
    for c in range(x.shape[1]):
        for j in range(layout.copies):
            shift = j * layout.shift - layout.left
            for phase in range(layout.phases):
                if layout.phases > 1:
                    first, last = _span(phase, layout.stride_h, above, height, layout.rows)
                row = ((n * x.shape[1] + c) * height + first * layout.stride_h + phase - above) * width
                step, inside = layout.stride_h * width, start + first * columns
                clear(image, start, inside)
                if layout.stride_w == 1:
                    copy_rows(image, inside, columns, last - first, pixels, row, step, shift, width)
                elif layout.stride_w == 2:
                    skip_rows(image, inside, columns, last - first, pixels, row, step, shift, width)
                else:
                    _pick_rows(image, inside, columns, last - first, pixels, row, step, shift, width, layout.stride_w)
                start += layout.rows * columns
                clear(image, inside + (last - first) * columns, start)


@helper
def pack_images(x, n, images, image, layout):
    """As `pack` for so many images from the n-th on, side by side."""
    _, channels, height, width = x.shape
    pixels, across, step = flattened(x), channels * height * width, layout.stride_h * width
    start, columns = 0, layout.columns
    for c in range(channels):
        for j in range(layout.copies):
            shift = j * layout.shift - layout.left
            for phase in range(layout.phases):
                first, last = _span(phase, layout.stride_h, layout.top, height, layout.rows)
                row = ((n * channels + c) * height + first * layout.stride_h + phase - layout.top) * width
                inside, end = start + first * columns, start + layout.rows * columns
                clear(image, start, inside)
                if layout.stride_w == 1:
                    shift_rows(
                        image, inside, columns, layout.output_w, pixels, row, step, across, last - first, images,
                        layout.output_w, shift, width,
                    )  # fmt: skip
                elif layout.stride_w == 2:
                    shift_rows_2(
                        image, inside, columns, layout.output_w, pixels, row, step, across, last - first, images,
                        layout.output_w, shift, width,
                    )  # fmt: skip
                else:
                    for r in range(last - first):
                        for i in range(images):
                            to, begin = inside + r * columns + i * layout.output_w, row + r * step + i * across
                            _pick_rows(image, to, layout.output_w, 1, pixels, begin, 0, shift, width, layout.stride_w)
                clear(image, inside + (last - first) * columns, end)
                start = end


@helper
def _pick_rows(target, at, count, rows, source, row, step, shift, size, stride):
    """`copy_rows` for every stride-th pixel."""
    left, right = _span(shift, stride, 0, size, count)
    for _ in range(rows):
        clear(target, at, at + left)
        for q in range(left, right):
            target[at + q] = source[row + shift + q * stride]
        clear(target, at + right, at + count)
        at, row = at + count, row + step
