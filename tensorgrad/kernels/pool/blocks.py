"""2×2 windows that don't overlap, a vector of neighbouring windows at a time: see `pooling`.

    max_2x2                the maximum of each window, and its position
    max_1x2                the same for windows of two neighbours in a row
    rectified_max_2x2      the same, with zero for a maximum below zero
    unpool_2x2             each number at the position of the maximum, zero at the other three
    rectified_unpool_2x2   the same, but zero where the maximum is zero or below
    sum_2x2                the sum of each window
    fill_2x2               each number at all four positions of its window

Lane l of a vector belongs to window l: the pixels of a row are sorted into even and odd ones. Each is written by a
function that `emit_one` calls as all tiles, with a number of rows and of columns: both are 1 here and ignored.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.jit.dispatch import helper
from tensorgrad.kernels.simd.emitter import HALF, INT, Loop, Writer, emit_one, integer

# Bytes of a band of a plane; tiles go down a band before they go right, so that it stays in the first-level cache.
BAND = 16 * 1024


@helper
def band_of(x):
    """How many lines of 2×2 windows of x (N, C, H, W) make a band."""
    return max(1, BAND // (2 * x.shape[3] * x.itemsize))


def _places(build: Writer, first_index: ir.Value, width: ir.Value) -> list[ir.Value]:
    """The positions in the plane of each window's four pixels; `first_index` is that of the first window's first."""
    steps = ir.Constant(ir.VectorType(HALF, build.lanes), list(range(0, 2 * build.lanes, 2)))
    first = build.add(steps, build.splat(build.trunc(first_index, HALF)))
    below = build.add(first, build.splat(build.trunc(width, HALF)))
    one = build.splat(ir.Constant(HALF, 1))
    return [first, build.add(first, one), below, build.add(below, one)]


def window_pixels(build: Writer, x: ir.Value, width: ir.Value, left: ir.Value, high: int = 2) -> list[ir.Value]:
    """The pixels of each window of `high` rows and two columns, row by row."""
    pixels = []
    for r in range(high):
        row, ahead = build.at(x, build.mul(width, integer(r))), build.add(left, integer(build.lanes))
        pixels += build.read_pairs((row, left, width), (row, ahead, width))
    return pixels


def _write_pixels(build: Writer, pixels: list[ir.Value], x: ir.Value, width: ir.Value, left: ir.Value) -> None:
    """The inverse of `window_pixels`, up to the end of the rows."""
    for r, (a, b) in enumerate((pixels[:2], pixels[2:])):
        for half in (0, 1):
            # Even lanes from a, odd ones from b: a0 b0 a1 b1 …, of the first half of both, then of the second.
            lanes = [lane // 2 + half * build.lanes // 2 + lane % 2 * build.lanes for lane in range(build.lanes)]
            start = build.add(left, integer(half * build.lanes))
            target = build.at(x, build.mul(width, integer(r)), start)
            build.write_where(build.first_lanes(width, start), build.pick(a, b, lanes), target)


def _max_2x2(build: Writer, rows: int, columns: int, arguments: tuple, rectified: bool = False) -> None:
    x, width, left, y, indices, first_index, count, lines = arguments
    loop = Loop(build, lines, 1, [], "lines")
    down = build.mul(loop.index, build.mul(width, integer(2)))
    best, where = _first_maxima(build, build.at(x, down), width, left, build.add(first_index, down), 2)
    if rectified:
        best = build.select(build.fcmp_ordered("<=", best, build.zero), build.zero, best)
    out = build.lshr(left, integer(1))  # the column of the window: left / 2
    mask, windows = build.first_lanes(build.sub(count, out)), build.mul(loop.index, count)
    build.write_where(mask, best, build.at(y, windows, out))
    build.write_where(mask, where, build.at(indices, windows, out))
    loop.close([])


def _max_1x2(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, width, y, indices, first_index, count = arguments
    vectors = Loop(build, count, build.lanes, [], "vectors")
    best, where = _first_maxima(build, x, width, build.shl(vectors.index, integer(1)), first_index, 1)
    mask = build.first_lanes(build.sub(count, vectors.index))
    build.write_where(mask, best, build.at(y, vectors.index))
    build.write_where(mask, where, build.at(indices, vectors.index))
    vectors.close([])


def _first_maxima(
    build: Writer, x: ir.Value, width: ir.Value, left: ir.Value, first_index: ir.Value, high: int
) -> tuple[ir.Value, ir.Value]:
    """The maximum of each window of `high` rows and two columns from `left` on, and the position of the first one."""
    pixels = window_pixels(build, x, width, left, high)
    places = _places(build, build.add(first_index, left), width)[: len(pixels)]
    best, where = pixels[0], places[0]
    for value, position in zip(pixels[1:], places[1:], strict=True):
        # NaN beats numbers; of several NaN the first counts.
        wins = build.and_(build.fcmp_unordered(">", value, best), build.fcmp_ordered("==", best, best))
        best, where = build.select(wins, value, best), build.select(wins, position, where)
    return best, where


def _rectified_max_2x2(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    _max_2x2(build, rows, columns, arguments, rectified=True)


def _unpool_2x2(build: Writer, rows: int, columns: int, arguments: tuple, maxima: ir.Value | None = None) -> None:
    g, indices, first_index, count, left, x, width, lines, flag = arguments
    no_lanes = ir.Constant(ir.VectorType(ir.IntType(1), build.lanes), [False] * build.lanes)
    loop = Loop(build, lines, 1, [no_lanes], "lines")
    down = build.mul(loop.index, build.mul(width, integer(2)))
    out = build.lshr(left, integer(1))  # the column of the window: left / 2
    mask, windows = build.first_lanes(build.sub(count, out)), build.mul(loop.index, count)
    value = build.read_where(mask, build.at(g, windows, out))
    if maxima is not None:
        passes = build.fcmp_unordered(">", build.read_where(mask, build.at(maxima, windows, out)), build.zero)
        value = build.select(passes, value, build.zero)
    where = build.read_integers_where(mask, build.at(indices, windows, out))
    first = build.add(build.add(first_index, down), left)
    hits = [build.icmp_signed("==", where, position) for position in _places(build, first, width)]
    invalid = mask  # lanes whose index is none of its window's four
    for hit in hits:
        invalid = build.and_(invalid, build.not_(hit))
    _write_pixels(build, [build.select(hit, value, build.zero) for hit in hits], build.at(x, down), width, left)
    loop.close([build.or_(invalid, loop.carried[0])])
    bits = build.zext(build.bitcast(loop.carried[0], ir.IntType(build.lanes)), INT)
    build.store(build.or_(build.load(flag), bits), flag)


def _rectified_unpool_2x2(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, maxima, *others = arguments
    _unpool_2x2(build, rows, columns, (g, *others), maxima)


def _sum_2x2(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, width, left, y, count = arguments
    total, *others = window_pixels(build, x, width, left)
    for pixel in others:
        total = build.fadd(total, pixel)
    out = build.lshr(left, integer(1))  # the column of the window: left / 2
    build.write_where(build.first_lanes(build.sub(count, out)), total, build.at(y, out))


def _fill_2x2(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, count, left, x, width = arguments
    out = build.lshr(left, integer(1))  # the column of the window: left / 2
    value = build.read_where(build.first_lanes(build.sub(count, out)), build.at(g, out))
    _write_pixels(build, [value] * 4, x, width, left)


@intrinsic
def max_2x2(typing, x, x_at, width, left, y, y_at, indices, indices_at, first_index, count, lines):
    """The maxima of windows at columns left, left + 2, … of x, `count` windows in each of `lines` lines.

    `indices` gets their positions in the plane; `first_index` is that of the first column of the first row.
    """
    n = types.intp
    return types.void(x, n, n, n, y, n, indices, n, n, n, n), lambda *call: emit_one(*call, _max_2x2)


@intrinsic
def max_1x2(typing, x, x_at, width, y, y_at, indices, indices_at, first_index, count):
    """The maxima of `count` windows of two pixels of a row of x, and their positions; the row's is `first_index`."""
    n = types.intp
    return types.void(x, n, n, y, n, indices, n, n, n), lambda *call: emit_one(*call, _max_1x2)


@intrinsic
def rectified_max_2x2(typing, x, x_at, width, left, y, y_at, indices, indices_at, first_index, count, lines):
    """As `max_2x2`; maxima below zero, and zeros of either sign, become zero."""
    n = types.intp
    return types.void(x, n, n, n, y, n, indices, n, n, n, n), lambda *call: emit_one(*call, _rectified_max_2x2)


@intrinsic
def unpool_2x2(typing, g, g_at, indices, indices_at, first_index, count, left, x, x_at, width, lines, flag, flag_at):
    """The inverse for windows at columns left, left + 2, …: two rows of x for each line, up to their `width`.

    Sets `flag` (64 bits) if an index isn't one of its window's.
    """
    n = types.intp
    signature = types.void(g, n, indices, n, n, n, n, x, n, n, n, flag, n)
    return signature, lambda *call: emit_one(*call, _unpool_2x2)


@intrinsic
def rectified_unpool_2x2(typing, g, g_at, z, z_at, indices, indices_at, first_index, count, left, x, x_at, width, lines,
                           flag, flag_at):  # fmt: skip
    """As `unpool_2x2`, with zero instead of each g whose z is zero or below."""
    n = types.intp
    signature = types.void(g, n, z, n, indices, n, n, n, n, x, n, n, n, flag, n)
    return signature, lambda *call: emit_one(*call, _rectified_unpool_2x2)


@intrinsic
def sum_2x2(typing, x, x_at, width, left, y, y_at, count):
    """The sums of windows at columns left, left + 2, … of two rows of x, up to the last of `count` windows."""
    n = types.intp
    return types.void(x, n, n, n, y, n, n), lambda *call: emit_one(*call, _sum_2x2)


@intrinsic
def fill_2x2(typing, g, g_at, count, left, x, x_at, width):
    """Each g to the four pixels of its window at columns left, left + 2, …: two rows of x, up to their `width`."""
    n = types.intp
    return types.void(g, n, n, n, x, n, n), lambda *call: emit_one(*call, _fill_2x2)
