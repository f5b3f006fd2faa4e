"""Interpolation: signals, images and volumes in another size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import windows
from tensorgrad.arrays.dtypes import FLOATS, check_memory
from tensorgrad.autograd.engine import apply
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.formulas.symbolic import words
from tensorgrad.kernels.sampling.tables import Axis
from tensorgrad.ops.convolution import Size
from tensorgrad.ops.images.resampling import Resampling
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating, number
from tensorgrad.ops.pooling import adaptive_avg_pool

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

RANKS = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
"""The modes, and how many spatial axes each takes."""

KINDS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
"""What such a mode does along one axis."""


class Interpolate(Resampling):
    """z = x in another size; each element is a weighted sum of its neighbours."""

    symbol, formula = "interpolate", lambda x: words("Σ weight · neighbours of", x)
    derivatives = (lambda grad: words("Σ weight ·", grad),)

    def forward(self, x):
        return self.resampled(x)


def interpolate(
    input: TensorLike,
    size: Size | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """A signal, image or volume in another size.

    Args:
        input: `(N, C, L)`, `(N, C, H, W)` or `(N, C, D, H, W)`; integers are kept by the two nearest modes and become
            float32 in the others.
        size: the new spatial size; one int, or one per axis. Give either this or `scale_factor`.
        scale_factor: the new size as a multiple of the old; one number, or one per axis; rounded down.
        mode: "nearest", "linear" (3 axes), "bilinear", "bicubic" (4 axes), "trilinear" (5 axes), "area" (means), or
            "nearest-exact", which counts from the centers of pixels.
        align_corners: whether the centers of the corner pixels, instead of their outer edges, keep their places; for
            the linear and cubic modes.
        recompute_scale_factor: use the ratio of the rounded sizes in place of `scale_factor`.
        antialias: when shrinking, widen the filter to cover all old pixels of a new one; "bilinear" and "bicubic".

    Returns:
        `(N, C, ...)` in the new size.

    Raises:
        ArgumentError: another mode, or options that don't go together.
        ShapeError: an input with another number of axes, or an empty size.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.interpolate(tg.tensor([[[1.0, 2.0, 3.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2., 3., 3.]]])
    >>> F.interpolate(tg.tensor([[[[1.0, 3.0]]]]), size=(1, 3), mode="bilinear", align_corners=True)
    tensor([[[[1., 2., 3.]]]])
    """
    x = as_tensor(input)
    given: dict[str, Any] = {"input": x, "size": size, "scale_factor": scale_factor, "mode": mode}
    antialias = flag("interpolate", "antialias", antialias)
    if recompute_scale_factor is not None:
        recompute_scale_factor = flag("interpolate", "recompute_scale_factor", recompute_scale_factor)
    if align_corners is not None:
        align_corners = flag("interpolate", "align_corners", align_corners)
    rank = _check_mode(x.ndim - 2, mode, align_corners, antialias, given)
    sizes, scales = _sizes("interpolate", x.shape[2:], size, scale_factor, recompute_scale_factor, given)
    if min(x.shape[2:]) < 1 or min(sizes) < 1 or x.shape[1] < 1:
        problem = f"input and output must have at least one pixel and one channel: the new size is {sizes}"
        raise ShapeError(restate("interpolate", problem, **given))
    if mode == "area":
        return adaptive_avg_pool("interpolate", rank, x, sizes)
    if not mode.startswith("nearest") or x._data.dtype in FLOATS:
        x = floating(x)
    check_memory("interpolate", (*x.shape[:2], *sizes), x.dtype, **given)
    if mode == "nearest" and rank == 2:
        # As PyTorch, which ignores the factor of an image's side that keeps its size or doubles it.
        scales = tuple([None if m in (n, 2 * n) else s for n, m, s in zip(x.shape[2:], sizes, scales, strict=True)])
    kind = KINDS.get(mode, mode) + (", antialiased" if antialias else "")
    axes = [
        Axis(kind, n, m, scale=scale, align_corners=bool(align_corners))
        for n, m, scale in zip(x.shape[2:], sizes, scales, strict=True)
    ]
    return apply(Interpolate, x, axes=tuple(axes))


def _check_mode(rank: int, mode: str, align_corners: bool | None, antialias: bool, given: dict[str, Any]) -> int:
    if not isinstance(mode, str) or mode not in RANKS:
        problem = f"mode must be one of {', '.join(RANKS)}, got {mode!r}"
        raise ArgumentError(restate("interpolate", problem, **given))
    if rank not in RANKS[mode]:
        axes = " or ".join(str(r + 2) for r in RANKS[mode])
        problem, fix = f"mode {mode!r} takes an input of {axes} axes, got {rank + 2}", ""
        others = [name for name in ("linear", "bilinear", "trilinear") if rank in RANKS[name]]
        fix = f"use mode={others[0]!r}" if others and mode.endswith("linear") else ""
        raise ShapeError(restate("interpolate", problem, fix=fix, **given))
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        problem = f"align_corners is an option of the linear and cubic modes, not of {mode!r}"
        raise ArgumentError(restate("interpolate", problem, fix="leave it out", align_corners=align_corners, **given))
    if antialias and mode not in ("bilinear", "bicubic"):
        problem = f"antialias is an option of 'bilinear' and 'bicubic', not of {mode!r}"
        raise ArgumentError(restate("interpolate", problem, antialias=antialias, **given))
    return rank


def _sizes(
    op: str, old: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool | None, given: dict[str, Any]
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The new sizes, and the scales that the places of pixels are computed with, where not the ratio of the sizes."""
    rank = len(old)
    if (size is None) == (scale_factor is None):
        raise ArgumentError(restate(op, "either size or scale_factor must be given, and not both", **given))
    if size is not None:
        if recompute:
            problem = "recompute_scale_factor goes with scale_factor, not with size"
            raise ArgumentError(restate(op, problem, recompute_scale_factor=recompute, **given))
        return windows.as_tuple(size, rank, op=op, name="size"), (None,) * rank
    several = isinstance(scale_factor, (tuple, list))
    if several and len(scale_factor) != rank:
        problem = f"scale_factor must be one number or {rank}, got {len(scale_factor)}"
        raise ArgumentError(restate(op, problem, **given))
    factors = [float(number(op, "scale_factor", s)) for s in (scale_factor if several else [scale_factor] * rank)]
    if not all(math.isfinite(s) and s > 0 for s in factors):
        raise ArgumentError(restate(op, "scale_factor must be a positive number", **given))
    sizes = tuple([math.floor(n * s) for n, s in zip(old, factors, strict=True)])
    return sizes, (None,) * rank if recompute else tuple(factors)


def upsample(
    input: TensorLike,
    size: Size | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """The old name of `interpolate`. Arguments and errors as there.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.upsample(tg.tensor([[[1.0, 2.0]]]), size=4)
    tensor([[[1., 1., 2., 2.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: TensorLike, size: Size | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` with mode "nearest".

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.upsample_nearest(tg.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: TensorLike, size: Size | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """`interpolate` with mode "bilinear" and align_corners.

    >>> import tensorgrad.nn.functional as F, tensorgrad as tg
    >>> F.upsample_bilinear(tg.tensor([[[[1.0, 3.0]]]]), size=(1, 3))
    tensor([[[[1., 2., 3.]]]])
    """
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)
