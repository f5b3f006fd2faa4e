"""Flatten: from feature maps to vectors."""

from __future__ import annotations

import tensorgrad as tg
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike


class Flatten(Module):
    """Merge the axes from start_dim to end_dim: `(N, C, H, W)` -> `(N, C·H·W)` by default.

    Args:
        start_dim: the first axis to merge.
        end_dim: the last axis to merge.

    >>> import tensorgrad as tg
    >>> tg.nn.Flatten()(tg.zeros(2, 3, 4, 4)).shape
    (2, 48)
    """

    _settings_shown = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The flattened input."""
        return tg.flatten(input, self.start_dim, self.end_dim)
