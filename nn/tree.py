"""Parts of a module by their paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import TensorgradError, restate
from tensorgrad.nn.parameter import Parameter
from tensorgrad.tensor import Tensor

if TYPE_CHECKING:
    from tensorgrad.nn.module import Module


class PathError(TensorgradError, AttributeError):
    """A path that leads to nothing, or to something of another kind."""


class HasTree:
    """The part of `Module` that finds modules, parameters and buffers by their paths."""

    def get_submodule(self: Any, target: str) -> Module:
        """The module at a path; the module itself for "".

        Args:
            target: names joined by dots, as in `named_modules()`: "features.0".

        Raises:
            PathError: a name on the way that isn't there, or isn't a module.

        >>> import tensorgrad as tg
        >>> net = tg.nn.Sequential(tg.nn.Sequential(tg.nn.ReLU()))
        >>> net.get_submodule("0.0")
        ReLU()
        """
        found: Any = self
        for name in target.split(".") if target else ():
            found = dict(found._own_children()).get(name)
            if found is None:
                raise _nothing(self, "get_submodule", "module", target, name, self.named_modules())
        return found

    def set_submodule(self: Any, target: str, module: Module, strict: bool = False) -> None:
        """Put a module in the place of the one at a path.

        Args:
            target: the path.
            module: the new module.
            strict: require that there is a module at the path; otherwise its parent is enough.

        Raises:
            PathError: a path that leads nowhere.
            DTypeError: not a module.
        """
        parent, _, name = target.rpartition(".")
        if strict or not name:
            self.get_submodule(target)
        if not name:
            raise PathError(restate("set_submodule", "target must name a module below this one", target=target))
        self.get_submodule(parent).register_module(name, module)

    def get_parameter(self: Any, target: str) -> Parameter:
        """The parameter at a path, "features.0.weight". Raises PathError if there is none."""
        return _part(self, "get_parameter", "parameter", target, Parameter, self.named_parameters)

    def get_buffer(self: Any, target: str) -> Tensor:
        """The buffer at a path, "bn.running_mean". Raises PathError if there is none."""
        return _part(self, "get_buffer", "buffer", target, Tensor, self.named_buffers)

    @property
    def _modules(self: Any) -> MutableMapping[str, Module | None]:
        """The children by name, as PyTorch keeps them; items can be set and deleted."""
        return Items(self, lambda module: module._own_children())

    @property
    def _parameters(self: Any) -> MutableMapping[str, Parameter | None]:
        """The module's own parameters by name, as PyTorch keeps them; items can be set and deleted."""
        return Items(self, lambda module: module._own_parameters())


class Items(MutableMapping[str, Any]):
    """Attributes of one kind as a mapping, which reads and writes the attributes."""

    def __init__(self, module: Module, own: Callable[[Module], list[tuple[str, Any]]]) -> None:
        self._module, self._own = module, own

    def __getitem__(self, name: str) -> Any:
        return dict(self._own(self._module))[name]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)

    def __delitem__(self, name: str) -> None:
        self[name]  # raises KeyError for what isn't there
        delattr(self._module, name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._own(self._module)])

    def __len__(self) -> int:
        return len(self._own(self._module))

    def __repr__(self) -> str:
        return repr(dict(self))


def _part(module: Any, call: str, kind: str, target: str, type_: type, named: Callable[..., Iterator]) -> Any:
    path, _, name = target.rpartition(".")
    owner = module.get_submodule(path)
    own = owner.named_parameters(recurse=False) if type_ is Parameter else owner.named_buffers(recurse=False)
    found = dict(own).get(name)
    if found is None:
        raise _nothing(module, call, kind, target, name, named())
    return found


def _nothing(module: Any, call: str, kind: str, target: str, name: str, named: Iterator) -> PathError:
    known = ", ".join(path for path, _ in named if path) or "none"
    problem = f"{type(module).__name__} has no {kind} {target!r}: there is no {name!r}"
    return PathError(restate(call, problem, fix=f"the {kind}s are {known[:300]}", target=target))
