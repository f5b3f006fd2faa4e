"""Nested dicts, lists and tuples of tensors: their leaves in order, and the same structure around others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any


def flatten(tree: Any, none_is_leaf: bool = False) -> tuple[list[Any], Any]:
    """The leaves of nested dicts, lists and tuples in order, and the tree itself; None has no leaves.

    >>> flatten({"a": [1, 2], "b": (3, None)})[0]
    [1, 2, 3]
    """
    return list(_leaves(tree, none_is_leaf)), tree


def _leaves(tree: Any, none_is_leaf: bool) -> Iterator[Any]:
    if isinstance(tree, dict):
        for item in tree.values():
            yield from _leaves(item, none_is_leaf)
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from _leaves(item, none_is_leaf)
    elif tree is not None or none_is_leaf:
        yield tree


def rebuilt(tree: Any, leaves: Sequence[Any]) -> Any:
    """The structure of a tree around other leaves.

    >>> rebuilt({"a": [1, 2], "b": (3, None)}, "xyz")
    {'a': ['x', 'y'], 'b': ('z', None)}
    """
    return _rebuilt(tree, iter(leaves))


def _rebuilt(tree: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(tree, dict):
        return type(tree)({key: _rebuilt(item, leaves) for key, item in tree.items()})
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[_rebuilt(item, leaves) for item in tree])
    if isinstance(tree, (list, tuple)):
        return type(tree)([_rebuilt(item, leaves) for item in tree])
    return None if tree is None else next(leaves)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with the function's results in place of its leaves."""
    return rebuilt(tree, [function(leaf) for leaf in flatten(tree)[0]])
