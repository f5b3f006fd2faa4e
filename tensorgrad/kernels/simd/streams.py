"""Stores that go past the caches, for numbers that another core reads next."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.simd.emitter import HALF, WIDTH, Loop, Writer, emit_one


def _copied(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, z, count = arguments
    past_the_caches = build.module.add_metadata([ir.Constant(HALF, 1)])
    loop = Loop(build, count, build.lanes, [], "vectors")
    mask = build.lanes_before(build.sub(count, loop.index))
    value = build.read_where(mask, build.at(x, loop.index))
    target = build.bitcast(build.at(z, loop.index), build.vector.as_pointer())
    build.store(value, target, align=WIDTH).set_metadata("nontemporal", past_the_caches)
    loop.close([])
    build.fence("seq_cst")  # such stores are in no order with others, such as that of a counter


@intrinsic
def copied(typing, x, x_at, z, z_at, count):
    """z = x for `count` elements, past the caches.

    z begins with a cache line, and goes on to the end of its last vector: only whole lines are written at full speed.
    """
    return types.void(x, types.intp, z, types.intp, types.intp), lambda *call: emit_one(*call, _copied)
