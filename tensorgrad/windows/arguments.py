"""What users pass to convolutions and poolings, checked once and turned into a `Window`."""

import operator
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.windows.window import Pads, Sizes, Window

LARGEST = sys.maxsize

AXES = {1: ("L", "KL"), 2: ("H, W", "KH, KW"), 3: ("D, H, W", "KD, KH, KW")}
"""By the number of spatial dimensions, how errors call these of an image and of a filter."""


def remembered(function: Callable) -> Callable:
    """Cache the results of a function of sizes; with arguments that aren't plain values it is called each time."""
    known = lru_cache(maxsize=1024, typed=True)(function)

    @wraps(function)
    def look_up(*arguments: object) -> object:
        for argument in arguments:
            kind = type(argument)
            if not (_SIZE.issuperset(map(type, argument)) if kind is tuple else kind in _PLAIN):  # type: ignore[call-overload]
                return function(*arguments)
        return known(*arguments)

    return look_up


# Keys of the cache must be immutable and unambiguous: a tensor's value may change, and (True, 1) == (1, 1).
_SIZE = frozenset((int, type(None)))
_PLAIN = frozenset((int, str, bool, type(None)))


@remembered
def convolution(
    op: str,
    rank: int,
    x: Sizes,
    weight: Sizes,
    bias: Sizes | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> Window:
    """The window of a convolution, from the shapes of its arrays and what users pass for the rest.

    Args:
        op: what errors name.
        rank: how many spatial dimensions there are.
        x: the shape `(N, C, ...)` or `(C, ...)` of the images.
        weight: the shape `(K, C/groups, ...)` of the filters.
        bias: the shape `(K,)` of the biases, or None.
        stride: one int, or one per dimension.
        padding: likewise, or "valid" or "same".
        dilation: one int, or one per dimension.
        groups: an int.

    Raises `ShapeError` for shapes that don't fit together, `ArgumentError`, `DTypeError` for the rest.

    >>> convolution("conv2d", 2, (8, 3, 32, 32), (6, 3, 5, 5), (6,), 1, "same", 1, 1).output
    (32, 32)
    """
    (groups,) = as_tuple(groups, 1, op=op, name="groups", minimum=1)
    check_channels(op, rank, x, weight, bias, groups)
    stride, padding, dilation = convolution_arguments(op, weight[2:], stride, padding, dilation)
    return Window.fitting(op, x[-rank:], weight[2:], stride, padding, dilation, groups)


@remembered
def transposed_convolution(
    op: str,
    rank: int,
    x: Sizes,
    weight: Sizes,
    bias: Sizes | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> Window:
    """The window of the convolution that a transposed convolution transposes: x is as its output, z as its input.

    Args:
        op: what errors name.
        rank: how many spatial dimensions there are.
        x: the shape `(N, C, ...)` or `(C, ...)` of the images.
        weight: the shape `(C, K/groups, ...)` of the filters.
        bias: the shape `(K,)` of the biases, or None.
        stride: one int, or one per dimension.
        padding: likewise; so many pixels are cut off on each side of z.
        output_padding: likewise; so many pixels are added after z.
        groups: an int.
        dilation: one int, or one per dimension.

    Raises `ShapeError` for shapes that don't fit together, `ArgumentError`, `DTypeError` for the rest.

    >>> transposed_convolution("conv_transpose2d", 2, (8, 6, 7, 7), (6, 3, 4, 4), (3,), 2, 1, 0, 1, 1).size
    (14, 14)
    """
    (groups,) = as_tuple(groups, 1, op=op, name="groups", minimum=1)
    check_axes(op, rank, x, weight=weight)
    given: dict[str, Any] = {"input": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    given |= {"groups": groups}
    if x[-rank - 1] != weight[0] or weight[0] % groups:
        problem = f"input has {x[-rank - 1]} channels, the filters take {weight[0]} in {groups} group(s)"
        expected = "channels of input == weight.shape[0], and a multiple of groups"
        raise ShapeError(restate(op, problem, expected=expected, **given))
    if min(weight) < 1:
        raise ShapeError(restate(op, "a dimension of the filters is empty", expected="at least 1", **given))
    if bias is not None and bias != (weight[1] * groups,):
        expected = f"bias of shape ({weight[1] * groups},)"
        raise ShapeError(restate(op, "one bias per channel of the output is needed", expected=expected, **given))
    moves = transposed_arguments(op, rank, stride, padding, output_padding, dilation)
    return Window.transposed(op, x[-rank:], weight[2:], *moves, groups)


def transposed_arguments(
    op: str, rank: int, stride: Any, padding: Any, output_padding: Any, dilation: Any
) -> tuple[Sizes, Sizes, Sizes, Sizes]:
    """Stride, padding, output padding and dilation of a transposed convolution, each with one int per dimension."""
    if isinstance(padding, str):
        problem = "a transposed convolution takes padding as whole numbers"
        raise ArgumentError(restate(op, problem, expected=f"an int or {rank} ints", padding=padding))
    stride, padding, output_padding, dilation = map(_one_for_all, (stride, padding, output_padding, dilation))
    stride = as_tuple(stride, rank, op=op, name="stride", minimum=1)
    dilation = as_tuple(dilation, rank, op=op, name="dilation", minimum=1)
    extra = as_tuple(output_padding, rank, op=op, name="output_padding", minimum=0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        problem = f"output_padding must be smaller than stride or dilation, got {output_padding}"
        raise ArgumentError(restate(op, problem, output_padding=extra, stride=stride, dilation=dilation))
    return stride, as_tuple(padding, rank, op=op, name="padding", minimum=0), extra, dilation


def convolution_arguments(
    op: str, kernel: Sizes, stride: Any, padding: Any, dilation: Any
) -> tuple[Sizes, Pads, Sizes]:
    """Stride, padding and dilation as `Window` has them."""
    rank = len(kernel)
    stride, padding, dilation = map(_one_for_all, (stride, padding, dilation))
    stride = as_tuple(stride, rank, op=op, name="stride", minimum=1)
    dilation = as_tuple(dilation, rank, op=op, name="dilation", minimum=1)
    return stride, conv_padding(padding, kernel, stride, dilation, op=op), dilation


@remembered
def pooling(
    op: str, rank: int, x: Sizes, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Window:
    """The window of a pooling, from the shape of x and what users pass for the rest.

    Args:
        op: what errors name.
        rank: how many spatial dimensions there are.
        x: the shape `(N, C, ...)` or `(C, ...)` of the images.
        kernel_size: one int, or one per dimension.
        stride: likewise; the kernel size if None.
        padding: likewise; the same before and after.
        dilation: likewise.
        ceil_mode: let a last, incomplete window count.

    Raises `ShapeError` where the window doesn't fit, `ArgumentError`, `DTypeError` for the rest.

    >>> pooling("max_pool2d", 2, (8, 3, 32, 32), 2, None, 0, 1, False).output
    (16, 16)
    """
    check_axes(op, rank, x)
    kernel, stride, sides, dilation = pooling_arguments(op, rank, kernel_size, stride, padding, dilation)
    pads = tuple((side, side) for side in sides)
    return Window.pooled(op, x[-rank:], kernel, stride, pads, dilation, ceil_mode)


def pooling_arguments(
    op: str, rank: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1
) -> tuple[Sizes, Sizes, Sizes, Sizes]:
    """Kernel, stride, padding and dilation, each with one int per dimension; no stride is the kernel."""
    kernel_size, stride, padding, dilation = map(_one_for_all, (kernel_size, stride, padding, dilation))
    kernel = as_tuple(kernel_size, rank, op=op, name="kernel_size", minimum=1)
    unsaid = stride is None or (isinstance(stride, (tuple, list)) and not stride)
    return (
        kernel,
        kernel if unsaid else as_tuple(stride, rank, op=op, name="stride", minimum=1),
        as_tuple(padding, rank, op=op, name="padding", minimum=0),
        as_tuple(dilation, rank, op=op, name="dilation", minimum=1),
    )


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


def _one_for_all(value: Any) -> Any:
    """A sequence of one number is that number for every dimension, as in PyTorch."""
    return value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value


def as_tuple(value: Any, rank: int, *, op: str, name: str, minimum: int | None = None) -> Sizes:
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
            raise TypeError("a bool isn't a size")
        numbers = tuple(operator.index(item) for item in values)
    except TypeError:
        problem = f"{name} must be whole numbers"
        raise DTypeError(restate(op, problem, expected=expected, **{name: value})) from None
    if len(numbers) != rank:
        problem = f"{name} has {len(numbers)} entries for {rank} spatial dimensions"
        raise ArgumentError(restate(op, problem, expected=expected, **{name: value}))
    if minimum is not None and min(numbers) < minimum:
        raise ArgumentError(restate(op, f"{name} must be at least {minimum}", expected=expected, **{name: value}))
    if max(numbers) > LARGEST:
        raise ArgumentError(restate(op, f"{name} is larger than any array", expected=expected, **{name: value}))
    return numbers


def check_axes(op: str, rank: int, x: Any, **others: Any) -> None:
    """Raise `ShapeError` unless x holds images, one or a batch, with so many spatial dimensions.

    x and the others are shapes, or tensors, which the error then tells the names and dtypes of.
    """
    if len(_shape(x)) not in (rank + 1, rank + 2) or any(len(_shape(y)) != rank + 2 for y in others.values()):
        axes, kernel = AXES[rank]
        expected = f"x (N, C, {axes}) or (C, {axes})" + (f", weight (K, C/groups, {kernel})" if others else "")
        raise ShapeError(restate(op, "the wrong number of axes", expected=expected, x=x, **others))


def check_channels(op: str, rank: int, x: Any, weight: Any, bias: Any, groups: int) -> None:
    """Raise `ShapeError` unless images, filters and biases fit together: shapes or tensors, as for `check_axes`."""
    check_axes(op, rank, x, weight=weight)
    given: dict[str, Any] = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias}) | {"groups": groups}
    channels, kernel = _shape(x)[-rank - 1], _shape(weight)
    if channels != kernel[1] * groups or kernel[0] % groups:
        problem = f"x has {channels} channels, the filters take {kernel[1]} in each of {groups} group(s)"
        expected = "channels of x == weight.shape[1] · groups, and weight.shape[0] a multiple of groups"
        raise ShapeError(restate(op, problem, expected=expected, **given))
    if min(kernel) < 1:
        raise ShapeError(restate(op, "a dimension of the filters is empty", expected="at least 1", **given))
    if bias is not None and _shape(bias) != kernel[:1]:
        expected = f"bias of shape ({kernel[0]},)"
        raise ShapeError(restate(op, "one bias per filter is needed", expected=expected, **given))


def _shape(x: Any) -> Sizes:
    return x if isinstance(x, tuple) else x.shape
