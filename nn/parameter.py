"""Parameter, a tensor that training changes."""

from __future__ import annotations

from tensorgrad.arrays.dtypes import DTypeLike
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
