"""The maximum of 2×2 windows that don't overlap, a vector of neighbouring windows at a time: see `pooling`."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.simd import HALF, Writer, emit_one, integer


def _max_of_pairs(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, width, left, y, indices, place, count = arguments
    pixels = []
    for r in (0, 1):
        row, ahead = build.at(x, build.mul(width, integer(r))), build.add(left, integer(build.lanes))
        pixels += build.read_pairs((row, left, width), (row, ahead, width))
    # The positions in the plane: `place` for the first window's first pixel.
    steps = ir.Constant(ir.VectorType(HALF, build.lanes), list(range(0, 2 * build.lanes, 2)))
    first = build.add(steps, build.spread(build.trunc(build.add(place, left), HALF)))
    below = build.add(first, build.spread(build.trunc(width, HALF)))
    one = build.spread(ir.Constant(HALF, 1))
    places = [first, build.add(first, one), below, build.add(below, one)]
    best, where = pixels[0], first
    for value, position in zip(pixels[1:], places[1:], strict=True):
        # NaN beats numbers, and no NaN beats an earlier one.
        wins = build.and_(build.fcmp_unordered(">", value, best), build.fcmp_ordered("==", best, best))
        best, where = build.select(wins, value, best), build.select(wins, position, where)
    out = build.lshr(left, integer(1))
    mask = build.first_lanes(build.sub(count, out))
    build.write_where(mask, best, build.at(y, out))
    build.write_integers_where(mask, where, build.at(indices, out))


@intrinsic
def max_of_pairs(typing, x, x_at, width, left, y, y_at, indices, indices_at, place, count):
    """The maxima of windows at columns left, left + 2, … of two rows of x, up to the last of `count` windows.

    `indices` gets where each stood, the first column of the upper row being `place`.
    """
    n = types.intp
    return types.void(x, n, n, n, y, n, indices, n, n, n), lambda *call: emit_one(*call, _max_of_pairs)
