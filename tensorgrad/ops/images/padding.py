"""Padding: constants, reflections, the repeated edge or the opposite end around the last axes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.arrays.memory import empty
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import words
from tensorgrad.kernels.sampling.tables import Axis
from tensorgrad.ops.images.resampling import Resampling
from tensorgrad.ops.operands import TensorLike, as_tensor, number, quiet

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

MODES = ("constant", "reflect", "replicate", "circular")


class ConstantPad(Op):
    """z = x with a constant around it; a negative width cuts off."""

    symbol, formula = "pad", lambda x: words(x, "in a frame")
    derivatives = (lambda grad: words("the inside of", grad),)
    widths: tuple[tuple[int, int], ...]
    value: float = 0

    @quiet
    def forward(self, x):
        z = empty(tuple([a + n + b for n, (a, b) in zip(x.shape, self.widths, strict=True)]), x.dtype)
        inside: list[slice] = []
        source: list[slice] = []
        for n, (a, b) in zip(x.shape, self.widths, strict=True):
            lead, size = tuple(inside), a + n + b
            inside.append(slice(max(a, 0), max(size - max(b, 0), max(a, 0))))
            source.append(slice(max(-a, 0), max(n - max(-b, 0), max(-a, 0))))
            # The frame alone is filled: what was inside along the axes before, before and after along this one.
            z[(*lead, slice(0, inside[-1].start))] = self.value
            z[(*lead, slice(inside[-1].stop, size))] = self.value
        z[tuple(inside)] = x[tuple(source)]
        return z

    def backward_x(self, grad):
        return apply(ConstantPad, grad, widths=tuple([(-a, -b) for a, b in self.widths]))


class MirrorPad(Resampling):
    """z = x with elements of its own around it."""

    symbol, formula = "pad", lambda x: words(x, "and copies around it")
    derivatives = (lambda grad: words(grad, ", those of the copies added"),)

    def forward(self, x):
        return self.resampled(x)


def pad(input: TensorLike, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """input with padding around its last axes; a negative width cuts off.

    Args:
        input: a tensor of any shape and dtype; `(N, C, ...)` or `(C, ...)` with one to three spatial axes, all of them
            padded, for the modes other than "constant".
        pad: two widths per axis, before and after, the last axis first: `(left, right, top, bottom)`.
        mode: "constant", "reflect" (mirrored, the edge not repeated), "replicate" (the edge repeated) or "circular"
            (the opposite end).
        value: the constant, 0 if None.

    Returns:
        The padded tensor, in the dtype of input.

    Raises:
        ArgumentError: another mode, an odd number of widths, or a value for a mode without one.
        ShapeError: more widths than axes, or a width that the mode can't fill or cut off.
        DTypeError: widths that aren't ints.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.pad(tg.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    >>> F.pad(tg.tensor([1.0, 2.0, 3.0]), (-1, 2), value=9)
    tensor([2., 3., 9., 9.])
    """
    x, pairs = as_tensor(input), _pairs(pad)
    given: dict[str, Any] = {"input": x, "pad": pad, "mode": mode}
    if not isinstance(mode, str) or mode not in MODES:
        problem = f"mode must be one of {', '.join(MODES)}, got {mode!r}"
        raise ArgumentError(restate("pad", problem, **given))
    if len(pairs) > x.ndim:
        problem = f"pad must have at most two widths per axis, got {2 * len(pairs)} for {x.ndim} axes"
        raise ShapeError(restate("pad", problem, **given))
    widths = ((0, 0),) * (x.ndim - len(pairs)) + pairs[::-1]
    sizes = tuple([a + n + b for n, (a, b) in zip(x.shape, widths, strict=True)])
    if min(sizes, default=0) < 0:
        raise ShapeError(restate("pad", f"more is cut off than there is: the shape would be {sizes}", **given))
    check_memory("pad", sizes, x.dtype, **given)
    if mode == "constant":
        constant = 0 if value is None else number("pad", "value", value)
        return apply(ConstantPad, x, widths=widths, value=constant)
    if value is not None:
        problem, fix = f"mode {mode!r} takes no value", "leave value out, or use mode='constant'"
        raise ArgumentError(restate("pad", problem, fix=fix, value=value, **given))
    rank = len(pairs)
    if not 1 <= rank <= 3 or x.ndim not in (rank + 1, rank + 2):
        problem = f"mode {mode!r} pads all spatial axes of (N, C, ...) or (C, ...): pad must have 2, 4 or 6 widths"
        raise ShapeError(restate("pad", problem, expected=f"{2 * max(1, x.ndim - 2)} widths", **given))
    axes = []
    for n, m, (a, b) in zip(x.shape[-rank:], sizes[-rank:], widths[-rank:], strict=True):
        most = {"reflect": n - 1, "replicate": max(a, b) if n else -1, "circular": n}[mode]
        if max(a, b) > most or m < 1 or (mode == "circular" and min(a, 0) + min(b, 0) + n < max(a, b, 1)):
            raise ShapeError(restate("pad", f"an axis of {n} elements can't be padded by {(a, b)}", **given))
        axes.append(Axis(mode, n, m, before=a))
    return apply(MirrorPad, x, axes=tuple(axes))


def _pairs(pad: Any) -> tuple[tuple[int, int], ...]:
    """The widths `(before, after)` of the last axis, the one before it, …"""
    try:
        if any(isinstance(width, bool) for width in pad):
            raise TypeError("a bool isn't a width")
        widths = [operator.index(width) for width in pad]
    except TypeError:
        problem = "pad must be a tuple of ints: two per axis, the last axis first"
        raise DTypeError(restate("pad", problem, pad=pad)) from None
    if len(widths) % 2:
        problem = f"pad must have an even number of widths, before and after of each axis, got {len(widths)}"
        raise ArgumentError(restate("pad", problem, pad=pad))
    return tuple(zip(widths[::2], widths[1::2], strict=True))
