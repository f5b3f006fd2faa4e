"""Module, the base class of networks and layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

from tensorgrad.autograd import modes
from tensorgrad.autograd.backward_pass import zero_grad
from tensorgrad.autograd.configuration import reconfigured
from tensorgrad.autograd.modes import scope
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.conversion import Converts
from tensorgrad.nn.hooks import HasHooks
from tensorgrad.nn.outline import outline
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.state import HasState
from tensorgrad.nn.tree import HasTree
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.system.console import printable
from tensorgrad.tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class _HasForward(Protocol[P, R]):
    """Tells type checkers that calling a module takes and returns what its `forward` does."""

    def forward(self, *inputs: P.args, **kwargs: P.kwargs) -> R: ...


class Module(HasHooks, HasTree, HasState, Converts):
    """The base class of networks and layers: a subclass assigns its layers as attributes and defines `forward`.

    The type of an attribute decides what it is: a `Parameter` is a parameter, a `Module` is a child. Everything else is
    an ordinary attribute, including plain Tensors with `requires_grad` and lists of modules (`ModuleList` registers the
    modules of a list as children). `register_buffer` adds tensors that belong to the state but aren't trained, such as
    running means. Calling `super().__init__()` first, as PyTorch demands, is allowed but not needed.

    The `.name` of a parameter or buffer is its path in the outermost module it was assigned to, `"conv1.weight"`, for
    errors and drawings. A parameter assigned in several places has the path assigned last.

    `training` tells layers such as Dropout which mode they are in; `train()` and `eval()` set it for the whole tree.

    >>> import tensorgrad as tg
    >>> class Net(tg.nn.Module):
    ...     def __init__(self):
    ...         self.hidden = tg.nn.Linear(4, 8)
    ...         self.output = tg.nn.Linear(8, 2, bias=False)
    ...     def forward(self, x):
    ...         return self.output(self.hidden(x).relu())
    >>> net = Net()
    >>> net
    Net(
      (hidden): Linear(in_features=4, out_features=8, bias=True)
      (output): Linear(in_features=8, out_features=2, bias=False)
    )
    >>> [(name, p.shape) for name, p in net.named_parameters()]
    [('hidden.weight', (8, 4)), ('hidden.bias', (8,)), ('output.weight', (2, 8))]
    >>> net(tg.zeros(3, 4)).shape
    (3, 2)
    """

    # Immutable defaults of the class, so that a subclass needn't call super().__init__().
    training: bool = True
    _path: str = ""
    _settings_shown: tuple[str, ...] = ()
    """The attributes of a layer that `extra_repr` shows."""
    _buffers: Mapping[str, bool] = MappingProxyType({})  # name -> whether it belongs to the state dict
    _told = frozenset(("_buffers", "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"))
    """Every change of these calls `reconfigured()`, like changes of other attributes: compiled functions rely on it."""

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Compute the module's output. Call the module itself, which runs the hooks too."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, x)")

    if TYPE_CHECKING:

        def __call__(self: _HasForward[P, R], *inputs: P.args, **kwargs: P.kwargs) -> R:
            """Run the hooks and `forward`."""

    else:

        def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
            """Run the hooks and `forward`."""
            if (
                modes.watched  # by any thread: `mode.observers`, of this one, takes ten times as long to read
                or self._forward_hooks
                or self._forward_pre_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
            ):
                with scope(self._path, type(self).__name__, self):
                    return self._call_with_hooks(inputs, kwargs)
            return self.forward(*inputs, **kwargs)

    # ------------------------------------------------------------------------------------------------------- attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter | Module):
            self._check_name(name)
            if isinstance(value, Module) and any(module is self for module in value.modules()):
                problem = "a module can't hold itself, nor a module that holds it"
                raise ArgumentError(restate(type(self).__name__, problem, name=name, module=type(value)))
            self._forget_buffer(name)
        elif value is not None:
            self._check_replacement(name, value)
        if vars(self).get(name, self) is not value:
            reconfigured()
        object.__setattr__(self, name, value)
        self._give_path(name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        reconfigured()
        self._forget_buffer(name)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """`self.name = parameter`, for names computed at run time.

        Args:
            name: the name of the attribute.
            parameter: the parameter, or None for one that the layer goes without, such as a bias.

        Raises:
            DTypeError: `parameter` is neither a Parameter nor None.
            ArgumentError: `name` has dots, is empty, or is the name of a method.
        """
        if parameter is not None and not isinstance(parameter, Parameter):
            fix = "wrap it: nn.Parameter(value)"
            problem = f"expected a Parameter or None, got {type(parameter).__name__}"
            raise DTypeError(restate("register_parameter", problem, fix=fix, name=name, parameter=parameter))
        self._check_name(name)
        setattr(self, name, parameter)

    def register_buffer(self, name: str, tensor: TensorLike | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the state but isn't trained; it becomes the attribute `self.name`.

        Args:
            name: the name of the attribute and of the entry in the state dict.
            tensor: a Tensor, array or number; None for a buffer that the layer goes without.
            persistent: False keeps the buffer out of the state dict.

        Raises:
            ArgumentError: `name` has dots, is empty, or is the name of another attribute or method.
            DTypeError: `tensor` is a Parameter.
        """
        self._check_name(name)
        if isinstance(tensor, Parameter):
            problem, fix = "a buffer isn't trained, but tensor is a Parameter", "pass parameter.detach()"
            raise DTypeError(restate("register_buffer", problem, fix=fix, name=name))
        if name in vars(self) and name not in self._buffers:
            problem = f"the module already has an attribute {name!r}"
            raise ArgumentError(restate("register_buffer", problem, name=name, attribute=vars(self)[name]))
        self._buffers = {**self._buffers, name: persistent}
        setattr(self, name, None if tensor is None else as_tensor(tensor))

    def register_module(self, name: str, module: Module | None) -> None:
        """`self.name = module`, for names computed at run time.

        Args:
            name: the name of the attribute.
            module: the module, or None for one that the network goes without.

        Raises:
            DTypeError: `module` is neither a Module nor None.
            ArgumentError: `name` has dots, is empty, or is the name of a method.
        """
        if module is not None and not isinstance(module, Module):
            problem = f"expected a Module, got {'a class' if isinstance(module, type) else type(module).__name__}"
            fix = "pass an instance, Linear(4, 2), not the class" if isinstance(module, type) else ""
            raise DTypeError(restate("register_module", problem, fix=fix, name=name, module=module))
        self._check_name(name)
        setattr(self, name, module)

    add_module = register_module

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            problem = "name must be a non-empty str without dots, which separate the parts of a path"
            raise ArgumentError(restate(type(self).__name__, problem, name=name))
        if callable(getattr(type(self), name, None)):
            problem, fix = f"{name!r} is the name of a method", "choose another name"
            raise ArgumentError(restate(type(self).__name__, problem, fix=fix, name=name))

    def _check_replacement(self, name: str, value: Any) -> None:
        """Refuse to replace a parameter, child or buffer by another kind of value: that is a mistake."""
        old = vars(self).get(name)
        kind: type | None = next((kind for kind in (Parameter, Module) if isinstance(old, kind)), None)
        if name in self._buffers:
            kind = None if isinstance(value, Tensor) else Tensor
        if kind is not None:
            expected, fix = f"a {kind.__name__}, or None", f"use {kind.__name__}(...), or `del module.{name}` first"
            problem = f"{name!r} holds a {'buffer' if kind is Tensor else kind.__name__}"
            raise DTypeError(restate(type(self).__name__, problem, expected=expected, fix=fix, old=old, new=value))

    def _forget_buffer(self, name: str) -> None:
        if name in self._buffers:
            self._buffers = {k: persistent for k, persistent in self._buffers.items() if k != name}

    def _give_path(self, name: str, value: Any) -> None:
        path = _join(self._path, name)
        if isinstance(value, Parameter) or (name in self._buffers and value is not None):
            value.name = path
        elif isinstance(value, Module):
            value._path = path
            for part, below in vars(value).items():
                value._give_path(part, below)

    # ------------------------------------------------------------------------------------------------- walking the tree

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for each module that is an attribute of this one."""
        visited = set()
        for name, value in self._own_children():
            if value not in visited:
                visited.add(value)
                yield name, value

    def children(self) -> Iterator[Module]:
        """Each module that is an attribute of this one."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(path, module) for this module and all below it, parents first.

        Args:
            prefix: what the paths begin with.
            remove_duplicate: yield a module that stands in several places once, under its first path.
        """
        return self._walk(prefix, set() if remove_duplicate else None)

    def modules(self) -> Iterator[Module]:
        """The module itself and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) for all parameters of the tree.

        Args:
            prefix: what the paths begin with.
            recurse: False for the parameters of this module alone, without those of its children.
            remove_duplicate: yield a shared parameter once, under its first path.
        """
        return self._members(Module._own_parameters, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters of the tree, each once, for an optimizer; with `recurse=False` those of this module alone."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(path, tensor) for all buffers of the tree, persistent or not; arguments as in `named_parameters`."""
        return self._members(Module._own_buffers, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers of the tree, each once; with `recurse=False` those of this module alone."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _walk(self, prefix: str, visited: set[Module] | None) -> Iterator[tuple[str, Module]]:
        if visited is not None:
            if self in visited:
                return
            visited.add(self)
        yield prefix, self
        for name, child in self._own_children():
            yield from child._walk(_join(prefix, name), visited)

    def _members(self, own: Callable, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        visited = set()
        for path, module in self.named_modules(prefix, remove_duplicate) if recurse else [(prefix, self)]:
            for name, value in own(module):
                if remove_duplicate and value in visited:
                    continue
                visited.add(value)
                yield _join(path, name), value

    # Lists, not iterators: a caller may set attributes while it iterates.

    def _own_children(self) -> list[tuple[str, Module]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def _own_parameters(self) -> list[tuple[str, Parameter]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Parameter)]

    def _own_buffers(self) -> list[tuple[str, Tensor]]:
        return [(name, vars(self)[name]) for name in self._buffers if vars(self)[name] is not None]

    # ---------------------------------------------------------------------------------------- changes to the whole tree

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function(module)` on all modules below and then on this one; return this module.

        >>> import tensorgrad as tg
        >>> def clear(module):
        ...     if isinstance(module, tg.nn.Linear):
        ...         tg.nn.init.zeros_(module.weight)
        >>> net = tg.nn.Sequential(tg.nn.Linear(2, 2)).apply(clear)
        """
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and below: with True, Dropout drops and BatchNorm uses the batch's statistics."""
        self.training = bool(mode)
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """`train(False)`: the mode for using a network. Gradients are still recorded, unless under `tg.no_grad()`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters: None, or zeros with `set_to_none=False`."""
        zero_grad(list(self.parameters()), set_to_none)

    # ------------------------------------------------------------------------------------------------------------- text

    def extra_repr(self) -> str:
        """The settings of a layer, which `repr` shows between the brackets."""
        values = {name: getattr(self, name) for name in type(self)._settings_shown}
        return ", ".join([f"{name}={repr(x) if isinstance(x, str) else x}" for name, x in values.items()])

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [f"({name}): {child!r}" for name, child in self._own_children()]
        if not children:
            return printable(f"{type(self).__name__}({extra})")
        lines = ([extra] if extra else []) + children
        text = "\n  ".join([f"{type(self).__name__}(", *(line.replace("\n", "\n  ") for line in lines)]) + "\n)"
        return printable(text)

    def _repr_html_(self) -> str:
        return outline(self)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
