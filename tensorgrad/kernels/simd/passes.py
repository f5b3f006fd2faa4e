"""Passes over contiguous elements in explicit vectors, in LLVM IR: sums, and affine functions.

LLVM vectorizes plain loops too, but computes what is left after the last whole vectors element by element, and a plane
of 7×7 has much of that. Here it is computed in masked vectors. A call makes its pass over many units of one length,
each with numbers of its own: a plane with its mean and scale, a row with its mean.

    sums                  Σ x, or Σ x², in float64 from the first addition on
    centered_sums         Σ d and Σ d² with d = x − c
    gradient_sums         Σ g and Σ g · (x − c)
    weighted_sums         Σ g · w and Σ g · w · (x − c)
    column_sums           Σ g and Σ g · ((x − c) · s + t) down the rows of a block
    affine                z = (x − c) · s + t
    weighted_affine       z = ((x − c) · s + t) · w + b
    combination           z = g · r + (x − c) · s + t
    weighted_combination  z = g · w · r + (x − c) · s + t

All arrays of a call have one dtype, float32 or float64, but for sums, which are float64. A sum of float32 numbers runs
in float32 along at most `CHAIN` vectors, beside others, which are then added in float64: its error is at most 1e-6 of
the sum of the absolute values, for any number of elements.
"""

from collections.abc import Callable, Sequence

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.jit.dispatch import helper
from tensorgrad.kernels.simd.emitter import WIDTH, Loop, Writer, emit_one, integer

# Sums that run side by side, since an addition waits for the one before it; and how many vectors each of them takes.
BESIDE, CHAIN = 4, 14

Vectors = list[ir.Value]
# body(place, mask, carried) -> carried, for a vector at a place; the mask is None where the vector is whole
Body = Callable[[ir.Value, ir.Value | None, Vectors], Vectors]


class _Segment:
    """The vectors of a segment of `length` elements: `BESIDE` at a time, and then the rest in masked vectors.

    The masks are the same for all segments, so they are made once, ahead of the loops.
    """

    def __init__(self, build: Writer, length: ir.Value) -> None:
        self.build, self.wide = build, BESIDE * build.lanes
        self.whole = build.and_(length, integer(-self.wide))
        self.rest = build.sub(length, self.whole)
        self.masks = [build.lanes_before(build.sub(self.rest, integer(k * build.lanes))) for k in range(BESIDE)]

    def sweep(self, stop: ir.Value, carried: Vectors, body: Body) -> Vectors:
        """The groups of vectors before `stop`, which is a multiple of their size."""
        each = len(carried) // BESIDE
        loop = Loop(self.build, stop, self.wide, carried, "vectors")
        after: Vectors = []
        for k in range(BESIDE):
            place = self.build.add(loop.index, integer(k * self.build.lanes))
            after += body(place, None, loop.carried[k * each : (k + 1) * each])
        loop.close(after)
        return loop.carried

    def finish(self, start: ir.Value, carried: Vectors, body: Body) -> Vectors:
        """The rest of the segment, from `start` on: two vectors, and two more if there are so many."""
        build, each = self.build, len(carried) // BESIDE
        for first in range(0, BESIDE, 2):
            before = build.block
            more = build.icmp_signed(">", self.rest, integer(first * build.lanes))
            with build.if_then(more):
                after: Vectors = []
                for k in (first, first + 1):
                    place = build.add(start, integer(k * build.lanes))
                    after += body(place, self.masks[k], carried[k * each : (k + 1) * each])
                inside = build.block
            mixed = []
            for value, changed in zip(carried[first * each : (first + 2) * each], after, strict=True):
                phi = build.phi(value.type)
                phi.add_incoming(value, before)
                phi.add_incoming(changed, inside)
                mixed.append(phi)
            carried = carried[: first * each] + mixed + carried[(first + 2) * each :]
        return carried


def read(build: Writer, mask: ir.Value | None, pointer: ir.Value) -> ir.Value:
    """The vector at an address, or its lanes that the mask selects."""
    return build.read(pointer) if mask is None else build.read_where(mask, pointer)


def _less(build: Writer, mask: ir.Value | None, value: ir.Value, center: ir.Value) -> ir.Value:
    """value − center, and 0 beside the mask."""
    difference = build.fsub(value, center)
    return difference if mask is None else build.select(mask, difference, build.zero)


# ---------------------------------------------------------------------------------------------------------------- sums


def _sums(build: Writer, arguments: Sequence[ir.Value], terms: Callable) -> None:
    """out[2u], out[2u + 1] = sums of the `terms(at, place, mask, center)`, two vectors, of each unit u.

    at is the place of a vector in the array, and place that in its segment.
    """
    stride, units, step, count, length, block, centers, out = arguments
    longest, segment = integer(CHAIN * BESIDE * build.lanes), _Segment(build, length)
    unit = Loop(build, units, 1, [], "units")
    first, center = build.mul(unit.index, stride), build.splat(build.load(build.at(centers, unit.index)))
    blocks = Loop(build, count, block, [build.wide_zero] * 2, "blocks")
    some = build.smallest(block, build.sub(count, blocks.index))
    chunks = Loop(build, length, longest, blocks.carried, "chunks")
    segments = Loop(build, some, 1, [build.zero] * (2 * BESIDE), "segments")
    start = build.add(first, build.mul(build.add(blocks.index, segments.index), step))

    def body(place: ir.Value, mask: ir.Value | None, carried: Vectors) -> Vectors:
        place = build.add(chunks.index, place)
        one, other = terms(build.add(start, place), place, mask, center)
        return [build.fadd(carried[0], one), build.multiply_add(one, other, carried[1])]

    whole = build.smallest(longest, build.sub(segment.whole, chunks.index))
    sums, before = segment.sweep(whole, segments.carried, body), build.block
    last = build.icmp_signed(">=", build.add(chunks.index, longest), length)
    with build.if_then(last):
        rest, inside = segment.finish(whole, sums, body), build.block
    both = [build.phi(value.type) for value in sums]
    for phi, value, changed in zip(both, sums, rest, strict=True):
        phi.add_incoming(value, before)
        phi.add_incoming(changed, inside)
    segments.close(both)
    after = []
    for k, total in enumerate(chunks.carried):
        one, two, three, four = segments.carried[k::2]
        after.append(build.fadd(total, build.widened(build.fadd(build.fadd(one, two), build.fadd(three, four)))))
    chunks.close(after)
    blocks.close(chunks.carried)
    target = build.at(out, build.mul(unit.index, integer(2)))
    for k, total in enumerate(blocks.carried):
        build.store(build.sum_of_lanes(total), build.at(target, integer(k)))
    unit.close([])


def _plain_sums(build: Writer, arguments: tuple, term: Callable) -> None:
    """out[u] = Σ term(x), all of it in float64."""
    x, stride, units, length, out = arguments
    segment = _Segment(build, length)
    unit = Loop(build, units, 1, [], "units")
    first = build.at(x, build.mul(unit.index, stride))

    def body(place: ir.Value, mask: ir.Value | None, carried: Vectors) -> Vectors:
        return [build.fadd(carried[0], term(build.widened(read(build, mask, build.at(first, place)))))]

    whole = segment.sweep(segment.whole, [build.wide_zero] * BESIDE, body)
    one, two, three, four = segment.finish(segment.whole, whole, body)
    total = build.fadd(build.fadd(one, two), build.fadd(three, four))
    build.store(build.sum_of_lanes(total), build.at(out, unit.index))
    unit.close([])


def _sums_of_numbers(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    _plain_sums(build, arguments, lambda wide: wide)


def _sums_of_squares(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    _plain_sums(build, arguments, lambda wide: build.fmul(wide, wide))


def _centered_sums(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, *others = arguments

    def terms(at, _, mask, center):
        difference = _less(build, mask, read(build, mask, build.at(x, at)), center)
        return difference, difference

    _sums(build, others, terms)


def _gradient_sums(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, x, *others = arguments

    def terms(at, _, mask, center):
        upstream = read(build, mask, build.at(g, at))
        return upstream, _less(build, mask, read(build, mask, build.at(x, at)), center)

    _sums(build, others, terms)


def _weighted_sums(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, x, w, *others = arguments

    def terms(at, place, mask, center):
        weighted = build.fmul(read(build, mask, build.at(g, at)), read(build, mask, build.at(w, place)))
        return weighted, _less(build, mask, read(build, mask, build.at(x, at)), center)

    _sums(build, others, terms)


def _column_sums(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, x, step, count, length, numbers, out, out_step = arguments
    strips = Loop(build, length, BESIDE * build.lanes, [], "strips")
    left = build.sub(length, strips.index)
    masks = [build.lanes_before(build.sub(left, integer(k * build.lanes))) for k in range(BESIDE)]
    lines = Loop(build, count, 1, [build.zero] * (2 * BESIDE), "rows")
    start = build.add(build.mul(lines.index, step), strips.index)
    table = build.at(numbers, build.mul(lines.index, integer(3)))
    c, s, t = (build.splat(build.load(build.at(table, integer(k)))) for k in range(3))
    after: Vectors = []
    for k, mask in enumerate(masks):
        at = build.add(start, integer(k * build.lanes))
        upstream, source = [build.read_where(mask, build.at(array, at)) for array in (g, x)]
        total, product = lines.carried[2 * k : 2 * k + 2]
        standard = build.multiply_add(build.fsub(source, c), s, t)
        after += [build.fadd(total, upstream), build.multiply_add(upstream, standard, product)]
    lines.close(after)
    for k, vector in enumerate(lines.carried):
        place = build.at(out, strips.index, integer(k // 2 * build.lanes), *[out_step] * (k % 2))
        place = build.bitcast(place, build.wide.as_pointer())
        build.store(build.fadd(build.load(place, align=8), build.widened(vector)), place, align=8)
    strips.close([])


# ---------------------------------------------------------------------------------------------------------------- maps


def _map(build: Writer, target: ir.Value, arguments: Sequence[ir.Value], count: int, value: Callable) -> None:
    """target = `value(at, place, mask, numbers)`, vectors, for each unit; `count` numbers per unit, of the table."""
    stride, units, length, table = arguments
    segment = _Segment(build, length)
    unit = Loop(build, units, 1, [], "units")
    first, line = build.mul(unit.index, stride), build.at(table, build.mul(unit.index, integer(count)))
    numbers = [build.splat(build.load(build.at(line, integer(k)))) for k in range(count)]

    def body(place: ir.Value, mask: ir.Value | None, _: Vectors) -> Vectors:
        at = build.add(first, place)
        result = value(at, place, mask, *numbers)
        if mask is None:
            build.write(result, build.at(target, at))
        else:
            build.write_where(mask, result, build.at(target, at))
        return []

    segment.sweep(segment.whole, [], body)
    segment.finish(segment.whole, [], body)
    unit.close([])


def _affine(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, z, *others = arguments

    def value(at, place, mask, c, s, t):
        return build.multiply_add(build.fsub(read(build, mask, build.at(x, at)), c), s, t)

    _map(build, z, others, 3, value)


def _weighted_affine(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, w, b, z, *others = arguments

    def value(at, place, mask, c, s, t):
        factor, term = [read(build, mask, build.at(array, place)) for array in (w, b)]
        standard = build.multiply_add(build.fsub(read(build, mask, build.at(x, at)), c), s, t)
        return build.multiply_add(standard, factor, term)

    _map(build, z, others, 3, value)


def _combination(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, x, z, *others = arguments

    def value(at, place, mask, r, c, s, t):
        upstream, source = [read(build, mask, build.at(array, at)) for array in (g, x)]
        return build.multiply_add(upstream, r, build.multiply_add(build.fsub(source, c), s, t))

    _map(build, z, others, 4, value)


def _weighted_combination(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    g, x, w, z, *others = arguments

    def value(at, place, mask, r, c, s, t):
        upstream, source = [read(build, mask, build.at(array, at)) for array in (g, x)]
        weighted = build.fmul(upstream, read(build, mask, build.at(w, place)))
        return build.multiply_add(weighted, r, build.multiply_add(build.fsub(source, c), s, t))

    _map(build, z, others, 4, value)


# ----------------------------------------------------------------------------------------------------------- intrinsics

_N = types.intp


@helper
def strip(itemsize):
    """The number of elements in the vectors that are summed side by side."""
    return BESIDE * WIDTH // itemsize


@helper
def block_of(length, itemsize):
    """How many segments of this length can be summed before a sum has taken `CHAIN` vectors."""
    wide = BESIDE * WIDTH // itemsize
    return max(1, CHAIN // max(1, -(-length // wide)))


@intrinsic
def sums(typing, x, x_at, stride, units, length, out, out_at):
    """out[u] = Σ x over `length` elements, for `units` units, `stride` apart, all in float64."""
    return types.void(x, *[_N] * 4, out, _N), lambda *call: emit_one(*call, _sums_of_numbers)


@intrinsic
def sums_of_squares(typing, x, x_at, stride, units, length, out, out_at):
    """out[u] = Σ x², as `sums`."""
    return types.void(x, *[_N] * 4, out, _N), lambda *call: emit_one(*call, _sums_of_squares)


@intrinsic
def centered_sums(typing, x, x_at, stride, units, step, count, length, block, centers, c_at, out, out_at):
    """out[u] = (Σ d, Σ d²) with d = x − centers[u] for `units` units u, `stride` apart in x.

    A unit is `count` segments of `length` elements, `step` apart; for `block` see `block_of`.
    """
    return types.void(x, *[_N] * 7, centers, _N, out, _N), lambda *call: emit_one(*call, _centered_sums)


@intrinsic
def gradient_sums(typing, g, g_at, x, x_at, stride, units, step, count, length, block, centers, c_at, out, out_at):
    """out[u] = (Σ g, Σ g · (x − centers[u])), as `centered_sums`."""
    return types.void(g, _N, x, *[_N] * 7, centers, _N, out, _N), lambda *call: emit_one(*call, _gradient_sums)


@intrinsic
def weighted_sums(typing, g, g_at, x, x_at, w, w_at, stride, units, step, count, length, block, centers, c_at,
                  out, out_at):  # fmt: skip
    """out[u] = (Σ g · w, Σ g · w · (x − centers[u])), as `centered_sums`; w holds the weights of a segment."""
    return types.void(g, _N, x, _N, w, *[_N] * 7, centers, _N, out, _N), lambda *call: emit_one(*call, _weighted_sums)


@intrinsic
def column_sums(typing, g, g_at, x, x_at, step, count, length, numbers, n_at, out, out_at, out_step):
    """out[0, q] += Σ_r g[r, q] and out[1, q] += Σ_r g[r, q] · ((x[r, q] − c[r]) · s[r] + t[r]) for q < length.

    The `count` rows, at most `CHAIN`, are `step` apart; numbers `(rows, 3)` are their c, s and t. The rows of out are
    `out_step` apart, with space for `length` rounded up to a multiple of `strip`.
    """
    return types.void(g, _N, x, *[_N] * 4, numbers, _N, out, _N, _N), lambda *call: emit_one(*call, _column_sums)


@intrinsic
def affine(typing, x, x_at, z, z_at, stride, units, length, numbers, n_at):
    """z = (x − c) · s + t for `units` units of `length` elements, `stride` apart; numbers `(units, 3)`: c, s, t."""
    return types.void(x, _N, z, *[_N] * 4, numbers, _N), lambda *call: emit_one(*call, _affine)


@intrinsic
def weighted_affine(typing, x, x_at, w, w_at, b, b_at, z, z_at, stride, units, length, numbers, n_at):
    """z = ((x − c) · s + t) · w + b, as `affine`, with the w and b of a unit."""
    signature = types.void(x, _N, w, _N, b, _N, z, *[_N] * 4, numbers, _N)
    return signature, lambda *call: emit_one(*call, _weighted_affine)


@intrinsic
def combination(typing, g, g_at, x, x_at, z, z_at, stride, units, length, numbers, n_at):
    """z = g · r + (x − c) · s + t, as `affine`; numbers `(units, 4)`: r, c, s, t."""
    return types.void(g, _N, x, _N, z, *[_N] * 4, numbers, _N), lambda *call: emit_one(*call, _combination)


@intrinsic
def weighted_combination(typing, g, g_at, x, x_at, w, w_at, z, z_at, stride, units, length, numbers, n_at):
    """z = g · w · r + (x − c) · s + t, as `combination`, with the w of a unit."""
    signature = types.void(g, _N, x, _N, w, _N, z, *[_N] * 4, numbers, _N)
    return signature, lambda *call: emit_one(*call, _weighted_combination)
