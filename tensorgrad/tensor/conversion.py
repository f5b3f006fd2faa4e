"""A tensor's sizes and conversions under PyTorch's names: `size`, `numel`, `to`, `float`, `cpu` …"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tensorgrad.arrays import devices
from tensorgrad.arrays.dtypes import DTypeLike, as_dtype, check_device, is_device
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, restate
from tensorgrad.ops.axes import normalize_axis
from tensorgrad.ops.operands import astype, flag
from tensorgrad.ops.shapes import clone

if TYPE_CHECKING:
    from tensorgrad.tensor.tensor import Tensor

TYPES = {
    "Half": np.float16, "Float": np.float32, "Double": np.float64, "Byte": np.uint8, "Char": np.int8, "Short": np.int16,
    "Int": np.int32, "Long": np.int64, "Bool": np.bool_,
}  # fmt: skip
"""PyTorch's names of tensor types, without "Tensor", by dtype."""


class Conversions:
    """Sizes, and the tensor in another dtype; the only device is the CPU."""

    __slots__ = ()

    # ------------------------------------------------------------------------------------------------------------ sizes

    @overload
    def size(self, dim: None = None) -> tuple[builtins.int, ...]: ...
    @overload
    def size(self, dim: builtins.int) -> builtins.int: ...
    def size(self: Any, dim: builtins.int | None = None) -> tuple[builtins.int, ...] | builtins.int:
        """The shape, or with an axis its length. NumPy's `size`, the number of elements, is `numel()`."""
        return self._data.shape if dim is None else self._data.shape[_existing(self, dim)]

    def numel(self: Any) -> builtins.int:
        """The number of elements."""
        return self._data.size

    def nelement(self: Any) -> builtins.int:
        """The number of elements."""
        return self._data.size

    def dim(self: Any) -> builtins.int:
        """The number of axes."""
        return self._data.ndim

    ndimension = dim

    def element_size(self: Any) -> builtins.int:
        """The bytes of one element."""
        return self._data.itemsize

    # ----------------------------------------------------------------------------------------------------------- device

    @property
    def device(self) -> devices.device:
        """The CPU."""
        return devices.CPU

    @property
    def is_cuda(self) -> builtins.bool:
        """False."""
        return False

    def cpu(self: Any, memory_format: object = None) -> Tensor:
        """The tensor itself."""
        return self

    def cuda(self: Any, device: object = None, non_blocking: builtins.bool = False) -> Tensor:
        """Refused: tensorgrad runs on the CPU. Raises ArgumentError."""
        flag("cuda", "non_blocking", non_blocking)
        fix = "leave it out, or write x.to(device) with a device that may be the CPU"
        raise ArgumentError(restate("cuda", "tensorgrad runs on the CPU, and knows no other device", fix=fix))

    # ----------------------------------------------------------------------------------------------------------- dtypes

    def to(
        self: Any,
        *target: Any,
        dtype: DTypeLike = None,
        device: object = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
        memory_format: object = None,
    ) -> Tensor:
        """The tensor in another dtype; itself, if nothing changes. Gradients flow between float dtypes.

        Args:
            target: a dtype, a device ("cpu" is the only one), or a tensor whose dtype is taken.
            dtype: the dtype, by name.
            device: the device, by name.
            non_blocking: accepted for PyTorch's scripts, and without effect.
            copy: return a copy even if nothing changes.
            memory_format: accepted for PyTorch's scripts, and without effect.

        Raises:
            ArgumentError: a device other than the CPU.
            DTypeError: what is neither a dtype, a device nor a tensor.

        >>> import tensorgrad as tg
        >>> tg.tensor([1, 2]).to("cpu", tg.float32)
        tensor([1., 2.])
        """
        flag("to", "non_blocking", non_blocking)
        copy = flag("to", "copy", copy)
        check_device("to", device)
        for one in target:
            if isinstance(one, Variable):
                dtype = one._data.dtype
            elif one is None or isinstance(one, builtins.bool):
                continue  # PyTorch's positional non_blocking and copy
            elif is_device(one):
                check_device("to", one)
            else:
                dtype = one
        return self._in(dtype, "to", copy)

    def type(self: Any, dtype: DTypeLike = None, non_blocking: builtins.bool = False) -> Tensor | str:
        """The tensor in another dtype; without an argument the name of its type, such as "torch.FloatTensor".

        >>> import tensorgrad as tg
        >>> tg.tensor([1, 2]).type(tg.float32)
        tensor([1., 2.])
        """
        flag("type", "non_blocking", non_blocking)
        if dtype is None:
            names = {np.dtype(kind): name for name, kind in TYPES.items()}
            return f"torch.{names.get(self._data.dtype, str(self._data.dtype).capitalize())}Tensor"
        if isinstance(dtype, str) and dtype.endswith("Tensor"):
            name = dtype.rpartition(".")[2].removesuffix("Tensor")
            if name not in TYPES:
                raise DTypeError(restate("type", f"dtype must be a dtype or its name, got {dtype!r}", dtype=dtype))
            dtype = TYPES[name]
        return self._in(dtype, "type")

    def type_as(self: Any, other: Tensor) -> Tensor:
        """The tensor in the dtype of another."""
        return self._in(other.dtype, "type_as")

    def _in(self: Any, dtype: DTypeLike, call: str, copy: builtins.bool = False) -> Tensor:
        if dtype is None or self._data.dtype == as_dtype(call, dtype):
            return clone(self) if copy else self
        return astype(self, dtype)

    def half(self: Any, memory_format: object = None) -> Tensor:
        """The tensor in float16."""
        return self._in(np.float16, "half")

    def float(self: Any, memory_format: object = None) -> Tensor:
        """The tensor in float32."""
        return self._in(np.float32, "float")

    def double(self: Any, memory_format: object = None) -> Tensor:
        """The tensor in float64."""
        return self._in(np.float64, "double")

    def byte(self: Any, memory_format: object = None) -> Tensor:
        """The tensor in uint8."""
        return self._in(np.uint8, "byte")

    def char(self: Any, memory_format: object = None) -> Tensor:
        """The tensor in int8."""
        return self._in(np.int8, "char")

    def short(self: Any, memory_format: object = None) -> Tensor:
        """The tensor in int16."""
        return self._in(np.int16, "short")

    def int(self: Any, memory_format: object = None) -> Tensor:
        """The tensor in int32, rounded towards 0."""
        return self._in(np.int32, "int")

    def long(self: Any, memory_format: object = None) -> Tensor:
        """The tensor in int64, rounded towards 0."""
        return self._in(np.int64, "long")

    def bool(self: Any, memory_format: object = None) -> Tensor:
        """Whether each element is not 0."""
        return self._in(np.bool_, "bool")


def _existing(x: Tensor, dim: int) -> int:
    if not x._data.ndim:
        raise RangeError(restate("size", "a scalar has no axes", input=x, dim=dim))
    return normalize_axis("size", x, dim)
