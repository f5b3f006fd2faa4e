"""Windows of convolution and pooling: one parameter object, and every formula that follows from it. Integers alone.

A public function turns what users pass into a `Window`: `convolution` and `pooling` check each argument, once. The op
keeps the window, its gradients are made with the same one, and a kernel's plan reads from it what it needs.

All of it works per spatial dimension, for any number of them. "Dumoulin & Visin, A guide to convolution arithmetic for
deep learning (2016)" draws each of these formulas.
"""

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, wraps
from itertools import product
from math import ceil, gcd
from typing import Any, NamedTuple

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


LARGEST = sys.maxsize


# ---------------------------------------------------------------------------------------------------------- the window


class Window(NamedTuple):
    """How a kernel slides over an input. One entry per spatial dimension; hashable, and never changed.

    Made by `convolution` and `pooling` from arguments of users, by `fitting` and `pooled` from sizes.

    Attributes:
        kernel: how many pixels the kernel has.
        stride: from one window to the next.
        padding: rows and columns around the input, `(before, after)`.
        dilation: from one pixel of the kernel to the next.
        groups: groups of channels that don't see each other.
        size: pixels of the input.
        output: how many windows there are.

    >>> window = Window.fitting("conv2d", (28, 28), (5, 5), (2, 2), ((2, 2), (2, 2)), (1, 1))
    >>> window.output, window
    ((14, 14), 5×5 over 28×28 -> 14×14, stride 2×2, padding (2, 2) (2, 2))
    """

    kernel: Sizes
    stride: Sizes
    padding: Pads
    dilation: Sizes
    groups: int
    size: Sizes
    output: Sizes

    @classmethod
    def fitting(
        cls, op: str, size: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, groups: int = 1
    ) -> "Window":
        """Make the windows that fit: `(size + before + after − dilation · (kernel − 1) − 1) // stride + 1` of them.

        Raises `ShapeError` where not even one does, or where the input has no pixels.
        """
        slack = _slack(size, kernel, padding, dilation)
        if min(size) < 1 or min(slack) < 0:
            raise _does_not_fit(op, size, kernel, padding, dilation)
        output = tuple(free // step + 1 for free, step in zip(slack, stride, strict=True))
        return cls(kernel, stride, padding, dilation, groups, size, output)

    @classmethod
    def pooled(
        cls,
        op: str,
        size: Sizes,
        kernel: Sizes,
        stride: Sizes,
        padding: Pads,
        dilation: Sizes,
        ceil_mode: bool = False,
    ) -> "Window":
        """Make the windows that pooling takes, by PyTorch's rules: each holds a pixel of the input.

        Floor counts the windows that fit, as a convolution does. Ceil adds a last one that hangs over the end, unless
        it would start beyond the input and its padding before. Padding is at most half the kernel. Raises
        `ArgumentError`, `ShapeError`.

        >>> size, padding, one = (5,), ((0, 0),), (1,)
        >>> [Window.pooled("max_pool1d", size, (2,), (2,), padding, one, mode).output for mode in (False, True)]
        [(2,), (3,)]
        """
        if any(max(pads) > k // 2 for pads, k in zip(padding, kernel, strict=True)):
            problem = "padding must be at most half the kernel, so that no window is all padding"
            raise ArgumentError(restate(op, problem, padding=padding, kernel_size=kernel))
        slack = _slack(size, kernel, padding, dilation)
        if min(size) < 1 or min(slack) + (max(stride) - 1 if ceil_mode else 0) < 0:
            raise _does_not_fit(op, size, kernel, padding, dilation)
        output = tuple(
            _pool_windows(n, free, step, before, ceil_mode)
            for n, free, step, (before, _) in zip(size, slack, stride, padding, strict=True)
        )
        if min(output) < 1:
            raise _does_not_fit(op, size, kernel, padding, dilation)
        window = cls(kernel, stride, padding, dilation, 1, size, output)
        # Only a dilated window can step over the whole input, from the padding before it to what lies behind it.
        if max(dilation) > 1 and not window._touches_everywhere():
            problem, fix = "a window covers nothing but padding", "use less padding or a smaller dilation"
            arguments: dict[str, Any] = {
                "input_size": size,
                "kernel_size": kernel,
                "padding": padding,
                "dilation": dilation,
            }
            raise ShapeError(restate(op, problem, fix=fix, **arguments))
        return window

    @classmethod
    def halving(cls, size: Sizes) -> "Window":
        """Make the windows of 2×2 pooling: side by side, none over the end.

        >>> Window.halving((5, 4)).output
        (2, 2)
        """
        rank = len(size)
        return cls.pooled("max_pool2d", size, (2,) * rank, (2,) * rank, ((0, 0),) * rank, (1,) * rank)

    @property
    def before(self) -> Sizes:
        """How far the first window begins before the input."""
        return tuple([before for before, _ in self.padding])

    @property
    def halves(self) -> bool:
        """Whether this is 2×2 pooling."""
        return len(self.size) == 2 and min(self.size) > 1 and self._replace(groups=1) == Window.halving(self.size)

    @property
    def plain(self) -> bool:
        """Whether a convolution has stride 1, no dilation and one group."""
        return {*self.stride, *self.dilation, self.groups} == {1}

    @property
    def image(self) -> "Window":
        """The same over images: a signal `(L,)` is an image of one row `(1, L)`."""
        if len(self.kernel) == 2:
            return self
        kernel, stride, padding, dilation, groups, size, output = self
        return Window(
            (1, *kernel), (1, *stride), ((0, 0), *padding), (1, *dilation), groups, (1, *size), (1, *output)
        )  # fmt: skip

    def starts(self) -> list[range]:
        """Where the windows begin in the input, per dimension; below 0 in the padding.

        >>> Window.fitting("conv1d", (6,), (3,), (2,), ((1, 1),), (1,)).starts()
        [range(-1, 5, 2)]
        """
        axes = zip(self.stride, self.padding, self.output, strict=True)
        return [range(-before, count * step - before, step) for step, (before, _), count in axes]

    def counts(self, include_pad: bool) -> list[list[int]]:
        """How many pixels each window holds, per dimension; those of the padding count with `include_pad`.

        What hangs over the end of the padded input, as in ceil mode, never counts.

        >>> Window.pooled("avg_pool1d", (3,), (2,), (2,), ((0, 0),), (1,), True).counts(include_pad=True)
        [[2, 1]]
        """
        found = []
        for begins, k, n, (before, after) in zip(self.starts(), self.kernel, self.size, self.padding, strict=True):
            first, last = (-before, n + after) if include_pad else (0, n)
            found.append([min(start + k, last) - max(start, first) for start in begins])
        return found

    def phases(self) -> "tuple[Phase, ...]":
        """The gradient for the input of a convolution, as convolutions of stride 1 over the output's gradient.

        The input's pixel h receives from the window p through tap i where h + before = p · s + i · d. For the
        h = a + s · u of one phase a of the stride, only every s/gcd(s, d)-th tap does, and
        p = u + (a + before − i · d) / s: a convolution, with the kernel flipped and a dilation of d/gcd(s, d). Phases
        that no tap reaches are left out.

        >>> [phase.taps for phase in Window.fitting("conv1d", (6,), (3,), (2,), ((0, 0),), (1,)).phases()]
        [((2, 0),), ((1,),)]
        """
        axes = [list(self._phases_along(axis)) for axis in range(len(self.size))]
        found = []
        for parts in product(*axes):
            start, taps, dilation, before = zip(*parts, strict=True)
            size = tuple(-(-(n - a) // s) for n, a, s in zip(self.size, start, self.stride, strict=True))
            if min(size) < 1:
                continue
            kernel = tuple(map(len, taps))
            after = [
                m - 1 + d * (k - 1) + 1 - n - b
                for m, d, k, n, b in zip(size, dilation, kernel, self.output, before, strict=True)
            ]
            ones, padding = (1,) * len(size), tuple(zip(before, after, strict=True))
            window = Window(kernel, ones, padding, dilation, self.groups, self.output, size)
            found.append(Phase(start, taps, window))
        return tuple(found)

    def _phases_along(self, axis: int) -> Iterator[tuple[int, Sizes, int, int]]:
        """Per phase of one dimension: its first pixel, its taps in the order of their pixels, dilation, padding."""
        kernel, stride, dilation = self.kernel[axis], self.stride[axis], self.dilation[axis]
        before = self.padding[axis][0]
        for start in range(stride):
            taps = tuple(i for i in reversed(range(kernel)) if (start + before - i * dilation) % stride == 0)
            if taps:
                yield start, taps, dilation // gcd(dilation, stride), (taps[0] * dilation - start - before) // stride

    def _touches_everywhere(self) -> bool:
        """Whether each window holds a pixel of the input."""
        axes = zip(self.starts(), self.kernel, self.dilation, self.size, strict=True)
        return all(
            any(0 <= start + tap * d < n for tap in range(k)) for begins, k, d, n in axes for start in begins
        )  # fmt: skip

    def __repr__(self) -> str:
        """The sizes, and what isn't as usual."""
        text = f"{_times(self.kernel)} over {_times(self.size)} -> {_times(self.output)}"
        text += f", stride {_times(self.stride)}" if max(self.stride) > 1 else ""
        text += f", padding {' '.join(map(str, self.padding))}" if any(map(any, self.padding)) else ""
        text += f", dilation {_times(self.dilation)}" if max(self.dilation) > 1 else ""
        return text + (f", groups {self.groups}" if self.groups > 1 else "")


class Phase(NamedTuple):
    """One pixel in `stride` of an input, beginning with `start`, and the convolution that makes its gradient."""

    start: Sizes
    taps: tuple[Sizes, ...]  # of the kernel, per dimension, in the order of their pixels
    window: Window  # over the output's gradient


def _pool_windows(size: int, free: int, step: int, before: int, ceil_mode: bool) -> int:
    if not ceil_mode:
        return free // step + 1
    count = ceil(free / step) + 1
    return count - 1 if (count - 1) * step >= size + before else count


def _slack(size: Sizes, kernel: Sizes, padding: Pads, dilation: Sizes) -> Sizes:
    """The number of pixels by which a window can move, per dimension; negative if it doesn't fit."""
    return tuple(
        n + before + after - d * (k - 1) - 1
        for n, k, (before, after), d in zip(size, kernel, padding, dilation, strict=True)
    )


def _does_not_fit(op: str, size: Sizes, kernel: Sizes, padding: Pads, dilation: Sizes) -> ShapeError:
    window = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    padded = tuple(n + before + after for n, (before, after) in zip(size, padding, strict=True))
    return ShapeError(
        restate(
            op,
            f"a window of {window} doesn't fit into the padded input of {padded}",
            expected="dilation · (kernel − 1) + 1 ≤ input + padding in every dimension, and an input that isn't empty",
            fix="use a smaller kernel, less dilation or more padding",
            input_size=size,
            kernel_size=kernel,
            padding=padding,
            dilation=dilation,
        )
    )


def _times(sizes: Sizes) -> str:
    return "×".join(map(str, sizes))


# ------------------------------------------------------------------------------------------------- arguments of users


def remembered(function: Callable) -> Callable:
    """Let a function of sizes work once for equal arguments, whatever users pass: what isn't plain works each time."""
    known = lru_cache(maxsize=1024, typed=True)(function)

    @wraps(function)
    def look_up(*arguments: object) -> object:
        for argument in arguments:
            kind = type(argument)
            if not (_SIZE.issuperset(map(type, argument)) if kind is tuple else kind in _PLAIN):  # type: ignore[call-overload]
                return function(*arguments)
        return known(*arguments)

    return look_up


# What can't change and equals nothing else: a tensor's value may change, and (True, 1) == (1, 1).
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


def convolution_arguments(
    op: str, kernel: Sizes, stride: Any, padding: Any, dilation: Any
) -> tuple[Sizes, Pads, Sizes]:
    """Stride, padding and dilation as `Window` has them."""
    rank = len(kernel)
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
    """Kernel, stride, padding and dilation, each with one int per dimension."""
    kernel = as_tuple(kernel_size, rank, op=op, name="kernel_size", minimum=1)
    return (
        kernel,
        kernel if stride is None else as_tuple(stride, rank, op=op, name="stride", minimum=1),
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
        axes, kernel = ("H, W", "KH, KW") if rank == 2 else ("L", "KL")
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


# --------------------------------------------------------------------------------------------------- arrays of kernels


class Shapes(NamedTuple):
    """The shapes of a convolution's arrays."""

    x: Sizes  # (N, C, H, W)
    w: Sizes  # (K, C/groups, KH, KW)
    y: Sizes  # (N, K, OH, OW)


def convolution_shapes(
    op: str, window: Window, *, x: Sizes | None = None, w: Sizes | None = None, y: Sizes | None = None
) -> Shapes:
    """All three shapes of a convolution; a kernel is given two of them.

    Raises `ShapeError` where these don't fit the window: kernels address memory by these shapes, unchecked.
    """
    given: dict[str, Any] = {name: shape for name, shape in (("x", x), ("w", w), ("y", y)) if shape is not None}
    fits = all(len(shape) == len(window.size) + 2 for shape in given.values())
    if fits:
        count, filters = (x or y or ())[0], (w or y or ())[int(w is None)]
        channels = x[1] if x is not None else (w or ())[1] * window.groups
        shapes = Shapes(
            (count, channels, *window.size),
            (filters, channels // window.groups, *window.kernel),
            (count, filters, *window.output),
        )
        fits = min(channels, filters) > 0 and not channels % window.groups and not filters % window.groups
        if fits and all(shape == getattr(shapes, name) for name, shape in given.items()):
            return shapes
    expected = f"x (N, C, {_listed(window.size)}), w (K, C/groups, {_listed(window.kernel)}), "
    expected += f"y (N, K, {_listed(window.output)})"
    raise ShapeError(restate(op, "the arrays don't fit the window", expected=expected, window=window, **given))


def check_pooled(op: str, window: Window, **arrays: Any) -> None:
    """Raise `ShapeError` unless x is `(N, C, *window.size)` and y `(N, C, *window.output)`."""
    right = {"x": window.size, "y": window.output}
    if any(len(shape) != len(window.size) + 2 or shape[2:] != right[name] for name, shape in arrays.items()):
        expected = f"x (N, C, {_listed(window.size)}), y (N, C, {_listed(window.output)})"
        raise ShapeError(restate(op, "the arrays don't fit the window", expected=expected, window=window, **arrays))


def _listed(sizes: Sizes) -> str:
    return ", ".join(map(str, sizes))


# ------------------------------------------------------------------------------------------------ windows without size


def tiling(size: int, count: int) -> list[range]:
    """`count` windows that tile one dimension, for adaptive pooling: ⌊i · size / count⌋ … ⌈(i + 1) · size / count⌉.

    >>> tiling(5, 2)
    [range(0, 3), range(2, 5)]
    """
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
