"""Indices, masks and counts that users pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import constant
from tensorgrad.ops.operands import TensorLike, as_tensor

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


def as_index(index: TensorLike) -> Tensor:
    """An index or mask as a tensor. As between brackets, the numbers of an array count as they are now."""
    return constant(np.array(index)) if isinstance(index, np.ndarray) else as_tensor(index)
