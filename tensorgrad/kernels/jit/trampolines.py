"""Calls of machine code by address, from machine code: what lets one loop run every kernel.

A function that names another is compiled together with it; one that knows its address isn't. Each kernel has its own
signature. So its arguments are packed into an array of eight-byte integers, and a *trampoline*, a function that knows
the signature, unpacks them and calls the kernel.
"""

import hashlib
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

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
    """The addresses of a trampoline for a tuple of such arguments, and of the packed arguments.

    The address of the kernel comes first. The arguments follow, an array as numba's structure: two pointers, size, item
    size, address, shape, strides. The packed arguments lie on the caller's stack.
    """

    def emit(context, builder, signature, values):
        packer = context.get_arg_packer(arguments.types)
        unpacked = [builder.extract_value(values[1], k) for k in range(len(arguments.types))]
        flat = [values[0], *packer.as_arguments(builder, unpacked)]
        packed = cgutils.alloca_once(builder, _INT64, size=len(flat))
        for k, value in enumerate(flat):
            builder.store(value, _slot(builder, packed, k, value.type))
        trampoline = _trampoline(context, builder.module, arguments.types)
        addresses = [builder.ptrtoint(pointer, _INT64) for pointer in (trampoline, packed)]
        return context.make_tuple(builder, signature.return_type, addresses)

    return types.UniTuple(types.intp, 2)(address, arguments), emit


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


def _trampoline(context: Any, module: ir.Module, kinds: tuple) -> ir.Function:
    """A function (packed arguments, index, chunks) that unpacks the arguments and calls the kernel with them."""
    name = f"trampoline_{hashlib.sha256(repr(kinds).encode()).hexdigest()[:16]}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, _TRAMPOLINE, name)
    function.linkage = "internal"
    builder, (packed, index, chunks) = ir.IRBuilder(function.append_basic_block()), function.args
    packer = context.get_arg_packer(kinds)
    flat = [builder.load(_slot(builder, packed, k, kind)) for k, kind in enumerate(packer.argument_types, 1)]
    values = [*packer.from_arguments(builder, flat), index, chunks]
    _call(context, builder, builder.load(packed), (*kinds, types.intp, types.intp), values)
    builder.ret_void()
    return function


def _slot(builder: ir.IRBuilder, packed: ir.Value, k: int, kind: ir.Type) -> ir.Value:
    return builder.bitcast(builder.gep(packed, [_INT64(k)]), kind.as_pointer())


def _call(context: Any, builder: ir.IRBuilder, address: ir.Value, kinds: tuple, values: list) -> None:
    function = context.call_conv.get_function_type(types.none, kinds)
    context.call_conv.call_function(
        builder, builder.inttoptr(address, function.as_pointer()), types.none, kinds, values
    )
