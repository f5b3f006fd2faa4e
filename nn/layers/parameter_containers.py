"""Containers of parameters: ParameterList and ParameterDict."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from tensorgrad.errors import RangeError, restate
from tensorgrad.nn.layers.containers import MissingError
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.tensor import Tensor


class ParameterContainer(Module):
    """The common base: what is put in becomes an attribute; a tensor becomes a Parameter."""

    def _put(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value.detach(), value.requires_grad or value.dtype.kind == "f")
        if name in vars(self):
            delattr(self, name)
        setattr(self, name, value)

    def _lines(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            value = vars(self)[name]
            if isinstance(value, Tensor):
                size = "x".join(map(str, value.shape))
                yield f"  ({name}): {type(value).__name__} containing: [{value.dtype} of size {size}]"
            else:
                yield f"  ({name}): Object of type: {type(value).__name__}"

    def _shown(self, names: Iterable[str]) -> str:
        lines = list(self._lines(names))
        return "\n".join([f"{type(self).__name__}(", *lines, ")"]) if lines else f"{type(self).__name__}()"


class ParameterList(ParameterContainer):
    """A list of parameters, registered as such.

    Args:
        values: parameters, tensors, which become parameters, or other values, which are kept.

    Raises:
        RangeError: an index out of range.

    >>> import tensorgrad as tg
    >>> weights = tg.nn.ParameterList([tg.ones(2, 3), tg.ones(4)])
    >>> [name for name, _ in weights.named_parameters()], weights[1].shape
    (['0', '1'], (4,))
    """

    _size: int = 0

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        self.extend(values or ())

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        self._put(str(self._size), value)
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end."""
        for value in list(values):
            self.append(value)
        return self

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([vars(self)[str(k)] for k in range(self._size)])

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return vars(self)[self._name(index)]

    def __setitem__(self, index: int, value: Any) -> None:
        self._put(self._name(index), value)

    def _name(self, index: int) -> str:
        k = operator.index(index)
        if not -self._size <= k < self._size:
            problem = f"index must be in [{-self._size}, {self._size}), got {k}"
            raise RangeError(restate("ParameterList[...]", problem, index=index))
        return str(k % self._size)

    def __repr__(self) -> str:
        return self._shown(map(str, range(self._size)))


class ParameterDict(ParameterContainer):
    """A dict of parameters, registered as such.

    Args:
        parameters: a mapping, pairs of name and value, or names, whose values are None; tensors become parameters.

    Raises:
        MissingError: a name that isn't there.

    >>> import tensorgrad as tg
    >>> weights = tg.nn.ParameterDict({"left": tg.ones(2, 3), "right": tg.ones(4)})
    >>> [name for name, _ in weights.named_parameters()], weights["right"].shape
    (['left', 'right'], (4,))
    """

    _names: tuple[str, ...] = ()

    def __init__(self, parameters: Any = None) -> None:
        self.update(parameters or {})

    def update(self, parameters: Any) -> None:
        """Add the values of a mapping, or of pairs; those of the same names are replaced."""
        pairs = parameters.items() if isinstance(parameters, Mapping | ParameterDict) else parameters
        for pair in pairs:
            name, value = (pair, None) if isinstance(pair, str) else pair
            self[name] = value

    def keys(self) -> Iterable[str]:
        """The names, in order."""
        return list(self._names)

    def values(self) -> Iterable[Any]:
        """The values, in order."""
        return [vars(self)[name] for name in self._names]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Pairs of name and value, in order."""
        return [(name, vars(self)[name]) for name in self._names]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a name, or the default."""
        return dict(self.items()).get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a name, which is the default from now on if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Remove the value of a name and return it."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Remove all values."""
        for name in self._names:
            del self[name]

    def copy(self) -> ParameterDict:
        """A new ParameterDict of the same values."""
        return ParameterDict(self)

    def __getitem__(self, key: str) -> Any:
        if key not in self._names:
            problem = f"there is no parameter {key!r}; the names are {', '.join(self._names) or 'none'}"
            raise MissingError(restate("ParameterDict[...]", problem, key=key))
        return vars(self)[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._check_name(key)
        self._put(key, value)
        if key not in self._names:
            self._names = (*self._names, key)

    def __delitem__(self, key: str) -> None:
        self[key]  # raises for a name that isn't there
        delattr(self, key)
        self._names = tuple(name for name in self._names if name != key)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def __repr__(self) -> str:
        return self._shown(self._names)
