"""The window of a convolution or pooling: one parameter object, and every formula that follows from it."""

from collections.abc import Iterator
from itertools import product
from math import ceil, gcd, prod
from typing import Any, NamedTuple

from tensorgrad.errors import ArgumentError, ShapeError, restate

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


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

    @classmethod
    def transposed(
        cls,
        op: str,
        count: Sizes,
        kernel: Sizes,
        stride: Sizes,
        padding: Sizes,
        output_padding: Sizes,
        dilation: Sizes,
        groups: int,
    ) -> "Window":
        """Make the windows of the convolution whose gradient for the input is a transposed convolution.

        It has `count` windows over `(count − 1) · stride − 2 · padding + dilation · (kernel − 1) + output_padding + 1`
        pixels. Raises `ShapeError` where these are none.

        >>> Window.transposed("conv_transpose1d", (4,), (3,), (2,), (1,), (1,), (1,), 1)
        3 over 8 -> 4, stride 2, padding (1, 1)
        """
        axes = zip(count, kernel, stride, padding, output_padding, dilation, strict=True)
        size = tuple([(n - 1) * s - 2 * p + d * (k - 1) + extra + 1 for n, k, s, p, extra, d in axes])
        if min(count) < 1 or min(size) < 1:
            problem, fix = f"the output would be of size {size}", "use less padding, or a larger input"
            arguments: dict[str, Any] = {"input_size": count, "kernel_size": kernel, "stride": stride}
            arguments |= {"padding": padding, "output_padding": output_padding, "dilation": dilation}
            raise ShapeError(restate(op, problem, expected="at least one pixel in and out", fix=fix, **arguments))
        return cls(kernel, stride, tuple([(p, p) for p in padding]), dilation, groups, size, count)

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

    @property
    def plane(self) -> "Window":
        """The same over the planes of volumes, (H, W) of (D, H, W)."""
        kernel, stride, padding, dilation, groups, size, output = self
        return Window(kernel[1:], stride[1:], padding[1:], dilation[1:], groups, size[1:], output[1:])

    @property
    def column(self) -> "Window":
        """The same over the depth of volumes that have been worked on plane by plane: images (D, OH · OW).

        >>> Window.pooled("max_pool3d", (4, 4, 4), (2, 2, 2), (2, 2, 2), ((0, 0),) * 3, (1, 1, 1)).column
        2×1 over 4×4 -> 2×4, stride 2×1
        """
        across = prod(self.output[1:])
        kernel, stride, dilation = ((numbers[0], 1) for numbers in (self.kernel, self.stride, self.dilation))
        size, output = (self.size[0], across), (self.output[0], across)
        return Window(kernel, stride, (self.padding[0], (0, 0)), dilation, 1, size, output)

    @property
    def flat(self) -> "Window":
        """Windows of one pixel with as many pixels before and after as these have, in one row: for sizes alone."""
        ones, size, output = (1, 1), (1, prod(self.size)), (1, prod(self.output))
        return Window(ones, ones, ((0, 0), (0, 0)), ones, 1, size, output)

    def starts(self) -> list[range]:
        """Where the windows begin in the input, per dimension; below 0 in the padding.

        >>> Window.fitting("conv1d", (6,), (3,), (2,), ((1, 1),), (1,)).starts()
        [range(-1, 5, 2)]
        """
        axes = zip(self.stride, self.padding, self.output, strict=True)
        return [range(-before, count * step - before, step) for step, (before, _), count in axes]

    def met(self, axis: int) -> list[tuple[slice, slice]]:
        """Per tap along an axis: the windows whose tap lies inside the input, and the pixels that they meet.

        >>> Window.fitting("conv1d", (6,), (3,), (2,), ((1, 1),), (1,)).met(0)[0]
        (slice(1, 3, None), slice(1, 5, 2))
        """
        step, dilation, before = self.stride[axis], self.dilation[axis], self.padding[axis][0]
        size, count, found = self.size[axis], self.output[axis], []
        for tap in range(self.kernel[axis]):
            shift = tap * dilation - before
            first = min(count, max(0, -(shift // step)))
            last = max(first, min(count, -((shift - size) // step)))
            start = first * step + shift if last > first else 0
            found.append((slice(first, last), slice(start, start + (last - first) * step, step)))
        return found

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


def tiling(size: int, count: int) -> list[range]:
    """`count` windows that tile one dimension, for adaptive pooling: ⌊i · size / count⌋ … ⌈(i + 1) · size / count⌉.

    >>> tiling(5, 2)
    [range(0, 3), range(2, 5)]
    """
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
