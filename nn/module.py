"""Module: what a network and each of its layers are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, check_device, is_device, is_float
from tensorgrad.autograd.backward import zero_grad
from tensorgrad.autograd.engine import HookHandle, no_grad, observers, reconfigured, scope, tell
from tensorgrad.autograd.versions import leave
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.state import LoadResult, match
from tensorgrad.ops.operands import as_tensor
from tensorgrad.system.console import printable
from tensorgrad.tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class _HasForward(Protocol[P, R]):
    """What type checkers read a module's call from: it takes and returns what its `forward` does."""

    def forward(self, *inputs: P.args, **kwargs: P.kwargs) -> R: ...


NO_HOOKS: Mapping[int, Callable[..., Any]] = MappingProxyType({})


class Module:
    """The base of networks and layers: a subclass assigns its parts as attributes and says in `forward` what they do.

    What an attribute is, its type decides: a `Parameter` is a parameter, a `Module` a child. Everything else is a mere
    attribute, plain Tensors with `requires_grad` and lists of modules included (`ModuleList` holds children in a list).
    Tensors that belong to the state but aren't trained, such as running means, are announced by `register_buffer`.
    Calling `super().__init__()` first, as PyTorch demands, is welcome but not needed.

    A parameter or buffer carries its path in the outermost module it was assigned to as its `.name`, `"conv1.weight"`,
    for errors and drawings; one that is held in several places carries the path given last.

    `training` tells layers such as Dropout what to do; set it for the whole tree with `train()` and `eval()`.

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

    # Immutable defaults on the class, so that a subclass need not call super().__init__().
    training: bool = True
    _path: str = ""
    _buffers: Mapping[str, bool] = MappingProxyType({})  # name -> whether it belongs to the state dict
    _forward_hooks: Mapping[int, Callable[..., Any]] = NO_HOOKS
    _forward_pre_hooks: Mapping[int, Callable[..., Any]] = NO_HOOKS
    _told = frozenset(("_buffers", "_forward_hooks", "_forward_pre_hooks"))
    """Like each change of an attribute, changes in these call `reconfigured()`: compiled functions rely on that."""

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module computes; call the module itself, which runs the hooks too."""
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, x)")

    if TYPE_CHECKING:

        def __call__(self: _HasForward[P, R], *inputs: P.args, **kwargs: P.kwargs) -> R:
            """Run the hooks and `forward`."""

    else:

        def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
            """Run the hooks and `forward`."""
            if self._forward_hooks or self._forward_pre_hooks or observers():
                with scope(self._path, type(self).__name__, self):
                    return self._call_with_hooks(inputs, kwargs)
            return self.forward(*inputs, **kwargs)

    def _call_with_hooks(self, inputs: tuple, kwargs: dict[str, Any]) -> Any:
        if self._forward_hooks or self._forward_pre_hooks:
            tell("bypassed", f"a hook of {type(self).__name__}", None)
        inputs = self._run_pre_hooks(inputs)
        output = self.forward(*inputs, **kwargs)
        for hook in tuple(self._forward_hooks.values()):
            changed = hook(self, inputs, output)
            if changed is not None:
                output = changed
        return output

    def _run_pre_hooks(self, inputs: tuple) -> tuple:
        for hook in tuple(self._forward_pre_hooks.values()):
            changed = hook(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        return inputs

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
        """`self.name = parameter`, for names made at run time; None is for one that is left out, as a bias may be.

        Raises DTypeError for anything else, ArgumentError for a name that can't be used.
        """
        if parameter is not None and not isinstance(parameter, Parameter):
            fix = "wrap it: nn.Parameter(value)"
            raise DTypeError(
                restate("register_parameter", "this is no Parameter", fix=fix, name=name, parameter=parameter)
            )
        self._check_name(name)
        setattr(self, name, parameter)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """A tensor that is part of the state but isn't trained; reach it as `self.name`.

        Args:
            name: its name in the state dict.
            tensor: a tensor, or what makes one; None leaves the buffer out.
            persistent: False keeps it out of the state dict.

        Raises:
            ArgumentError: a name that can't be used, or that is taken. DTypeError: a Parameter.
        """
        self._check_name(name)
        if isinstance(tensor, Parameter):
            raise DTypeError(
                restate("register_buffer", "this is a Parameter", fix="pass parameter.detach()", name=name)
            )
        if name in vars(self) and name not in self._buffers:
            raise ArgumentError(restate("register_buffer", "the name is taken", name=name, taken_by=vars(self)[name]))
        self._buffers = {**self._buffers, name: persistent}
        setattr(self, name, None if tensor is None else as_tensor(tensor))

    def register_module(self, name: str, module: Module | None) -> None:
        """`self.name = module`, for names made at run time.

        Raises DTypeError for anything that isn't a Module, ArgumentError for a name that can't be used.
        """
        if module is not None and not isinstance(module, Module):
            problem = "this is no Module"
            fix = "pass an instance, Linear(4, 2), not the class" if isinstance(module, type) else ""
            raise DTypeError(restate("register_module", problem, fix=fix, name=name, module=module))
        self._check_name(name)
        setattr(self, name, module)

    add_module = register_module

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            expected = "a word without dots: dots separate the parts of a path"
            raise ArgumentError(restate(type(self).__name__, "bad name", expected=expected, name=name))
        if callable(getattr(type(self), name, None)):
            problem, fix = f"{name!r} is the name of a method", "choose another name"
            raise ArgumentError(restate(type(self).__name__, problem, fix=fix, name=name))

    def _check_replacement(self, name: str, value: Any) -> None:
        """A parameter, child or buffer isn't to turn into a mere attribute by a slip."""
        old = vars(self).get(name)
        kind = Parameter if isinstance(old, Parameter) else Module if isinstance(old, Module) else None
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
        seen = set()
        for name, value in self._own_children():
            if value not in seen:
                seen.add(value)
                yield name, value

    def children(self) -> Iterator[Module]:
        """Each module that is an attribute of this one."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(path, module) for this module and all below it, parents first; a shared one once, unless told otherwise."""
        return self._walk(prefix, set() if remove_duplicate else None)

    def modules(self) -> Iterator[Module]:
        """The module itself and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) for all parameters of the tree; a shared one once, under its first path."""
        return self._members(Module._own_parameters, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters of the tree, each once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(path, tensor) for all buffers of the tree, persistent or not."""
        return self._members(Module._own_buffers, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers of the tree, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _walk(self, prefix: str, seen: set[Module] | None) -> Iterator[tuple[str, Module]]:
        if seen is not None:
            if self in seen:
                return
            seen.add(self)
        yield prefix, self
        for name, child in self._own_children():
            yield from child._walk(_join(prefix, name), seen)

    def _members(self, own: Callable, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen = set()
        for path, module in self.named_modules(prefix, remove_duplicate) if recurse else [(prefix, self)]:
            for name, value in own(module):
                if remove_duplicate and value in seen:
                    continue
                seen.add(value)
                yield _join(path, name), value

    # Lists, so that who walks may set attributes on the way.

    def _own_children(self) -> list[tuple[str, Module]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def _own_parameters(self) -> list[tuple[str, Parameter]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Parameter)]

    def _own_buffers(self) -> list[tuple[str, Tensor]]:
        return [(name, vars(self)[name]) for name in self._buffers if vars(self)[name] is not None]

    def _own_state(self) -> list[tuple[str, Tensor]]:
        kept = [(name, buffer) for name, buffer in self._own_buffers() if self._buffers[name]]
        return self._own_parameters() + kept

    # ---------------------------------------------------------------------------------------- changes to the whole tree

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function(module)` on all modules below and then on this one; returns this module.

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
        """Set `training` here and below: Dropout drops, BatchNorm uses the batch's statistics."""
        self.training = bool(mode)
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """`train(False)`: the behaviour for using a network. Recording goes on; `tg.no_grad()` stops that."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; with `set_to_none=False` those that exist become zeros."""
        zero_grad(list(self.parameters()), set_to_none)

    def to(self, *where: Any, dtype: DTypeLike = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Convert the float parameters and buffers, and gradients that exist, to another float dtype, in place.

        Args:
            where: a float dtype; or "cpu", or both, as in scripts for PyTorch: everything is computed on the CPU.
            dtype, device: the same by name.
            non_blocking: of no meaning here.

        Raises:
            DTypeError: a dtype that isn't a float.
            ArgumentError: another device than the CPU.

        >>> import tensorgrad as tg
        >>> tg.nn.Linear(2, 1).to("cpu", "float64").weight.dtype
        dtype('float64')
        """
        dtypes = [dtype] if dtype is not None else []
        for target in where if device is None else (*where, device):
            if is_device(target) or target is device:
                check_device("to", target)
            else:
                dtypes.append(target)
        for wanted in dtypes:
            self._convert(_float_dtype(wanted))
        return self

    def _convert(self, dtype: np.dtype) -> None:
        for tensor in (*self.parameters(), *self.buffers()):
            if is_float(tensor.dtype) and tensor.dtype != dtype:
                # `tensor.data = array` would refuse another dtype; the object itself must stay, for optimizers hold it.
                tell("bypassed", "Module.to()", tensor)
                leave(tensor)
                tensor._data = tensor._data.astype(dtype)
                reconfigured()
                tensor.grad = None if tensor.grad is None else tensor.grad.detach().astype(dtype)

    # ------------------------------------------------------------------------------------------------------------ hooks

    def register_forward_pre_hook(self, hook: Callable[[Module, tuple], Any]) -> HookHandle:
        """Call `hook(module, inputs)` before each `forward`; what it returns, unless None, replaces the inputs."""
        if self._forward_pre_hooks is NO_HOOKS:
            self._forward_pre_hooks = {}
        return HookHandle(self._forward_pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[[Module, tuple, Any], Any]) -> HookHandle:
        """Call `hook(module, inputs, output)` after each `forward`; what it returns, unless None, replaces the output.

        >>> import tensorgrad as tg
        >>> layer = tg.nn.Linear(2, 3)
        >>> handle = layer.register_forward_hook(lambda module, inputs, output: print(output.shape))
        >>> _ = layer(tg.zeros(5, 2))
        (5, 3)
        >>> handle.remove()
        """
        if self._forward_hooks is NO_HOOKS:
            self._forward_hooks = {}
        return HookHandle(self._forward_hooks, hook)

    # ------------------------------------------------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Tensor]:
        """Every parameter and persistent buffer by its path, with PyTorch's names, order and layouts.

        The tensors share memory with the module and are detached from any graph; `clone()` what is to be kept.
        """
        return {name: tensor.detach() for name, tensor in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Copy the values of a state dict, tensors or arrays by path, into the parameters and buffers.

        Args:
            state: what `state_dict()` of a like module returned, or PyTorch's as arrays.
            strict: whether the names must match one to one.

        Returns:
            The names that were missing and unexpected; `<All keys matched successfully>` where there are none.

        Raises:
            StateDictError: lists every missing, unexpected, misshapen and mistyped entry; nothing has been loaded then.

        >>> import tensorgrad as tg
        >>> a, b = tg.nn.Linear(2, 3), tg.nn.Linear(2, 3)
        >>> b.load_state_dict(a.state_dict())
        <All keys matched successfully>
        """
        return self.prepare_state_dict(state, strict)()

    def prepare_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Callable[[], LoadResult]:
        """Check a state dict whole, change nothing, and return the function that loads it, which can't fail.

        What several parts load together, such as a checkpoint, is thus loaded into all of them or into none. Arguments
        and errors are those of `load_state_dict`.
        """
        if not isinstance(state, Mapping):
            expected = "a mapping from paths to tensors or arrays"
            raise DTypeError(restate("load_state_dict", "this is no state dict", expected=expected, state=state))
        own = self._state()
        arrays, result = match(f"{type(self).__name__}.load_state_dict", own, state, strict)

        def load() -> LoadResult:
            with no_grad():
                for name, array in arrays.items():
                    own[name][...] = array
            return result

        return load

    def _state(self) -> dict[str, Tensor]:
        return dict(self._members(Module._own_state, "", True, False))

    # ------------------------------------------------------------------------------------------------------------- text

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets: the settings of a layer."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        children = [f"({name}): {child!r}" for name, child in self._own_children()]
        if not children:
            return printable(f"{type(self).__name__}({extra})")
        lines = ([extra] if extra else []) + children
        text = "\n  ".join([f"{type(self).__name__}(", *(line.replace("\n", "\n  ") for line in lines)]) + "\n)"
        return printable(text)


def _float_dtype(dtype: DTypeLike) -> np.dtype:
    with suppress(TypeError):
        found = np.dtype(dtype)
        if is_float(found):
            return found
    raise DTypeError(restate("to", "not a float dtype", expected="float32, float64 or float16", dtype=dtype))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
