"""Emit LLVM IR with explicit vectors, for `tiles` and other innermost loops.

Numba has no vector type. So an innermost loop is emitted as an LLVM function and called by an intrinsic: `emit_one`
emits and calls one, `Writer` writes its instructions, `Loop` its loops. `WIDTH`, `ROWS` and `COLUMNS` follow from the
registers of the host.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target

INT, HALF = ir.IntType(64), ir.IntType(32)


TRIPLE, CPU, FEATURES = cpu_target.target_context.codegen().magic_tuple()


def _host(triple: str, features: str) -> tuple[int, int, int]:
    """The bytes of a vector; the rows and columns (in vectors) of the largest tile whose sums fit into registers."""
    if "+avx512f" in features:
        return 64, 4, 6  # 32 registers: 24 sums, 6 vectors of x, one broadcast
    if "+avx2" in features and "+fma" in features:
        return 32, 6, 2  # 16 registers: 12 sums, 2 vectors of x, one broadcast, one mask
    if triple.startswith(("aarch64", "arm64")):
        return 16, 4, 6  # 32 registers
    return 16, 4, 3


WIDTH, ROWS, COLUMNS = _host(TRIPLE, FEATURES)

PANELS = WIDTH == 32
"""Whether products of many rows copy both factors into panels first: a tile of few columns meets each factor often."""

FAST = CPU == "znver5"
"""Whether a core multiplies and adds two vectors of 64 bytes in a cycle: twice what Zen 4 does, from equal caches."""


def lanes(dtype: np.dtype) -> int:
    """The number of elements of `dtype` in a vector."""
    return WIDTH // np.dtype(dtype).itemsize


def integer(value: int) -> ir.Constant:
    """A 64-bit integer constant."""
    return ir.Constant(INT, value)


class Writer(ir.IRBuilder):
    """An `IRBuilder` for vectors of one scalar type."""

    def __init__(self, block: ir.Block, scalar: ir.Type) -> None:
        super().__init__(block)
        bits = 32 if isinstance(scalar, ir.FloatType) else 64
        self.scalar, self.size = scalar, bits // 8
        self._take(WIDTH // self.size)

    def _take(self, lanes: int) -> None:
        self.lanes, self.vector = lanes, ir.VectorType(self.scalar, lanes)
        self.suffix, self.zero = f"v{lanes}f{8 * self.size}", self.all(0.0)
        self.wide = ir.VectorType(ir.DoubleType(), lanes)
        self.wide_zero = ir.Constant(self.wide, [0.0] * lanes)

    @contextmanager
    def narrow(self, lanes: int) -> Iterator[None]:
        """Within, vectors have so many lanes."""
        whole = self.lanes
        self._take(lanes)
        try:
            yield
        finally:
            self._take(whole)

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
        """The lanes that the mask selects, zero in the others, whose memory isn't read."""
        pointer = self._vector_at(pointer)
        arguments = [pointer, ir.Constant(HALF, self.size), mask, self.zero]
        name = f"llvm.masked.load.{self.suffix}.p0"
        return self.call(self._declared(name, self.vector, arguments), arguments)

    def write_where(self, mask: ir.Value, value: ir.Value, pointer: ir.Value) -> None:
        """Store the first lanes of a vector, of integers too: those that the mask selects."""
        self.write_each_where(mask, [(value, pointer)])

    def write_each_where(self, mask: ir.Value, stores: list[tuple[ir.Value, ir.Value]]) -> None:
        """The same for several vectors, each with its pointer."""
        if WIDTH == 64:
            for value, pointer in stores:
                self._masked_store(mask, value, pointer)
            return
        # Without registers for masks a masked store is slow (AVX2 on AMD), or there is none (SSE, NEON).
        every = ir.IntType(self.lanes)
        bits = self.bitcast(mask, every)
        with self.if_else(self.icmp_unsigned("==", bits, ir.Constant(every, -1))) as (whole, part):
            with whole:
                for value, pointer in stores:
                    self.write(value, pointer)
            with part:
                count = self.zext(self.ctpop(bits), INT)
                for value, pointer in stores:
                    self.call(self._first_lanes_store(value.type), [value, pointer, count])

    def _masked_store(self, mask: ir.Value, value: ir.Value, pointer: ir.Value) -> None:
        integers = value.type.element == HALF
        suffix = f"v{self.lanes}i32" if integers else self.suffix
        pointer = self.bitcast(pointer, value.type.as_pointer())
        arguments = [value, pointer, ir.Constant(HALF, 4 if integers else self.size), mask]
        self.call(self._declared(f"llvm.masked.store.{suffix}.p0", ir.VoidType(), arguments), arguments)

    def _first_lanes_store(self, kind: ir.VectorType) -> ir.Function:
        """A function (vector, pointer, count) that stores the first `count` lanes, fewer than all."""
        name = f"tensorgrad_store_{kind.count}_{kind.element}"
        if name in self.module.globals:
            return self.module.globals[name]
        arguments = [kind, kind.element.as_pointer(), INT]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), arguments), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        build = Writer(function.append_basic_block("entry"), self.scalar)
        value, pointer, count = function.args
        lanes = kind.count // 2
        while lanes:
            # The next power of two of lanes, if the count has it; then the lanes after these.
            some = build.and_(count, integer(lanes))
            low, high = (build.pick(value, value, list(range(k, k + lanes))) for k in (0, lanes))
            with build.if_then(build.icmp_unsigned("!=", some, integer(0))):
                build.write(low, pointer)
            pointer = build.at(pointer, some)
            value = build.select(build.icmp_unsigned("!=", some, integer(0)), high, low)
            lanes //= 2
        build.ret_void()
        return function

    def read_integers_where(self, mask: ir.Value, pointer: ir.Value) -> ir.Value:
        """The lanes of a vector of 32-bit integers that the mask selects, zero in the others."""
        kind = ir.VectorType(HALF, self.lanes)
        pointer = self.bitcast(pointer, kind.as_pointer())
        arguments = [pointer, ir.Constant(HALF, 4), mask, ir.Constant(kind, [0] * self.lanes)]
        return self.call(self._declared(f"llvm.masked.load.v{self.lanes}i32.p0", kind, arguments), arguments)

    def read_pairs(self, *halves: tuple[ir.Value, ir.Value, ir.Value]) -> list[ir.Value]:
        """The elements at shift, shift + 2, … of two rows, half a vector each; and the elements between them.

        A half is a row, the shift, and the row's size: elements outside [0, size) count as zero.
        """
        a, b = [self.read_where(self.first_lanes(size, shift), self.at(row, shift)) for row, shift, size in halves]
        even = list(range(0, 2 * self.lanes, 2))
        return [self.pick(a, b, even), self.pick(a, b, [lane + 1 for lane in even])]

    def read_halves(self, first: ir.Value, second: ir.Value) -> ir.Value:
        """A vector of two halves from two addresses."""
        half = ir.VectorType(self.scalar, self.lanes // 2)
        low, high = (self.load(self.bitcast(p, half.as_pointer()), align=self.size) for p in (first, second))
        return self.pick(low, high, list(range(self.lanes)))

    def write_halves(self, value: ir.Value, first: ir.Value, second: ir.Value) -> None:
        """Store the halves of a vector at two addresses, the second half last."""
        half = ir.VectorType(self.scalar, self.lanes // 2)
        for start, pointer in ((0, first), (self.lanes // 2, second)):
            lanes = self.pick(value, value, list(range(start, start + self.lanes // 2)))
            self.store(lanes, self.bitcast(pointer, half.as_pointer()), align=self.size)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a · b + c, fused if the processor has the instruction."""
        return self.call(self._declared(f"llvm.fmuladd.{self.suffix}", self.vector, [a, b, c]), [a, b, c])

    def _declared(self, name: str, result: ir.Type, arguments: list[ir.Value]) -> ir.Function:
        known = self.module.globals.get(name)
        return known or ir.Function(self.module, ir.FunctionType(result, [a.type for a in arguments]), name)

    def all(self, value: float) -> ir.Constant:
        """A constant in all lanes."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def splat(self, value: ir.Value) -> ir.Value:
        """A scalar in all lanes."""
        undefined = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        first = self.insert_element(undefined, value, ir.Constant(HALF, 0))
        return self.pick(first, first, [0] * self.lanes)

    def pick(self, a: ir.Value, b: ir.Value, places: list[int]) -> ir.Value:
        """The lanes of a followed by those of b, at the given indices."""
        return self.shuffle_vector(a, b, ir.Constant(ir.VectorType(HALF, len(places)), places))

    def compressed(self, mask: ir.Value, values: ir.Value) -> ir.Value:
        """The lanes that the mask selects, moved to the front; the lanes after them are undefined."""
        suffix = f"v{self.lanes}i32" if values.type.element == HALF else self.suffix
        arguments = [values, mask, ir.Constant(values.type, ir.Undefined)]
        return self.call(
            self._declared(f"llvm.experimental.vector.compress.{suffix}", values.type, arguments), arguments
        )

    def count(self, mask: ir.Value) -> ir.Value:
        """The number of lanes that the mask selects."""
        return self.zext(self.ctpop(self.bitcast(mask, ir.IntType(self.lanes))), INT)

    def first_lanes(self, count: ir.Value, shift: ir.Value | None = None) -> ir.Value:
        """A mask of the lanes l with 0 ≤ l + shift < count."""
        index = ir.Constant(ir.VectorType(HALF, self.lanes), list(range(self.lanes)))
        if shift is not None:
            index = self.add(index, self.splat(self.trunc(shift, HALF)))
        return self.icmp_unsigned("<", index, self.splat(self.trunc(count, HALF)))

    def lanes_before(self, count: ir.Value) -> ir.Value:
        """A mask of the lanes l < count, none of them where count is negative."""
        return self.first_lanes(self.select(self.icmp_signed(">", count, integer(0)), count, integer(0)))

    def sums(self, vectors: list[ir.Value]) -> list[ir.Value]:
        """The sum over the lanes of each vector, in order, as the lanes of vectors: a tree of halves.

        Each step adds the halves of two vectors, which leaves one vector with half as many lanes for each of the two.
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

    def smallest(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The smaller of two integers."""
        return self.select(self.icmp_signed("<", a, b), a, b)

    def widened(self, vector: ir.Value) -> ir.Value:
        """The same numbers in float64."""
        return vector if self.size == 8 else self.fpext(vector, self.wide)

    def sum_of_lanes(self, vector: ir.Value) -> ir.Value:
        """The sum over the lanes of a vector of float64."""
        kind = ir.FunctionType(ir.DoubleType(), [ir.DoubleType(), self.wide])
        name = f"llvm.vector.reduce.fadd.v{self.lanes}f64"
        add = self.module.globals.get(name) or ir.Function(self.module, kind, name)
        return self.call(add, [ir.Constant(ir.DoubleType(), -0.0), vector], fastmath=("reassoc",))

    def transposed(self, square: list[ir.Value]) -> list[ir.Value]:
        """As many vectors as lanes, transposed: blocks of doubling size are exchanged across the diagonal."""
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
    """`for index in range(0, stop, step)` with values carried from one iteration to the next; `stop` may be 0."""

    def __init__(self, build: Writer, stop: ir.Value, step: int | ir.Value, carried: list[ir.Value], name: str) -> None:
        self.build, self.step = build, integer(step) if isinstance(step, int) else step
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
        """End the body; later instructions come after the loop, where `self.carried` are the final values."""
        for phi, value in zip(self.carried, carried, strict=True):
            phi.add_incoming(value, self.build.block)
        self.index.add_incoming(self.build.add(self.index, self.step), self.build.block)
        self.build.branch(self.head).set_metadata("llvm.loop", self._as_written())
        self.build.position_at_end(self.done)

    def _as_written(self) -> ir.MDValue:
        """Metadata that disables unrolling: two iterations together would need too many registers."""
        module = self.build.module
        node = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
        if node.operands[0] is not node:
            node.operands = (node, *node.operands)  # a loop's metadata begins with itself
        return node


def arguments_of(context, builder: ir.IRBuilder, signature, arguments) -> tuple[ir.Type, list[ir.Value]]:
    """The scalar type, and the arguments with one address for each array and the offset after it."""
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
    """Emit and call the function that `write` writes, of one size."""
    scalar, values = arguments_of(context, builder, signature, arguments)
    builder.call(emitted(builder.module, write, scalar, 1, 1, values), values)
    return context.get_dummy_value()


def emitted(module: ir.Module, write, scalar: ir.Type, rows: int, columns: int, arguments: list) -> ir.Function:
    """The tile as a separate function, so that LLVM allocates registers for it alone."""
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
