"""Tiles of explicit vectors over single planes, in LLVM IR: the innermost loops of depthwise convolution.

A depthwise convolution reads each pixel for a few products only, so loading costs as much as multiplying. These tiles
keep some rows of sums, and multiply each vector of pixels that they load by all weights that it meets:

    plane_tile   y[r, q] = (bias or y[r, q]) + Σ_{i, t} w[i, t] · x[r + i, q + offset[t]]
    plane_dots   out[i, t] = Σ_{r, q} g[r, q] · x[r + i, q + offset[t]]      q where inside[q] isn't 0
    pack_rows    target[r, n, q] = source[r, n, q], zeros up to whole vectors
    split_rows   the same as pack_rows for even and odd pixels, each in a line of its own
    store_rows   target[r, n, q] = source[r, n, q]
    merge_rows   the same from even and odd pixels in lines of their own
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.simd.emitter import WIDTH, Loop, Writer, emit_one, integer
from tensorgrad.kernels.simd.tiles import _emit_tile

# Rows of sums, and rows of the filter, of the largest tile: with R rows and S of the filter, R + S − 1 vectors are
# loaded for R · S products.
SUMS, STRIP = 8, 3
SIZES = [(rows, strip) for rows in range(1, SUMS + 1) for strip in range(1, STRIP + 1)]
# Rows and columns of the filter in the largest tile of dot products; rows of the gradient that it takes at a time.
DOT_SIZES = [(strip, taps) for strip in range(1, STRIP + 1) for taps in range(1, STRIP + 1)]
UNROLLED = 4
# The number of elements that a tile of dot products writes, in whole vectors.
PLANE_DOTS = STRIP * STRIP + WIDTH // 4


def _plane_tile(build: Writer, rows: int, strip: int, arguments: tuple) -> None:
    blocks, x, x_step, w, w_step, table, taps, bias, fresh, y, y_step, length = arguments
    beginning = build.icmp_unsigned("!=", fresh, integer(0))
    block = Loop(build, build.mul(blocks, integer(rows)), rows, [], "blocks")
    first, target = (build.at(start, build.mul(block.index, step)) for start, step in ((x, x_step), (y, y_step)))
    vectors = Loop(build, length, build.lanes, [], "vectors")
    mask = build.first_lanes(build.sub(length, vectors.index))
    targets = [build.at(target, vectors.index, build.mul(y_step, integer(r))) for r in range(rows)]
    with build.if_else(beginning) as (new, more):
        with new:
            biases, from_new = [build.splat(build.load(bias))] * rows, build.block
        with more:
            before, from_more = [build.read_where(mask, place) for place in targets], build.block
    start = [build.phi(build.vector) for _ in range(rows)]
    for phi, new_value, old_value in zip(start, biases, before, strict=True):
        phi.add_incoming(new_value, from_new)
        phi.add_incoming(old_value, from_more)
    loop = Loop(build, build.mul(taps, integer(2)), 2, start, "taps")
    weight = build.at(w, build.load(build.at(table, loop.index)))
    pixels = build.at(first, vectors.index, build.load(build.at(table, loop.index, integer(1))))
    weights = [build.splat(build.load(build.at(weight, build.mul(w_step, integer(i))))) for i in range(strip)]
    lines = [build.read(build.at(pixels, build.mul(x_step, integer(r)))) for r in range(rows + strip - 1)]
    sums = list(loop.carried)
    for i in range(strip):
        sums = [build.multiply_add(weights[i], lines[r + i], total) for r, total in enumerate(sums)]
    loop.close(sums)
    build.write_each_where(mask, list(zip(loop.carried, targets, strict=True)))
    vectors.close([])
    block.close([])


def _plane_dots(build: Writer, strip: int, taps: int, arguments: tuple) -> None:
    rows, x, x_step, offsets, g, g_step, inside, length, out = arguments
    shifts = [build.load(build.at(offsets, integer(2 * t + 1))) for t in range(taps)]
    whole = build.and_(rows, integer(-UNROLLED))
    vectors = Loop(build, length, build.lanes, [build.zero] * (strip * taps), "vectors")
    # Pixels between the images count for nothing, not even if they are NaN.
    mask = build.fcmp_ordered("!=", build.read(build.at(inside, vectors.index)), build.zero)
    mask = build.and_(mask, build.first_lanes(build.sub(length, vectors.index)))
    sums = vectors.carried
    for at, stop, unrolled in ((integer(0), whole, UNROLLED), (whole, build.sub(rows, whole), 1)):
        loop = Loop(build, stop, unrolled, list(sums), f"rows.{unrolled}")
        row = build.add(loop.index, at)
        upstream = build.at(g, vectors.index, build.mul(row, g_step))
        values = [build.read_where(mask, build.at(upstream, build.mul(g_step, integer(r)))) for r in range(unrolled)]
        first, found = build.at(x, vectors.index, build.mul(row, x_step)), list(loop.carried)
        for t, shift in enumerate(shifts):
            steps = [build.mul(x_step, integer(r)) for r in range(unrolled + strip - 1)]
            lines = [build.read_where(mask, build.at(first, shift, step)) for step in steps]
            for r in range(unrolled):
                for i in range(strip):
                    found[i * taps + t] = build.multiply_add(values[r], lines[r + i], found[i * taps + t])
        loop.close(found)
        sums = loop.carried
    vectors.close(sums)
    for index, value in enumerate(build.sums(vectors.carried)):
        build.write(value, build.at(out, integer(index * build.lanes)))


def _over_rows(build: Writer, arguments: tuple, pairs: int, move) -> None:
    """Call move(target, source, pixels left, index) for each vector, or `pairs` of vectors, of the rows of images."""
    target, target_row, target_image, source, source_row, source_image, rows, images, size = arguments

    def over(lanes: int, long: bool) -> None:
        with build.narrow(lanes):
            # Image by image: an image's rows follow each other in memory, outside of the scratch.
            image = Loop(build, images, 1, [], "images")
            row = Loop(build, rows, 1, [], "rows")
            there = build.at(target, build.mul(row.index, target_row), build.mul(image.index, target_image))
            here = build.at(source, build.mul(row.index, source_row), build.mul(image.index, source_image))
            if long:
                vectors = Loop(build, size, pairs * lanes, [], "vectors")
                move(there, here, build.sub(size, vectors.index), vectors.index)
                vectors.close([])
            else:
                move(there, here, size, integer(0))
            row.close([])
            image.close([])

    # A vector that a short row doesn't fill takes twice as long as one of half the length: most cross a cache line.
    whole = build.lanes
    with build.if_else(build.icmp_unsigned(">", size, integer(pairs * whole // 2))) as (longer, shorter):
        with longer:
            over(whole, long=True)
        with shorter, build.if_else(build.icmp_unsigned(">", size, integer(pairs * whole // 4))) as (half, quarter):
            with half:
                over(whole // 2, long=False)
            with quarter:
                over(max(1, whole // 4), long=False)


def _pack_rows(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    def move(there: ir.Value, here: ir.Value, left: ir.Value, index: ir.Value) -> None:
        build.write(build.read_where(build.first_lanes(left), build.at(here, index)), build.at(there, index))

    _over_rows(build, arguments, 1, move)


def _store_rows(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    def move(there: ir.Value, here: ir.Value, left: ir.Value, index: ir.Value) -> None:
        build.write_where(build.first_lanes(left), build.read(build.at(here, index)), build.at(there, index))

    _over_rows(build, arguments, 1, move)


def _split_rows(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    *others, even, odd = arguments

    def move(there: ir.Value, here: ir.Value, left: ir.Value, index: ir.Value) -> None:
        with build.narrow(2 * build.lanes):
            both = build.read_where(build.first_lanes(left), build.at(here, index))
        there = build.at(there, build.udiv(index, integer(2)))
        for first, start in ((0, even), (1, odd)):
            build.write(build.pick(both, both, list(range(first, 2 * build.lanes, 2))), build.at(there, start))

    _over_rows(build, tuple(others), 2, move)


def _merge_rows(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    *others, apart = arguments

    def move(there: ir.Value, here: ir.Value, left: ir.Value, index: ir.Value) -> None:
        here = build.at(here, build.udiv(index, integer(2)))
        lanes = [q // 2 + q % 2 * build.lanes for q in range(2 * build.lanes)]
        both = build.pick(build.read(here), build.read(build.at(here, apart)), lanes)
        with build.narrow(2 * build.lanes):
            build.write_where(build.first_lanes(left), both, build.at(there, index))

    _over_rows(build, tuple(others), 2, move)


@intrinsic
def plane_tile(typing, rows, strip, blocks, x, x_at, x_step, w, w_at, w_step, table, table_at, taps, bias, bias_at,
               fresh, y, y_at, y_step, length):  # fmt: skip
    """y[r, q] = (bias or y[r, q]) + Σ_{i, t} w[i, t] · x[r + i, q + offset[t]] for `blocks` times `rows` r, q < length.

    i counts the `strip` rows of the filter, `w_step` apart; the table has a place in w and an offset in x for each t.
    Sums begin with the bias if `fresh` isn't 0. Whole vectors of x are read.
    """
    n = types.intp
    signature = types.void(n, n, n, x, n, n, w, n, n, table, n, n, bias, n, n, y, n, n, n)
    return signature, lambda *call: _emit_tile(*call, _plane_tile, SIZES)


@intrinsic
def plane_dots(typing, strip, taps, rows, x, x_at, x_step, table, table_at, g, g_at, g_step, inside, inside_at, length,
               out, out_at):  # fmt: skip
    """out[i, t] = Σ_{r, q} g[r, q] · x[r + i, q + offset[t]] for i < strip, t < taps; r < rows, q where inside[q] ≠ 0.

    The table is as that of `plane_tile`. `PLANE_DOTS` elements are written at most; whole vectors of `inside` are read.
    """
    n = types.intp
    signature = types.void(n, n, n, x, n, n, table, n, g, n, n, inside, n, n, out, n)
    return signature, lambda *call: _emit_tile(*call, _plane_dots, DOT_SIZES)


@intrinsic
def pack_rows(typing, target, target_at, target_row, target_image, source, source_at, source_row, source_image, rows,
              images, size):  # fmt: skip
    """target[r, n, q] = source[r, n, q] for q < size, image after image; zeros follow up to a whole vector."""
    n = types.intp
    return types.void(target, n, n, n, source, *[n] * 6), lambda *call: emit_one(*call, _pack_rows)


@intrinsic
def split_rows(typing, target, target_at, target_row, target_image, source, source_at, source_row, source_image, rows,
               images, size, even, odd):  # fmt: skip
    """target[r, n, even + q] = source[r, n, 2 · q], target[r, n, odd + q] = source[r, n, 2 · q + 1]; 2 · q + 1 < size.

    Whole vectors are written, image after image, with zeros behind the pixels.
    """
    n = types.intp
    return types.void(target, n, n, n, source, *[n] * 8), lambda *call: emit_one(*call, _split_rows)


@intrinsic
def store_rows(typing, target, target_at, target_row, target_image, source, source_at, source_row, source_image, rows,
               images, size):  # fmt: skip
    """target[r, n, q] = source[r, n, q] for q < size, and nothing else is written."""
    n = types.intp
    return types.void(target, n, n, n, source, *[n] * 6), lambda *call: emit_one(*call, _store_rows)


@intrinsic
def merge_rows(typing, target, target_at, target_row, target_image, source, source_at, source_row, source_image, rows,
               images, size, apart):  # fmt: skip
    """target[r, n, 2 · q + b] = source[b · apart, r, n, q] for b < 2, 2 · q + b < size, and nothing else is written."""
    n = types.intp
    return types.void(target, n, n, n, source, *[n] * 7), lambda *call: emit_one(*call, _merge_rows)
