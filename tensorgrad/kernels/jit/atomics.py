"""What threads of one kernel use to agree: atomic reads and writes of integers, and pauses while they wait.

All are sequentially consistent: what a thread wrote before an atomic write is seen by whoever has read that.
"""

import ctypes
import sys
from contextlib import suppress
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

ORDER = "seq_cst"

# LLVM's name of the instruction with which a core waits, leaving its other thread alone for a moment, and its operands.
_PAUSE: tuple[str, tuple[int, ...]] | None = None
_TRIPLE = cpu_target.target_context.codegen().magic_tuple()[0]
if _TRIPLE.startswith(("x86", "i386", "i686")):
    _PAUSE = "llvm.x86.sse2.pause", ()
elif _TRIPLE.startswith(("aarch64", "arm64")):
    _PAUSE = "llvm.aarch64.hint", (1,)


def yield_address() -> int:
    """The address of the system's function that lets another program have this core; 0 if there is none."""
    windows = sys.platform == "win32"
    with suppress(AttributeError, OSError, TypeError):
        library: Any = ctypes.WinDLL("kernel32") if windows else ctypes.CDLL(None)  # type: ignore[attr-defined]
        function = library.SwitchToThread if windows else library.sched_yield
        return ctypes.cast(function, ctypes.c_void_p).value or 0
    return 0


def _place(context, builder, signature, values):
    """The pointer to element k of a flat array of integers."""
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return cgutils.gep(builder, array.data, values[1])


@intrinsic
def atomic_load(typing, array, k):
    """Read array[k]."""

    def emit(context, builder, signature, values):
        return builder.load_atomic(_place(context, builder, signature, values), ORDER, 8)

    return array.dtype(array, types.intp), emit


@intrinsic
def atomic_store(typing, array, k, value):
    """Write array[k] = value."""

    def emit(context, builder, signature, values):
        builder.store_atomic(values[2], _place(context, builder, signature, values), ORDER, 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), emit


@intrinsic
def atomic_add(typing, array, k, value):
    """Add to array[k]; returns what it was."""

    def emit(context, builder, signature, values):
        return builder.atomic_rmw("add", _place(context, builder, signature, values), values[2], ORDER)

    return array.dtype(array, types.intp, array.dtype), emit


@intrinsic
def compare_and_swap(typing, array, k, expected, value):
    """Write array[k] = value if it is as expected; returns whether it was."""

    def emit(context, builder, signature, values):
        place = _place(context, builder, signature, values)
        return builder.extract_value(builder.cmpxchg(place, values[2], values[3], ORDER, ORDER), 1)

    return types.boolean(array, types.intp, array.dtype, array.dtype), emit


@intrinsic
def pause(typing):
    """Wait for some cycles."""

    def emit(context, builder, signature, values):
        if _PAUSE is not None:
            name, numbers = _PAUSE
            operands = [ir.IntType(32)(number) for number in numbers]
            kind = ir.FunctionType(ir.VoidType(), [x.type for x in operands])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def call_plain(typing, address):
    """Call a C function without arguments at this address."""

    def emit(context, builder, signature, values):
        function = ir.FunctionType(ir.IntType(32), []).as_pointer()
        builder.call(builder.inttoptr(values[0], function), [])
        return context.get_dummy_value()

    return types.void(address), emit
