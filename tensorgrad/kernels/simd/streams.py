"""Stores that go past the caches, for numbers that another core reads next."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.simd.emitter import HALF, WIDTH, Loop, Writer, emit_one

LINE = 64
"""Bytes of a cache line. What is streamed begins with one, since only whole lines go past the caches at full speed."""


def _scaled(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    x, factor, z, kept, count = arguments
    past_the_caches = build.module.add_metadata([ir.Constant(HALF, 1)])
    factors = build.splat(factor)
    loop = Loop(build, count, build.lanes, [], "vectors")
    mask = build.lanes_before(build.sub(count, loop.index))
    value = build.fmul(build.read_where(mask, build.at(x, loop.index)), factors)
    target = build.bitcast(build.at(z, loop.index), build.vector.as_pointer())
    build.store(value, target, align=WIDTH).set_metadata("nontemporal", past_the_caches)
    build.write_where(mask, value, build.at(kept, loop.index))
    loop.close([])
    build.fence("seq_cst")  # such stores are in no order with others, such as that of a counter


@intrinsic
def scaled(typing, x, x_at, factor, z, z_at, kept, kept_at, count):
    """z = x · factor, past the caches, and kept = x · factor, which may be x, for `count` elements.

    z begins with a cache line, and goes on to the end of its last vector.
    """
    signature = types.void(x, types.intp, factor, z, types.intp, kept, types.intp, types.intp)
    return signature, lambda *call: emit_one(*call, _scaled)
