"""Padding layers: no parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.nn.module import Module
from tensorgrad.ops.images.padding import pad
from tensorgrad.ops.operands import TensorLike, as_tensor

INPUTS = {
    1: "A signal `(N, C, L)` or `(C, L)`",
    2: "An image `(N, C, H, W)` or `(C, H, W)`",
    3: "A volume `(N, C, D, H, W)` or `(C, D, H, W)`",
}
SIDES = {1: "left, right", 2: "left, right, top, bottom", 3: "left, right, top, bottom, front, back"}


class Padding(Module):
    """The common base: one width for all sides, or two per axis, the last axis first.

    The classes for signals, images and volumes differ in their rank alone, `class ZeroPad2d(ZeroPad, rank=2): ...`, so
    each kind of padding describes itself once, in `filling` and `limit`, and its classes' docstrings are made of that.
    """

    rank: ClassVar[int]
    mode: ClassVar[str] = "constant"
    value: float | None = None
    filling: ClassVar[str]
    limit: ClassVar[str] = ""
    example: ClassVar[str]
    """The signal 1, 2, 3 with one such number before it and two after it."""

    def __init_subclass__(cls, rank: int = 0) -> None:
        super().__init_subclass__()
        if rank:
            cls.rank = rank
            cls.__doc__ = cls._docstring()

    def __init__(self, padding: int | Sequence[int]) -> None:
        self.padding = windows.as_tuple(padding, 2 * self.rank, op=type(self).__name__, name="padding")

    @classmethod
    def _docstring(cls, more: str = "", value: str = "") -> str:
        """The docstring of a class of one rank; `more` describes further arguments, `value` is that of the example."""
        raises = f"\n    Raises:\n        ShapeError: when called, {cls.limit}.\n" if cls.limit else ""
        size = ", ".join(["4"] * cls.rank)
        call, result = f"(1{value})(tg.zeros(1, 2, {size})).shape", f"(1, 2, {size.replace('4', '6')})"
        if cls.rank == 1:
            call, result = f"((1, 2){value})(tg.tensor([[1.0, 2.0, 3.0]]))", f"tensor([[{cls.example}]])"
        return f"""{INPUTS[cls.rank]}, padded with {cls.filling}.

    Args:
        padding: one int, or `({SIDES[cls.rank]})`; negative widths cut off.
{more}{raises}
    >>> import tensorgrad as tg
    >>> tg.nn.{cls.__name__}{call}
    {result}
    """

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

    filling, example = "a number", "3.5, 1. , 2. , 3. , 3.5, 3.5"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    @classmethod
    def _docstring(cls, more: str = "        value: the number.\n", value: str = ", 3.5") -> str:
        return super()._docstring(more, value)

    def extra_repr(self) -> str:
        """The widths and the number."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad(Padding):
    """The common base of padding with zeros."""

    value = 0.0
    filling, example = "zeros", "0., 1., 2., 3., 0., 0."


class ReflectionPad(Padding):
    """The common base of padding with the mirrored image."""

    mode = "reflect"
    filling, example = "its mirror image, the edge not repeated", "2., 1., 2., 3., 2., 1."
    limit = "a width that isn't smaller than its axis"


class ReplicationPad(Padding):
    """The common base of padding with the edge."""

    mode = "replicate"
    filling, example = "copies of its edge", "1., 1., 2., 3., 3., 3."


class CircularPad(Padding):
    """The common base of padding with the opposite end."""

    mode = "circular"
    filling, example = "its opposite end", "3., 1., 2., 3., 1., 2."
    limit = "a width larger than its axis"


class ConstantPad1d(ConstantPad, rank=1): ...


class ConstantPad2d(ConstantPad, rank=2): ...


class ConstantPad3d(ConstantPad, rank=3): ...


class ZeroPad1d(ZeroPad, rank=1): ...


class ZeroPad2d(ZeroPad, rank=2): ...


class ZeroPad3d(ZeroPad, rank=3): ...


class ReflectionPad1d(ReflectionPad, rank=1): ...


class ReflectionPad2d(ReflectionPad, rank=2): ...


class ReflectionPad3d(ReflectionPad, rank=3): ...


class ReplicationPad1d(ReplicationPad, rank=1): ...


class ReplicationPad2d(ReplicationPad, rank=2): ...


class ReplicationPad3d(ReplicationPad, rank=3): ...


class CircularPad1d(CircularPad, rank=1): ...


class CircularPad2d(CircularPad, rank=2): ...


class CircularPad3d(CircularPad, rank=3): ...
