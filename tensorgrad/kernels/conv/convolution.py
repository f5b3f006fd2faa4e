"""Convolution in two dimensions: forward, the gradient for the input, the gradient for the weights.

Each of the three functions is linear in each of its two arrays, and its derivatives are the other two functions. So
higher derivatives need no further kernel.

A *tap* is one element (c, i, j) of a filter. The direct method copies an image into a scratch buffer such that the
pixels that one tap meets lie in a line, in the order of the output's pixels q (im2row; `taps` says how). Then

    y[k, q] = bias[k] + Σ_tap w[k, tap] · image[offset[tap] + q]

One table of offsets describes a filter of any size, and y and its gradient need no copy. The gradient for the input is
the same kind of sum over the output's gradient, one for each phase of the stride; the gradient for the weights takes
the dot products of lines. Both are computed in tiles of vectors (`simd`).

Other methods are faster for some shapes: `winograd` for 3×3 filters between many channels, the bulk of most networks,
`col2im` for input gradients of windows without padding, `depthwise` for groups of few channels, and `sparse` for
gradients that come out of 2×2 max pooling.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.arrays import memory
from tensorgrad.errors import ShapeError, restate
from tensorgrad.kernels import copies, fallback
from tensorgrad.kernels.arguments import floats, zeros
from tensorgrad.kernels.conv import col2im, sparse, taps, winograd
from tensorgrad.kernels.conv.direct.correlate import correlate, interleave
from tensorgrad.kernels.conv.direct.dots import DotPlan, dot, dot_plan
from tensorgrad.kernels.conv.groups import depthwise
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit.dispatch import COMPILED, by_fallback, get_num_threads, otherwise
from tensorgrad.kernels.jit.opaque import planned
from tensorgrad.windows import Pads, Sizes, Window, convolution_shapes


def forward(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, window: Window) -> np.ndarray:
    """The cross-correlation of x, padded with zeros, with the filters w: what deep learning calls convolution.

        y[n, k, p, q] = bias[k] + Σ_{c,i,j} w[k, c, i, j] · x[n, c, p·s + i·d − top, q·s + j·d − left]

    x `(N, C, H, W)`, w `(K, C/groups, KH, KW)`, bias `(K,)` or None -> `(N, K, OH, OW)`, all float32 or all float64;
    s is the window's stride, d its dilation, top and left its padding before; c runs over the channels of k's group.
    Raises `ShapeError`, `DTypeError`.

    >>> window = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> forward(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.array([0.5]), window)
    array([[[[4.5, 4.5],
             [4.5, 4.5]]]])
    """
    plan = forward_plan(x.shape, w.shape, window, x.itemsize, get_num_threads())
    if bias is None:
        bias = zeros(w.shape[0], x.dtype)
    x, w, bias = floats("conv2d", "x w bias", x, w, bias)
    check_bias(len(w), bias)
    if not COMPILED:
        return by_fallback(fallback.conv_forward, _reached(x, window), w, bias, *_options(window))
    if plan.by_depthwise:
        return depthwise.forward(x, w, bias, window)
    y = memory.empty(plan.direct.shape, x.dtype)
    if plan.by_winograd:
        otherwise(winograd.forward(x, w, bias, window, y), lambda: correlate(x, w, bias, plan.direct, y))
    else:
        correlate(x, w, bias, plan.direct, y)
    return y


def grad_input(g: np.ndarray, w: np.ndarray, window: Window, bias: np.ndarray | None = None) -> np.ndarray:
    """The adjoint of `forward` in x, also called transposed convolution: each g is added to the pixels of its window.

        dx[n, c, p·s + i·d − top, q·s + j·d − left] += Σ_k w[k, c, i, j] · g[n, k, p, q]   for all p, q, i, j

    g `(N, K, OH, OW)`, w `(K, C/groups, KH, KW)` -> `(N, C, H, W)`, zero where no window reaches. A `bias` `(C,)` is
    added everywhere. Raises `ShapeError`, `DTypeError`.

    >>> window = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> grad_input(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)), window)
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    plan = _grad_input_plan(g.shape, w.shape, window, g.itemsize, get_num_threads())
    if bias is None:
        g, w = floats("conv2d_grad_input", "g w", g, w)
        added = zeros(plan.x[1], g.dtype)
    else:
        g, w, added = floats("conv2d_grad_input", "g w bias", g, w, bias)
        check_bias(plan.x[1], added, "conv_transpose2d")
    if not COMPILED:
        return _plus(by_fallback(fallback.conv_grad_input, g, w, window.size, *_options(window)), bias)
    if not pointwise.is_finite(w):
        # The kernels multiply the zeros around g by every weight, and 0 · ∞ is NaN. The fallback pads nothing.
        with np.errstate(invalid="ignore", over="ignore"):
            return _plus(fallback.conv_grad_input(g, w, window.size, *_options(window)), bias)
    if plan.by_depthwise:
        return depthwise.grad_input(g, w, added, window)
    x = memory.empty(plan.x, g.dtype)
    if window.stride != (1, 1):
        _by_phases(g, w, added, window, plan, x)
        return x
    if plan.by_sparse and bias is None:
        otherwise(sparse.grad_input(g, w, window, x), lambda: _at_stride_1(g, w, added, window, plan, x))
    else:
        _at_stride_1(g, w, added, window, plan, x)
    return _plus(x, bias) if plan.by_col2im else x


def _at_stride_1(
    g: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window, plan: "GradInputPlan", x: np.ndarray
) -> None:
    """Write the gradient for the input at stride 1 into x, plus the bias, which only `col2im` leaves to the caller."""
    if plan.by_col2im:
        col2im.grad_input(g, w, window, x)
    elif plan.by_winograd is not None:
        flags = winograd.grad_input(g, w, bias, plan.by_winograd, x)
        otherwise(flags, lambda: correlate(g, w, bias, plan.phases[0][1], x))
    else:
        correlate(g, w, bias, plan.phases[0][1], x)


def _by_phases(
    g: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window, plan: "GradInputPlan", x: np.ndarray
) -> None:
    """Write the gradient for the input at any stride into x, plus the bias.

    The phase (a, b) of the stride is x[:, :, a::s, b::s]: its pixels meet the same taps, so each phase is one sum.
    """
    if plan.can_interleave:
        # All phases have one size, so one kernel interleaves them, instead of a strided copy for each.
        # parts (s, s, N, C, H/s, W/s) -> x (N, C, H, W)
        parts = memory.empty((*window.stride, *plan.phases[0][1].shape), g.dtype)
        for start, total in plan.phases:
            correlate(g, w, bias, total, parts[start])
        interleave(parts, x)
        return
    copies.copy(bias[:, None, None], x)  # also where no window reaches
    for (a, b), total in plan.phases:
        part = memory.empty(total.shape, g.dtype)
        correlate(g, w, bias, total, part)
        copies.copy(part, x[:, :, a :: window.stride[0], b :: window.stride[1]])


def _plus(x: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Add the bias (C,) to x (N, C, H, W) in place; returns x."""
    if bias is not None:
        x += bias[:, None, None]
    return x


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window) -> np.ndarray:
    """The adjoint of `forward` in w: each weight's g times the pixels that it met.

        dw[k, c, i, j] = Σ_{n,p,q} g[n, k, p, q] · x[n, c, p·s + i·d − top, q·s + j·d − left]

    x `(N, C, H, W)`, g `(N, K, OH, OW)` -> `(K, C/groups, KH, KW)`. The order in which images are summed depends only
    on their number and on the number of threads. Raises `ShapeError`, `DTypeError`.

    >>> window = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> grad_weight(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), window)
    array([[[[4., 4.],
             [4., 4.]]]])
    """
    plan = grad_weight_plan(x.shape, g.shape, window, x.itemsize, get_num_threads())
    x, g = floats("conv2d_grad_weight", "x g", x, g)
    if not COMPILED:
        return by_fallback(fallback.conv_grad_weight, _reached(x, window), g, window.kernel, *_options(window))
    if plan.by_depthwise:
        return depthwise.grad_weight(x, g, window)
    dw = memory.empty(plan.w, x.dtype)
    if plan.by_sparse:
        otherwise(sparse.grad_weight(x, g, window, dw), lambda: _from_all_pixels(x, g, window, plan, dw))
    else:
        _from_all_pixels(x, g, window, plan, dw)
    return dw


def _from_all_pixels(x: np.ndarray, g: np.ndarray, window: Window, plan: "GradWeightPlan", dw: np.ndarray) -> None:
    """Write the gradient for the weights into dw; unlike `sparse`, for any g."""
    if plan.by_winograd:
        otherwise(winograd.grad_weight(x, g, window, dw), lambda: dot(x, g, plan.direct, dw))
    else:
        dot(x, g, plan.direct, dw)


def _options(window: Window) -> tuple[Sizes, Pads, Sizes, int]:
    """The last four arguments of the fallback's functions: stride, padding, dilation, groups."""
    return window.stride, window.padding, window.dilation, window.groups


def _reached(x: np.ndarray, window: Window) -> np.ndarray:
    """x without the rows and columns at its end that no window reaches, for the fallback's functions.

    These compute as many windows as fit into x. A transposed convolution whose `output_padding` exceeds its stride has
    fewer windows than would fit.
    """
    fitting = Window.fitting("conv2d", window.size, *window[:5])
    surplus = [(f - n) * s for f, n, s in zip(fitting.output, window.output, window.stride, strict=True)]
    return x[:, :, : x.shape[2] - surplus[0], : x.shape[3] - surplus[1]]


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A small call of each kernel, for the warm-up."""
    x, w, bias = np.ones((2, 1, 3, 3), dtype), np.ones((1, 1, 2, 2), dtype), np.ones(1, dtype)
    g = np.ones((2, 1, 2, 2), dtype)
    small, large = (
        Window.fitting("conv2d", size, (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1)) for size in ((3, 3), (50, 50))
    )
    yield "forward", lambda: forward(x, w, bias, small)
    images, filters = np.ones((taps.MANY, 1, 3, 3), dtype), np.ones((8, 1, 2, 2), dtype)
    yield "forward of many images", lambda: forward(images, filters, None, small)
    yield "grad_input", lambda: grad_input(g, w, small)
    half = Window.fitting("conv2d", (4, 4), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
    yield "grad_input at stride 2", lambda: grad_input(g, w, half)
    large_x, large_g = np.ones((2, 1, 50, 50), dtype), np.ones((2, 1, 49, 49), dtype)
    yield "grad_weight", lambda: grad_weight(large_x, large_g, large)
    yield "grad_weight of one image", lambda: grad_weight(x[:1], g[:1], small)


# --------------------------------------------------------------------------------------------------------------- plans
#
# A plan holds everything that depends on the shapes alone, and making one checks the shapes. Plans are cached: a call
# on shapes that were met before costs one lookup.


class ForwardPlan(NamedTuple):
    """How a convolution is computed: by the first method here that applies."""

    by_depthwise: bool  # for groups of few channels
    by_winograd: bool  # unless a result isn't finite: then by the direct sum
    direct: taps.Sum  # the plan of the direct sum, which serves all shapes


@planned
def forward_plan(x_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int, threads: int) -> ForwardPlan:
    """How to compute the convolution of arrays of these shapes."""
    shapes = convolution_shapes("conv2d", window, x=x_shape, w=w_shape)
    return ForwardPlan(
        depthwise.serves(window, shapes),
        winograd.serves(window, shapes),
        taps.forward_sum(window, shapes, itemsize, threads),
    )


class GradInputPlan(NamedTuple):
    """How a gradient for the input is computed: by the first method here that applies."""

    x: Sizes  # the input's shape (N, C, H, W)
    by_depthwise: bool  # for groups of few channels
    by_sparse: bool  # for g with at most one nonzero element per 2×2 window, as a kernel finds out
    by_winograd: Window | None  # with this window, unless a result isn't finite
    by_col2im: bool
    phases: tuple[tuple[Sizes, taps.Sum], ...]  # per phase of the stride its first pixel (a, b), and its direct sum
    can_interleave: bool  # whether every pixel belongs to one of these phases, and all have one size


@planned
def _grad_input_plan(g_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int, threads: int) -> GradInputPlan:
    shapes = convolution_shapes("conv2d_grad_input", window, w=w_shape, y=g_shape)
    by_winograd = window.phases()[0].window if window.plain else None
    if by_winograd is not None and not winograd.serves(by_winograd, shapes):
        by_winograd = None
    by_col2im = by_winograd is None and col2im.serves(window, w_shape, itemsize)
    phases = taps.grad_input_sums(window, shapes, itemsize, threads)
    by_depthwise = depthwise.serves(window, shapes)
    # Where the stride divides the size, all phases have one size; a phase that no window reaches isn't in `phases`.
    divides = not any(n % s for n, s in zip(window.size, window.stride, strict=True))
    can_interleave = divides and len(phases) == prod(window.stride)
    by_sparse = sparse.serves(window, shapes, itemsize)
    return GradInputPlan(shapes.x, by_depthwise, by_sparse, by_winograd, by_col2im, phases, can_interleave)


class GradWeightPlan(NamedTuple):
    """How a gradient for weights is computed: by the first method here that applies."""

    w: Sizes  # the weights' shape (K, C/groups, KH, KW)
    by_depthwise: bool  # for groups of few channels
    by_sparse: bool  # for g with at most one nonzero element per 2×2 window, as a kernel finds out
    by_winograd: bool  # unless a result isn't finite
    direct: DotPlan  # the plan of the dot products of lines, which serve all shapes


@planned
def grad_weight_plan(x_shape: Sizes, g_shape: Sizes, window: Window, itemsize: int, threads: int) -> GradWeightPlan:
    """How to compute the gradient for the weights from arrays of these shapes."""
    shapes = convolution_shapes("conv2d_grad_weight", window, x=x_shape, y=g_shape)
    by_depthwise, by_winograd = depthwise.serves(window, shapes), winograd.serves(window, shapes)
    by_sparse = sparse.serves(window, shapes, itemsize)
    return GradWeightPlan(shapes.w, by_depthwise, by_sparse, by_winograd, dot_plan(window, shapes, itemsize, threads))


def check_bias(filters: int, bias: np.ndarray, op: str = "conv2d") -> None:
    """Raise `ShapeError` unless there is one bias per filter."""
    if bias.shape != (filters,):
        raise ShapeError(restate(op, "bias must have one element per filter", expected=f"bias ({filters},)", bias=bias))
