"""The small transforms of Winograd's convolution, a vector of neighbouring tiles at a time: see `winograd`.

    read_patches      v = Bᵀ d B    of the 4×4 patches d of an image
    write_tiles       y = Aᵀ m A    the 2×2 tiles of the output
    read_gradients    m = A g Aᵀ    of the 2×2 tiles of a gradient

Each pixel of a tile fills a vector of its own, lane l for tile l, so the transforms are sums of whole vectors. Pixels
of a row are read two by two and sorted into even and odd ones; beyond the image they are zero.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.simd import Writer, emit_one, integer

Vectors = list[ir.Value]


def _columns_and_rows(transform, build: Writer, matrix: list[Vectors]) -> list[Vectors]:
    """T · matrix · Tᵀ for a transform T of columns of vectors."""
    half = [transform(build, row) for row in matrix]
    # by rows -> by columns, and back
    turned = [transform(build, list(column)) for column in zip(*half, strict=True)]
    return [list(row) for row in zip(*turned, strict=True)]


def _patch(build: Writer, d: Vectors) -> Vectors:
    return [build.fsub(d[0], d[2]), build.fadd(d[1], d[2]), build.fsub(d[2], d[1]), build.fsub(d[1], d[3])]


def _tile(build: Writer, m: Vectors) -> Vectors:
    both, difference = build.fadd(m[1], m[2]), build.fsub(m[1], m[2])
    return [build.fadd(m[0], both), build.fsub(difference, m[3])]


def _gradient(build: Writer, g: Vectors) -> Vectors:
    return [g[0], build.fadd(g[0], g[1]), build.fsub(g[0], g[1]), build.fsub(build.zero, g[1])]


def _write_all(build: Writer, matrix: list[Vectors], target: ir.Value, plane: ir.Value) -> None:
    for index, value in enumerate(value for row in matrix for value in row):
        build.write(value, build.at(target, build.mul(plane, integer(index))))


def _if(build: Writer, condition: ir.Value, size: ir.Value) -> ir.Value:
    return build.select(condition, size, integer(0))


def _read_patches(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, top, height, left, width, v, v_plane = arguments
    matrix = []
    for r in range(4):
        index = build.add(top, integer(r))
        row, size = build.at(x, build.mul(index, width)), _if(build, build.icmp_unsigned("<", index, height), width)
        pairs = (build.read_pairs(row, build.add(left, integer(shift)), size) for shift in (0, 2))
        matrix.append([pixel for pair in pairs for pixel in pair])
    _write_all(build, _columns_and_rows(_patch, build, matrix), v, v_plane)


def _read_gradients(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, width, height, left, m, m_plane = arguments
    matrix = []
    for r in range(2):
        size = _if(build, build.icmp_unsigned("<", integer(r), height), width)
        matrix.append(build.read_pairs(build.at(g, build.mul(width, integer(r))), left, size))
    _write_all(build, _columns_and_rows(_gradient, build, matrix), m, m_plane)


def _write_tiles(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    m, m_plane, bias, y, width, height, left, alarm = arguments
    planes = [build.read(build.at(m, build.mul(m_plane, integer(index)))) for index in range(16)]
    tiles = _columns_and_rows(_tile, build, [planes[k : k + 4] for k in range(0, 16, 4)])
    start, raised = build.spread(build.load(bias)), build.read(alarm)
    first = [k // 2 + build.lanes * (k % 2) for k in range(build.lanes)]
    for r, pixels in enumerate(tiles):
        size = _if(build, build.icmp_unsigned("<", integer(r), height), width)
        pixels = [build.fadd(value, start) for value in pixels]
        for half in range(2):
            place = build.add(left, integer(half * build.lanes))
            value = build.pick(*pixels, [lane + half * build.lanes // 2 for lane in first])
            mask = build.first_lanes(size, place)
            build.write_where(mask, value, build.at(y, build.mul(width, integer(r)), place))
            raised = build.multiply_add(build.select(mask, value, build.zero), build.zero, raised)
    build.write(raised, alarm)


@intrinsic
def read_patches(typing, x, x_at, top, height, left, width, v, v_at, v_plane):
    """The transforms of the 4×4 patches at row `top`, columns left, left + 2, … of an image, in 16 planes of v."""
    n = types.intp
    return types.void(x, n, n, n, n, n, v, n, n), lambda *call: emit_one(*call, _read_patches)


@intrinsic
def read_gradients(typing, g, g_at, width, height, left, m, m_at, m_plane):
    """The transforms of the 2×2 tiles at columns left, left + 2, … of `height` rows, in 16 planes of m."""
    n = types.intp
    return types.void(g, n, n, n, n, m, n, n), lambda *call: emit_one(*call, _read_gradients)


@intrinsic
def write_tiles(typing, m, m_at, m_plane, bias, bias_at, y, y_at, width, height, left, alarm, alarm_at):
    """The 2×2 tiles at columns left, left + 2, … of `height` rows of y, from 16 planes of m.

    A vector of `alarm` becomes NaN where a pixel isn't finite.
    """
    n = types.intp
    return types.void(m, n, n, bias, n, y, n, n, n, n, alarm, n), lambda *call: emit_one(*call, _write_tiles)
