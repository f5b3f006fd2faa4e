"""Tensors around the memory of other libraries' arrays: `from_numpy`, and DLPack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import as_array
from tensorgrad.errors import DTypeError, restate
from tensorgrad.ops import operands

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of an ndarray.

    Several tensors around one array each have a history of their own. If one of them is changed in place, the others
    have the new values, as constants; `backward()` raises GraphError where it needs the old ones. The engine doesn't
    notice what is written into the array itself.

    >>> import numpy as np, tensorgrad as tg
    >>> a = np.zeros(2); t = tg.from_numpy(a); a[0] = 1; t
    tensor([1., 0.], dtype=float64)
    """
    return operands.as_tensor(as_array(array))


def from_dlpack(exporter: Any) -> Tensor:
    """A tensor that shares the memory of another library's CPU tensor (PyTorch, JAX, …), through DLPack.

    Args:
        exporter: an array or tensor with the method `__dlpack__`.

    Raises:
        DTypeError: an object without that method.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    if not hasattr(exporter, "__dlpack__"):
        raise DTypeError(restate("from_dlpack", "exporter must have the method __dlpack__", exporter=exporter))
    try:
        return operands.as_tensor(np.from_dlpack(exporter))
    except BufferError as error:
        raise DTypeError(restate("from_dlpack", str(error), exporter=exporter)) from error
