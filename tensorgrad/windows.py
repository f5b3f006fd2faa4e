"""Sizes of convolution and pooling: arguments, padding, output sizes. Pure integers, no arrays.

Every function works per spatial dimension, for any number of them, and names the op it speaks for in its errors.
"Dumoulin & Visin, A guide to convolution arithmetic for deep learning (2016)" draws each of these formulas.
"""

import operator
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from math import ceil

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


LARGEST = sys.maxsize


def remembered(function: Callable) -> Callable:
    """Let a function of sizes work once for equal arguments, whatever users pass: what isn't plain works each time."""
    known = lru_cache(maxsize=1024, typed=True)(function)

    @wraps(function)
    def look_up(*arguments: object) -> object:
        for argument in arguments:
            kind = type(argument)
            if not (_SIZE.issuperset(map(type, argument)) if kind is tuple else kind in _PLAIN):
                return function(*arguments)
        return known(*arguments)

    return look_up


# What can't change and equals nothing else: a tensor's value may change, and (True, 1) == (1, 1).
_SIZE = frozenset((int, type(None)))
_PLAIN = frozenset((int, str, bool, type(None)))


def as_tuple(value: int | Sequence[int], rank: int, *, op: str, name: str, minimum: int | None = None) -> Sizes:
    """An int, or a sequence of `rank` ints, as a tuple of `rank` ints, none below `minimum`.

    Raises `DTypeError` for anything but whole numbers, `ArgumentError` for a wrong count or a number too small.

    >>> as_tuple(3, 2, op="conv2d", name="kernel_size"), as_tuple((1, 2), 2, op="conv2d", name="stride")
    ((3, 3), (1, 2))
    """
    usual = (value,) * rank if type(value) is int else value
    plain = type(usual) is tuple and len(usual) == rank and all([type(item) is int for item in usual])
    if plain and (minimum is None or min(usual) >= minimum) and max(usual) <= LARGEST:
        return usual
    expected = f"an int or {rank} ints" + ("" if minimum is None else f", each at least {minimum}")
    values = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * rank
    try:
        if any(isinstance(item, bool) for item in values):
            raise TypeError("a bool is no size")
        numbers = tuple(operator.index(item) for item in values)
    except TypeError:
        problem = f"{name} isn't made of whole numbers"
        raise DTypeError(restate(op, problem, expected=expected, **{name: value})) from None
    if len(numbers) != rank:
        problem = f"{name} has {len(numbers)} entries for {rank} spatial dimensions"
        raise ArgumentError(restate(op, problem, expected=expected, **{name: value}))
    if minimum is not None and min(numbers) < minimum:
        raise ArgumentError(restate(op, f"{name} is too small", expected=expected, **{name: value}))
    if max(numbers) > LARGEST:
        raise ArgumentError(restate(op, f"{name} is larger than any array", expected=expected, **{name: value}))
    return numbers


def conv_padding(
    padding: int | str | Sequence[int], kernel: Sizes, stride: Sizes, dilation: Sizes, *, op: str = "conv2d"
) -> Pads:
    """Padding as PyTorch writes it, as one `(before, after)` pair per dimension.

    `"valid"` is none at all. `"same"` keeps the size, at stride 1: `dilation · (kernel − 1)` pixels, an odd one at the
    end. Raises `ArgumentError`, `DTypeError`.

    >>> conv_padding("same", kernel=(3, 4), stride=(1, 1), dilation=(1, 1))
    ((1, 1), (1, 2))
    >>> conv_padding(2, kernel=(3,), stride=(2,), dilation=(1,), op="conv1d")
    ((2, 2),)
    """
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * len(kernel)
        if padding != "same":
            problem = "unknown padding mode"
            raise ArgumentError(restate(op, problem, expected="'same', 'valid' or whole numbers", padding=padding))
        if any(step != 1 for step in stride):
            problem, fix = "padding='same' keeps the size, which a stride doesn't", "use stride=1, or give numbers"
            raise ArgumentError(restate(op, problem, expected="stride 1", fix=fix, padding=padding, stride=stride))
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    return tuple((pad, pad) for pad in as_tuple(padding, len(kernel), op=op, name="padding", minimum=0))


def conv_output_size(
    input_size: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, *, op: str = "conv2d"
) -> Sizes:
    """How many windows fit: `(input + before + after − dilation · (kernel − 1) − 1) // stride + 1` per dimension.

    Raises `ShapeError` where not even one does, or where the input has no pixels.

    >>> conv_output_size((28, 28), (5, 5), (1, 1), ((0, 0), (0, 0)), (1, 1))
    (24, 24)
    """
    slack = _slack(input_size, kernel, padding, dilation)
    if min(input_size) < 1 or min(slack) < 0:
        raise _does_not_fit(op, input_size, kernel, padding, dilation)
    return tuple(room // step + 1 for room, step in zip(slack, stride, strict=True))


def pool_output_size(
    input_size: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads,
    dilation: Sizes,
    ceil_mode: bool = False,
    *,
    op: str = "max_pool2d",
) -> Sizes:
    """How many windows a pooling takes per dimension, by PyTorch's rules.

    Floor counts the windows that fit, as a convolution does. Ceil adds a last one that hangs over the end, unless it
    would start beyond the input and its padding before. Padding is at most half the kernel.

    >>> pool_output_size((5,), (2,), (2,), ((0, 0),), (1,)), pool_output_size((5,), (2,), (2,), ((0, 0),), (1,), True)
    ((2,), (3,))
    """
    if any(max(pads) > k // 2 for pads, k in zip(padding, kernel, strict=True)):
        expected = "at most half the kernel, so that no window is all padding"
        raise ArgumentError(restate(op, "padding is too large", expected=expected, padding=padding, kernel_size=kernel))
    slack = _slack(input_size, kernel, padding, dilation)
    if min(input_size) < 1 or min(slack) + (max(stride) - 1 if ceil_mode else 0) < 0:
        raise _does_not_fit(op, input_size, kernel, padding, dilation)
    sizes = tuple(
        _pool_windows(size, room, step, before, ceil_mode)
        for size, room, step, (before, _) in zip(input_size, slack, stride, padding, strict=True)
    )
    if min(sizes) < 1:
        raise _does_not_fit(op, input_size, kernel, padding, dilation)
    for size, count, k, s, (before, _), d in zip(input_size, sizes, kernel, stride, padding, dilation, strict=True):
        # Only a dilated window can step over the whole input, from the padding before it to what lies behind it.
        if d > 1 and not all(_touches(size, window * s - before, k, d) for window in range(count)):
            problem, fix = "a window covers nothing but padding", "use less padding or a smaller dilation"
            arguments = {"input_size": input_size, "kernel_size": kernel, "padding": padding, "dilation": dilation}
            raise ShapeError(restate(op, problem, fix=fix, **arguments))
    return sizes


def _pool_windows(size: int, room: int, step: int, before: int, ceil_mode: bool) -> int:
    if not ceil_mode:
        return room // step + 1
    count = ceil(room / step) + 1
    return count - 1 if (count - 1) * step >= size + before else count


def _touches(size: int, start: int, kernel: int, dilation: int) -> bool:
    return any(0 <= start + tap * dilation < size for tap in range(kernel))


def _slack(input_size: Sizes, kernel: Sizes, padding: Pads, dilation: Sizes) -> Sizes:
    """By how many pixels a window can move, per dimension; negative where it doesn't fit."""
    return tuple(
        size + before + after - d * (k - 1) - 1
        for size, k, (before, after), d in zip(input_size, kernel, padding, dilation, strict=True)
    )


def _does_not_fit(op: str, input_size: Sizes, kernel: Sizes, padding: Pads, dilation: Sizes) -> ShapeError:
    window = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    padded = tuple(size + before + after for size, (before, after) in zip(input_size, padding, strict=True))
    return ShapeError(
        restate(
            op,
            f"a window of {window} doesn't fit into the padded input of {padded}",
            expected="dilation · (kernel − 1) + 1 ≤ input + padding in every dimension, and an input that isn't empty",
            fix="use a smaller kernel, less dilation or more padding",
            input_size=input_size,
            kernel_size=kernel,
            padding=padding,
            dilation=dilation,
        )
    )
