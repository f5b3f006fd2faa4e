"""What a tensor is, as Python's values."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.variable import Variable
from tensorgrad.ops.operands import TensorLike, as_tensor

__all__ = ["is_floating_point", "is_tensor", "numel"]


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.is_tensor(tg.zeros(2)), tg.is_tensor(np.zeros(2))
    (True, False)
    """
    return isinstance(obj, Variable)


def is_floating_point(input: TensorLike) -> bool:
    """Whether the elements are floats.

    >>> import tensorgrad as tg
    >>> tg.is_floating_point(tg.zeros(2)), tg.is_floating_point(tg.arange(2))
    (True, False)
    """
    return is_float(as_tensor(input).dtype)


def numel(input: TensorLike) -> int:
    """The number of elements.

    >>> import tensorgrad as tg
    >>> tg.numel(tg.zeros(2, 3))
    6
    """
    return math.prod(as_tensor(input).shape)
