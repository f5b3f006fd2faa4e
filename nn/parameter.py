"""Parameters: the tensors that training changes."""

from __future__ import annotations

from typing import Any

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.ops.operands import detached
from tensorgrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a `Module` counts among its parameters as soon as it is assigned to one; it requires a gradient.

    Args:
        data: an array, a tensor or nested lists; an array's memory is shared, as `Tensor` does.
        requires_grad: False freezes it.
        dtype: by default that of an array.
        name: replaced by the path in the module, such as `"conv1.weight"`, when it is assigned to one.

    What is computed from a Parameter is a plain Tensor.

    >>> import tensorgrad as tg
    >>> w = tg.nn.Parameter([1.0, 2.0])
    >>> w.requires_grad, type(w * 2).__name__
    (True, 'Tensor')
    """

    __slots__ = ()

    def __init__(
        self, data: Any, requires_grad: bool = True, *, dtype: DTypeLike = None, name: str | None = None
    ) -> None:
        super().__init__(detached("Parameter", data), requires_grad, dtype=dtype, name=name)
