"""Picking and placing elements by index."""

from typing import Any, Literal

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.onnx.ops.shapes import axis_of
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.limits import check_size
from tensorgrad.onnx.table import Host, op

Reduction = Literal["none", "add", "mul", "max", "min"]


def _within(indices: Any, n: int) -> Any:
    """Indices counted from the front."""
    return tg.where(indices < 0, indices + n, indices)


@op("Gather")
def gather(x, indices, *, axis: int = 0):
    axis = axis_of(axis, x.ndim)
    indices = _within(indices.to(tg.int64), x.shape[axis])
    check_size("Gather", [*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]], x.dtype.itemsize)
    if axis == 0 and x.ndim == 2:
        return F.embedding(indices, x) if x.dtype.kind == "f" else x[indices]
    return x[(*[slice(None)] * axis, indices)]


@op("GatherElements")
def gather_elements(x, indices, *, axis: int = 0):
    return tg.gather(x, axis, _within(indices.to(tg.int64), x.shape[axis]))


def _at(x: Any, indices: Any, batch_dims: int = 0) -> tuple[Any, ...]:
    """The last axis of `indices` as an index into x, behind `batch_dims` axes that both have."""
    batch = [tg.arange(n).reshape(n, *[1] * (indices.ndim - 2 - a)) for a, n in enumerate(x.shape[:batch_dims])]
    within = [_within(indices[..., k], x.shape[batch_dims + k]) for k in range(indices.shape[-1])]
    return (*batch, *within)


@op("GatherND")
def gather_nd(x, indices, *, batch_dims: int = 0):
    return x[_at(x, indices.to(tg.int64), batch_dims)]


def _scattered(x: Any, index: tuple[Any, ...], updates: Any, reduction: str) -> Any:
    """x with the updates put to the index: added, or combined otherwise, also where an element is named twice."""
    if reduction in ("none", "add"):
        z = x.clone()
        return z.index_put_(index, updates, accumulate=reduction == "add")
    flat = tg.arange(x.numel()).reshape(*x.shape)[index].broadcast_to(updates.shape)
    kind = {"mul": "prod", "max": "amax", "min": "amin"}[reduction]
    return tg.scatter_reduce(x.reshape(-1), 0, flat.reshape(-1), updates.reshape(-1), kind).reshape(*x.shape)


@op("ScatterND")
def scatter_nd(x, indices, updates, *, reduction: Reduction = "none"):
    return _scattered(x, _at(x, indices.to(tg.int64)), updates, reduction)


@op("ScatterElements")
def scatter_elements(x, indices, updates, *, axis: int = 0, reduction: Reduction = "none"):
    axis = axis_of(axis, x.ndim)
    places: list[Any] = list(np.indices(indices.shape, sparse=True))
    places[axis] = _within(indices.to(tg.int64), x.shape[axis])
    return _scattered(x, tuple(places), updates, reduction)


@op("Scatter")
def scatter(x, indices, updates, *, axis: int = 0):
    return scatter_elements(x, indices, updates, axis=axis)


@op("TensorScatter")
def tensor_scatter(
    x, update, write_indices: Host | None = None, *, axis: int = -2, mode: Literal["linear", "circular"] = "linear"
):
    axis, length = axis_of(axis, x.ndim), update.shape[axis_of(axis, x.ndim)]
    starts = np.zeros(x.shape[0], np.int64) if write_indices is None else write_indices
    places = starts[:, None] + np.arange(length)
    places = places % x.shape[axis] if mode == "circular" else places
    # (N, length) beside the other axes -> an index of the shape of the update
    index: list[Any] = list(np.indices(update.shape, sparse=True))
    index[axis] = places.reshape(-1, *[length if a == axis else 1 for a in range(1, x.ndim)])
    return _scattered(x, tuple(index), update, "none")


@op("OneHot")
def one_hot(indices, depth: Host, values, *, axis: int = -1):
    count, axis = int(depth.reshape(-1)[0]), axis_of(axis, indices.ndim + 1)
    check_size("OneHot", (*indices.shape, count), 8)
    classes = tg.arange(count).reshape(-1, *[1] * (indices.ndim - axis))
    within = tg.where(indices < 0, indices + count, indices).unsqueeze(axis)
    return tg.where(within == classes, values[1], values[0])


@op("NonZero")
def nonzero(x: Host):
    return np.stack(np.nonzero(x)).astype(np.int64)


@op("Compress")
def compress(x, condition: Host, *, axis: int | None = None):
    places = np.flatnonzero(condition)
    return x.reshape(-1)[places] if axis is None else x.index_select(axis, tg.tensor(places))


@op("TopK")
def topk_by_attribute(x, *, k: int, axis: int = -1):
    return topk(x, np.array([k]), axis=axis)


@op("TopK", since=10)
def topk(x, k: Host, *, axis: int = -1, largest: int = 1, sorted: int = 1):
    count = int(k.reshape(-1)[0])
    axis = axis_of(axis, x.ndim)
    if not 0 <= count <= x.shape[axis]:
        raise OnnxError(f"TopK: k must be in [0, {x.shape[axis]}], got {count}")
    ordered = tg.sort(x, axis, descending=bool(largest), stable=True)
    return ordered[0].narrow(axis, 0, count), ordered[1].narrow(axis, 0, count)


@op("Unique")
def unique(x: Host, *, axis: int | None = None, sorted: int = 1):
    values, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(-1)
    if not sorted:  # in the order in which they occur
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        values = np.take(values, order, 0 if axis is None else axis)
        first, inverse, counts = first[order], rank[inverse], counts[order]
    return (values, *(np.asarray(a, np.int64) for a in (first, inverse, counts)))


@op("NonMaxSuppression")
def non_max_suppression(
    boxes: Host,
    scores: Host,
    max_output_boxes_per_class: Host | None = None,
    iou_threshold: Host | None = None,
    score_threshold: Host | None = None,
    *,
    center_point_box: int = 0,
):
    most, overlap, least = (
        default if v is None or not v.size else v.reshape(-1)[0].item()
        for v, default in ((max_output_boxes_per_class, 0), (iou_threshold, 0.0), (score_threshold, -np.inf))
    )
    corners = _corners(boxes, bool(center_point_box))
    found = [
        (n, c, k)
        for n in range(scores.shape[0])
        for c in range(scores.shape[1])
        for k in _kept(corners[n], scores[n, c], int(most), overlap, least)
    ]
    return np.array(found, np.int64).reshape(-1, 3)


def _corners(boxes: np.ndarray, centred: bool) -> np.ndarray:
    """Boxes as (top, left, bottom, right)."""
    if centred:
        x, y, w, h = np.moveaxis(boxes, -1, 0)
        return np.stack([y - h / 2, x - w / 2, y + h / 2, x + w / 2], -1)
    pairs = boxes.reshape(*boxes.shape[:-1], 2, 2)  # two opposite corners, in any order
    return np.concatenate([pairs.min(-2), pairs.max(-2)], -1)


def _kept(boxes: np.ndarray, scores: np.ndarray, most: int, overlap: float, least: float) -> list[int]:
    """The best box, then the best that doesn't overlap a kept one too much, and so on."""
    kept: list[int] = []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for k in np.argsort(-scores, kind="stable"):
        if len(kept) >= most or scores[k] <= least:
            break
        others = boxes[kept]
        sides = np.minimum(others[:, 2:], boxes[k, 2:]) - np.maximum(others[:, :2], boxes[k, :2])
        common = sides.clip(0).prod(-1)
        if not (common > overlap * (areas[kept] + areas[k] - common)).any():
            kept.append(int(k))
    return kept
