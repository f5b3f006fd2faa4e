"""PyTorch's older types of tensors, one per dtype: `torch.FloatTensor(data)`, `x.type(torch.LongTensor)`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.ops.operands import are_sizes
from tensorgrad.ops.sampling.filled import empty
from tensorgrad.tensor.tensor import Tensor


class _Type(type):
    """A type that makes tensors of a dtype, and whose instances are the tensors of it."""

    dtype: np.dtype

    def __call__(cls, *data: Any) -> Any:
        if not data:
            return empty(0, dtype=cls.dtype)
        if are_sizes(*data):
            return empty(*data, dtype=cls.dtype)
        (only,) = data
        return Tensor(only, dtype=cls.dtype)

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Tensor) and x.dtype == cls.dtype


def _type(name: str, dtype: Any) -> Any:
    text = f"A new {np.dtype(dtype).name} tensor of the data, or one of zeros of the sizes: `{name}(2, 3)`."
    return _Type(name, (), {"dtype": np.dtype(dtype), "__doc__": text, "__module__": __name__})


FloatTensor = _type("FloatTensor", np.float32)
DoubleTensor = _type("DoubleTensor", np.float64)
HalfTensor = _type("HalfTensor", np.float16)
ByteTensor = _type("ByteTensor", np.uint8)
CharTensor = _type("CharTensor", np.int8)
ShortTensor = _type("ShortTensor", np.int16)
IntTensor = _type("IntTensor", np.int32)
LongTensor = _type("LongTensor", np.int64)
BoolTensor = _type("BoolTensor", np.bool_)
