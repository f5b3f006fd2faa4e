"""Tiles of explicit vectors: the innermost loops of the kernels, written in LLVM's language.

Compilers vectorise a sum over one loop; a fast matrix product needs a block of sums, rows × columns of them, that
stays in registers while both factors stream past (Goto & van de Geijn, Anatomy of high-performance matrix
multiplication, 2008). Numba has no vector type to write that in, so each tile is emitted as an LLVM function, one for
each number of rows and columns up to the largest that the registers hold, and called by these intrinsics:

    broadcast_tile   y[m, q] = bias[m] + Σ_t w[m, t] · x[t, q]      q along the vectors
    dot_tile         out[m, n] = Σ_q g[m, q] · x[n, q]              q along the vectors, summed up at the end
    sparse_tile      target[r] += Σ_e value[e] · source[place[e]]   e over the entries of row r, each as many vectors
    copy_rows        target[r, q] = source[r, q + shift], zero outside the source
    fold_row         target[q] = Σ_{i, j} source[i, j, q + shift − j · d], zero outside the source
    turn_rows        target[k, j] = source[j, k]

The tiles keep NaN and infinities: nothing is read as a number that isn't one of theirs, except by lanes whose results
are thrown away.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from tensorgrad.kernels.runtime import piece

INT, HALF = ir.IntType(64), ir.IntType(32)


def _host() -> tuple[int, int, int]:
    """Bytes of a vector, and rows and columns of vectors of the largest tile whose sums fit into the registers."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    if "+avx512f" in features:
        return 64, 4, 6  # 32 registers: 24 sums, 6 vectors of x, one broadcast
    if "+avx2" in features and "+fma" in features:
        return 32, 6, 2  # 16 registers: 12 sums, 2 vectors of x, one broadcast, one mask
    if triple.startswith(("aarch64", "arm64")):
        return 16, 4, 6  # 32 registers
    return 16, 4, 3


WIDTH, ROWS, COLUMNS = _host()
SIZES = [(rows, columns) for rows in range(1, ROWS + 1) for columns in range(1, COLUMNS + 1)]
# A sparse tile holds nothing but its sums and one factor.
SPARSE_ROWS, SPARSE_COLUMNS = 5, min(3, ROWS * COLUMNS // 5)
SPARSE_SIZES = [(rows, columns) for rows in range(1, SPARSE_ROWS + 1) for columns in range(1, SPARSE_COLUMNS + 1)]
# What a dot tile writes, in whole vectors.
DOTS = ROWS * COLUMNS + WIDTH // 4


def lanes(dtype: np.dtype) -> int:
    """How many numbers of `dtype` a vector holds."""
    return WIDTH // np.dtype(dtype).itemsize


# ---------------------------------------------------------------------------------------------------- LLVM's language


def integer(value: int) -> ir.Constant:
    """A constant of 64 bits."""
    return ir.Constant(INT, value)


class Writer(ir.IRBuilder):
    """An `IRBuilder` that knows vectors of one scalar type."""

    def __init__(self, block: ir.Block, scalar: ir.Type) -> None:
        super().__init__(block)
        bits = 32 if isinstance(scalar, ir.FloatType) else 64
        self.scalar, self.lanes, self.size = scalar, WIDTH * 8 // bits, bits // 8
        self.vector = ir.VectorType(scalar, self.lanes)
        self.suffix = f"v{self.lanes}f{bits}"
        self.zero = self.all(0.0)

    def at(self, pointer: ir.Value, *indices: ir.Value) -> ir.Value:
        """The address of pointer[sum of indices]."""
        for index in indices:
            pointer = self.gep(pointer, [index])
        return pointer

    def _vector_at(self, pointer: ir.Value) -> ir.Value:
        return self.bitcast(pointer, self.vector.as_pointer())

    def read(self, pointer: ir.Value) -> ir.Value:
        """The vector at an address, aligned or not."""
        return self.load(self._vector_at(pointer), align=self.size)

    def write(self, value: ir.Value, pointer: ir.Value) -> None:
        """Store a vector, of integers too, aligned or not."""
        size = 4 if value.type.element == HALF else self.size
        self.store(value, self.bitcast(pointer, value.type.as_pointer()), align=size)

    def read_where(self, mask: ir.Value, pointer: ir.Value) -> ir.Value:
        """The lanes that the mask selects, zero in the others, whose memory isn't touched."""
        pointer = self._vector_at(pointer)
        arguments = [pointer, ir.Constant(HALF, self.size), mask, self.zero]
        name = f"llvm.masked.load.{self.suffix}.p0"
        return self.call(self._declared(name, self.vector, arguments), arguments)

    def write_where(self, mask: ir.Value, value: ir.Value, pointer: ir.Value) -> None:
        """Store the lanes that the mask selects."""
        pointer = self._vector_at(pointer)
        arguments = [value, pointer, ir.Constant(HALF, self.size), mask]
        self.call(self._declared(f"llvm.masked.store.{self.suffix}.p0", ir.VoidType(), arguments), arguments)

    def read_integers_where(self, mask: ir.Value, pointer: ir.Value) -> ir.Value:
        """The lanes of a vector of 32-bit integers that the mask selects, zero in the others."""
        kind = ir.VectorType(HALF, self.lanes)
        pointer = self.bitcast(pointer, kind.as_pointer())
        arguments = [pointer, ir.Constant(HALF, 4), mask, ir.Constant(kind, [0] * self.lanes)]
        return self.call(self._declared(f"llvm.masked.load.v{self.lanes}i32.p0", kind, arguments), arguments)

    def write_integers_where(self, mask: ir.Value, value: ir.Value, pointer: ir.Value) -> None:
        """Store the lanes of a vector of 32-bit integers that the mask selects."""
        pointer = self.bitcast(pointer, value.type.as_pointer())
        arguments = [value, pointer, ir.Constant(HALF, 4), mask]
        self.call(self._declared(f"llvm.masked.store.v{self.lanes}i32.p0", ir.VoidType(), arguments), arguments)

    def read_pairs(self, *halves: tuple[ir.Value, ir.Value, ir.Value]) -> list[ir.Value]:
        """The numbers at shift, shift + 2, … of two rows, half a vector each, and those between.

        A half is a row, the shift, and the row's size: outside 0 … size it counts as zero.
        """
        rows = [self.read_where(self.first_lanes(size, shift), self.at(row, shift)) for row, shift, size in halves]
        even = list(range(0, 2 * self.lanes, 2))
        return [self.pick(*rows, even), self.pick(*rows, [lane + 1 for lane in even])]

    def read_halves(self, first: ir.Value, second: ir.Value) -> ir.Value:
        """A vector of two halves that stand apart."""
        half = ir.VectorType(self.scalar, self.lanes // 2)
        low, high = (self.load(self.bitcast(p, half.as_pointer()), align=self.size) for p in (first, second))
        return self.pick(low, high, list(range(self.lanes)))

    def write_halves(self, value: ir.Value, first: ir.Value, second: ir.Value) -> None:
        """Store the halves of a vector apart, the second half last."""
        half = ir.VectorType(self.scalar, self.lanes // 2)
        for start, pointer in ((0, first), (self.lanes // 2, second)):
            lanes = self.pick(value, value, list(range(start, start + self.lanes // 2)))
            self.store(lanes, self.bitcast(pointer, half.as_pointer()), align=self.size)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a · b + c, fused where the processor can."""
        return self.call(self._declared(f"llvm.fmuladd.{self.suffix}", self.vector, [a, b, c]), [a, b, c])

    def _declared(self, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Function:
        known = self.module.globals.get(name)
        return known or ir.Function(self.module, ir.FunctionType(result, [a.type for a in arguments]), name)

    def all(self, value: float) -> ir.Constant:
        """A constant in all lanes."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def spread(self, value: ir.Value) -> ir.Value:
        """One scalar in all lanes."""
        undefined = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        first = self.insert_element(undefined, value, ir.Constant(HALF, 0))
        return self.pick(first, first, [0] * self.lanes)

    def pick(self, a: ir.Value, b: ir.Value, places: list[int]) -> ir.Value:
        """The lanes of a and b, counted through, at these places."""
        return self.shuffle_vector(a, b, ir.Constant(ir.VectorType(HALF, len(places)), places))

    def compressed(self, mask: ir.Value, values: ir.Value) -> ir.Value:
        """The lanes that the mask selects, moved to the front; what stands behind them is left open."""
        suffix = f"v{self.lanes}i32" if values.type.element == HALF else self.suffix
        arguments = [values, mask, ir.Constant(values.type, ir.Undefined)]
        return self.call(
            self._declared(f"llvm.experimental.vector.compress.{suffix}", values.type, arguments), arguments
        )

    def count(self, mask: ir.Value) -> ir.Value:
        """How many lanes the mask selects."""
        return self.zext(self.ctpop(self.bitcast(mask, ir.IntType(self.lanes))), INT)

    def first_lanes(self, count: ir.Value, shift: ir.Value | None = None) -> ir.Value:
        """A mask of the lanes l with 0 ≤ l + shift < count."""
        index = ir.Constant(ir.VectorType(HALF, self.lanes), list(range(self.lanes)))
        if shift is not None:
            index = self.add(index, self.spread(self.trunc(shift, HALF)))
        return self.icmp_unsigned("<", index, self.spread(self.trunc(count, HALF)))

    def sums(self, vectors: list[ir.Value]) -> list[ir.Value]:
        """Vectors whose lanes are the sums over the lanes of each vector, in order: a tree of halves.

        A step adds the halves of two vectors, and leaves one vector with half as many lanes for each of the two.
        """
        vectors = vectors + [self.zero] * (-len(vectors) % self.lanes)
        span = self.lanes
        while span > 1:
            half = span // 2
            low = [lane for lane in range(2 * self.lanes) if lane % span < half]
            high = [lane + half for lane in low]
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [self.fadd(self.pick(a, b, low), self.pick(a, b, high)) for a, b in pairs]
            span = half
        return vectors

    def turned(self, square: list[ir.Value]) -> list[ir.Value]:
        """As many vectors as lanes, transposed: halves of ever larger blocks change places across the diagonal."""
        square, half = list(square), 1
        while half < self.lanes:
            low = [lane + (self.lanes - half if lane & half else 0) for lane in range(self.lanes)]
            high = [lane + (self.lanes if lane & half else half) for lane in range(self.lanes)]
            for k in range(self.lanes):
                if not k & half:
                    a, b = square[k], square[k + half]
                    square[k], square[k + half] = self.pick(a, b, low), self.pick(a, b, high)
            half *= 2
        return square


class Loop:
    """`for index in range(0, stop, step)` with values carried from one round to the next, possibly for no round."""

    def __init__(self, build: Writer, stop: ir.Value, step: int, carried: list[ir.Value], name: str) -> None:
        self.build, self.step = build, step
        self.head, self.body, self.done = (build.append_basic_block(name + part) for part in ("", ".body", ".done"))
        before = build.block
        build.branch(self.head)
        build.position_at_end(self.head)
        self.index = build.phi(INT)
        self.index.add_incoming(integer(0), before)
        self.carried = [build.phi(value.type) for value in carried]
        for phi, value in zip(self.carried, carried, strict=True):
            phi.add_incoming(value, before)
        build.cbranch(build.icmp_unsigned("<", self.index, stop), self.body, self.done)
        build.position_at_end(self.body)

    def close(self, carried: list[ir.Value]) -> None:
        """End the round; what is written next comes after the loop, where `self.carried` are the final values."""
        for phi, value in zip(self.carried, carried, strict=True):
            phi.add_incoming(value, self.build.block)
        self.index.add_incoming(self.build.add(self.index, integer(self.step)), self.build.block)
        self.build.branch(self.head).set_metadata("llvm.loop", self._as_written())
        self.build.position_at_end(self.done)

    def _as_written(self) -> ir.MDValue:
        """What tells LLVM not to unroll: two rounds together would need more registers than there are."""
        module = self.build.module
        node = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
        if node.operands[0] is not node:
            node.operands = (node, *node.operands)  # a loop's metadata begins with itself
        return node


def _products(build: Writer, a: list, b: list, sums: list) -> list:
    """sums[m, n] + a[m] · b[n] of a tile."""
    return [build.multiply_add(p, q, sums[m * len(b) + n]) for m, p in enumerate(a) for n, q in enumerate(b)]


# -------------------------------------------------------------------------------------------------------------- tiles


def _broadcast_tile(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    w, w_step, table, taps, x, bias, y, y_step, last = arguments
    filters, mask = [build.at(w, build.mul(w_step, integer(m))) for m in range(rows)], build.first_lanes(last)
    start = [build.spread(build.load(build.at(bias, integer(m)))) for m in range(rows)]
    # Two numbers for each tap: where its weight stands, and where its pixels.
    loop = Loop(build, build.mul(taps, integer(2)), 2, [value for value in start for _ in range(columns)], "taps")
    weight = build.load(build.at(table, loop.index))
    pixels = build.at(x, build.load(build.at(table, loop.index, integer(1))))
    b = [build.read(build.at(pixels, integer(n * build.lanes))) for n in range(columns - 1)]
    # Behind the last lane memory may end.
    b.append(build.read_where(mask, build.at(pixels, integer((columns - 1) * build.lanes))))
    a = (build.spread(build.load(build.at(row, weight))) for row in filters)
    loop.close(_products(build, a, b, loop.carried))
    for m in range(rows):
        row = build.at(y, build.mul(y_step, integer(m)))
        for n in range(columns):
            target, value = build.at(row, integer(n * build.lanes)), loop.carried[m * columns + n]
            if n < columns - 1:
                build.write(value, target)
            else:
                build.write_where(mask, value, target)


def _dot_tile(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, g_step, g_image, x, offsets, x_image, images, length, out = arguments
    places = [build.load(build.at(offsets, integer(n))) for n in range(columns)]
    whole = build.and_(length, integer(-build.lanes))
    rest = build.sub(length, whole)
    mask = build.first_lanes(rest)
    # The sums stay in registers over all images: summing up their lanes takes as long as some vectors do.
    loop = Loop(build, images, 1, [build.zero] * (rows * columns), "images")
    first = build.at(g, build.mul(loop.index, g_image))
    g_rows = [build.at(first, build.mul(g_step, integer(m))) for m in range(rows)]
    first = build.at(x, build.mul(loop.index, x_image))
    x_rows = [build.at(first, place) for place in places]
    inner = Loop(build, whole, build.lanes, loop.carried, "pixels")
    a, b = ([build.read(build.at(row, inner.index)) for row in side] for side in (g_rows, x_rows))
    inner.close(_products(build, a, b, inner.carried))
    sums, full = inner.carried, build.block
    with build.if_then(build.icmp_unsigned(">", rest, integer(0))):
        a, b = ([build.read_where(mask, build.at(row, whole)) for row in side] for side in (g_rows, x_rows))
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
    value = build.spread(build.load(build.at(entries, sums.index)))
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
    # Backwards, so that what a row's last vector overwrites of the next row is written again.
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
        # A row that isn't there is none of the first: reading nothing takes long where no memory is.
        start = build.select(inside, build.mul(row, source_step), integer(0))
        square.append(build.read_where(mask, build.at(source, start, right.index)))
    for lane, vector in enumerate(build.turned(square)):
        column = build.mul(build.add(right.index, integer(lane)), target_step)
        build.write(vector, build.at(target, column, down.index))
    right.close([])
    down.close([])


def _addresses(context, builder: ir.IRBuilder, signature, arguments) -> tuple[ir.Type, list[ir.Value]]:
    """The scalar type, and the arguments with an address in place of each array and the number that follows it."""
    scalar, values = None, []
    for position, (kind, value) in enumerate(zip(signature.args, arguments, strict=True)):
        if isinstance(kind, types.Array):
            data = context.make_array(kind)(context, builder, value).data
            values.append(builder.gep(data, [arguments[position + 1]]))
            scalar = scalar or context.get_value_type(kind.dtype)
        elif position == 0 or not isinstance(signature.args[position - 1], types.Array):
            values.append(value)
    return scalar, values


def emit_one(context, builder: ir.IRBuilder, signature, arguments, write) -> ir.Constant:
    """Call what `write` writes, which has one size only."""
    scalar, values = _addresses(context, builder, signature, arguments)
    builder.call(_function(builder.module, write, scalar, 1, 1, values), values)
    return context.get_dummy_value()


def _emit_tile(context, builder: ir.IRBuilder, signature, arguments, write, sizes=SIZES) -> ir.Constant:
    """Call the tile of rows × columns, the first two arguments."""
    scalar, (rows, columns, *values) = _addresses(context, builder, signature, arguments)
    end = builder.append_basic_block("tile.end")
    choice = builder.switch(builder.add(builder.mul(rows, integer(16)), columns), end)
    for m, n in sizes:
        block = builder.append_basic_block(f"tile.{m}x{n}")
        choice.add_case(integer(16 * m + n), block)
        builder.position_at_end(block)
        builder.call(_function(builder.module, write, scalar, m, n, values), values)
        builder.branch(end)
    builder.position_at_end(end)
    return context.get_dummy_value()


def _function(module: ir.Module, write, scalar: ir.Type, rows: int, columns: int, arguments: list) -> ir.Function:
    """The tile as a function of its own, so that registers are allotted for it alone."""
    name = f"tensorgrad{write.__name__}_{rows}x{columns}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [a.type for a in arguments]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    build = Writer(function.append_basic_block("entry"), scalar)
    write(build, rows, columns, function.args)
    build.ret_void()
    return function


@intrinsic
def broadcast_tile(typing, rows, columns, w, w_at, w_step, table, table_at, taps, x, x_at, bias, bias_at,
                   y, y_at, y_step, last):  # fmt: skip
    """y[m, q] = bias[m] + Σ_t w[m, t] · x[t, q] for `rows` m and `columns` vectors q, of the last one `last` lanes."""
    n = types.intp
    signature = types.void(n, n, w, n, n, table, n, n, x, n, bias, n, y, n, n, n)
    return signature, lambda *call: _emit_tile(*call, _broadcast_tile)


@intrinsic
def dot_tile(typing, rows, columns, g, g_at, g_step, g_image, x, x_at, offsets, offsets_at, x_image, images, length,
             out, out_at):  # fmt: skip
    """out[m, n] = Σ_i Σ_q g[m, i, q] · x[offsets[n], i, q] for `rows` m and `columns` n, `images` i, `length` q.

    Row after row in one line, up to a whole vector: `DOTS` numbers at most.
    """
    n = types.intp
    signature = types.void(n, n, g, n, n, n, x, n, offsets, n, n, n, n, out, n)
    return signature, lambda *call: _emit_tile(*call, _dot_tile)


@intrinsic
def sparse_tile(typing, rows, columns, values, values_at, places, places_at, starts, starts_at, count, source,
                source_at, source_step, targets, targets_at, target, target_at, target_step):  # fmt: skip
    """target[targets[r] …] += Σ_e values[e] · source[places[e] …] for r < count, e from starts[r] to starts[r + 1].

    At each place `rows` of `columns` vectors, the rows `source_step` and `target_step` apart. `SPARSE_SIZES` only;
    places, starts and targets are 32-bit integers.
    """
    n = types.intp
    signature = types.void(n, n, values, n, places, n, starts, n, n, source, n, n, targets, n, target, n, n)
    return signature, lambda *call: _emit_tile(*call, _sparse_tile, SPARSE_SIZES)


@intrinsic
def copy_rows(typing, target, target_at, count, rows, source, source_at, source_step, shift, size):
    """target[r, q] = source[r · source_step + q + shift] for q < count, zero where q + shift is outside 0 … size.

    What follows in target, up to a whole vector, is overwritten.
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


@piece
def part_begin(total, most, index):
    """The begin of part `index` of `total`, cut into as few parts of at most `most` as can be, nearly alike."""
    return total * index // -(-total // most)
