"""Packs an image into a scratch as `taps` lays it out: the pixels that one tap meets, in a line (im2row)."""

from numba.np.unsafe.ndarray import to_fixed_tuple

from tensorgrad.kernels.conv import taps
from tensorgrad.kernels.jit.dispatch import helper
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.simd.packing import clear, pack_lines

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
def pack(x, n, images, band, image, layout):
    """The rows that a band of the output meets -> (C, copies, phases, rows, columns), of image n of x (N, C, H, W).

    Of several images, those of a row stand side by side.
    """
    _, channels, height, width = x.shape
    plane, above, stride = height * width, layout.top - band * layout.band * layout.stride_h, layout.stride_h
    count = layout.columns if layout.images == 1 else layout.output_w
    if layout.stride_w > 2:
        _pack_pixels(x, n, images, above, count, image, layout)
        return
    pack_lines(
        image, 0, channels, layout.copies, layout.phases, layout.rows, images, count, layout.columns,
        flattened(x), n * channels * plane, plane, channels * plane, width, stride, above, above // stride,
        above % stride, (above + height) // stride, (above + height) % stride, -layout.left, layout.shift,
        layout.stride_w,
    )  # fmt: skip


@helper
def _pack_pixels(x, n, images, above, count, image, layout):
    """The same pixel by pixel, for any stride."""
    _, channels, height, width = x.shape
    pixels, start = flattened(x), 0
    clear(image, 0, layout.image)
    for c in range(channels):
        for j in range(layout.copies):
            shift = j * layout.shift - layout.left
            left, right = _span(shift, layout.stride_w, 0, width, count)
            for phase in range(layout.phases):
                first, last = _span(phase, layout.stride_h, above, height, layout.rows)
                for r in range(first, last):
                    for i in range(images):
                        row = ((n + i) * channels + c) * height + r * layout.stride_h + phase - above
                        to, at = start + r * layout.columns + i * count, row * width + shift
                        for q in range(left, right):
                            image[to + q] = pixels[at + q * layout.stride_w]
                start += layout.rows * layout.columns
