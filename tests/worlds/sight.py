"""What can be seen of values and errors, as something that `==` compares."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

import tensorgrad as tg


def flat(value: Any) -> Iterator[tg.Tensor]:
    """The tensors in what a function returned."""
    if isinstance(value, tg.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from flat(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from flat(part)


def said(error: Exception) -> tuple[str, str]:
    """An error as it is compared: without addresses, and of a graph the reason alone."""
    text = re.sub(r"0x[0-9a-f]+", "0x", str(error))
    if isinstance(error, tg.GraphError):  # the op at which it was found is another one
        text = next((reason for reason in ("freed", "changed in place") if reason in text), text)
    return type(error).__name__, text


def seen(value: Any) -> Any:
    """What can be seen of a value, as something that `==` compares: the bits of arrays."""
    if isinstance(value, tg.Tensor):
        return value.requires_grad, value.is_leaf, seen(value._data)
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":  # one NaN is as good as another: IEEE 754 leaves their signs and payloads open
            value = np.where(np.isnan(value), value.dtype.type(np.nan), value)
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: seen(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [type(value).__name__, *[seen(part) for part in value]]
    return type(value).__name__, repr(value)
