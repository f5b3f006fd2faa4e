"""The small transforms of Winograd's convolution, a vector of neighbouring tiles at a time: see `winograd`.

    read_patches      v = Bᵀ d B    of the 4×4 patches d of an image
    write_tiles       y = Aᵀ m A    the 2×2 tiles of the output
    read_gradients    m = A g Aᵀ    of the 2×2 tiles of a gradient

Each pixel of a tile fills a vector of its own, lane l for tile l, so the transforms are sums of whole vectors. Pixels
of a row are read two by two and sorted into even and odd ones; beyond the image they are zero. The two halves of a
vector may come from two places, a and b: neighbours in a long row of tiles, or two rows that are too short for a whole
vector.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.simd.emitter import Writer, emit_one, integer

Vectors = list[ir.Value]


def _columns_and_rows(transform, build: Writer, matrix: list[Vectors]) -> list[Vectors]:
    """T · matrix · Tᵀ for a transform T of columns of vectors."""
    half = [transform(build, row) for row in matrix]
    # by rows -> by columns, and back
    transposed = [transform(build, list(column)) for column in zip(*half, strict=True)]
    return [list(row) for row in zip(*transposed, strict=True)]


def _patch(build: Writer, d: Vectors) -> Vectors:
    return [build.fsub(d[0], d[2]), build.fadd(d[1], d[2]), build.fsub(d[2], d[1]), build.fsub(d[1], d[3])]


def _tile(build: Writer, m: Vectors) -> Vectors:
    both, difference = build.fadd(m[1], m[2]), build.fsub(m[1], m[2])
    return [build.fadd(m[0], both), build.fsub(difference, m[3])]


def _gradient(build: Writer, g: Vectors) -> Vectors:
    return [g[0], build.fadd(g[0], g[1]), build.fsub(g[0], g[1]), build.fsub(build.zero, g[1])]


def _write_all(build: Writer, matrix: list[Vectors], target: ir.Value, plane: ir.Value, apart: ir.Value) -> None:
    for index, value in enumerate(value for row in matrix for value in row):
        first = build.at(target, build.mul(plane, integer(index)))
        build.write_halves(value, first, build.at(first, apart))


def _if(build: Writer, condition: ir.Value, size: ir.Value) -> ir.Value:
    return build.select(condition, size, integer(0))


def _read_patches(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    *places, height, width, v, v_plane, apart = arguments
    matrix = []
    for r in range(4):
        halves = []
        for x, top, left in (places[:3], places[3:]):
            index = build.add(top, integer(r))
            size = _if(build, build.icmp_unsigned("<", index, height), width)
            halves.append((build.at(x, build.mul(index, width)), left, size))
        pixels = []
        for shift in (0, 2):
            pixels += build.read_pairs(*((row, build.add(left, integer(shift)), size) for row, left, size in halves))
        matrix.append(pixels)
    _write_all(build, _columns_and_rows(_patch, build, matrix), v, v_plane, apart)


def _read_gradients(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    *places, width, m, m_plane, apart = arguments
    matrix = []
    for r in range(2):
        halves = []
        for g, height, left in (places[:3], places[3:]):
            size = _if(build, build.icmp_unsigned("<", integer(r), height), width)
            halves.append((build.at(g, build.mul(width, integer(r))), left, size))
        matrix.append(build.read_pairs(*halves))
    _write_all(build, _columns_and_rows(_gradient, build, matrix), m, m_plane, apart)


def _write_tiles(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    m, m_plane, apart, bias, *places, width, flag = arguments
    firsts = [build.at(m, build.mul(m_plane, integer(index))) for index in range(16)]
    planes = [build.read_halves(first, build.at(first, apart)) for first in firsts]
    tiles = _columns_and_rows(_tile, build, [planes[k : k + 4] for k in range(0, 16, 4)])
    start, flags = build.splat(build.load(bias)), build.read(flag)
    first = [k // 2 + build.lanes * (k % 2) for k in range(build.lanes)]
    for r, pixels in enumerate(tiles):
        a, b = (build.fadd(value, start) for value in pixels)
        for half, (y, height, left) in enumerate((places[:3], places[3:])):
            value = build.pick(a, b, [lane + half * build.lanes // 2 for lane in first])
            size = _if(build, build.icmp_unsigned("<", integer(r), height), width)
            mask = build.first_lanes(size, left)
            build.write_where(mask, value, build.at(y, build.mul(width, integer(r)), left))
            flags = build.multiply_add(build.select(mask, value, build.zero), build.zero, flags)
    build.write(flags, flag)


@intrinsic
def read_patches(typing, x_a, a, top_a, left_a, x_b, b, top_b, left_b, height, width, v, v_at, v_plane, apart):
    """The transforms of the 4×4 patches at row top, columns left, left + 2, … of the images at a and b.

    The transforms of a go to 16 planes of v, those of b `apart` elements behind. If top is `height`, there is no image.
    """
    n = types.intp
    signature = types.void(x_a, n, n, n, x_b, n, n, n, n, n, v, n, n, n)
    return signature, lambda *call: emit_one(*call, _read_patches)


@intrinsic
def read_gradients(typing, g_a, a, height_a, left_a, g_b, b, height_b, left_b, width, m, m_at, m_plane, apart):
    """The transforms of the 2×2 tiles at columns left, left + 2, … of the `height` rows at a and b.

    They go to 16 planes of m, those of b `apart` from those of a.
    """
    n = types.intp
    signature = types.void(g_a, n, n, n, g_b, n, n, n, n, m, n, n, n)
    return signature, lambda *call: emit_one(*call, _read_gradients)


@intrinsic
def write_tiles(typing, m, m_at, m_plane, apart, bias, bias_at, y_a, a, height_a, left_a, y_b, b, height_b, left_b,
                width, flag, flag_at):  # fmt: skip
    """The 2×2 tiles at columns left, left + 2, … of the `height` rows of y at a and b, from 16 planes of m.

    A vector of `flag` becomes NaN where a pixel isn't finite.
    """
    n = types.intp
    signature = types.void(m, n, n, n, bias, n, y_a, n, n, n, y_b, n, n, n, n, flag, n)
    return signature, lambda *call: emit_one(*call, _write_tiles)
