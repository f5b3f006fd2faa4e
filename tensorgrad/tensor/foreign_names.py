"""Names of PyTorch's and NumPy's tensors that ours doesn't have: reading one raises an error that says what to use.

A descriptor for each, in place of `__getattr__`: with that method, CPython 3.11 takes ten times as long to read any
attribute of a tensor, and an op reads some thirty. Names misspelled raise Python's own AttributeError, whose traceback
asks "Did you mean".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from tensorgrad import unknown_names


class Foreign:
    """An attribute that isn't there, and what to use instead."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> NoReturn:
        raise unknown_names.unknown("Tensor", self.name, unknown_names.TENSOR, ())


class ForeignNames:
    """Has the foreign names as attributes that raise; `dir` doesn't list them."""

    __slots__ = ()

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if name not in unknown_names.TENSOR]


for _name in unknown_names.TENSOR:
    setattr(ForeignNames, _name, Foreign(_name))
