"""Parameter, a tensor that training changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, check_device, default_float, is_float
from tensorgrad.errors import DTypeError, restate, restated
from tensorgrad.ops.operands import TensorLike, detached
from tensorgrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that requires a gradient, and that a `Module` registers as its parameter when it is assigned to one.

    Args:
        data: an array, a tensor or nested lists; an array's memory is shared, as `Tensor` does.
        requires_grad: False freezes the parameter.
        dtype: a float dtype; by default that of `data`.
        name: the name in errors and drawings; an assignment to a module replaces it by the path, `"conv1.weight"`.

    The results of operations on a Parameter are plain Tensors.

    >>> import tensorgrad as tg
    >>> w = tg.nn.Parameter([1.0, 2.0])
    >>> w.requires_grad, type(w * 2).__name__
    (True, 'Tensor')
    """

    __slots__ = ()

    def __init__(
        self, data: TensorLike, requires_grad: bool = True, *, dtype: DTypeLike = None, name: str | None = None
    ) -> None:
        super().__init__(detached("Parameter", data), requires_grad, dtype=dtype, name=name)


def new_parameter(call: str, shape: tuple[int, ...], device: Any = None, dtype: DTypeLike = None) -> Parameter:
    """A parameter of zeros for the layer `call` to initialize; `device` and `dtype` are the layer's arguments.

    Raises:
        ArgumentError: a device other than the CPU, or sizes that no memory holds.
        DTypeError: a dtype other than a float.
    """
    return Parameter(new_state(call, shape, device, dtype))


def new_state(call: str, shape: tuple[int, ...], device: Any = None, dtype: DTypeLike = None) -> np.ndarray:
    """An array of zeros for a parameter or buffer of the layer `call`; arguments and errors as in `new_parameter`."""
    if device is not None:
        check_device(call, device)
    wanted = default_float() if dtype is None else as_dtype(call, dtype)
    if not is_float(wanted):
        raise DTypeError(restate(call, f"dtype must be a float dtype, got {wanted}", dtype=dtype))
    with restated(call, shape=shape):
        return np.zeros(shape, wanted)
