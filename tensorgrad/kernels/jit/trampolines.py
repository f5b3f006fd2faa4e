"""Calls of machine code by address, from machine code: what lets one loop run every kernel.

A function that names another compiles it once more, within itself; one that knows its address doesn't. All pieces have
a signature of their own, so their arguments are laid out as *words* of eight bytes, and a *thunk* (a function that
knows the signature) reads them from there.
"""

import hashlib
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_WORDS = _WORD.as_pointer()
_THUNK = ir.FunctionType(ir.VoidType(), (_WORDS, _WORD, _WORD))


@intrinsic
def call(typing, address, arguments, index, chunks):
    """Call the piece at `address` with a tuple of arguments, in numba's own convention."""

    def emit(context, builder, signature, values):
        unpacked = [builder.extract_value(values[1], k) for k in range(len(arguments.types))]
        _call(context, builder, values[0], (*arguments.types, index, chunks), [*unpacked, *values[2:]])
        return context.get_dummy_value()

    return types.void(address, arguments, index, chunks), emit


@intrinsic
def in_words(typing, address, arguments):
    """The addresses of a thunk for a piece that takes a tuple of such arguments, and of the words that it is to read.

    The first word is the address of the piece; the arguments follow, an array as numba's own structure of it: two
    pointers, size, item size, address, shape, strides. The words lie on the caller's stack.
    """

    def emit(context, builder, signature, values):
        packer = context.get_arg_packer(arguments.types)
        unpacked = [builder.extract_value(values[1], k) for k in range(len(arguments.types))]
        flat = [values[0], *packer.as_arguments(builder, unpacked)]
        words = cgutils.alloca_once(builder, _WORD, size=len(flat))
        for k, value in enumerate(flat):
            builder.store(value, _word(builder, words, k, value.type))
        thunk = _thunk(context, builder.module, arguments.types)
        addresses = [builder.ptrtoint(pointer, _WORD) for pointer in (thunk, words)]
        return context.make_tuple(builder, signature.return_type, addresses)

    return types.UniTuple(types.intp, 2)(address, arguments), emit


@intrinsic
def call_thunk(typing, thunk, words, index, chunks):
    """Run one piece of the kernel whose arguments are in the words."""

    def emit(context, builder, signature, values):
        pointers = [builder.inttoptr(values[0], _THUNK.as_pointer()), builder.inttoptr(values[1], _WORDS)]
        builder.call(pointers[0], [pointers[1], *values[2:]])
        return context.get_dummy_value()

    return types.void(thunk, words, index, chunks), emit


@intrinsic
def mark_at(typing, word):
    """The int32 at the address that is in the word at an address."""

    def emit(context, builder, signature, values):
        address = builder.load(builder.inttoptr(values[0], _WORDS))
        return builder.load(builder.inttoptr(address, ir.IntType(32).as_pointer()))

    return types.int32(word), emit


def _thunk(context: Any, module: ir.Module, kinds: tuple) -> ir.Function:
    """A function (words, index, pieces) that calls the piece in the first word with the arguments in the others."""
    name = f"thunk_{hashlib.sha256(repr(kinds).encode()).hexdigest()[:16]}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, _THUNK, name)
    function.linkage = "internal"
    builder, (words, index, chunks) = ir.IRBuilder(function.append_basic_block()), function.args
    packer = context.get_arg_packer(kinds)
    flat = [builder.load(_word(builder, words, k, kind)) for k, kind in enumerate(packer.argument_types, 1)]
    values = [*packer.from_arguments(builder, flat), index, chunks]
    _call(context, builder, builder.load(words), (*kinds, types.intp, types.intp), values)
    builder.ret_void()
    return function


def _word(builder: ir.IRBuilder, words: ir.Value, k: int, kind: ir.Type) -> ir.Value:
    return builder.bitcast(builder.gep(words, [_WORD(k)]), kind.as_pointer())


def _call(context: Any, builder: ir.IRBuilder, address: ir.Value, kinds: tuple, values: list) -> None:
    function = context.call_conv.get_function_type(types.none, kinds)
    context.call_conv.call_function(
        builder, builder.inttoptr(address, function.as_pointer()), types.none, kinds, values
    )
