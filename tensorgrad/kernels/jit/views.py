"""Views of contiguous arrays within kernels."""

from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


@intrinsic
def flattened(typing, array):
    """All elements of a contiguous array as one line: `array.reshape(-1)`, which takes longer to compile.

    Raises numba's `TypingError` unless the array's type says that it is contiguous.
    """
    if array.layout != "C":
        raise TypingError(f"flattened({array}): the array must be contiguous; fix: pass it through `as_contiguous`")
    line = types.Array(array.dtype, 1, "C", readonly=not array.mutable)

    def emit(context, builder, signature, values):
        whole = make_array(array)(context, builder, values[0])
        view = make_array(line)(context, builder)
        populate_array(
            view,
            data=whole.data,
            shape=cgutils.pack_array(builder, [whole.nitems]),
            strides=cgutils.pack_array(builder, [whole.itemsize]),
            itemsize=whole.itemsize,
            meminfo=whole.meminfo,
            parent=whole.parent,
        )
        return impl_ret_borrowed(context, builder, line, view._getvalue())

    return line(array), emit
