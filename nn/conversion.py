"""Conversion of a module's floats to another dtype, and the refusal of devices but the CPU."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, check_device, is_device, is_float
from tensorgrad.autograd.configuration import reconfigured
from tensorgrad.autograd.modes import observers
from tensorgrad.autograd.versions import leave
from tensorgrad.errors import DTypeError, restate


class Converts:
    """The part of `Module` that converts its parameters and buffers."""

    def to(
        self,
        *where: Any,
        dtype: DTypeLike = None,
        device: Any = None,
        non_blocking: bool = False,
        memory_format: object = None,
    ) -> Self:
        """Convert the float parameters and buffers, and gradients that exist, to another float dtype, in place.

        Args:
            where: a float dtype, a device, or both. The only device is "cpu", accepted so that PyTorch scripts run.
            dtype: the dtype, by name.
            device: the device, by name.
            non_blocking: accepted and ignored, as PyTorch scripts pass it.
            memory_format: likewise.

        Raises:
            DTypeError: a dtype other than a float.
            ArgumentError: a device other than the CPU.

        >>> import tensorgrad as tg
        >>> tg.nn.Linear(2, 1).to("cpu", "float64").weight.dtype
        dtype('float64')
        """
        dtypes = [dtype] if dtype is not None else []
        for target in where if device is None else (*where, device):
            if is_device(target) or target is device:
                check_device("to", target)
            else:
                dtypes.append(target)
        for wanted in dtypes:
            self._convert(_float_dtype(wanted))
        return self

    def _convert(self: Any, dtype: np.dtype) -> None:
        for tensor in (*self.parameters(), *self.buffers()):
            if is_float(tensor.dtype) and tensor.dtype != dtype:
                # `tensor.data = array` refuses another dtype; a new Tensor would be unknown to optimizers.
                for observer in observers():
                    observer.engine_bypassed("Module.to()", tensor)
                leave(tensor)
                tensor._data = tensor._data.astype(dtype)
                reconfigured()
                tensor.grad = None if tensor.grad is None else tensor.grad.detach().astype(dtype)
        for module in self.modules():
            module._expect_dtype(dtype)

    def _expect_dtype(self, dtype: np.dtype) -> None:
        """Take note of the dtype: for layers that make their parameters later."""

    def float(self) -> Self:
        """Convert the float parameters and buffers to float32, in place."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert the float parameters and buffers to float64, in place."""
        return self.to(np.float64)

    def half(self) -> Self:
        """Convert the float parameters and buffers to float16, in place: half precision is for storage."""
        return self.to(np.float16)

    def type(self, dst_type: DTypeLike) -> Self:
        """Convert the float parameters and buffers to a float dtype, in place."""
        return self.to(dtype=dst_type)

    def share_memory(self: Any) -> Any:
        """Move parameters and buffers into memory that processes share, as `Tensor.share_memory_` does.

        A worker that is forked afterwards trains the same weights (Hogwild!, Recht et al., NIPS 2011).

        >>> import tensorgrad as tg
        >>> tg.nn.Linear(2, 1).share_memory().weight.is_shared()
        True
        """
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.share_memory_()
        return self

    def cpu(self) -> Self:
        """The module itself: it is on the CPU."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Refused: raises ArgumentError, since tensorgrad computes on the CPU."""
        check_device("cuda", "cuda" if device is None else device)
        return self


def _float_dtype(dtype: DTypeLike) -> np.dtype:
    with suppress(TypeError):
        found = np.dtype(dtype)
        if is_float(found):
            return found
    raise DTypeError(restate("to", "dtype must be a float dtype: float32, float64 or float16", dtype=dtype))
