"""Packs an image into a scratch as `taps` lays it out: the pixels that one tap meets, in a line (im2row)."""

from numba.np.unsafe.ndarray import to_fixed_tuple

from tensorgrad.kernels.conv import taps
from tensorgrad.kernels.jit.dispatch import helper
from tensorgrad.kernels.jit.views import flattened
from tensorgrad.kernels.simd.packing import pack_lines

LENGTHS = len(taps.Layout._fields)


@helper
def unpacked(lengths):
    """The layout again: a kernel takes an array in an eighth of the time that a named tuple needs."""
    return taps.Layout(*to_fixed_tuple(lengths, LENGTHS))


@helper
def pack(x, n, images, band, image, layout):
    """The rows that a band of the output meets -> (C, copies, phases, rows, columns), of image n of x (N, C, H, W).

    Of several images, those of a row stand side by side.
    """
    above, count = layout.top - band * layout.band * layout.stride_h, layout.columns
    if layout.images > 1:
        count = layout.output_w
    pack_copies(
        x, n, images, image, 0, layout.copies, layout.phases, layout.rows, count, layout.columns, layout.stride_h,
        layout.stride_w, above, -layout.left, layout.shift,
    )  # fmt: skip


@helper
def pack_copies(x, n, images, image, at, copies, phases, rows, count, columns, stride_h, stride_w, above, shift, step):
    """The same from its numbers (see `pack_lines`), to the scratch from `at` on."""
    _, channels, height, width = x.shape
    plane, end = height * width, above + height
    pack_lines(
        image, at, channels, copies, phases, rows, images, count, columns, flattened(x), n * channels * plane, plane,
        channels * plane, width, stride_h, above, above // stride_h, above % stride_h, end // stride_h, end % stride_h,
        shift, step, stride_w,
    )  # fmt: skip
