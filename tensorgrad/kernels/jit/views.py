"""Views of contiguous arrays within kernels, which numba's own methods and slices take longer to compile."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


@intrinsic
def pointer(typing, address, like):
    """An address as a pointer to the numbers of an array like `like`, for `numba.carray`."""

    def emit(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(address, like), emit


@intrinsic
def flattened(typing, array):
    """All elements of a contiguous array as one line: `array.reshape(-1)`.

    Raises numba's `TypingError` unless the array's type says that it is contiguous.
    """
    line = _line(array, f"flattened({array})")
    return line(array), lambda *call: _view(*call, lambda builder, whole, _: (whole.data, whole.nitems))


@intrinsic
def between(typing, line, start, stop):
    """The elements from `start` to `stop` of a line: `line[start:stop]` for 0 ≤ start ≤ stop ≤ len(line), unchecked.

    Raises numba's `TypingError` unless the line's type says that it has one axis and is contiguous.
    """
    view = _line(line, f"between({line}, …)", axes=1)

    def place(builder: ir.IRBuilder, whole, bounds):
        return builder.gep(whole.data, [bounds[0]]), builder.sub(bounds[1], bounds[0])

    return view(line, types.intp, types.intp), lambda *call: _view(*call, place)


@intrinsic
def tail(typing, line, start):
    """The elements of a line from `start` on: `line[start:]` for 0 ≤ start ≤ len(line), unchecked.

    Raises numba's `TypingError` as `between` does.
    """
    view = _line(line, f"tail({line}, …)", axes=1)

    def place(builder: ir.IRBuilder, whole, bounds):
        return builder.gep(whole.data, bounds), builder.sub(whole.nitems, bounds[0])

    return view(line, types.intp), lambda *call: _view(*call, place)


def _line(array: types.Array, call: str, axes: int | None = None) -> types.Array:
    """The type of a line of an array's elements; the array must be contiguous, and have so many axes."""
    if axes not in (None, array.ndim):
        raise TypingError(f"{call}: the array must have one axis; fix: pass it through `flattened`")
    if array.layout != "C":
        raise TypingError(f"{call}: the array must be contiguous; fix: pass it through `as_contiguous`")
    return types.Array(array.dtype, 1, "C", readonly=not array.mutable)


def _view(context, builder: ir.IRBuilder, signature, values, place) -> ir.Value:
    """The line of so many elements at an address, as `place` finds them."""
    whole, line = make_array(signature.args[0])(context, builder, values[0]), signature.return_type
    view = make_array(line)(context, builder)
    data, count = place(builder, whole, values[1:])
    populate_array(
        view,
        data=data,
        shape=cgutils.pack_array(builder, [count]),
        strides=cgutils.pack_array(builder, [whole.itemsize]),
        itemsize=whole.itemsize,
        meminfo=whole.meminfo,
        parent=whole.parent,
    )
    return impl_ret_borrowed(context, builder, line, view._getvalue())
