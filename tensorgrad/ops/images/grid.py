"""Images read at the places of a grid: spatial transformers."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels, windows
from tensorgrad.arrays.dtypes import check_memory
from tensorgrad.autograd.engine import apply, constant
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import LOSS, equation, infix, partial, summed, words
from tensorgrad.ops.elementwise.arithmetic import remainder
from tensorgrad.ops.elementwise.choice import clip, where
from tensorgrad.ops.elementwise.rounding import floor, round
from tensorgrad.ops.joining import stack
from tensorgrad.ops.operands import TensorLike, flag, floating, for_kernel

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


# ----------------------------------------------------------------------------------------------------------------- ops


class GridPixels(Op):
    """z = the pixels around the place of each result: their numbers in a channel, −1 for none."""

    symbol, formula = "pixels at", lambda xs: words("the pixels around", xs)
    size: tuple[int, ...]
    offsets: tuple[tuple[int, ...], ...]
    padding_mode: str = "zeros"
    align_corners: bool = False

    def forward(self, *xs):
        flat = tuple([x.reshape(len(x), -1 if x.size else 0) for x in xs])
        options = (np.array(self.offsets), self.size, self.padding_mode, self.align_corners)
        return kernels.weighted.pixels(flat, *options).reshape(*xs[0].shape, len(self.offsets))


class Sample(Op):
    """z = Σ w · x over the pixels k."""

    symbol, formula = "sample", lambda x, w: summed(w * words(x, "[k]"))
    derivatives = (
        lambda grad, x, w: equation(words(partial(LOSS, x), "[k]"), w * grad, "+="),
        lambda grad, x: summed(grad * words(x, "[k]")),
    )

    def forward(self, x, w, k):
        self.residuals = x.shape[2:]
        flat = k.reshape(len(k), -1 if k.size else 0, k.shape[-1])
        z = kernels.weighted.sample(x.reshape(*x.shape[:2], -1 if x.size else 0), w.reshape(flat.shape), flat)
        return z.reshape(*x.shape[:2], *k.shape[1:-1])

    def backward_x(self, grad, w, k, residuals):
        return apply(SampleAdjoint, grad, w, k, size=residuals)

    def backward_w(self, grad, x, k):
        return apply(SampleDots, x, grad, k)


class SampleNearest(Op):
    """z = x at the one pixel k, whose place is rounded: it has no slope."""

    symbol, formula = "sample", lambda x: words(x, "[k]")
    derivatives = (lambda grad, x: equation(words(partial(LOSS, x), "[k]"), grad, "+="), lambda: 0)

    def forward(self, x, place, k):
        return Sample.of().forward(x, np.ones(k.shape, x.dtype), k)

    def backward_x(self, grad, x, k):
        return apply(SampleAdjoint, grad, constant(np.ones(k.shape, grad.dtype)), k, size=x.shape[2:])

    def backward_place(self, grad, place):
        return constant(np.zeros_like(place._data))


class SampleAdjoint(Op):
    """z = 0, then w · g is added at the pixels k."""

    symbol, formula = "sampleᵀ", lambda z, g, w: equation(words(z, "[k]"), w * g, "+=")
    derivatives = (
        lambda grad, w: summed(w * words(grad, "[k]")),
        lambda grad, g: summed(g * words(grad, "[k]")),
    )
    size: tuple[int, ...]

    def forward(self, g, w, k):
        pixels = int(np.prod(self.size))
        flat = k.reshape(len(k), -1 if k.size else 0, k.shape[-1])
        upstream = g.reshape(*g.shape[:2], flat.shape[1])
        return kernels.weighted.adjoint(upstream, w.reshape(flat.shape), flat, pixels).reshape(*g.shape[:2], *self.size)

    def backward_g(self, grad, w, k):
        return apply(Sample, grad, w, k)

    def backward_w(self, grad, g, k):
        return apply(SampleDots, grad, g, k)


class SampleDots(Op):
    """z = Σ g · x[k] over the channels: the gradient of a sample for its weights."""

    symbol, formula = "sampleʷ", lambda x, g: summed(infix(g, "·", words(x, "[k]")))
    derivatives = (
        lambda grad, x, g: equation(words(partial(LOSS, x), "[k]"), grad * g, "+="),
        lambda grad, x: summed(grad * words(x, "[k]")),
    )

    def forward(self, x, g, k):
        self.residuals = x.shape[2:]
        flat = k.reshape(len(k), -1 if k.size else 0, k.shape[-1])
        images, upstream = x.reshape(*x.shape[:2], -1 if x.size else 0), g.reshape(*g.shape[:2], flat.shape[1])
        return kernels.weighted.dots(images, upstream, flat).reshape(k.shape)

    def backward_x(self, grad, g, k, residuals):
        return apply(SampleAdjoint, g, grad, k, size=residuals)

    def backward_g(self, grad, x, k):
        return apply(Sample, x, grad, k)


class Bilinear(Op):
    """z = x between pixels, at the places v (down) and u (across)."""

    symbol, formula = "bilinear", lambda x, v, u: words(x, "at", v, ",", u)
    derivatives = (
        lambda grad, x, v, u: equation(words(partial(LOSS, x), "around", v, ",", u), grad, "+="),
        lambda grad, x, v: summed(infix(grad, "·", partial(x, v))),
        lambda grad, x, u: summed(infix(grad, "·", partial(x, u))),
    )

    def forward(self, x, v, u):
        self.residuals = x.shape[2:], {}  # with the slopes for a gradient, which two rules use
        z = kernels.bilinear.sample(x, v.reshape(len(v), -1 if v.size else 0), u.reshape(len(u), -1 if u.size else 0))
        return z.reshape(*x.shape[:2], *v.shape[1:])

    def backward_x(self, grad, v, u, residuals):
        size, _ = residuals
        if not is_grad_enabled():
            return apply(BilinearAdjoint, grad, v, u, size=size)
        weights, k = _taps([v, u], size)
        return apply(SampleAdjoint, grad, _outer(weights), k, size=size)

    def backward_v(self, grad, x, v, u, residuals):
        if not is_grad_enabled():
            return self._slopes(grad, x, v, u, residuals)[0]
        dots, (_, across) = self._dots(grad, x, v, u)
        return ((dots[..., 1, :] - dots[..., 0, :]) * across).sum(-1)

    def backward_u(self, grad, x, v, u, residuals):
        if not is_grad_enabled():
            return self._slopes(grad, x, v, u, residuals)[1]
        dots, (down, _) = self._dots(grad, x, v, u)
        return ((dots[..., 1] - dots[..., 0]) * down).sum(-1)

    def _slopes(self, grad: Tensor, x: Tensor, v: Tensor, u: Tensor, residuals: tuple) -> Tensor:
        known = residuals[1]
        if known.get("grad") is not grad:
            known.update(grad=grad, slopes=apply(BilinearSlopes, grad, x, v, u))
        return known["slopes"]

    def _dots(self, grad: Tensor, x: Tensor, v: Tensor, u: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The gradients for the weights of the four pixels, (N, OH, OW, 2, 2), and the weights along each axis."""
        weights, k = _taps([v, u], x.shape[2:])
        return apply(SampleDots, x, grad, k).reshape(*v.shape, 2, 2), weights


class BilinearAdjoint(Op):
    """z = 0, then g is added to the pixels around v, u; for a backward pass that isn't recorded."""

    symbol, formula = "bilinearᵀ", lambda z, g, v, u: equation(words(z, "around", v, ",", u), g, "+=")
    size: tuple[int, ...]

    def forward(self, g, v, u):
        flat = [place.reshape(len(place), -1 if place.size else 0) for place in (v, u)]
        return kernels.bilinear.adjoint(g.reshape(*g.shape[:2], flat[0].shape[1]), *flat, self.size)


class BilinearSlopes(Op):
    """z = Σ g · ∂x/∂v and Σ g · ∂x/∂u over the channels, for a backward pass that isn't recorded."""

    symbol, formula = "slopes", lambda g, x, v, u: summed(infix(g, "·", words(partial(x, v), ",", partial(x, u))))

    def forward(self, g, x, v, u):
        flat = [place.reshape(len(place), -1 if place.size else 0) for place in (v, u)]
        z = kernels.bilinear.slopes(g.reshape(*g.shape[:2], flat[0].shape[1]), x, *flat)
        return z.reshape(2, *v.shape)


# ----------------------------------------------------------------------------------------------------------- functions


def grid_sample(
    input: TensorLike,
    grid: TensorLike,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """input read at the places of a grid; gradients flow to both.

    Jaderberg et al., Spatial Transformer Networks, NIPS 2015.

    Args:
        input: `(N, C, H, W)` or `(N, C, D, H, W)`; float32 or float64.
        grid: `(N, OH, OW, 2)`, the places (x, y), or `(N, OD, OH, OW, 3)`, (x, y, z): −1 is the left or upper end of
            the image, 1 the right or lower one.
        mode: "bilinear" (of volumes trilinear), "nearest" or, for images, "bicubic".
        padding_mode: what lies outside: "zeros", "border" (the edge repeated) or "reflection".
        align_corners: whether −1 and 1 are the centers of the corner pixels, instead of their outer edges; False if
            None.

    Returns:
        `(N, C, OH, OW)` or `(N, C, OD, OH, OW)`.

    Raises:
        ShapeError: an input or a grid of another shape, or without pixels. ArgumentError: another mode.
        DTypeError: a grid of another dtype than input.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> grid = tg.tensor([[[[0.0, 0.0], [-1.0, -1.0]]]])
    >>> F.grid_sample(tg.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), grid, align_corners=True)
    tensor([[[[2.5, 1. ]]]])
    """
    x, grid = for_kernel("grid_sample", input), for_kernel("grid_sample", grid)
    _check(x, grid, mode, padding_mode)
    if align_corners is None:
        text = "grid_sample: align_corners is False by default; pass it to say so"
        warnings.warn(text, UserWarning, stacklevel=2)
    align = align_corners is not None and flag("grid_sample", "align_corners", align_corners)
    size = x.shape[2:]
    # The last number of a place is that of the first axis.
    places = [_place(grid[..., len(size) - 1 - axis], n, align) for axis, n in enumerate(size)]
    if mode != "bicubic" and padding_mode != "zeros":
        places = [_kept_inside(place, n, padding_mode, align) for place, n in zip(places, size, strict=True)]
    if mode == "nearest":
        k = apply(GridPixels, *[round(place) for place in places], size=size, offsets=((0,) * len(size),))
        return apply(SampleNearest, x, places[0], k)  # through the place a gradient of 0 flows to the grid
    if mode == "bilinear" and len(size) == 2:
        return apply(Bilinear, x, *places)
    options = {"padding_mode": padding_mode, "align_corners": align} if mode == "bicubic" else {}
    weights, k = _taps(places, size, mode == "bicubic", **options)
    return apply(Sample, x, _outer(weights), k)


def _taps(
    places: list[Tensor], size: tuple[int, ...], is_cubic: bool = False, **options: Any
) -> tuple[list[Tensor], Tensor]:
    """The weights of the pixels around each place along each axis, and the numbers of these pixels in a channel."""
    firsts = [floor(place) for place in places]
    parts = [place - first for place, first in zip(places, firsts, strict=True)]
    weights = [_cubic(part) if is_cubic else stack([1 - part, part], -1) for part in parts]
    offsets = tuple(itertools.product((-1, 0, 1, 2) if is_cubic else (0, 1), repeat=len(size)))
    return weights, apply(GridPixels, *[first.detach() for first in firsts], size=size, offsets=offsets, **options)


def _check(x: Tensor, grid: Tensor, mode: str, padding_mode: str) -> None:
    given: dict[str, Any] = {"input": x, "grid": grid}
    rank = x.ndim - 2
    known = all(isinstance(name, str) for name in (mode, padding_mode))
    if not known or mode not in MODES or padding_mode not in PADDINGS:
        problem = f"mode must be one of {', '.join(MODES)}, padding_mode one of {', '.join(PADDINGS)}"
        raise ArgumentError(restate("grid_sample", problem, mode=mode, padding_mode=padding_mode))
    if x.dtype != grid.dtype:
        fix = "convert one of them: grid.astype(input.dtype)"
        raise DTypeError(restate("grid_sample", "input and grid must have the same dtype", fix=fix, **given))
    if rank not in (2, 3) or grid.ndim != x.ndim or grid.shape[-1] != rank or len(grid) != len(x):
        expected = "input (N, C, H, W) and grid (N, OH, OW, 2), or input (N, C, D, H, W) and grid (N, OD, OH, OW, 3)"
        raise ShapeError(restate("grid_sample", "the shapes don't fit together", expected=expected, **given))
    if mode == "bicubic" and rank == 3:
        problem = "mode 'bicubic' takes images (N, C, H, W) alone"
        raise ArgumentError(restate("grid_sample", problem, fix="use mode='bilinear'", **given))
    if min(x.shape[2:]) < 1:
        raise ShapeError(restate("grid_sample", "input must have at least one pixel", **given))


def _place(x: Tensor, n: int, align: bool) -> Tensor:
    """The place among n pixels of a coordinate in [−1, 1]."""
    return (x + 1) * ((n - 1) / 2) if align else ((x + 1) * n - 1) / 2


def _kept_inside(place: Tensor, n: int, padding_mode: str, align: bool) -> Tensor:
    """Places outside moved inside; those that end at the edge get no gradient, as in PyTorch."""
    if padding_mode == "reflection":
        low, high = (0.0, n - 1.0) if align else (-0.5, n - 0.5)
        if low == high:
            return floor(clip(place, 0.5, 0.5))
        distance = place - low
        distance = where(distance < 0, -distance, distance)
        extra, turns = remainder(distance, high - low), floor(distance.detach() / (high - low))
        place = where(remainder(turns, 2.0) == 0, extra + low, high - extra)
    edge = clip(place.detach(), 0.0, n - 1.0)
    return where((place > 0) & (place < n - 1), place, edge)


def _cubic(t: Tensor, a: float = -0.75) -> Tensor:
    """The weights (..., 4) of the neighbours −1, 0, 1, 2: see `kernels.sampling.tables.cubic`."""
    far, near = (lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a), (lambda d: ((a + 2) * d - (a + 3)) * d * d + 1)
    return stack([far(t + 1), near(t), near(1 - t), far(2 - t)], -1)


def _outer(weights: list[Tensor]) -> Tensor:
    """The products of one weight of each axis: (..., T) each -> (..., T · T)."""
    product = weights[0]
    for weight in weights[1:]:
        shape = (*weight.shape[:-1], product.shape[-1] * weight.shape[-1])
        product = (product.unsqueeze(-1) * weight.unsqueeze(-2)).reshape(shape)
    return product


def affine_grid(theta: TensorLike, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid of places, for `grid_sample`, that an affine map turns an image's own places into.

    Args:
        theta: `(N, 2, 3)`, a matrix and a translation per image, or `(N, 3, 4)` for volumes.
        size: the shape of the result of `grid_sample`, `(N, C, H, W)` or `(N, C, D, H, W)`.
        align_corners: as in `grid_sample`; False if None.

    Returns:
        `(N, H, W, 2)` or `(N, D, H, W, 3)`.

    Raises:
        ShapeError: a theta of another shape. ArgumentError: a size that doesn't fit.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.affine_grid(tg.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2), align_corners=True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    theta = floating(theta)
    rank = theta.shape[-1] - 1 if theta.ndim else 0
    sizes = windows.as_tuple(size, rank + 2, op="affine_grid", name="size", minimum=1) if rank in (2, 3) else ()
    if not sizes or theta.shape != (sizes[0], rank, rank + 1):
        expected = "theta (N, 2, 3) and size (N, C, H, W), or theta (N, 3, 4) and size (N, C, D, H, W)"
        raise ShapeError(
            restate("affine_grid", "the shapes don't fit together", expected=expected, theta=theta, size=size)
        )
    if align_corners is None:
        text = "affine_grid: align_corners is False by default; pass it to say so"
        warnings.warn(text, UserWarning, stacklevel=2)
    align = align_corners is not None and flag("affine_grid", "align_corners", align_corners)
    check_memory("affine_grid", (sizes[0], *sizes[2:], rank), theta.dtype, theta=theta, size=size)
    base = constant(_base(sizes[2:], align, theta.dtype))
    # (D·H·W, rank + 1) @ (N, rank + 1, rank) -> (N, D·H·W, rank)
    return (base @ theta.swapaxes(1, 2)).reshape(sizes[0], *sizes[2:], rank)


def _base(size: tuple[int, ...], align: bool, dtype: np.dtype) -> np.ndarray:
    """The places (x, y, 1) of all pixels, `(pixels, rank + 1)`."""
    axes = []
    for n in size:
        places = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        axes.append(places if align else places * ((n - 1) / n))
    columns = [axis.ravel() for axis in reversed(np.meshgrid(*axes, indexing="ij"))]
    return np.stack([*columns, np.ones_like(columns[0])], axis=1).astype(dtype)
