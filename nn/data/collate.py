"""Collate a list of items into a batch of arrays, and convert arrays to tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.tensor import Tensor


def collate(items: Sequence[Any]) -> Any:
    """Stack items field by field along a new first axis: N items (x, y) become (X, Y) with shapes (N, ...).

    An item is an array, a Tensor, a number, a text, or a tuple, list or dict of these. Python floats become float32,
    ints int64; arrays keep their dtype. Texts stay as they are.

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
        fields = (collate(field) for field in zip(*items, strict=True))
        return type(first)(*fields) if hasattr(first, "_fields") else tuple(fields)
    if isinstance(first, dict):
        _check_fields(items, lambda item: isinstance(item, dict) and item.keys() == first.keys())
        return {key: collate([item[key] for item in items]) for key in first}
    kinds = {type(item) for item in items}
    if kinds <= {str, bytes}:
        return items
    if kinds <= {float, int, bool}:
        return np.array(items, np.float32 if float in kinds else np.int64 if int in kinds else np.bool_)
    return _stack([_as_array(item) for item in items])


def to_tensors(batch: Any) -> Any:
    """The same batch with a Tensor for each array."""
    if isinstance(batch, tuple):
        fields = (to_tensors(field) for field in batch)
        return type(batch)(*fields) if hasattr(batch, "_fields") else tuple(fields)
    if isinstance(batch, dict):
        return {key: to_tensors(field) for key, field in batch.items()}
    if isinstance(batch, list):
        return [to_tensors(field) for field in batch]
    return batch if isinstance(batch, Tensor | str | bytes) else Tensor(batch)


def emptied(batch: Any) -> Any:
    """The batch without its items: fields of the same shapes and dtypes but for the first axis, which has length 0.

    >>> emptied((np.ones((3, 2)), ["a", "b", "c"]))
    (array([], shape=(0, 2), dtype=float64), [])
    """
    if isinstance(batch, tuple) and not all(isinstance(field, str | bytes) for field in batch):
        fields = [emptied(field) for field in batch]
        return type(batch)(*fields) if hasattr(batch, "_fields") else tuple(fields)
    if isinstance(batch, dict):
        return {key: emptied(field) for key, field in batch.items()}
    return batch[:0]


def default_collate(batch: Sequence[Any]) -> Any:
    """PyTorch's way to make a batch of items: Tensors in lists. Python floats become float64, unlike in `collate`.

    Args:
        batch: the items.

    Raises:
        ShapeError: items that differ in shape or fields.
        DTypeError: an item that isn't numeric.
        ArgumentError: no items.

    >>> default_collate([(1.0, "a"), (2.0, "b")])
    [tensor([1., 2.], dtype=float64), ('a', 'b')]
    """
    return _in_lists(to_tensors(collate([_wide(item) for item in batch])))


def default_convert(data: Any) -> Any:
    """The same with a Tensor for each array and a list for each tuple, for single items that aren't collated.

    >>> default_convert((np.zeros(2), "a"))
    [tensor([0., 0.], dtype=float64), 'a']
    """
    if isinstance(data, np.ndarray | np.generic):
        return Tensor(np.asarray(data))
    if isinstance(data, tuple | list):
        fields = [default_convert(field) for field in data]
        return type(data)(*fields) if hasattr(data, "_fields") else fields
    return {key: default_convert(field) for key, field in data.items()} if isinstance(data, dict) else data


def _wide(item: Any) -> Any:
    """The item with a float64 for each Python float."""
    if isinstance(item, tuple | list):
        fields = [_wide(field) for field in item]
        return type(item)(*fields) if hasattr(item, "_fields") else type(item)(fields)
    if isinstance(item, dict):
        return {key: _wide(field) for key, field in item.items()}
    return np.float64(item) if type(item) is float else item


def _in_lists(batch: Any) -> Any:
    """The same with lists in place of tuples that have no names."""
    if isinstance(batch, dict):
        return {key: _in_lists(field) for key, field in batch.items()}
    if not isinstance(batch, tuple | list) or all(isinstance(field, str | bytes) for field in batch):
        return batch
    fields = [_in_lists(field) for field in batch]
    return type(batch)(*fields) if hasattr(batch, "_fields") else fields


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
