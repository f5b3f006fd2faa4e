"""A tile of explicit vectors along a plane whose rows follow each other, in LLVM IR: see `conv.groups.short_rows`.

A vector holds pixels of several short rows. Beside the first or the last pixel of a row stands one of another row, so
each column of the filter has a mask of the pixels that meet one of their own row.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.simd.emitter import HALF, Loop, Writer, integer
from tensorgrad.kernels.simd.planes import STRIP
from tensorgrad.kernels.simd.tiles import _emit_tile, _write_tile

# Vectors of sums in the largest tile: a multiply-add takes four cycles, and as many run side by side.
VECTORS = 4
SIZES = [(rows, columns) for rows in (0, STRIP) for columns in range(1, VECTORS + 1)]


def _line_tile(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, x_step, w, w_step, table, count, masks, bias, y, last = arguments
    entry = Loop(build, build.mul(count, integer(4)), 4, [build.splat(build.load(bias))] * columns, "entries")
    high, weight, pixel, mask = (build.load(build.at(table, entry.index, integer(k))) for k in range(4))
    inside = [_mask(build, build.at(masks, mask, integer(n * build.lanes))) for n in range(columns)]

    def add(sums: list[ir.Value], i: ir.Value) -> list[ir.Value]:
        factor = build.splat(build.load(build.at(w, weight, build.mul(w_step, i))))
        start = build.at(x, pixel, build.mul(x_step, i))
        pixels = [build.read(build.at(start, integer(n * build.lanes))) for n in range(columns)]
        pixels = [build.select(own, value, build.zero) for own, value in zip(inside, pixels, strict=True)]
        return [build.multiply_add(factor, value, total) for value, total in zip(pixels, sums, strict=True)]

    if rows:
        sums = entry.carried
        for i in range(rows):
            sums = add(sums, integer(i))
    else:
        row = Loop(build, high, 1, entry.carried, "rows")
        row.close(add(row.carried, row.index))
        sums = row.carried
    entry.close(sums)
    _write_tile(build, entry.carried, columns, y, integer(0), build.first_lanes(last))


def _mask(build: Writer, pointer: ir.Value) -> ir.Value:
    """The lanes where 32-bit integers aren't 0."""
    kind = ir.VectorType(HALF, build.lanes)
    bits = build.load(build.bitcast(pointer, kind.as_pointer()), align=4)
    return build.icmp_signed("!=", bits, ir.Constant(kind, [0] * build.lanes))


@intrinsic
def line_tile(typing, rows, columns, x, x_at, x_step, w, w_at, w_step, table, table_at, count, masks, masks_at, bias,
              bias_at, y, y_at, last):  # fmt: skip
    """y[q] = bias + Σ_e Σ_i w[weight[e] + i · w_step] · x[pixel[e] + i · x_step + q] for `columns` vectors q.

    A row of the table is (rows i, weight, pixel, mask) of e < count; if all have `STRIP` rows, `rows` may say so, else
    it is 0. Where masks[mask[e] + q], 32-bit integers, is 0, x counts as zero, whatever it is. `last` lanes of the last
    vector are written; whole vectors are read.
    """
    n = types.intp
    signature = types.void(n, n, x, n, n, w, n, n, table, n, n, masks, n, bias, n, y, n, n)
    return signature, lambda *call: _emit_tile(*call, _line_tile, SIZES)
