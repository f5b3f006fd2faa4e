"""Containers: Sequential, which calls its modules one after the other, and ModuleList."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from tensorgrad.errors import RangeError, restate
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor


class ModuleSequence(Module):
    """The common base of `Sequential` and `ModuleList`: children in order, by index. A child's name is its number."""

    def __len__(self) -> int:
        return len(self._own_children())

    def __iter__(self) -> Iterator[Module]:
        # Not children(), which yields a module in several places once.
        return iter([value for value in vars(self).values() if isinstance(value, Module)])

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(index)
        return vars(self)[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(self._name(index), module)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        # A slice keeps the names of its modules, so the name len(self) may be taken.
        number = next(k for k in itertools.count(len(self)) if str(k) not in vars(self))
        self.register_module(str(number), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def _name(self, index: int) -> str:
        names = [name for name, _ in self._own_children()]
        try:
            return names[operator.index(index)]
        except IndexError:
            problem = f"index must be in [{-len(names)}, {len(names)}), got {index}"
            raise RangeError(restate(f"{type(self).__name__}[...]", problem, index=index)) from None

    def _slice(self, index: slice) -> ModuleSequence:
        part = Sequential() if isinstance(self, Sequential) else ModuleList()
        # Not by __setattr__, which would rename the parameters.
        vars(part).update(self._own_children()[index])
        return part


class Sequential(ModuleSequence):
    """Modules called one after the other: the output of each is the input of the next.

    Args:
        modules: the modules in order; or one mapping from names to modules.

    An index gives a module; a slice gives a Sequential of the same modules under the same names.

    Raises:
        DTypeError: an argument that is neither a Module nor the only mapping.
        RangeError: an index out of range.

    >>> import tensorgrad as tg
    >>> net = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.ReLU(), tg.nn.Linear(8, 2))
    >>> net(tg.zeros(5, 4)).shape, len(net[:2])
    ((5, 2), 2)
    """

    @overload
    def __init__(self, *modules: Module) -> None: ...

    @overload
    def __init__(self, modules: Mapping[str, Module], /) -> None: ...

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, module)
        else:
            self.extend(modules)

    def forward(self, x: TensorLike) -> Tensor:
        """Call all modules, the first with x."""
        z: Any = x
        for module in self:
            z = module(z)
        return z


class ModuleList(ModuleSequence):
    """A list of modules, registered as children; it has no `forward`.

    Args:
        modules: the modules in order.

    Raises:
        DTypeError: an item that isn't a Module.
        RangeError: an index out of range.

    >>> import tensorgrad as tg
    >>> layers = tg.nn.ModuleList([tg.nn.Linear(2, 2) for _ in range(3)])
    >>> [name for name, _ in layers[:1].named_parameters()]
    ['0.weight', '0.bias']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)
