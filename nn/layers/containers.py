"""Containers of modules: Sequential, which calls them one after the other, ModuleList and ModuleDict."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from tensorgrad.errors import RangeError, TensorgradError, restate
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike
from tensorgrad.tensor import Tensor


class MissingError(TensorgradError, KeyError):
    """A name that a container doesn't hold."""


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

    def insert(self, index: int, module: Module) -> Self:
        """Insert a module before the one at an index; the names are numbered anew."""
        modules = list(self)
        if not -len(modules) <= index <= len(modules):
            problem = f"index must be in [{-len(modules)}, {len(modules)}], got {index}"
            raise RangeError(restate(f"{type(self).__name__}.insert", problem, index=index))
        modules.insert(index, module)
        return self._renumbered(modules)

    def pop(self, index: int = -1) -> Any:
        """Remove the module at an index and return it; the names are numbered anew."""
        module = self[index]
        del self[index]
        return module

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        if not isinstance(index, slice):
            self._name(index)  # raises for one out of range
        del modules[index]
        self._renumbered(modules)

    def __add__(self, other: Iterable[Module]) -> Self:
        return type(self)._of([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def __mul__(self, count: int) -> Self:
        return type(self)._of(list(self) * count)

    def __rmul__(self, count: int) -> Self:
        return self * count

    def __imul__(self, count: int) -> Self:
        return self.extend(list(self) * (count - 1))

    @classmethod
    def _of(cls, modules: Iterable[Module]) -> Any:
        return Sequential().extend(modules) if issubclass(cls, Sequential) else ModuleList(modules)

    def _renumbered(self, modules: list[Module]) -> Self:
        for module in modules:
            if not isinstance(module, Module):
                self.register_module("0", module)  # raises
        for name, _ in self._own_children():
            delattr(self, name)
        return self.extend(modules)

    def _name(self, index: int) -> str:
        names = [name for name, _ in self._own_children()]
        try:
            return names[operator.index(index)]
        except IndexError:
            problem = f"index must be in [{-len(names)}, {len(names)}), got {index}"
            raise RangeError(restate(f"{type(self).__name__}[...]", problem, index=index)) from None

    def _slice(self, index: slice) -> ModuleSequence:
        part = Sequential() if isinstance(self, Sequential) else ModuleList()
        children = self._own_children()[index]
        if isinstance(part, ModuleList):
            children = [(str(k), module) for k, (_, module) in enumerate(children)]
        # Not by __setattr__, which would rename the parameters.
        vars(part).update(children)
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

    def forward(self, input: TensorLike) -> Tensor:
        """Call all modules, the first with x."""
        z: Any = input
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

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        self.extend(modules or ())

    def __repr__(self) -> str:
        # Modules in a row that look alike are shown once, as PyTorch shows them: (0-2): 3 x Linear(...).
        lines, shown = [], [repr(module) for module in self]
        for text, group in itertools.groupby(range(len(shown)), shown.__getitem__):
            first, *others = group
            alike = f"({first}-{others[-1]}): {len(others) + 1} x {text}" if others else f"({first}): {text}"
            lines.append(alike.replace("\n", "\n  "))
        return "\n  ".join(["ModuleList(", *lines]) + "\n)" if lines else "ModuleList()"


class ModuleDict(Module):
    """A dict of modules, registered as children; it has no `forward`.

    Args:
        modules: a mapping from names to modules, or pairs of both.

    Raises:
        DTypeError: a value that isn't a Module.
        ArgumentError: a name that is empty, has dots, or is the name of a method.
        MissingError: a name that isn't there.

    >>> import tensorgrad as tg
    >>> heads = tg.nn.ModuleDict({"digit": tg.nn.Linear(4, 10), "sign": tg.nn.Linear(4, 2)})
    >>> heads["sign"](tg.zeros(1, 4)).shape, list(heads)
    ((1, 2), ['digit', 'sign'])
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add the modules of a mapping or of pairs; those of the same names are replaced."""
        pairs = modules.items() if isinstance(modules, Mapping | ModuleDict) else modules
        for name, module in pairs:
            self[name] = module

    def keys(self) -> Iterable[str]:
        """The names, in order."""
        return [name for name, _ in self._own_children()]

    def values(self) -> Iterable[Module]:
        """The modules, in order."""
        return [module for _, module in self._own_children()]

    def items(self) -> Iterable[tuple[str, Module]]:
        """Pairs of name and module, in order."""
        return self._own_children()

    def pop(self, key: str) -> Any:
        """Remove the module of a name and return it."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Remove all modules."""
        for name in self.keys():
            delattr(self, name)

    def __getitem__(self, key: str) -> Any:
        try:
            return dict(self._own_children())[key]
        except KeyError:
            problem = f"there is no module {key!r}; the names are {', '.join(self.keys()) or 'none'}"
            raise MissingError(restate("ModuleDict[...]", problem, key=key)) from None

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, module)

    def __delitem__(self, key: str) -> None:
        self[key]  # raises for a name that isn't there
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._own_children())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in list(self.keys())
