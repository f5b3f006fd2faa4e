"""The nonzero elements of a gradient behind 2×2 max pooling, found a vector at a time: see `sparse`.

    find_in_planes     the nonzero element of each 2×2 window, and its corner of the window
    find_in_windows    the same from the indices that the pooling kept
    list_by_line       the nonzero elements of each line, packed, and the place of each
    list_by_corner     the same, sorted by the corner of the window

Corners are counted row by row, in the dtype of the arrays: 0 and 1 above, 2 and 3 below.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.pool.blocks import window_pixels
from tensorgrad.kernels.simd.emitter import HALF, Loop, Writer, emit_one, integer


def _find_in_planes(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    values, corners, count, x, width, left, lines, flag = arguments
    none = ir.Constant(ir.VectorType(ir.IntType(1), build.lanes), [False] * build.lanes)
    line = Loop(build, lines, 1, [none], "lines")
    pixels = window_pixels(build, build.at(x, build.mul(line.index, build.mul(width, integer(2)))), width, left)
    value, corner, found, several = build.zero, build.zero, none, line.carried[0]
    for number, pixel in enumerate(pixels):
        there = build.fcmp_unordered("!=", pixel, build.zero)
        value = build.select(there, pixel, value)
        corner = build.select(there, build.all(float(number)), corner)
        several, found = build.or_(several, build.and_(there, found)), build.or_(there, found)
    target = build.add(build.mul(line.index, count), build.lshr(left, integer(1)))
    build.write(value, build.at(values, target))
    build.write(corner, build.at(corners, target))
    line.close([several])
    _set_flag(build, line.carried[0], flag)


def _find_in_windows(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    values, corners, g, z, indices, bases, width, count, lines, flag = arguments
    none = ir.Constant(ir.VectorType(ir.IntType(1), build.lanes), [False] * build.lanes)
    one, wide = (build.splat(build.trunc(number, HALF)) for number in (integer(1), width))
    line = Loop(build, lines, 1, [none], "lines")
    first = build.mul(line.index, count)
    vectors = Loop(build, count, build.lanes, line.carried, "vectors")
    mask, at = build.first_lanes(build.sub(count, vectors.index)), build.add(first, vectors.index)
    passes = build.fcmp_unordered(">", build.read_where(mask, build.at(z, at)), build.zero)
    value = build.select(passes, build.read_where(mask, build.at(g, at)), build.zero)
    base = build.read_integers_where(mask, build.at(bases, vectors.index))
    step = build.sub(build.read_integers_where(mask, build.at(indices, at)), base)
    below = build.icmp_signed(">=", step, wide)
    beside = build.select(below, build.sub(step, wide), step)
    strays = build.and_(mask, build.icmp_unsigned(">", beside, one))
    corner = build.fadd(build.sitofp(beside, build.vector), build.select(below, build.all(2.0), build.zero))
    build.write(value, build.at(values, at))
    build.write(corner, build.at(corners, at))
    vectors.close([build.or_(strays, vectors.carried[0])])
    line.close(vectors.carried)
    _set_flag(build, line.carried[0], flag)


def _set_flag(build: Writer, mask: ir.Value, flag: ir.Value) -> None:
    """Set the bits of the lanes that the mask selects."""
    bits = build.zext(build.bitcast(mask, ir.IntType(build.lanes)), HALF)
    build.store(build.or_(build.load(flag), bits), flag)


def _append(build: Writer, mask: ir.Value, lists: dict[ir.Value, ir.Value], found: ir.Value) -> ir.Value:
    """Write the lanes that the mask selects to each list, behind `found` others. How many there are now."""
    for target, values in lists.items():
        build.write(build.compressed(mask, values), build.at(target, found))
    return build.add(found, build.count(mask))


def _list_by_line(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    out_values, out_places, starts, values, corners, bases, row, pixel, count, lines = arguments
    down, right = (build.splat(build.trunc(step, HALF)) for step in (row, pixel))
    none = ir.Constant(ir.VectorType(HALF, build.lanes), [0] * build.lanes)
    line = Loop(build, lines, 1, [integer(0)], "lines")
    build.store(build.trunc(line.carried[0], HALF), build.at(starts, line.index))
    first = build.mul(line.index, count)
    vectors = Loop(build, count, build.lanes, line.carried, "vectors")
    mask = build.first_lanes(build.sub(count, vectors.index))
    value = build.read_where(mask, build.at(values, first, vectors.index))
    corner = build.read_where(mask, build.at(corners, first, vectors.index))
    place = build.read_integers_where(mask, build.at(bases, vectors.index))
    # Corners count 0, 1 above and 2, 3 below.
    below = build.fcmp_ordered(">=", corner, build.all(2.0))
    beside = build.fsub(corner, build.select(below, build.all(2.0), build.zero))
    place = build.add(place, build.select(below, down, none))
    place = build.add(place, build.select(build.fcmp_ordered(">", beside, build.zero), right, none))
    there = build.fcmp_unordered("!=", value, build.zero)
    vectors.close([_append(build, there, {out_values: value, out_places: place}, vectors.carried[0])])
    line.close(vectors.carried)
    build.store(build.trunc(line.carried[0], HALF), build.at(starts, lines))


def _list_by_corner(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    out_values, out_places, starts, values, corners, step, count, lines = arguments
    lane = ir.Constant(ir.VectorType(HALF, build.lanes), list(range(build.lanes)))
    steps = build.splat(build.trunc(step, HALF))
    line = Loop(build, lines, 1, [integer(0)], "lines")
    first, found = build.mul(line.index, count), line.carried[0]
    for corner in range(4):
        start = build.at(starts, build.mul(line.index, integer(4)), integer(corner))
        build.store(build.trunc(found, HALF), start)
        vectors = Loop(build, count, build.lanes, [found], f"corner{corner}")
        value = build.read(build.at(values, first, vectors.index))
        here = build.read(build.at(corners, first, vectors.index))
        mask = build.fcmp_ordered("==", here, build.all(float(corner)))
        mask = build.and_(mask, build.fcmp_unordered("!=", value, build.zero))
        place = build.mul(build.add(lane, build.splat(build.trunc(vectors.index, HALF))), steps)
        vectors.close([_append(build, mask, {out_values: value, out_places: place}, vectors.carried[0])])
        found = vectors.carried[0]
    line.close([found])
    build.store(build.trunc(line.carried[0], HALF), build.at(starts, build.mul(lines, integer(4))))


@intrinsic
def find_in_planes(typing, values, values_at, corners, corners_at, count, x, x_at, width, left, lines, flag, flag_at):
    """The nonzero element of each window at columns left, left + 2, … of x, in each of `lines` lines of windows.

    values and corners get `count` numbers per line; elements behind them, up to a whole vector, are overwritten. Sets
    `flag` (32 bits) if a window has two nonzero elements.
    """
    n = types.intp
    signature = types.void(values, n, corners, n, n, x, n, n, n, n, flag, n)
    return signature, lambda *call: emit_one(*call, _find_in_planes)


@intrinsic
def find_in_windows(typing, values, values_at, corners, corners_at, g, g_at, z, z_at, indices, indices_at, bases,
                    bases_at, width, count, lines, flag, flag_at):  # fmt: skip
    """The same from the indices and g, which counts where z > 0: `lines` lines of `count` windows that begin at bases.

    Sets the flag if an index isn't one of its window's. `width` is the number of columns of a plane.
    """
    n = types.intp
    signature = types.void(values, n, corners, n, g, n, z, n, indices, n, bases, n, n, n, n, flag, n)
    return signature, lambda *call: emit_one(*call, _find_in_windows)


@intrinsic
def list_by_line(typing, out_values, out_values_at, places, places_at, starts, starts_at, values, values_at, corners,
                 corners_at, bases, bases_at, row, pixel, count, lines):  # fmt: skip
    """The nonzero elements of `lines` lines of `count` values: out_values, places[starts[k] … starts[k + 1]].

    The place of value m is bases[m], `row` further if its corner is one below and `pixel` if it is one to the right.
    places, starts and bases are 32-bit integers; what follows out_values and places, up to a whole vector, is
    overwritten.
    """
    n = types.intp
    signature = types.void(out_values, n, places, n, starts, n, values, n, corners, n, bases, n, n, n, n, n)
    return signature, lambda *call: emit_one(*call, _list_by_line)


@intrinsic
def list_by_corner(typing, out_values, out_values_at, places, places_at, starts, starts_at, values, values_at, corners,
                   corners_at, step, count, lines):  # fmt: skip
    """The nonzero elements of each line, corner by corner: out_values, places from starts[4 · k + corner] on.

    The place of value m of a line is m · step; `count` is a multiple of a vector. Otherwise as `list_by_line`.
    """
    n = types.intp
    signature = types.void(out_values, n, places, n, starts, n, values, n, corners, n, n, n, n)
    return signature, lambda *call: emit_one(*call, _list_by_corner)
