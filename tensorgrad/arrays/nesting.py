"""Nested dicts, lists and tuples as arrays by name, and the rest as text: how a checkpoint is stored.

The text is JSON. A dict is `{"d": [[key, value], …]}`, a list `{"l": […]}`, a tuple `{"u": […]}`, an array
`{"a": name}`; numbers, text, bools and None stand for themselves. An array's name is the path to it: `model.fc.weight`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tensorgrad.errors import DTypeError, restate

PLAIN = (str, bool, int, float, type(None))


def flattened(call: str, value: Any, array_of: Callable[[Any], np.ndarray | None]) -> tuple[dict[str, np.ndarray], str]:
    """The arrays by name, and the text. `array_of` gives the array of a tensor, and None for anything else.

    Raises DTypeError for a value that is none of these, with the path to it.

    >>> flattened("save", {"w": np.ones(2), "epoch": 3}, lambda x: x if isinstance(x, np.ndarray) else None)
    ({'w': array([1., 1.])}, '{"d": [["w", {"a": "w"}], ["epoch", 3]]}')
    """
    arrays: dict[str, np.ndarray] = {}

    def name_of(path: tuple[Any, ...]) -> str:
        name = plain = ".".join(map(str, path)) or "tensor"
        k = 1
        while name in arrays:
            k, name = k + 1, f"{plain}#{k + 1}"
        return name

    def encoded(value: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if (array := array_of(value)) is not None:
            arrays[name := name_of(path)] = array
            return {"a": name}
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, Mapping):
            keys = list(value)
            if all(isinstance(key, PLAIN) for key in keys):
                return {"d": [[key, encoded(value[key], (*path, key))] for key in keys]}
        if isinstance(value, list | tuple):
            items = [encoded(item, (*path, k)) for k, item in enumerate(value)]
            return {"l" if isinstance(value, list) else "u": items}
        problem = f"{'.'.join(map(str, path)) or 'the value'} can't be stored: it is a {type(value).__name__}"
        expected = "tensors, arrays, numbers, text, and dicts, lists and tuples of these"
        raise DTypeError(restate(call, problem, expected=expected, fix="save state_dict() of a module or optimizer"))

    return arrays, json.dumps(encoded(value, ()))


def nested(text: str, tensor_of: Callable[[str], Any]) -> Any:
    """The value that `flattened` was given; `tensor_of` gives the tensor of a name. Raises ValueError for other text.

    >>> nested('{"d": [["w", {"a": "w"}], ["epoch", 3]]}', {"w": np.ones(2)}.__getitem__)
    {'w': array([1., 1.]), 'epoch': 3}
    """

    def decoded(value: Any) -> Any:
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, dict) and len(value) == 1:
            ((kind, content),) = value.items()
            if kind == "a" and isinstance(content, str):
                return tensor_of(content)
            if kind == "d":
                return {key: decoded(item) for key, item in content}
            if kind in ("l", "u"):
                items = [decoded(item) for item in content]
                return items if kind == "l" else tuple(items)
        raise ValueError("the text that says how the tensors are nested is damaged")

    return decoded(json.loads(text))
