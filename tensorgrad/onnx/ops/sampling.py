"""Reading images at places that are computed: grids and regions."""

import math
from typing import Any, Literal

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.onnx.ops.shapes import numbers
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import check_size
from tensorgrad.onnx.table import Host, op

PaddingMode = Literal["zeros", "border", "reflection"]


@op("GridSample", since=16)
def grid_sample(
    x,
    grid,
    *,
    align_corners: int = 0,
    mode: Literal["bilinear", "linear", "nearest", "bicubic", "cubic"] = "bilinear",
    padding_mode: PaddingMode = "zeros",
):
    names = {"linear": "bilinear", "cubic": "bicubic"}
    return F.grid_sample(x, grid, names.get(mode, mode), padding_mode, bool(align_corners))


@op("AffineGrid", since=20)
def affine_grid(theta, size: Host, *, align_corners: int = 0):
    check_size("AffineGrid", [*numbers(size)[2:], size.size - 2, len(theta)], 8)
    return F.affine_grid(theta, numbers(size), bool(align_corners))


@op("RoiAlign", since=10)
def roi_align_from_corners(
    x,
    rois: Host,
    batch_indices: Host,
    *,
    mode: Literal["avg"] = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
):
    size = output_height, output_width
    return _aligned(x, rois * spatial_scale, batch_indices, size, sampling_ratio, False)


@op("RoiAlign", since=16)
def roi_align(
    x,
    rois: Host,
    batch_indices: Host,
    *,
    mode: Literal["avg"] = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
    coordinate_transformation_mode: Literal["half_pixel", "output_half_pixel"] = "half_pixel",
):
    half = coordinate_transformation_mode == "half_pixel"
    regions = rois * spatial_scale - (0.5 if half else 0.0)
    return _aligned(x, regions, batch_indices, (output_height, output_width), sampling_ratio, half)


def _aligned(x: Any, regions: np.ndarray, images: np.ndarray, size: tuple[int, int], samples: int, half: bool) -> Any:
    """Of each region of an image, means of bilinear samples in a grid of `size` bins."""
    if images.size and not 0 <= images.min() <= images.max() < len(x):
        raise OnnxError(f"RoiAlign: images {images.min()} to {images.max()} of {len(x)}")
    check_size("RoiAlign", (len(regions), x.shape[1], *size), x.dtype.itemsize)
    found = [_region(x[int(n)], region, size, samples, half) for n, region in zip(images, regions, strict=True)]
    return tg.stack(found) if found else tg.zeros(0, x.shape[1], *size, dtype=x.dtype)


def _region(image: Any, region: np.ndarray, size: tuple[int, int], samples: int, half: bool) -> Any:
    weights, counts = [], []
    for start, end, bins, n in zip(region[1::-1], region[:1:-1], size, image.shape[1:], strict=True):
        length = float(end - start) if half else max(float(end - start), 1.0)
        count = samples if samples > 0 else max(math.ceil(length / bins), 1)
        check_size("RoiAlign", (bins, count, n), 8)
        places = (np.arange(bins)[:, None] + (np.arange(count) + 0.5) / count) * (length / bins) + float(start)
        weights.append(tg.tensor(_taps(places.reshape(-1), n).T, dtype=image.dtype))
        counts.append(count)
    # Bilinear samples are two products with weights. (C, H, W) -> (C, bins · samples, bins · samples)
    sampled = tg.matmul(tg.matmul(image, weights[1]).movedim(1, 2), weights[0]).movedim(1, 2)
    return sampled.reshape(-1, size[0], counts[0], size[1], counts[1]).mean((2, 4))


def _taps(places: np.ndarray, n: int) -> np.ndarray:
    """`(places, n)`: the weights of the two values around each place; none beyond the borders."""
    inside = (places >= -1) & (places <= n)
    low = np.minimum(np.floor(places.clip(0)), n - 1).astype(int)
    fraction = np.where(low >= n - 1, 0.0, places.clip(0) - low)
    matrix = np.zeros((len(places), n))
    np.add.at(matrix, (np.arange(len(places)), low), (1 - fraction) * inside)
    np.add.at(matrix, (np.arange(len(places)), np.minimum(low + 1, n - 1)), fraction * inside)
    return matrix
