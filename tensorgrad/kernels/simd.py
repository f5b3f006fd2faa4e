"""Register tiles: the innermost loops of convolution, in LLVM's own language.

Numba's compiler vectorises an innermost loop, but it can't be told to keep a tile of sums in registers while the loop
runs over the taps. So these loops are written out as LLVM instructions on whole vectors: a tile of `rows` × `vectors`
sums, each fed by one fused multiply-add per turn, with rows + vectors loads for rows · vectors multiply-adds. On
AVX-512 a tile of 4 × 6 takes 24 of 32 registers and runs at the multiply-add rate.

Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, ACM TOMS 34, 2008, explains why tiles look so.
"""

from collections.abc import Callable

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_features = llvmlite.binding.get_host_cpu_features()

VECTOR_BYTES = 64 if _features.get("avx512f") else 32 if _features.get("avx2") and _features.get("fma") else 16
"""The width of the host's vectors."""

_MANY_REGISTERS = VECTOR_BYTES == 64
# How many vectors of sums a row of a tile has: with the loads and a factor, four rows fit into 32 registers, or into
# 16.
WIDE, MIDDLE = (6, 4) if _MANY_REGISTERS else (3, 2)
# How many taps four rows of dot products have.
MANY, SOME = (5, 4) if _MANY_REGISTERS else (2, 2)

_INT = ir.IntType(64)


def sum_tile(rows: int, vectors: int) -> Callable:
    """The tile `sums[at + i·row + q] = Σ_t w[k + i, t] · image[start + offsets[t] + q]` for i < rows, q < vectors ·
    lanes.

    The result is called inside kernels as `tile(sums, at, row, image, start, offsets, w, k)`. Nothing is checked.
    """

    @intrinsic
    def tile(typingctx, sums, at, row, image, start, offsets, w, k):
        signature = types.void(sums, types.intp, types.intp, image, types.intp, offsets, w, types.intp)

        def codegen(context, builder, signature, arguments):
            emit = _Emitter(context, builder, signature, arguments)
            image_at = emit.pointer(3, arguments[4])
            w_struct = emit.array(6)
            taps = builder.extract_value(w_struct.shape, 1)
            first = builder.gep(w_struct.data, [builder.mul(arguments[7], taps)])
            w_rows = [builder.gep(first, [builder.mul(taps, _INT(i))]) for i in range(rows)]
            offsets_at = emit.pointer(5)
            with emit.loop(taps, rows * vectors) as (t, totals):
                here = builder.gep(image_at, [builder.load(builder.gep(offsets_at, [t]))])
                pixels = [emit.load(here, n) for n in range(vectors)]
                for i in range(rows):
                    factor = emit.broadcast(builder.load(builder.gep(w_rows[i], [t])))
                    for n in range(vectors):
                        totals.add(i * vectors + n, factor, pixels[n])
            for i in range(rows):
                target = emit.pointer(0, builder.add(arguments[1], builder.mul(arguments[2], _INT(i))))
                for n in range(vectors):
                    emit.store(totals.values[i * vectors + n], target, n)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def dot_tile(rows: int, taps: int) -> Callable:
    """The tile `sums[k + i, t + j] += Σ_v g[(k + i)·step + v] · image[start + offsets[t + j] + v]` for i < rows, j <
    taps.

    v runs over whole vectors, which begin at the places `g_places` in g and `x_places` in the image. The result is
    called inside kernels as `tile(sums, k, t, g, step, g_places, image, start, offsets, x_places)`. Nothing is checked.
    """

    @intrinsic
    def tile(typingctx, sums, k, t, g, step, g_places, image, start, offsets, x_places):
        signature = types.void(
            sums, types.intp, types.intp, g, types.intp, g_places, image, types.intp, offsets, x_places
        )

        def codegen(context, builder, signature, arguments):
            emit = _Emitter(context, builder, signature, arguments, scalar=3)
            k, t, step = arguments[1], arguments[2], arguments[4]
            g_rows = [emit.pointer(3, builder.mul(step, builder.add(k, _INT(i)))) for i in range(rows)]
            shifts = emit.pointer(8, t)
            x_rows = [
                emit.pointer(6, builder.add(arguments[7], builder.load(builder.gep(shifts, [_INT(j)]))))
                for j in range(taps)
            ]
            g_places, x_places = emit.pointer(5), emit.pointer(9)
            count = emit.array(5).nitems
            with emit.loop(count, rows * taps) as (v, totals):
                g_at, x_at = (builder.load(builder.gep(places, [v])) for places in (g_places, x_places))
                gradients = [emit.load(builder.gep(g_row, [g_at]), 0) for g_row in g_rows]
                for j in range(taps):
                    pixels = emit.load(builder.gep(x_rows[j], [x_at]), 0)
                    for i in range(rows):
                        totals.add(i * taps + j, gradients[i], pixels)
            sums = emit.array(0)
            width = builder.extract_value(sums.shape, 1)
            for i in range(rows):
                line = builder.gep(sums.data, [builder.add(builder.mul(width, builder.add(k, _INT(i))), t)])
                for j in range(taps):
                    place = builder.gep(line, [_INT(j)])
                    total = emit.total(totals.values[i * taps + j])
                    if total.type != ir.DoubleType():
                        total = builder.fpext(total, ir.DoubleType())
                    builder.store(builder.fadd(builder.load(place), total), place)
            return context.get_dummy_value()

        return signature, codegen

    return tile


class _Totals:
    """The sums of a tile, which the loop carries in registers."""

    def __init__(self, builder: ir.IRBuilder, multiply_add: ir.Function, phis: list) -> None:
        self._builder, self._multiply_add, self.phis, self.values = builder, multiply_add, phis, list(phis)

    def add(self, index: int, x: ir.Value, y: ir.Value) -> None:
        """sums[index] += x · y."""
        self.values[index] = self._builder.call(self._multiply_add, [x, y, self.values[index]])


class _Emitter:
    """Instructions on vectors of one float type, that of the array argument at `scalar`."""

    def __init__(self, context, builder, signature, arguments, scalar: int = 0) -> None:
        self._context, self._builder, self._signature, self._arguments = context, builder, signature, arguments
        bits = signature.args[scalar].dtype.bitwidth
        self._bytes = bits // 8
        self.lanes = VECTOR_BYTES // self._bytes
        self._vector = ir.VectorType(ir.FloatType() if bits == 32 else ir.DoubleType(), self.lanes)
        kind = ir.FunctionType(self._vector, [self._vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f{bits}"  # fused where the host can
        self._multiply_add = cgutils.get_or_insert_function(builder.module, kind, name)

    def array(self, index: int):
        """The array argument at `index`, as numba's struct of data, shape and so on."""
        return self._context.make_array(self._signature.args[index])(
            self._context, self._builder, self._arguments[index]
        )

    def pointer(self, index: int, place: ir.Value | None = None) -> ir.Value:
        """Where the array argument at `index` begins, or its element at `place` lies."""
        data = self.array(index).data
        return data if place is None else self._builder.gep(data, [place])

    def _at(self, pointer: ir.Value, n: int) -> ir.Value:
        place = self._builder.gep(pointer, [_INT(n * self.lanes)])
        return self._builder.bitcast(place, self._vector.as_pointer())

    def load(self, pointer: ir.Value, n: int) -> ir.Value:
        """The n-th vector from a pointer on, which needn't be aligned."""
        return self._builder.load(self._at(pointer, n), align=self._bytes)

    def store(self, value: ir.Value, pointer: ir.Value, n: int) -> None:
        """Store the n-th vector from a pointer on."""
        self._builder.store(value, self._at(pointer, n), align=self._bytes)

    def broadcast(self, scalar: ir.Value) -> ir.Value:
        """A vector of one number."""
        nothing = ir.Constant(self._vector, ir.Undefined)
        first = self._builder.insert_element(nothing, scalar, ir.IntType(32)(0))
        return self._builder.shuffle_vector(
            first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        )

    def total(self, vector: ir.Value) -> ir.Value:
        """The sum of a vector's lanes, by halves."""
        lanes = self.lanes
        while lanes > 1:
            lanes //= 2
            low, high = (
                self._builder.shuffle_vector(
                    vector,
                    ir.Constant(vector.type, ir.Undefined),
                    ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(start, start + lanes))),
                )
                for start in (0, lanes)
            )
            vector = self._builder.fadd(low, high)
        return self._builder.extract_element(vector, ir.IntType(32)(0))

    def loop(self, count: ir.Value, sums: int) -> "_Loop":
        """A loop over 0 … count − 1, at least once, that carries `sums` vectors, zero at first."""
        return _Loop(self._builder, self._multiply_add, self._vector, count, sums)


class _Loop:
    """A loop whose body is emitted inside the `with` block."""

    def __init__(self, builder, multiply_add, vector, count, sums) -> None:
        self._builder, self._count = builder, count
        self._before = builder.block
        self._body = builder.append_basic_block("turns")
        builder.branch(self._body)
        builder.position_at_end(self._body)
        self._index = builder.phi(_INT)
        self._index.add_incoming(_INT(0), self._before)
        phis = [builder.phi(vector) for _ in range(sums)]
        for phi in phis:
            phi.add_incoming(ir.Constant(vector, None), self._before)
        # An instruction that must not be copied into other loops keeps LLVM from unrolling this one: it would run out
        # of registers, and spill.
        anchor = ir.InlineAsm(ir.FunctionType(_INT, [_INT]), "", "=r,0", side_effect=True)
        self._index_seen = builder.call(anchor, [self._index], attrs=("convergent",))
        self._totals = _Totals(builder, multiply_add, phis)

    def __enter__(self) -> tuple[ir.Value, _Totals]:
        return self._index_seen, self._totals

    def __exit__(self, *error: object) -> None:
        builder = self._builder
        following = builder.add(self._index, _INT(1))
        self._index.add_incoming(following, self._body)
        for phi, value in zip(self._totals.phis, self._totals.values, strict=True):
            phi.add_incoming(value, self._body)
        after = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", following, self._count), self._body, after)
        builder.position_at_end(after)
