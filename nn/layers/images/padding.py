"""Padding layers: no parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.nn.module import Module
from tensorgrad.ops.images.padding import pad
from tensorgrad.ops.operands import TensorLike, as_tensor


class Padding(Module):
    """The common base: one width for all sides, or two per axis, the last axis first."""

    rank: ClassVar[int]
    mode: ClassVar[str] = "constant"
    value: float | None = None

    def __init__(self, padding: int | Sequence[int]) -> None:
        self.padding = windows.as_tuple(padding, 2 * self.rank, op=type(self).__name__, name="padding")

    def forward(self, input: TensorLike) -> tg.Tensor:
        """The padded input."""
        x = as_tensor(input)
        if self.mode != "constant":
            windows.check_axes(type(self).__name__, self.rank, x)
        return pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """The widths."""
        return f"{self.padding}"


class ConstantPad(Padding):
    """The common base of padding with a number."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """The widths and the number."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad(Padding):
    """The common base of padding with zeros."""

    value = 0.0


class ReflectionPad(Padding):
    """The common base of padding with the mirrored image."""

    mode = "reflect"


class ReplicationPad(Padding):
    """The common base of padding with the edge."""

    mode = "replicate"


class CircularPad(Padding):
    """The common base of padding with the opposite end."""

    mode = "circular"


class ConstantPad1d(ConstantPad):
    """A signal `(N, C, L)` or `(C, L)`, padded with a number.

    Args:
        padding: one int, or `(left, right)`; negative widths cut off.
        value: the number.

    >>> import tensorgrad as tg
    >>> tg.nn.ConstantPad1d((1, 2), 3.5)(tg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3.5, 1. , 2. , 3. , 3.5, 3.5]])
    """

    rank = 1


class ConstantPad2d(ConstantPad):
    """An image `(N, C, H, W)` or `(C, H, W)`, padded with a number.

    Args:
        padding: one int, or `(left, right, top, bottom)`; negative widths cut off.
        value: the number.

    >>> import tensorgrad as tg
    >>> tg.nn.ConstantPad2d(1, 3.5)(tg.zeros(1, 2, 4, 4)).shape
    (1, 2, 6, 6)
    """

    rank = 2


class ConstantPad3d(ConstantPad):
    """A volume `(N, C, D, H, W)` or `(C, D, H, W)`, padded with a number.

    Args:
        padding: one int, or `(left, right, top, bottom, front, back)`; negative widths cut off.
        value: the number.

    >>> import tensorgrad as tg
    >>> tg.nn.ConstantPad3d(1, 3.5)(tg.zeros(1, 2, 4, 4, 4)).shape
    (1, 2, 6, 6, 6)
    """

    rank = 3


class ZeroPad1d(ZeroPad):
    """A signal `(N, C, L)` or `(C, L)`, padded with zeros.

    Args:
        padding: one int, or `(left, right)`; negative widths cut off.

    >>> import tensorgrad as tg
    >>> tg.nn.ZeroPad1d((1, 2))(tg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[0., 1., 2., 3., 0., 0.]])
    """

    rank = 1


class ZeroPad2d(ZeroPad):
    """An image `(N, C, H, W)` or `(C, H, W)`, padded with zeros.

    Args:
        padding: one int, or `(left, right, top, bottom)`; negative widths cut off.

    >>> import tensorgrad as tg
    >>> tg.nn.ZeroPad2d(1)(tg.zeros(1, 2, 4, 4)).shape
    (1, 2, 6, 6)
    """

    rank = 2


class ZeroPad3d(ZeroPad):
    """A volume `(N, C, D, H, W)` or `(C, D, H, W)`, padded with zeros.

    Args:
        padding: one int, or `(left, right, top, bottom, front, back)`; negative widths cut off.

    >>> import tensorgrad as tg
    >>> tg.nn.ZeroPad3d(1)(tg.zeros(1, 2, 4, 4, 4)).shape
    (1, 2, 6, 6, 6)
    """

    rank = 3


class ReflectionPad1d(ReflectionPad):
    """A signal `(N, C, L)` or `(C, L)`, padded with its mirror image, the edge not repeated.

    Args:
        padding: one int, or `(left, right)`; negative widths cut off.

    Raises:
        ShapeError: when called, a width that isn't smaller than its axis.

    >>> import tensorgrad as tg
    >>> tg.nn.ReflectionPad1d((1, 2))(tg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3., 2., 1.]])
    """

    rank = 1


class ReflectionPad2d(ReflectionPad):
    """An image `(N, C, H, W)` or `(C, H, W)`, padded with its mirror image, the edge not repeated.

    Args:
        padding: one int, or `(left, right, top, bottom)`; negative widths cut off.

    Raises:
        ShapeError: when called, a width that isn't smaller than its axis.

    >>> import tensorgrad as tg
    >>> tg.nn.ReflectionPad2d(1)(tg.zeros(1, 2, 4, 4)).shape
    (1, 2, 6, 6)
    """

    rank = 2


class ReflectionPad3d(ReflectionPad):
    """A volume `(N, C, D, H, W)` or `(C, D, H, W)`, padded with its mirror image, the edge not repeated.

    Args:
        padding: one int, or `(left, right, top, bottom, front, back)`; negative widths cut off.

    Raises:
        ShapeError: when called, a width that isn't smaller than its axis.

    >>> import tensorgrad as tg
    >>> tg.nn.ReflectionPad3d(1)(tg.zeros(1, 2, 4, 4, 4)).shape
    (1, 2, 6, 6, 6)
    """

    rank = 3


class ReplicationPad1d(ReplicationPad):
    """A signal `(N, C, L)` or `(C, L)`, padded with copies of its edge.

    Args:
        padding: one int, or `(left, right)`; negative widths cut off.

    >>> import tensorgrad as tg
    >>> tg.nn.ReplicationPad1d((1, 2))(tg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 2., 3., 3., 3.]])
    """

    rank = 1


class ReplicationPad2d(ReplicationPad):
    """An image `(N, C, H, W)` or `(C, H, W)`, padded with copies of its edge.

    Args:
        padding: one int, or `(left, right, top, bottom)`; negative widths cut off.

    >>> import tensorgrad as tg
    >>> tg.nn.ReplicationPad2d(1)(tg.zeros(1, 2, 4, 4)).shape
    (1, 2, 6, 6)
    """

    rank = 2


class ReplicationPad3d(ReplicationPad):
    """A volume `(N, C, D, H, W)` or `(C, D, H, W)`, padded with copies of its edge.

    Args:
        padding: one int, or `(left, right, top, bottom, front, back)`; negative widths cut off.

    >>> import tensorgrad as tg
    >>> tg.nn.ReplicationPad3d(1)(tg.zeros(1, 2, 4, 4, 4)).shape
    (1, 2, 6, 6, 6)
    """

    rank = 3


class CircularPad1d(CircularPad):
    """A signal `(N, C, L)` or `(C, L)`, padded with its opposite end.

    Args:
        padding: one int, or `(left, right)`; negative widths cut off.

    Raises:
        ShapeError: when called, a width larger than its axis.

    >>> import tensorgrad as tg
    >>> tg.nn.CircularPad1d((1, 2))(tg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1., 2.]])
    """

    rank = 1


class CircularPad2d(CircularPad):
    """An image `(N, C, H, W)` or `(C, H, W)`, padded with its opposite end.

    Args:
        padding: one int, or `(left, right, top, bottom)`; negative widths cut off.

    Raises:
        ShapeError: when called, a width larger than its axis.

    >>> import tensorgrad as tg
    >>> tg.nn.CircularPad2d(1)(tg.zeros(1, 2, 4, 4)).shape
    (1, 2, 6, 6)
    """

    rank = 2


class CircularPad3d(CircularPad):
    """A volume `(N, C, D, H, W)` or `(C, D, H, W)`, padded with its opposite end.

    Args:
        padding: one int, or `(left, right, top, bottom, front, back)`; negative widths cut off.

    Raises:
        ShapeError: when called, a width larger than its axis.

    >>> import tensorgrad as tg
    >>> tg.nn.CircularPad3d(1)(tg.zeros(1, 2, 4, 4, 4)).shape
    (1, 2, 6, 6, 6)
    """

    rank = 3
