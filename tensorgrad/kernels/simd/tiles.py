"""Tiles of explicit vectors, the innermost loops of the kernels, in LLVM IR.

Compilers vectorize a sum over one loop. A fast matrix product needs a block of rows × columns sums that stays in
registers while both factors stream past (Goto & van de Geijn, Anatomy of high-performance matrix multiplication, 2008).
Numba has no vector type for that, so each tile is emitted as an LLVM function, one for each number of rows and columns
up to the largest that fits into registers, and called by these intrinsics:

    broadcast_tile   y[m, q] = bias[m] + Σ_t w[m, t] · x[t, q]      q along the vectors
    panel_tile       the same from panels of both factors
    copy_panel       panel[t, q] = x[t, q]
    dot_tile         out[m, n] = Σ_q g[m, q] · x[n, q]              q along the vectors, lanes summed at the end
    sparse_tile      target[r] += Σ_e value[e] · source[place[e]]   e over the entries of row r, each as many vectors
    copy_rows        target[r, q] = source[r, q + shift], zero outside the source
    fold_row         target[q] = Σ_{i, j} source[i, j, q + shift − j · d], zero outside the source
    turn_rows        target[k, j] = source[j, k]

NaN and infinities propagate correctly: lanes that read other memory are masked, or their results are discarded.
"""

from collections.abc import Iterable

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.jit.dispatch import helper
from tensorgrad.kernels.simd.emitter import (
    COLUMNS,
    INT,
    ROWS,
    WIDTH,
    Loop,
    Writer,
    arguments_of,
    emit_one,
    emitted,
    integer,
)

SIZES = [(rows, columns) for rows in range(1, ROWS + 1) for columns in range(1, COLUMNS + 1)]
ONE_ROW = SIZES[:COLUMNS]
# A sparse tile needs registers for its sums and one factor only.
SPARSE_ROWS, SPARSE_COLUMNS = 5, min(3, ROWS * COLUMNS // 5)
SPARSE_SIZES = [(rows, columns) for rows in range(1, SPARSE_ROWS + 1) for columns in range(1, SPARSE_COLUMNS + 1)]
# The number of elements that a dot tile writes, in whole vectors.
DOTS = ROWS * COLUMNS + WIDTH // 4


def _products(build: Writer, a: Iterable[ir.Value], b: list[ir.Value], sums: list[ir.Value]) -> list[ir.Value]:
    """sums[m, n] + a[m] · b[n] of a tile."""
    return [build.multiply_add(p, q, sums[m * len(b) + n]) for m, p in enumerate(a) for n, q in enumerate(b)]


def _broadcast_tile(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    w, w_step, table, taps, x, bias, y, y_step, last = arguments
    filters, mask = [build.at(w, build.mul(w_step, integer(m))) for m in range(rows)], build.first_lanes(last)
    start = [build.splat(build.load(build.at(bias, integer(m)))) for m in range(rows)]
    # Two offsets per tap: of its weight and of its pixels.
    loop = Loop(build, build.mul(taps, integer(2)), 2, [value for value in start for _ in range(columns)], "taps")
    weight = build.load(build.at(table, loop.index))
    pixels = build.at(x, build.load(build.at(table, loop.index, integer(1))))
    b = [build.read(build.at(pixels, integer(n * build.lanes))) for n in range(columns - 1)]
    # Memory may end after the last lane.
    b.append(build.read_where(mask, build.at(pixels, integer((columns - 1) * build.lanes))))
    a = (build.splat(build.load(build.at(row, weight))) for row in filters)
    loop.close(_products(build, a, b, loop.carried))
    _write_tile(build, loop.carried, columns, y, y_step, mask)


def _panel_tile(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    w, taps, x, y, y_step, last = arguments
    start = [build.splat(build.load(build.at(w, integer(m)))) for m in range(rows)]
    loop = Loop(build, taps, 1, [value for value in start for _ in range(columns)], "taps")
    factors = build.at(w, build.mul(build.add(loop.index, integer(1)), integer(ROWS)))
    pixels = build.at(x, build.mul(loop.index, integer(COLUMNS * build.lanes)))
    b = [build.read(build.at(pixels, integer(n * build.lanes))) for n in range(columns)]
    a = (build.splat(build.load(build.at(factors, integer(m)))) for m in range(rows))
    loop.close(_products(build, a, b, loop.carried))
    _write_tile(build, loop.carried, columns, y, y_step, build.first_lanes(last))


def _copy_panel(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    panel, table, taps, x, last = arguments
    mask = build.first_lanes(last)
    loop = Loop(build, taps, 1, [], "taps")
    offset = build.load(build.at(table, build.mul(loop.index, integer(2)), integer(1)))
    target = build.at(panel, build.mul(loop.index, integer(COLUMNS * build.lanes)))
    for n in range(columns):
        place = build.at(x, offset, integer(n * build.lanes))
        # Memory may end after the last lane.
        value = build.read(place) if n < columns - 1 else build.read_where(mask, place)
        build.write(value, build.at(target, integer(n * build.lanes)))
    loop.close([])


def _write_tile(
    build: Writer, sums: list[ir.Value], columns: int, y: ir.Value, y_step: ir.Value, mask: ir.Value
) -> None:
    """The rows of sums to y, of the last vector the lanes that the mask selects."""
    ends = []
    for index, value in enumerate(sums):
        m, n = divmod(index, columns)
        target = build.at(y, build.mul(y_step, integer(m)), integer(n * build.lanes))
        if n < columns - 1:
            build.write(value, target)
        else:
            ends.append((value, target))
    build.write_each_where(mask, ends)


def _dot_tile(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, g_step, g_image, x, offsets, x_image, across, gap, images, length, out = arguments
    places = [build.load(build.at(offsets, integer(n))) for n in range(columns)]
    whole = build.and_(length, integer(-build.lanes))
    rest = build.sub(length, whole)
    mask = build.first_lanes(rest)
    # The sums stay in registers over all images: summing their lanes takes as long as several vectors.
    loop = Loop(build, images, 1, [build.zero] * (rows * columns), "images")
    first = build.at(g, build.mul(loop.index, g_image))
    g_rows = [build.at(first, build.mul(g_step, integer(m))) for m in range(rows)]
    first = build.at(x, build.mul(loop.index, x_image))
    x_rows = [build.at(first, place) for place in places]
    inner = Loop(build, whole, build.lanes, [*loop.carried, integer(0), across], "pixels")
    *sums, place, left = inner.carried
    a, b = ([build.read(build.at(row, at)) for row in side] for side, at in ((g_rows, inner.index), (x_rows, place)))
    left = build.sub(left, integer(1))
    ends = build.icmp_unsigned("==", left, integer(0))
    place = build.add(place, build.select(ends, build.add(gap, integer(build.lanes)), integer(build.lanes)))
    inner.close([*_products(build, a, b, sums), place, build.select(ends, across, left)])
    *sums, place, _ = inner.carried
    full = build.block
    with build.if_then(build.icmp_unsigned(">", rest, integer(0))):
        sides = (g_rows, whole), (x_rows, place)
        a, b = ([build.read_where(mask, build.at(row, at)) for row in side] for side, at in sides)
        with_rest, partial = _products(build, a, b, sums), build.block
    both = [build.phi(build.vector) for _ in sums]
    for phi, value, more in zip(both, sums, with_rest, strict=True):
        phi.add_incoming(value, full)
        phi.add_incoming(more, partial)
    loop.close(both)
    for index, value in enumerate(build.sums(loop.carried)):
        build.write(value, build.at(out, integer(index * build.lanes)))


def _sparse_tile(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    values, places, starts, count, source, source_step, targets, target, target_step = arguments
    line = Loop(build, count, 1, [], "lines")
    first, end = (build.sext(build.load(build.at(starts, line.index, integer(k))), INT) for k in (0, 1))
    entries, where = build.at(values, first), build.at(places, first)
    sums = Loop(build, build.sub(end, first), 1, [build.zero] * (rows * columns), "entries")
    value = build.splat(build.load(build.at(entries, sums.index)))
    start = build.at(source, build.sext(build.load(build.at(where, sums.index)), INT))
    steps = [build.mul(source_step, integer(m)) for m in range(rows)]
    factors = [build.read(build.at(start, step, integer(n * build.lanes))) for step in steps for n in range(columns)]
    sums.close([build.multiply_add(value, b, total) for b, total in zip(factors, sums.carried, strict=True)])
    start = build.at(target, build.sext(build.load(build.at(targets, line.index)), INT))
    for index, total in enumerate(sums.carried):
        m, n = divmod(index, columns)
        place = build.at(start, build.mul(target_step, integer(m)), integer(n * build.lanes))
        build.write(build.fadd(build.read(place), total), place)
    line.close([])


def _copy_rows(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    target, count, length, source, source_step, shift, size = arguments
    last = build.and_(build.sub(count, integer(1)), integer(-build.lanes))
    # Backwards: a row's last vector overruns into the next row, which is then rewritten.
    vectors = Loop(build, build.add(last, integer(1)), build.lanes, [], "vectors")
    start = build.sub(last, vectors.index)
    place = build.add(start, shift)
    mask = build.first_lanes(size, place)
    row = Loop(build, length, 1, [], "rows")
    value = build.read_where(mask, build.at(source, build.mul(row.index, source_step), place))
    build.write(value, build.at(target, build.mul(row.index, count), start))
    row.close([])
    vectors.close([])


def _fold_row(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    target, size, source, i_count, i_step, j_count, j_step, dilation, shift, count = arguments
    vectors = Loop(build, size, build.lanes, [], "vectors")
    start = build.add(vectors.index, shift)
    i = Loop(build, i_count, 1, [build.zero], "i")
    j = Loop(build, j_count, 1, i.carried, "j")
    place = build.sub(start, build.mul(j.index, dilation))
    tap = build.at(source, build.mul(i.index, i_step), build.mul(j.index, j_step))
    value = build.read_where(build.first_lanes(count, place), build.at(tap, place))
    j.close([build.fadd(j.carried[0], value)])
    i.close(j.carried)
    mask = build.first_lanes(build.sub(size, vectors.index))
    build.write_where(mask, i.carried[0], build.at(target, vectors.index))
    vectors.close([])


def _turn_rows(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    target, target_step, source, source_step, count, length = arguments
    down = Loop(build, count, build.lanes, [], "down")
    right = Loop(build, length, build.lanes, [], "right")
    square = []
    for lane in range(build.lanes):
        row = build.add(down.index, integer(lane))
        inside = build.icmp_unsigned("<", row, count)
        mask = build.first_lanes(build.select(inside, build.sub(length, right.index), integer(0)))
        # A row out of range reads no lanes at the first row's address: masked reads of unmapped memory are slow.
        start = build.select(inside, build.mul(row, source_step), integer(0))
        square.append(build.read_where(mask, build.at(source, start, right.index)))
    for lane, vector in enumerate(build.transposed(square)):
        column = build.mul(build.add(right.index, integer(lane)), target_step)
        build.write(vector, build.at(target, column, down.index))
    right.close([])
    down.close([])


def _emit_tile(context, builder: ir.IRBuilder, signature, arguments, write, sizes=SIZES) -> ir.Constant:
    """Call the tile of rows × columns, the first two arguments."""
    scalar, (rows, columns, *values) = arguments_of(context, builder, signature, arguments)
    end = builder.append_basic_block("tile.end")
    choice = builder.switch(builder.add(builder.mul(rows, integer(16)), columns), end)
    for m, n in sizes:
        block = builder.append_basic_block(f"tile.{m}x{n}")
        choice.add_case(integer(16 * m + n), block)
        builder.position_at_end(block)
        builder.call(emitted(builder.module, write, scalar, m, n, values), values)
        builder.branch(end)
    builder.position_at_end(end)
    return context.get_dummy_value()


@intrinsic
def broadcast_tile(typing, rows, columns, w, w_at, w_step, table, table_at, taps, x, x_at, bias, bias_at,
                   y, y_at, y_step, last):  # fmt: skip
    """y[m, q] = bias[m] + Σ_t w[m, t] · x[t, q] for `rows` m and `columns` vectors q; `last` lanes of the last one."""
    n = types.intp
    signature = types.void(n, n, w, n, n, table, n, n, x, n, bias, n, y, n, n, n)
    return signature, lambda *call: _emit_tile(*call, _broadcast_tile)


@intrinsic
def panel_tile(typing, rows, columns, w, w_at, taps, x, x_at, y, y_at, y_step, last):
    """y[m, q] = w[0, m] + Σ_t w[1 + t, m] · x[t, q] for `rows` m and `columns` vectors q; `last` lanes of the last one.

    w (1 + taps, ROWS), x (taps, COLUMNS vectors), each in one line.
    """
    n = types.intp
    return types.void(n, n, w, n, n, x, n, y, n, n, n), lambda *call: _emit_tile(*call, _panel_tile)


@intrinsic
def copy_panel(typing, rows, columns, panel, panel_at, table, table_at, taps, x, x_at, last):
    """panel[t, q] = x[table[t, 1] + q] for `columns` vectors q, `last` lanes of the last one; `rows` is 1."""
    n = types.intp
    signature = types.void(n, n, panel, n, table, n, n, x, n, n)
    return signature, lambda *call: _emit_tile(*call, _copy_panel, ONE_ROW)


@intrinsic
def dot_tile(typing, rows, columns, g, g_at, g_step, g_image, x, x_at, offsets, offsets_at, x_image, across, gap,
             images, length, out, out_at):  # fmt: skip
    """out[m, n] = Σ_i Σ_q g[m, i, q] · x[offsets[n], i, q] for `rows` m and `columns` n, `images` i, `length` q.

    In a line of x a `gap` follows each `across` vectors.
    The rows follow each other, rounded up to whole vectors: `DOTS` elements at most.
    """
    n = types.intp
    signature = types.void(n, n, g, n, n, n, x, n, offsets, n, n, n, n, n, n, out, n)
    return signature, lambda *call: _emit_tile(*call, _dot_tile)


@intrinsic
def sparse_tile(typing, rows, columns, values, values_at, places, places_at, starts, starts_at, count, source,
                source_at, source_step, targets, targets_at, target, target_at, target_step):  # fmt: skip
    """target[targets[r] …] += Σ_e values[e] · source[places[e] …] for r < count, e from starts[r] to starts[r + 1].

    At each place `rows` rows of `columns` vectors, `source_step` and `target_step` apart; `SPARSE_SIZES` only. Places,
    starts and targets are 32-bit integers.
    """
    n = types.intp
    signature = types.void(n, n, values, n, places, n, starts, n, n, source, n, n, targets, n, target, n, n)
    return signature, lambda *call: _emit_tile(*call, _sparse_tile, SPARSE_SIZES)


@intrinsic
def copy_rows(typing, target, target_at, count, rows, source, source_at, source_step, shift, size):
    """target[r, q] = source[r · source_step + q + shift] for q < count, zero where q + shift is outside 0 … size.

    Vector stores overrun: the elements after target, up to a whole vector, are overwritten.
    """
    n = types.intp
    return types.void(target, n, n, n, source, n, n, n, n), lambda *call: emit_one(*call, _copy_rows)


@intrinsic
def fold_row(typing, target, target_at, size, source, source_at, i_count, i_step, j_count, j_step, dilation, shift,
             count):  # fmt: skip
    """target[q] = Σ_i Σ_j source[i · i_step + j · j_step + q + shift − j · dilation] for q < size.

    Where q + shift − j · dilation is outside 0 … count, the source counts as zero.
    """
    n = types.intp
    signature = types.void(target, n, n, source, *[n] * 8)
    return signature, lambda *call: emit_one(*call, _fold_row)


@intrinsic
def turn_rows(typing, target, target_at, target_step, source, source_at, source_step, count, length):
    """target[k · target_step + j] = source[j · source_step + k] for j < count, k < length.

    Both rounded up to whole vectors in target, where zeros fill the rest.
    """
    n = types.intp
    signature = types.void(target, n, n, source, n, n, n, n)
    return signature, lambda *call: emit_one(*call, _turn_rows)


@helper
def part_begin(total, most, index):
    """The start of part `index` of `total`, split into the fewest parts of at most `most`, of nearly equal size."""
    return total * index // -(-total // most)
