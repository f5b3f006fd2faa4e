"""Images packed into lines, in explicit vectors (LLVM IR): im2row for whole images, not row by row.

pack_lines   target[c, j, p, r, n, q] = source[n, c, r · s + p − above, q · s' + shift + j · step], zero outside of it
clear        values[start … end] = 0
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tensorgrad.kernels.simd.emitter import INT, Loop, Writer, emit_one, integer


def _pack_lines(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    *numbers, stride = arguments
    with build.if_else(build.icmp_unsigned("==", stride, integer(1))) as (one, more):
        with one:
            _in_vectors(build, tuple(numbers), 1)
        with more, build.if_else(build.icmp_unsigned("==", stride, integer(2))) as (two, others):
            with two:
                _in_vectors(build, tuple(numbers), 2)
            with others:
                _lines(build, tuple(numbers), stride, 1, long=True)


def _in_vectors(build: Writer, arguments: tuple, stride: int) -> None:
    """In vectors of so many lanes as a row needs: a longer one mostly lies across two lines of the cache."""
    count, lanes = arguments[6], build.lanes
    with build.if_else(build.icmp_unsigned(">", count, integer(lanes // 2))) as (longer, shorter):
        with longer:
            _lines(build, arguments, stride, lanes, long=True)
        with shorter, build.if_else(build.icmp_unsigned(">", count, integer(lanes // 4))) as (half, quarter):
            with half:
                _lines(build, arguments, stride, lanes // 2, long=False)
            with quarter:
                _lines(build, arguments, stride, max(1, lanes // 4), long=False)


def _lines(build: Writer, arguments: tuple, stride: int | ir.Value, lanes: int, long: bool) -> None:
    """All lines in the order of addresses, since a vector overruns into what is written later.

    Unless `long`, a row is one vector.
    """
    target, channels, copies, phases, rows, images, count, columns, *others = arguments
    source, plane, image, width, step_h, above, first, more, last, last_more, shift, step = others
    source_row = build.mul(width, step_h)

    def within(value: ir.Value, least: ir.Value) -> ir.Value:
        value = build.select(build.icmp_signed(">", value, least), value, least)
        return build.smallest(value, rows)

    with build.narrow(lanes):
        c = Loop(build, channels, 1, [target], "channels")
        j = Loop(build, copies, 1, c.carried, "copies")
        p = Loop(build, phases, 1, j.carried, "phases")
        line = p.carried[0]
        # The rows inside the source: from ⌈(above − p) / s⌉ to ⌈(above + height − p) / s⌉.
        begin, end = (
            build.add(whole, build.zext(build.icmp_signed("<", p.index, rest), INT))
            for whole, rest in ((first, more), (last, last_more))
        )
        begin = within(begin, integer(0))
        end = within(end, begin)
        _zeros(build, line, build.mul(begin, columns))
        row = build.sub(build.add(build.mul(begin, step_h), p.index), above)
        here = build.at(source, build.mul(c.index, plane), build.mul(row, width))
        sizes = images, count, columns, image, source_row, width
        shifted = build.add(shift, build.mul(j.index, step))
        _rows(
            build, build.at(line, build.mul(begin, columns)), here, build.sub(end, begin), shifted, sizes, stride, long
        )
        _zeros(build, build.at(line, build.mul(end, columns)), build.mul(build.sub(rows, end), columns))
        p.close([build.at(line, build.mul(rows, columns))])
        j.close(p.carried)
        c.close(j.carried)


def _rows(
    build: Writer,
    there: ir.Value,
    here: ir.Value,
    rows: ir.Value,
    shift: ir.Value,
    sizes: tuple,
    stride: int | ir.Value,
    long: bool,
) -> None:
    images, count, columns, image, step, width = sizes
    known_stride = stride if isinstance(stride, int) else 1  # a stride that isn't known goes pixel by pixel

    def move(start: ir.Value) -> None:
        place = build.add(build.mul(start, integer(stride) if isinstance(stride, int) else stride), shift)
        with build.narrow(known_stride * build.lanes):
            mask = build.first_lanes(width, place)
        row = Loop(build, rows, 1, [], "rows")
        to, at = build.mul(row.index, columns), build.mul(row.index, step)
        n = Loop(build, images, 1, [], "images")
        with build.narrow(known_stride * build.lanes):
            value = build.read_where(mask, build.at(here, at, build.mul(n.index, image), place))
        if known_stride > 1:
            value = build.pick(value, value, list(range(0, known_stride * build.lanes, known_stride)))
        build.write(value, build.at(there, to, build.mul(n.index, count), start))
        n.close([])
        row.close([])

    if not long:
        move(integer(0))
        return
    last = build.and_(build.sub(count, integer(1)), integer(-build.lanes))
    # Backwards: what a row's last vector overruns is the beginning of the next row.
    vectors = Loop(build, build.add(last, integer(1)), build.lanes, [], "vectors")
    move(build.sub(last, vectors.index))
    vectors.close([])


def _zeros(build: Writer, place: ir.Value, count: ir.Value) -> None:
    """At least so many zeros, in whole vectors."""
    vectors = Loop(build, count, build.lanes, [], "zeros")
    build.write(build.zero, build.at(place, vectors.index))
    vectors.close([])


@intrinsic
def pack_lines(typing, target, target_at, channels, copies, phases, rows, images, count, columns, source, source_at,
               plane, image, width, stride_h, above, first, more, last, last_more, shift, step, stride_w):  # fmt: skip
    """target[c, j, p, r, n, q] = source[n, c, r · s + p − above, q · s' + shift + j · step], zero outside the source.

    s is `stride_h`, and s' is `stride_w`. A row r has `columns` elements, `count` of each image n. Of the
    source, `plane` lies from one channel c to the next, `image` from one image to the next, and a row has `width`.
    `first` and `more` are the quotient and the remainder of above / s, `last` and `last_more` of (above + height) / s.

    Vector stores overrun: the elements after target, up to a whole vector, are overwritten.
    """
    n = types.intp
    return types.void(target, *[n] * 8, source, *[n] * 13), lambda *call: emit_one(*call, _pack_lines)


@intrinsic
def clear(typing, values, start, end):
    """Zeros from `start` to `end` of a line, which a loop in numba may write one by one."""

    def emit(context, builder: ir.IRBuilder, signature, arguments) -> ir.Constant:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        size = context.get_abi_sizeof(context.get_value_type(signature.args[0].dtype))
        length = builder.mul(builder.sub(arguments[2], arguments[1]), integer(size))
        cgutils.memset(builder, builder.gep(data, [arguments[1]]), length, 0)
        return context.get_dummy_value()

    return types.void(values, types.intp, types.intp), emit
