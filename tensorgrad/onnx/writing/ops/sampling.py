"""Images in another size, and read at the places of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exports
from tensorgrad.ops.images.grid import Bilinear
from tensorgrad.ops.images.interpolation import Interpolate

NEAREST = {
    "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "nearest-exact": {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
}


@exports(Interpolate)
def interpolate(g: Graph, call: Applied) -> str:
    """Resize."""
    axes = call.op.axes  # type: ignore[attr-defined]
    kind, _, antialias = axes[0].kind.partition(", ")
    if any(axis.kind != axes[0].kind for axis in axes):
        raise NotInOnnx("axes of several modes")
    if any(axis.scale is not None and abs(axis.size * axis.scale - axis.length) > 1e-6 for axis in axes):
        raise NotInOnnx("a scale factor that doesn't give whole sizes: pass size")
    given: dict[str, Any] = {"mode": "nearest", **NEAREST[kind]} if kind in NEAREST else {"mode": kind}
    if kind not in NEAREST:
        # Along an axis of one pixel a scale of 1 and that of half pixels are the same.
        modes = "align_corners" if axes[0].align_corners else "half_pixel"
        given |= {"coordinate_transformation_mode": modes, "cubic_coeff_a": -0.5 if antialias else -0.75}
        given |= {"antialias": 1, "exclude_outside": 1} if antialias else {}
    return g.add("Resize", call.x, "", "", g.numbers(call.shape), **given)


@exports(Bilinear)
def bilinear(g: Graph, call: Applied) -> str:
    """GridSample: places in pixels become those of a grid from −1 to 1 between the centers of the corners."""
    x, down, across = call.inputs
    sizes = call.static(call.shapes[0][2:], "its image")
    if min(sizes) < 2:
        raise NotInOnnx("an image of one row or column")
    grid = []
    for places, n in zip((across, down), reversed(sizes), strict=True):
        scaled = g.add("Mul", places, g.constant(2 / (n - 1), call.dtype))
        centred = g.add("Sub", scaled, g.constant(1, call.dtype))
        grid.append(g.add("Unsqueeze", centred, g.constant([3], np.int64)))
    pairs = g.add("Concat", *grid, axis=3)
    return g.add("GridSample", x, pairs, align_corners=1, mode="bilinear", padding_mode="zeros")
