"""Convolution in two dimensions: forward, the gradient for the input, the gradient for the weights.

The three are a closed trio: each is linear in each of its two arrays, and its derivatives are the other two.

How the kernels see it: an image is packed into a scratch, where the pixels that one tap of the kernel meets stand in a
line, in the order of the output's pixels q (im2row; `taps` says how). Then

    y[k, q] = bias[k] + Σ_tap w[k, tap] · image[offset[tap] + q]

so one table serves every kernel size, and y and its gradient are written and read where they lie. The gradient for the
input is that same sum once more, over the gradient, for each phase of the stride; the gradient for the weights takes
the dot products of lines. Both run in tiles of vectors (`simd`). Filters of 3×3 between many channels, the bulk of most
networks, go another way (`winograd`), and so do input gradients of windows without padding (`col2im`), and groups of
few channels (`depthwise`).
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
    """A sliding dot product, not flipped, over x with zeros around it.

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
        return by_fallback(fallback.conv_forward, _reached(x, window), w, bias, *_moves(window))
    if plan.by_planes:
        return depthwise.forward(x, w, bias, window)
    y = memory.empty(plan.total.shape, x.dtype)
    if plan.by_tiles:
        otherwise(winograd.forward(x, w, bias, window, y), lambda: correlate(x, w, bias, plan.total, y))
    else:
        correlate(x, w, bias, plan.total, y)
    return y


def grad_input(g: np.ndarray, w: np.ndarray, window: Window, bias: np.ndarray | None = None) -> np.ndarray:
    """The adjoint of `forward` in x: each g goes back to the pixels of its window. Also called transposed convolution.

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
        return _plus(by_fallback(fallback.conv_grad_input, g, w, window.size, *_moves(window)), bias)
    if not pointwise.is_finite(w):
        # The zeros around g times an infinite weight would be NaN.
        with np.errstate(invalid="ignore", over="ignore"):
            return _plus(fallback.conv_grad_input(g, w, window.size, *_moves(window)), bias)
    if plan.by_planes:
        return depthwise.grad_input(g, w, added, window)
    x = memory.empty(plan.x, g.dtype)
    if window.stride != (1, 1):
        _by_phases(g, w, added, window, plan, x)
        return x
    if plan.sparsely and bias is None:
        otherwise(sparse.grad_input(g, w, window, x), lambda: _at_stride_1(g, w, added, window, plan, x))
    else:
        _at_stride_1(g, w, added, window, plan, x)
    return _plus(x, bias) if plan.by_columns else x


def _at_stride_1(
    g: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window, plan: "GradInputPlan", x: np.ndarray
) -> None:
    """The gradient for the input of a convolution of stride 1, with a bias except by columns, to x."""
    if plan.by_columns:
        col2im.grad_input(g, w, window, x)
    elif plan.by_tiles is not None:
        flag = winograd.grad_input(g, w, bias, plan.by_tiles, x)
        otherwise(flag, lambda: correlate(g, w, bias, plan.totals[0][1], x))
    else:
        correlate(g, w, bias, plan.totals[0][1], x)


def _by_phases(
    g: np.ndarray, w: np.ndarray, bias: np.ndarray, window: Window, plan: "GradInputPlan", x: np.ndarray
) -> None:
    """The gradient for the input of a convolution of any stride, with a bias, to x: phase by phase of the stride."""
    if plan.whole:
        parts = memory.empty((*window.stride, *plan.totals[0][1].shape), g.dtype)
        for start, total in plan.totals:
            correlate(g, w, bias, total, parts[start])
        interleave(parts, x)
        return
    copies.copy(bias[:, None, None], x)  # also where no window reaches
    for (a, b), total in plan.totals:
        part = memory.empty(total.shape, g.dtype)
        correlate(g, w, bias, total, part)
        copies.copy(part, x[:, :, a :: window.stride[0], b :: window.stride[1]])


def _plus(x: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """x (N, C, H, W), to which the biases (C,) are added in place."""
    if bias is not None:
        x += bias[:, None, None]
    return x


def grad_weight(x: np.ndarray, g: np.ndarray, window: Window) -> np.ndarray:
    """The adjoint of `forward` in w: each weight's g times the pixels that it met.

        dw[k, c, i, j] = Σ_{n,p,q} g[n, k, p, q] · x[n, c, p·s + i·d − top, q·s + j·d − left]

    x `(N, C, H, W)`, g `(N, K, OH, OW)` -> `(K, C/groups, KH, KW)`; the images are summed in an order that depends on
    nothing but their number and the number of threads. Raises `ShapeError`, `DTypeError`.

    >>> window = Window.fitting("conv2d", (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    >>> grad_weight(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), window)
    array([[[[4., 4.],
             [4., 4.]]]])
    """
    plan = grad_weight_plan(x.shape, g.shape, window, x.itemsize, get_num_threads())
    x, g = floats("conv2d_grad_weight", "x g", x, g)
    if not COMPILED:
        return by_fallback(fallback.conv_grad_weight, _reached(x, window), g, window.kernel, *_moves(window))
    if plan.by_planes:
        return depthwise.grad_weight(x, g, window)
    dw = memory.empty(plan.w, x.dtype)
    if plan.sparsely:
        otherwise(sparse.grad_weight(x, g, window, dw), lambda: _from_all_pixels(x, g, window, plan, dw))
    else:
        _from_all_pixels(x, g, window, plan, dw)
    return dw


def _from_all_pixels(x: np.ndarray, g: np.ndarray, window: Window, plan: "GradWeightPlan", dw: np.ndarray) -> None:
    """The gradient for the weights, whatever g is, to dw."""
    if plan.by_tiles:
        otherwise(winograd.grad_weight(x, g, window, dw), lambda: dot(x, g, plan.lines, dw))
    else:
        dot(x, g, plan.lines, dw)


def _moves(window: Window) -> tuple[Sizes, Pads, Sizes, int]:
    """The window's arguments of the reference functions."""
    return window.stride, window.padding, window.dilation, window.groups


def _reached(x: np.ndarray, window: Window) -> np.ndarray:
    """The rows and columns of x that a window reaches, for the reference functions, which count the windows that fit.

    Those of a transposed convolution may be fewer: with `output_padding` beyond the stride.
    """
    fitting = Window.fitting("conv2d", window.size, *window[:5])
    less = [(f - n) * s for f, n, s in zip(fitting.output, window.output, window.stride, strict=True)]
    return x[:, :, : x.shape[2] - less[0], : x.shape[3] - less[1]]


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
    wide, filling = np.ones((2, 1, 50, 50), dtype), np.ones((2, 1, 49, 49), dtype)
    yield "grad_weight", lambda: grad_weight(wide, filling, large)
    yield "grad_weight of one image", lambda: grad_weight(x[:1], g[:1], small)


# --------------------------------------------------------------------------------------------------------------- plans
#
# Plans: everything that depends on the shapes alone, checks included; looked up once per call.


class ForwardPlan(NamedTuple):
    """How a convolution is computed."""

    by_planes: bool  # in groups of few channels
    by_tiles: bool  # by Winograd's tiles, unless a result isn't finite
    total: taps.Sum  # the plan of the direct sum, used otherwise


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

    x: Sizes  # the input's shape
    by_planes: bool  # in groups of few channels
    sparsely: bool  # from the nonzero elements of g, if most are zero
    by_tiles: Window | None  # by Winograd's tiles, of this window, unless a result isn't finite
    by_columns: bool
    totals: tuple[tuple[Sizes, taps.Sum], ...]  # by the phases of the stride
    whole: bool  # whether these are all phases, and of one size


@planned
def _grad_input_plan(g_shape: Sizes, w_shape: Sizes, window: Window, itemsize: int, threads: int) -> GradInputPlan:
    shapes = convolution_shapes("conv2d_grad_input", window, w=w_shape, y=g_shape)
    by_tiles = window.phases()[0].window if window.plain else None
    if by_tiles is not None and not winograd.serves(by_tiles, shapes):
        by_tiles = None
    by_columns = by_tiles is None and col2im.serves(window, w_shape, itemsize)
    totals = taps.grad_input_sums(window, shapes, itemsize, threads)
    by_planes = depthwise.serves(window, shapes)
    divided = not any(n % s for n, s in zip(window.size, window.stride, strict=True))
    whole = divided and len(totals) == prod(window.stride)
    sparsely = sparse.serves(window, shapes, itemsize)
    return GradInputPlan(shapes.x, by_planes, sparsely, by_tiles, by_columns, totals, whole)


class GradWeightPlan(NamedTuple):
    """How a gradient for weights is computed: by the first method here that applies."""

    w: Sizes  # the weights' shape
    by_planes: bool  # in groups of few channels
    sparsely: bool  # from the nonzero elements of g, if most are zero
    by_tiles: bool  # by Winograd's tiles, unless a result isn't finite
    lines: DotPlan


@planned
def grad_weight_plan(x_shape: Sizes, g_shape: Sizes, window: Window, itemsize: int, threads: int) -> GradWeightPlan:
    """How to compute the gradient for the weights from arrays of these shapes."""
    shapes = convolution_shapes("conv2d_grad_weight", window, x=x_shape, y=g_shape)
    by_planes, by_tiles = depthwise.serves(window, shapes), winograd.serves(window, shapes)
    sparsely = sparse.serves(window, shapes, itemsize)
    return GradWeightPlan(shapes.w, by_planes, sparsely, by_tiles, dot_plan(window, shapes, itemsize, threads))


def check_bias(filters: int, bias: np.ndarray, op: str = "conv2d") -> None:
    """Raise `ShapeError` unless there is one bias per filter."""
    if bias.shape != (filters,):
        raise ShapeError(restate(op, "bias must have one element per filter", expected=f"bias ({filters},)", bias=bias))
