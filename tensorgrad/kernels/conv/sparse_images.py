"""The work of a `sparse` thread on one image: find the nonzero elements, and add up windows of pixels."""

from tensorgrad.kernels.conv.sparse_layout import lay_out_image, take_filters, take_image, unpacked
from tensorgrad.kernels.conv.sparse_tiles import find_in_planes, find_in_windows, list_by_corner, list_by_line
from tensorgrad.kernels.elementwise.pointwise import finite
from tensorgrad.kernels.jit.dispatch import call, kernel
from tensorgrad.kernels.jit.views import between, flattened, tail
from tensorgrad.kernels.simd.emitter import WIDTH
from tensorgrad.kernels.simd.packing import clear
from tensorgrad.kernels.simd.tiles import SPARSE_COLUMNS, SPARSE_ROWS, part_begin, sparse_tile, turn_rows


@kernel
def planes_kernel(g, floats, integers, numbers, n, first, end, index, chunks):
    """Find in g (N, K, OH, OW) of image n, filters first to end: to the scratch the number in each window, its corner.

    Sets the status flag where a window has two.
    """
    layout, _, at = unpacked(numbers)
    pixels, values, corners = flattened(g), tail(floats, at.values), tail(floats, at.corners)
    filters, height, width = g.shape[1], layout.output_h, layout.output_w
    rows, columns, lanes = height // 2, width // 2, WIDTH // g.itemsize
    for k in range(end - first):
        plane, found = (n * filters + first + k) * height * width, k * rows * columns
        # From the right, so that what a line's last vector overwrites of the next line is written again.
        for left in range((columns - 1) // lanes * 2 * lanes, -1, -2 * lanes):
            find_in_planes(values, found, corners, found, columns, pixels, plane, width, left, rows, integers, at.flag)
        # Pooling leaves nothing in a last row or column that belongs to no window.
        for q in range(width if height % 2 else 0):
            integers[at.flag] |= int(pixels[plane + (height - 1) * width + q] != 0)
        for p in range(height if width % 2 else 0):
            integers[at.flag] |= int(pixels[plane + p * width + width - 1] != 0)


@kernel
def windows_kernel(g, z, indices, floats, integers, table, sums, numbers, sum_planes, n, first, end, index, chunks):
    """The same from g, z and indices (N, K, OH // 2, OW // 2). Writes the sums of planes to `sums` (N · K,) or (0,).

    Sets the status flag where an index isn't one of its window's.
    """
    layout, _, at = unpacked(numbers)
    filters, pixels, where = g.shape[1], layout.output_h * layout.output_w, flattened(indices)
    count = (layout.output_h // 2) * (layout.output_w // 2)
    begin = (n * filters + first) * count
    find_in_windows(
        floats, at.values, floats, at.corners, flattened(g), begin, flattened(z), begin, where, begin, table, 0,
        layout.output_w, count, end - first, integers, at.flag,
    )  # fmt: skip
    if integers[at.flag] or not sums.size:
        return
    plane, values = between(floats, at.plane, at.plane + pixels), tail(floats, at.values)
    for k in range(end - first):
        clear(plane, 0, pixels)
        for m in range(count):
            plane[where[begin + k * count + m]] = values[k * count + m]
        place = n * filters + first + k
        call(sum_planes, (plane.reshape(1, 1, pixels), sums[place : place + 1]), 0, 1)


@kernel
def multiply_kernel(entries, places, starts, count, source, source_at, source_step, targets, target, target_at,
                   target_step, numbers, index, chunks):  # fmt: skip
    """Add to each of `count` windows at `targets` those at the places of its entries, times their values."""
    layout, _, _ = unpacked(numbers)
    lanes, most, highest = WIDTH // entries.itemsize, SPARSE_COLUMNS, SPARSE_ROWS
    for part in range(-(-layout.columns // most)):
        c, c_end = part_begin(layout.columns, most, part), part_begin(layout.columns, most, part + 1)
        for block in range(-(-layout.kernel_h // highest)):
            i, i_end = part_begin(layout.kernel_h, highest, block), part_begin(layout.kernel_h, highest, block + 1)
            sparse_tile(
                i_end - i, c_end - c, entries, 0, places, 0, starts, 0, count,
                source, source_at + i * source_step + c * lanes, source_step,
                targets, 0, target, target_at + i * target_step + c * lanes, target_step,
            )  # fmt: skip


@kernel
def filters_kernel(x, floats, integers, table, numbers, multiply, n, first, end, filters, index, chunks):
    """Add what image n contributes to the gradients of the filters first to end. Sets the flag if it isn't finite."""
    layout, packing, at = unpacked(numbers)
    if not finite(x[n]):
        integers[at.flag] = 1
        return
    image, lines = between(floats, at.image, at.gradient), between(floats, at.lines, at.end)
    lay_out_image(x, n, image, lines, packing, layout)
    values, corners, entries = tail(floats, at.values), tail(floats, at.corners), tail(floats, at.by_filter)
    places, starts = tail(integers, at.filter_places), tail(integers, at.filter_starts)
    count, lanes = (layout.output_h // 2) * (layout.output_w // 2), WIDTH // x.itemsize
    list_by_line(
        entries, 0, places, 0, starts, 0, values, 0, corners, 0, table, count, layout.row, layout.pixel, count,
        end - first,
    )  # fmt: skip
    for block in range(layout.blocks):
        arguments = (
            entries, places, starts, end - first, image, block * layout.block, layout.row,
            tail(table, 2 * count + first), floats, at.sums + block * filters * layout.window, layout.columns * lanes,
            numbers,
        )  # fmt: skip
        call(multiply, arguments, 0, 1)


@kernel
def image_kernel(dx, floats, integers, table, numbers, multiply, n, first, end, filters, index, chunks):
    """The blocks first to end of image n of dx."""
    layout, _, at = unpacked(numbers)
    count, lanes = (layout.output_h // 2) * (layout.output_w // 2), WIDTH // dx.itemsize
    values, corners = tail(floats, at.transposed_values), tail(floats, at.transposed_corners)
    entries, across = tail(floats, at.by_pixel), -(-filters // lanes) * lanes
    places, starts = tail(integers, at.pixel_places), tail(integers, at.pixel_starts)
    # (K, windows of the pooling) -> (windows of the pooling, K)
    turn_rows(values, 0, across, floats, at.values, count, filters, count)
    turn_rows(corners, 0, across, floats, at.corners, count, filters, count)
    list_by_corner(
        entries, 0, places, 0, starts, 0, values, 0, corners, 0, layout.window, across, count
    )  # fmt: skip
    gradient, targets = between(floats, at.gradient, at.filters), tail(table, 2 * count + filters)
    clear(gradient, 0, len(gradient))
    for block in range(first, end):
        arguments = (
            entries, places, starts, 4 * count, floats, at.filters + block * filters * layout.window,
            layout.columns * lanes, targets, gradient, block * layout.block, layout.row, numbers,
        )  # fmt: skip
        call(multiply, arguments, 0, 1)
    take_image(gradient, dx, n, first, end, between(floats, at.lines, at.end), layout)


@kernel
def take_kernel(dw, floats, integers, numbers, index, chunks):
    """A part of the filters, from where they were added up: one line of floats, or the sum of all. If all are valid."""
    layout, _, at = unpacked(numbers)
    for i in range(len(integers)):
        if integers[i, at.flag]:
            return
    lines = floats[index % len(floats)][at.lines : at.end]
    take_filters(floats, at, dw, len(dw) * index // chunks, len(dw) * (index + 1) // chunks, lines, layout)
