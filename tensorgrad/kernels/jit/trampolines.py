"""Calls of machine code by address, from machine code: what lets one loop run every kernel.

A function that names another is compiled together with it; one that knows its address isn't. Each kernel has its own
signature. So its arguments are packed into an array of eight-byte integers, and a *trampoline*, a function that knows
the signature, unpacks them and calls the kernel.
"""

import hashlib
from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from tensorgrad.kernels.jit.compiler import OptimizedOnce

_INT64 = ir.IntType(64)
_PACKED = _INT64.as_pointer()
_TRAMPOLINE = ir.FunctionType(ir.VoidType(), (_PACKED, _INT64, _INT64))


@intrinsic
def call(typing, address, arguments, index, chunks):
    """Call the kernel at `address` with a tuple of arguments, in numba's own convention."""

    def emit(context, builder, signature, values):
        unpacked = [builder.extract_value(values[1], k) for k in range(len(arguments.types))]
        _call(context, builder, values[0], (*arguments.types, index, chunks), [*unpacked, *values[2:]])
        return context.get_dummy_value()

    return types.void(address, arguments, index, chunks), emit


@intrinsic
def packed_arguments(typing, address, arguments):
    """The address of the packed arguments: the address of the kernel, and a tuple of its arguments.

    An array is packed as numba's structure: two pointers, size, item size, address, shape, strides. The packed
    arguments lie on the caller's stack.
    """

    def emit(context, builder, signature, values):
        packer = context.get_arg_packer(arguments.types)
        unpacked = [builder.extract_value(values[1], k) for k in range(len(arguments.types))]
        flat = [values[0], *packer.as_arguments(builder, unpacked)]
        packed = cgutils.alloca_once(builder, _INT64, size=len(flat))
        for k, value in enumerate(flat):
            builder.store(value, _slot(builder, packed, k, value.type))
        return builder.ptrtoint(packed, _INT64)

    return types.intp(address, arguments), emit


@intrinsic
def call_trampoline(typing, trampoline, packed, index, chunks):
    """Run one chunk of the kernel whose packed arguments are at this address."""

    def emit(context, builder, signature, values):
        pointers = [builder.inttoptr(values[0], _TRAMPOLINE.as_pointer()), builder.inttoptr(values[1], _PACKED)]
        builder.call(pointers[0], [pointers[1], *values[2:]])
        return context.get_dummy_value()

    return types.void(trampoline, packed, index, chunks), emit


@intrinsic
def status_at(typing, packed):
    """The int32 status flag: at `packed` lies its address."""

    def emit(context, builder, signature, values):
        address = builder.load(builder.inttoptr(values[0], _PACKED))
        return builder.load(builder.inttoptr(address, ir.IntType(32).as_pointer()))

    return types.int32(packed), emit


@cache
def trampoline(kinds: tuple) -> int:
    """The address of a function (packed arguments, index, chunks) that calls the kernel with arguments of these types.

    It is so short that to emit it takes no longer than to load it from a cache.
    """
    context: Any = cpu_target.target_context
    name = f"trampoline_{hashlib.sha256(repr(kinds).encode()).hexdigest()[:16]}"
    with global_compiler_lock:
        library = OptimizedOnce(context.codegen(), name)
        module = library.create_ir_module(name)
        function = ir.Function(module, _TRAMPOLINE, name)
        builder, (packed, index, chunks) = ir.IRBuilder(function.append_basic_block()), function.args
        kernel = context.call_conv.get_function_type(types.none, (*kinds, types.intp, types.intp))
        unused = [builder.alloca(kind.pointee) for kind in kernel.args[:2]]  # the result and the exception of a kernel
        flat = [builder.load(_slot(builder, packed, k, kind)) for k, kind in enumerate(kernel.args[2:-2], 1)]
        builder.call(builder.inttoptr(builder.load(packed), kernel.as_pointer()), [*unused, *flat, index, chunks])
        builder.ret_void()
        library.add_ir_module(module)
        library.finalize()
        return library.get_pointer_to_function(name)


def _slot(builder: ir.IRBuilder, packed: ir.Value, k: int, kind: ir.Type) -> ir.Value:
    return builder.bitcast(builder.gep(packed, [_INT64(k)]), kind.as_pointer())


def _call(context: Any, builder: ir.IRBuilder, address: ir.Value, kinds: tuple, values: list) -> None:
    function = context.call_conv.get_function_type(types.none, kinds)
    context.call_conv.call_function(
        builder, builder.inttoptr(address, function.as_pointer()), types.none, kinds, values
    )
