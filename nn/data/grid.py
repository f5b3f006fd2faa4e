"""Many pictures in one: a grid, and its image file."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.nn.data.transforms.pictures import pillow
from tensorgrad.tensor import Tensor


def make_grid(
    tensor: Tensor | np.ndarray | Sequence[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """One picture `(3, H', W')` of many, in rows of `nrow`; a single picture is returned without a border.

    Args:
        tensor: `(N, C, H, W)`, `(C, H, W)` or `(H, W)`, or a list of pictures of one shape; one channel becomes three.
        nrow: the number of pictures in a row.
        padding: the pixels between them, and around.
        normalize: scale the values to [0, 1].
        value_range: the values that become 0 and 1; by default the smallest and the largest.
        scale_each: scale each picture by its own values.
        pad_value: the value of the pixels between.

    Raises:
        ShapeError: another number of axes, or pictures of different shapes.
        DTypeError: something that isn't a Tensor, an array or a list of them.
        ArgumentError: numbers of pictures or pixels that aren't ints, or a range that isn't two numbers.

    >>> make_grid(Tensor(np.ones((5, 1, 4, 4), np.float32)), nrow=3, padding=1).shape
    (3, 11, 16)
    """
    if not isinstance(nrow, int) or nrow < 1 or not isinstance(padding, int) or padding < 0:
        raise ArgumentError(restate("make_grid", "nrow must be an int ≥ 1, padding ≥ 0", nrow=nrow, padding=padding))
    pictures = _stacked(tensor)
    if normalize:
        pictures = _normalized(pictures, value_range, scale_each)
    count, channels, height, width = pictures.shape
    if count == 1:
        return Tensor(pictures[0].copy())
    columns = min(nrow, count)
    rows, (h, w) = math.ceil(count / max(columns, 1)), (height + padding, width + padding)
    grid = np.full((channels, h * rows + padding, w * columns + padding), pad_value, pictures.dtype)
    for k, picture in enumerate(pictures):
        top, left = k // columns * h + padding, k % columns * w + padding
        grid[:, top : top + height, left : left + width] = picture
    return Tensor(grid)


def _stacked(tensor: Any) -> np.ndarray:
    """The pictures as an array `(N, C, H, W)`, C not 1."""
    pictures = list(tensor) if isinstance(tensor, list | tuple) else [tensor]
    if not pictures or not all(isinstance(picture, Tensor | np.ndarray) for picture in pictures):
        problem = "tensor must be a Tensor, an array or a list of them"
        raise DTypeError(restate("make_grid", problem, tensor=tensor))
    arrays = [p.detach().numpy() if isinstance(p, Tensor) else p for p in pictures]
    if len({array.shape for array in arrays}) > 1:
        problem = "all pictures must have the same shape"
        raise ShapeError(restate("make_grid", problem, shapes=[array.shape for array in arrays]))
    array = np.stack(arrays) if isinstance(tensor, list | tuple) else arrays[0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 3:  # one picture, or a list of pictures (H, W)
        array = array[:, None] if isinstance(tensor, list | tuple) else array[None]
    if array.ndim != 4:
        problem = f"tensor must have axes (N, C, H, W), (C, H, W) or (H, W), got {array.ndim} axes"
        raise ShapeError(restate("make_grid", problem, tensor=array))
    return np.repeat(array, 3, axis=1) if array.shape[1] == 1 else array


def _normalized(pictures: np.ndarray, value_range: Any, scale_each: bool) -> np.ndarray:
    if value_range is not None and (not isinstance(value_range, tuple | list) or len(value_range) != 2):
        problem = f"value_range must be two numbers (smallest, largest), got {value_range!r}"
        raise ArgumentError(restate("make_grid", problem, value_range=value_range))
    axes = (1, 2, 3) if scale_each else None
    z = pictures.astype(np.result_type(pictures.dtype, np.float32))
    if value_range is not None:
        low, high = (np.asarray(value, z.dtype) for value in value_range)
    else:
        low, high = z.min(axes, keepdims=True), z.max(axes, keepdims=True)
    return (np.clip(z, low, high) - low) / np.maximum(high - low, z.dtype.type(1e-5))


def save_image(
    tensor: Tensor | np.ndarray | Sequence[Tensor],
    fp: str | os.PathLike[str] | IO[bytes],
    format: str | None = None,
    **kwargs: Any,
) -> None:
    """Write an image file of a picture, or of many as `make_grid` puts them together; values in [0, 1], or bytes.

    Args:
        tensor: as in `make_grid`.
        fp: the path, whose suffix decides on the format, or an open file.
        format: the format, for an open file or another suffix.
        kwargs: the other arguments of `make_grid`.

    Raises:
        ShapeError: pictures with a number of channels other than 1, 3 and 4.
        MissingPackageError: Pillow isn't installed.
    """
    grid = make_grid(tensor, **kwargs).numpy()
    if grid.shape[0] not in (3, 4):
        problem = f"pictures must have 1, 3 or 4 channels, got {grid.shape[0]}"
        raise ShapeError(restate("save_image", problem, tensor=grid))
    if grid.dtype != np.uint8:
        grid = np.clip(np.nan_to_num(grid) * 255 + 0.5, 0, 255).astype(np.uint8)
    # (C, H, W) -> (H, W, C)
    pillow("save_image").fromarray(np.ascontiguousarray(grid.transpose(1, 2, 0))).save(fp, format=format)
