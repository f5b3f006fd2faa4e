"""What the arguments of NumPy's functions have in common: options refused, dtypes, orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import as_dtype, is_float
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate
from tensorgrad.ops.operands import TensorLike, as_tensor, astype

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


UNSET: Any = np._NoValue
"""NumPy's default for an argument that isn't given."""


def refuse(call: str, **options: Any) -> None:
    """Raise for options that tensors don't support, if they are given: GraphError for `out`, else ArgumentError."""
    for name, value in options.items():
        if value is None or value is UNSET:
            continue
        if name == "out":
            raise GraphError(restate(call, "the result can't be written into `out`", fix="assign it: t[...] = result"))
        raise ArgumentError(restate(call, f"the option {name} isn't supported for tensors", **{name: value}))


def cast(x: TensorLike, dtype: Any) -> Tensor:
    """`x` in the requested dtype; in its own if none is given."""
    return as_tensor(x) if dtype is None or dtype is UNSET else astype(x, dtype)


def cast_to_float(call: str, x: TensorLike, dtype: Any) -> Tensor:
    """`x` in the requested dtype. Raises DTypeError for a dtype that isn't a float."""
    if dtype is not None and not is_float(as_dtype(call, dtype)):
        raise DTypeError(restate(call, "dtype must be a float dtype", dtype=dtype))
    return cast(x, dtype)


def in_dtype(z: Tensor, dtype: Any) -> Tensor:
    """`z` in the requested dtype: narrow integers are summed in int64."""
    return z if dtype is None or z.dtype == as_dtype("dtype", dtype) else astype(z, dtype)


def in_fortran_order(call: str, order: str, usual: str = "CK") -> bool:
    """Whether the elements are read in Fortran order."""
    if order == "F":
        return True
    if order not in tuple(usual):
        raise ArgumentError(restate(call, f"order must be 'C' or 'F', got {order!r}", order=order))
    return False
