"""Resize: along each axis, every result is a weighted sum of a few values."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.onnx.ops.shapes import axis_of
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import check_size
from tensorgrad.onnx.table import Floats, Host, Ints, op

Coordinates = Literal[
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
    "tf_half_pixel_for_nn",
]  # fmt: skip
Nearest = Literal["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
Policy = Literal["stretch", "not_larger", "not_smaller"]

ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


class Axis(NamedTuple):
    """How one axis is resized: from `size` values to `wanted`, and which part of it in `tf_crop_and_resize`."""

    size: int
    wanted: int
    scale: float
    start: float
    end: float


class Rule(NamedTuple):
    """How results are made of values."""

    mode: str
    coordinates: str
    nearest: str
    cubic: float
    antialias: bool
    exclude_outside: bool
    extrapolation: float


def _places(axis: Axis, coordinates: str) -> np.ndarray:
    """Where each result lies among the values."""
    n, m, scale = axis.size, axis.wanted, axis.scale
    k = np.arange(m, dtype=np.float64)
    if coordinates == "align_corners":
        return k * (n - 1) / (scale * n - 1) if m > 1 else k * 0  # scale · n may be a fraction more than m
    if coordinates == "asymmetric":
        return k / scale
    if coordinates == "tf_half_pixel_for_nn":
        return (k + 0.5) / scale
    if coordinates == "pytorch_half_pixel" and m == 1:
        return k * 0
    if coordinates == "tf_crop_and_resize":
        if m == 1:
            return k * 0 + 0.5 * (axis.start + axis.end) * (n - 1)
        return axis.start * (n - 1) + k * (axis.end - axis.start) * (n - 1) / (m - 1)
    half = (k + 0.5) / scale - 0.5
    if coordinates == "half_pixel_symmetric":
        return half + n / 2 * (1 - m / (scale * n))
    return half


def _linear(t: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(t), 0, 1)


def _cubic(a: float) -> Callable[[np.ndarray], np.ndarray]:
    def weight(t: np.ndarray) -> np.ndarray:
        t = np.abs(t)
        near, far = ((a + 2) * t - (a + 3)) * t * t + 1, (((t - 5) * t + 8) * t - 4) * a
        return np.where(t <= 1, near, np.where(t < 2, far, 0.0))

    return weight


def _matrix(axis: Axis, rule: Rule) -> np.ndarray:
    """`(wanted, size)`: the weight of each value in each result."""
    places = _places(axis, rule.coordinates)
    shrunk = min(axis.scale, 1.0) if rule.antialias else 1.0
    radius = 1 if rule.mode == "linear" else 2
    # Taps of position `place` are the integers around it: as many to each side as the stretched kernel reaches.
    reach = 1 - (math.floor(-radius / shrunk) + 1)
    first = np.ceil(places)[:, None] - reach
    taps = first + np.arange(2 * reach)
    weigh = _linear if rule.mode == "linear" else _cubic(rule.cubic)
    weights = weigh((taps - places[:, None]) * shrunk)
    if rule.exclude_outside:
        weights = weights * ((taps >= 0) & (taps < axis.size))
    if rule.antialias or rule.exclude_outside:
        weights = weights / weights.sum(1, keepdims=True)
    matrix = np.zeros((axis.wanted, axis.size))
    np.add.at(matrix, (np.arange(axis.wanted)[:, None], taps.clip(0, axis.size - 1).astype(int)), weights)
    return matrix


def _along(x: Any, position: int, axis: Axis, rule: Rule) -> Any:
    """x resized along one axis."""
    if rule.mode == "nearest":
        nearest = ROUNDINGS[rule.nearest](_places(axis, rule.coordinates)).clip(0, axis.size - 1)
        return x.index_select(position, tg.tensor(nearest.astype(np.int64)))
    check_size("Resize", (axis.wanted, axis.size), 8)
    return tg.matmul(x.movedim(position, -1), tg.tensor(_matrix(axis, rule).T, dtype=x.dtype)).movedim(-1, position)


def _outside(x: Any, axes: dict[int, Axis], value: float) -> Any:
    """x with `value` where the place of a result lies outside of the values."""
    for position, axis in axes.items():
        places = _places(axis, "tf_crop_and_resize")
        beyond = (places < 0) | (places > axis.size - 1)
        beyond = beyond.reshape(-1, *[1] * (x.ndim - position - 1))
        x = tg.where(tg.tensor(beyond), tg.tensor(value, dtype=x.dtype), x)
    return x


def resized(x: Any, axes: dict[int, Axis], rule: Rule) -> Any:
    """x with each of the axes resized."""
    sizes = [axes[a].wanted if a in axes else n for a, n in enumerate(x.shape)]
    check_size("Resize", sizes, x.dtype.itemsize)
    if any(axis.size == 0 for axis in axes.values()):
        raise OnnxError(f"Resize of {x.shape}: an empty axis has nothing to repeat")
    changed = {a: axis for a, axis in axes.items() if axis.wanted != axis.size or rule.coordinates.startswith("tf_")}
    align = {"align_corners": True, "half_pixel": False, "pytorch_half_pixel": False}.get(rule.coordinates)
    single = rule.coordinates == "pytorch_half_pixel" and any(axis.wanted == 1 for axis in changed.values())
    exact = not single and all(math.isclose(axis.scale * axis.size, axis.wanted) for axis in changed.values())
    plain = rule.mode == "linear" and align is not None and not rule.antialias and exact
    if plain and x.ndim == 4 and changed and {*changed} <= {2, 3}:  # the kernel of interpolate
        return F.interpolate(x, size=tuple(sizes[2:]), mode="bilinear", align_corners=align)
    for position, axis in changed.items():
        x = _along(x, position, axis, rule)
    return _outside(x, changed, rule.extrapolation) if rule.coordinates == "tf_crop_and_resize" else x


@op("Upsample", since=7)
def upsample_by_attribute(x, *, scales: Floats, mode: Literal["nearest", "linear", "bilinear"] = "nearest"):
    return upsample(x, np.array(scales, np.float32), mode=mode)


@op("Upsample", since=9)
def upsample(x, scales: Host, *, mode: Literal["nearest", "linear", "bilinear"] = "nearest"):
    return resize_by_scales(x, scales, mode="nearest" if mode == "nearest" else "linear")


@op("Resize", since=10)
def resize_by_scales(x, scales: Host, *, mode: Literal["nearest", "linear"] = "nearest"):
    return resize(x, None, scales, mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor")


@op("Resize", since=11)
def resize(
    x,
    roi: Host | None = None,
    scales: Host | None = None,
    sizes: Host | None = None,
    *,
    mode: Literal["nearest", "linear", "cubic"] = "nearest",
    coordinate_transformation_mode: Coordinates = "half_pixel",
    nearest_mode: Nearest = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    antialias: int = 0,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    axes: Ints | None = None,
    keep_aspect_ratio_policy: Policy = "stretch",
):
    along = list(range(x.ndim)) if axes is None else [axis_of(a, x.ndim) for a in axes]
    given = sizes if sizes is not None and sizes.size else scales
    if given is None or given.size != len(along):
        raise OnnxError(f"Resize of {len(along)} axes needs as many scales or sizes")
    parts = np.zeros((2, len(along))) if roi is None or not roi.size else roi.reshape(2, -1)
    changes: dict[int, Axis] = {}
    if given is scales:
        for k, a in enumerate(along):
            scale = float(scales[k])
            if not 0 < scale < 2**31:
                raise OnnxError(f"Resize: scales must be positive, got {scale}")
            changes[a] = Axis(x.shape[a], math.floor(x.shape[a] * scale), scale, *parts[:, k].tolist())
    else:
        wanted, factors = [int(n) for n in given], [n / max(x.shape[a], 1) for n, a in zip(given, along, strict=True)]
        if keep_aspect_ratio_policy != "stretch":
            factor = (min if keep_aspect_ratio_policy == "not_larger" else max)(factors)
            factors = [factor] * len(along)
            wanted = [int(x.shape[a] * factor + 0.5) for a in along]
        for k, (a, n, factor) in enumerate(zip(along, wanted, factors, strict=True)):
            changes[a] = Axis(x.shape[a], n, float(factor), *parts[:, k].tolist())
    rule = Rule(
        mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(antialias), bool(exclude_outside),
        extrapolation_value,
    )  # fmt: skip
    return resized(x, changes, rule)
