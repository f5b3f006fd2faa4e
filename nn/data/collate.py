"""Collate a list of items into a batch of arrays, and convert arrays to tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.tensor import Tensor


def collate(items: Sequence[Any]) -> Any:
    """Stack items field by field along a new first axis: N items (x, y) become (X, Y) with shapes (N, ...).

    An item is an array, a Tensor, a number, or a tuple, list or dict of these. Python floats become float32, ints
    int64; arrays keep their dtype.

    Raises:
        ShapeError: items that differ in shape or fields.
        DTypeError: an item that isn't numeric.
        ArgumentError: no items.

    >>> collate([(np.zeros(2), 1), (np.ones(2), 0)])
    (array([[0., 0.],
           [1., 1.]]), array([1, 0]))
    """
    if not items:
        problem = "items must not be empty: the batch would have no shape"
        fix = "fetch empty batches from a TensorDataset"
        raise ArgumentError(restate("collate", problem, fix=fix, items=items))
    first = items[0]
    if isinstance(first, tuple | list):
        _check_fields(items, lambda item: isinstance(item, tuple | list) and len(item) == len(first))
        return tuple(collate(field) for field in zip(*items, strict=True))
    if isinstance(first, dict):
        _check_fields(items, lambda item: isinstance(item, dict) and item.keys() == first.keys())
        return {key: collate([item[key] for item in items]) for key in first}
    kinds = {type(item) for item in items}
    if kinds <= {float, int, bool}:
        return np.array(items, np.float32 if float in kinds else np.int64 if int in kinds else np.bool_)
    return _stack([_as_array(item) for item in items])


def to_tensors(batch: Any) -> Any:
    """The same batch with a Tensor for each array."""
    if isinstance(batch, tuple):
        return tuple(to_tensors(field) for field in batch)
    if isinstance(batch, dict):
        return {key: to_tensors(field) for key, field in batch.items()}
    return Tensor(batch)


def _check_fields(items: Sequence[Any], like_first: Any) -> None:
    for i, item in enumerate(items):
        if not like_first(item):
            problem = f"all items must have the same fields; item {i} has others than item 0"
            fix = "give every item the same fields, or pass DataLoader a collate_fn"
            raise ShapeError(restate("collate", problem, fix=fix, **{"items[0]": items[0], f"items[{i}]": item}))


def _as_array(item: Any) -> np.ndarray:
    array = np.asarray(item)
    if array.dtype.kind not in "biuf":
        expected = "numbers, arrays, Tensors, or tuples, lists and dicts of these"
        problem, fix = f"items must be numeric, got dtype {array.dtype}", "pass DataLoader a collate_fn"
        raise DTypeError(restate("collate", problem, expected=expected, fix=fix, item=item))
    return array


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    for i, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            problem = f"all items of a batch must have the same shape; item {i} has another than item 0"
            fix = "crop or pad the items to one shape, or pass DataLoader a collate_fn"
            arguments: dict[str, Any] = {"items[0]": arrays[0], f"items[{i}]": array}
            raise ShapeError(restate("collate", problem, fix=fix, **arguments))
    # (...) × N -> (N, ...)
    return np.stack(arrays)
