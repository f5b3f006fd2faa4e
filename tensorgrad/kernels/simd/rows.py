"""Sums of rows in explicit vectors, in LLVM IR: the columns of a matrix added up in float64.

add_rows      sums[k] += Σ_r x[r, k]
add_squares   sums[k] += Σ_r x[r, k]²
"""

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.simd.emitter import Loop, Writer, emit_one, integer
from tensorgrad.kernels.simd.passes import read

# Rows that are added to each other before they are added to the sums; and vectors of columns whose sums stay in
# registers while the rows stream past.
TOGETHER, BESIDE = 4, 4


def _rows(build: Writer, arguments: tuple, term: Callable[[ir.Value], ir.Value]) -> None:
    x, step, count, length, sums = arguments
    whole = build.and_(length, integer(-BESIDE * build.lanes))
    for start, stop, beside in ((integer(0), whole, BESIDE), (whole, build.sub(length, whole), BESIDE // 2)):
        strips = Loop(build, stop, beside * build.lanes, [], f"strips.{beside}")
        places = [build.add(start, build.add(strips.index, integer(k * build.lanes))) for k in range(beside)]
        masks = [build.lanes_before(build.sub(length, place)) if beside < BESIDE else None for place in places]
        _columns(build, (x, step, count, sums), list(zip(places, masks, strict=True)), term)
        strips.close([])


def _columns(build: Writer, arguments: tuple, places: list[tuple], term: Callable) -> None:
    """The sums of the vectors of columns at `places`, each with a mask, or None where the vector is whole."""
    x, step, count, sums = arguments
    targets = [build.bitcast(build.at(sums, place), build.wide.as_pointer()) for place, _ in places]
    totals, whole = [build.load(target, align=8) for target in targets], build.and_(count, integer(-TOGETHER))
    for start, rows, together in ((integer(0), whole, TOGETHER), (whole, build.sub(count, whole), 1)):
        row = Loop(build, rows, together, totals, f"rows.{together}")
        first = build.at(x, build.mul(build.add(start, row.index), step))
        lines = [build.at(first, build.mul(step, integer(r))) for r in range(together)]
        after = []
        for (place, mask), total in zip(places, row.carried, strict=True):
            terms = [term(build.widened(read(build, mask, build.at(line, place)))) for line in lines]
            while len(terms) > 1:
                terms = [build.fadd(one, two) for one, two in zip(terms[::2], terms[1::2], strict=True)]
            after.append(build.fadd(total, terms[0]))
        row.close(after)
        totals = row.carried
    for target, total in zip(targets, totals, strict=True):
        build.store(total, target, align=8)


def _add_rows(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    _rows(build, arguments, lambda wide: wide)


def _add_squares(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    _rows(build, arguments, lambda wide: build.fmul(wide, wide))


@intrinsic
def add_rows(typing, x, x_at, step, count, length, sums, sums_at):
    """sums[k] += Σ_r x[r · step + k] for r < `count`, k < `length`, in float64.

    Whole vectors of the sums are read and written, with as many elements as vectors of x.
    """
    n = types.intp
    return types.void(x, n, n, n, n, sums, n), lambda *call: emit_one(*call, _add_rows)


@intrinsic
def add_squares(typing, x, x_at, step, count, length, sums, sums_at):
    """sums[k] += Σ_r x[r · step + k]², as `add_rows`."""
    n = types.intp
    return types.void(x, n, n, n, n, sums, n), lambda *call: emit_one(*call, _add_squares)
