"""Hooks of modules: functions called before and after `forward`, and when gradients of a module are complete."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad.autograd.hooks import HookHandle, check_hook
from tensorgrad.autograd.modes import is_grad_enabled, observers
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.joining import concatenate
from tensorgrad.tensor import Tensor

if TYPE_CHECKING:
    from tensorgrad.nn.module import Module


class Hook(NamedTuple):
    """A function, and how it wants to be called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always: bool = False


NO_HOOKS: Mapping[int, Hook] = MappingProxyType({})


class HasHooks:
    """The part of `Module` that keeps and calls hooks."""

    # Immutable defaults of the class, so that a subclass needn't call super().__init__().
    _forward_hooks: Mapping[int, Hook] = NO_HOOKS
    _forward_pre_hooks: Mapping[int, Hook] = NO_HOOKS
    _backward_hooks: Mapping[int, Hook] = NO_HOOKS
    _backward_pre_hooks: Mapping[int, Hook] = NO_HOOKS

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> HookHandle:
        """Call `hook(module, inputs)` before each `forward`; a result other than None replaces the inputs.

        Args:
            hook: the function; `inputs` is the tuple of positional arguments.
            prepend: call it before the hooks that are there already.
            with_kwargs: call `hook(module, inputs, kwargs)`, whose result replaces both: `(inputs, kwargs)`.

        Returns:
            A handle; `handle.remove()` takes the hook away.
        """
        return self._hooked("_forward_pre_hooks", Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> HookHandle:
        """Call `hook(module, inputs, output)` after each `forward`; a result other than None replaces the output.

        Args:
            hook: the function; `inputs` is the tuple of positional arguments.
            prepend: call it before the hooks that are there already.
            with_kwargs: call `hook(module, inputs, kwargs, output)`.
            always_call: call it, with None as output, where `forward` raises too.

        Returns:
            A handle; `handle.remove()` takes the hook away.

        >>> import tensorgrad as tg
        >>> layer = tg.nn.Linear(2, 3)
        >>> handle = layer.register_forward_hook(lambda module, inputs, output: print(output.shape))
        >>> _ = layer(tg.zeros(5, 2))
        (5, 3)
        >>> handle.remove()
        """
        return self._hooked("_forward_hooks", Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> HookHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients for the module's inputs are complete.

        `grad_input` is a tuple of the gradients for the positional arguments of `forward`, None for those that get
        none; `grad_output` one of the gradients for its results, zeros for a result that the loss doesn't depend on.
        A result other than None replaces `grad_input`. Where no input gets a gradient, as in a first layer, the hook
        is called when the gradients for the results are complete.

        Args:
            hook: the function; it must not change its arguments.
            prepend: call it before the hooks that are there already.

        Returns:
            A handle; `handle.remove()` takes the hook away.

        >>> import tensorgrad as tg
        >>> layer = tg.nn.ReLU()
        >>> handle = layer.register_full_backward_hook(lambda module, grad_input, grad_output: print(grad_input))
        >>> layer(tg.tensor([-1.0, 2.0], requires_grad=True)).sum().backward()
        (tensor([0., 1.]),)
        """
        return self._hooked("_backward_hooks", Hook(hook), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> HookHandle:
        """Call `hook(module, grad_output)` before the gradients for the module's inputs are computed.

        A result other than None replaces the gradients for the module's results; see `register_full_backward_hook`.
        """
        return self._hooked("_backward_pre_hooks", Hook(hook), prepend)

    def _hooked(self, kind: str, hook: Hook, prepend: bool) -> HookHandle:
        check_hook(type(self).__name__, hook.function)
        if getattr(self, kind) is NO_HOOKS:
            setattr(self, kind, {})
        hooks = getattr(self, kind)
        handle = HookHandle(hooks, hook)  # type: ignore[arg-type]
        if prepend:
            last = next(reversed(hooks))
            others = {number: each for number, each in hooks.items() if number != last}
            hooks.clear()
            hooks.update({last: hook} | others)
        return handle

    # ----------------------------------------------------------------------------------------------------------- calls

    def _call_with_hooks(self: Any, inputs: tuple, kwargs: dict[str, Any]) -> Any:
        if self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks:
            for observer in observers():
                observer.module_hooked(self)
        try:
            inputs, kwargs = _before(self, inputs, kwargs)
            if self._backward_hooks or self._backward_pre_hooks:
                output = BackwardHooks(self, inputs).around(kwargs)
            else:
                output = self.forward(*inputs, **kwargs)
        except Exception:
            _after(self, inputs, kwargs, None, True)
            raise
        return _after(self, inputs, kwargs, output, False)


def _before(module: Module, inputs: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """The inputs after the forward pre-hooks."""
    for hook in tuple(module._forward_pre_hooks.values()):
        changed = hook.function(module, inputs, kwargs) if hook.with_kwargs else hook.function(module, inputs)
        if changed is None:
            continue
        if not hook.with_kwargs:
            inputs = changed if isinstance(changed, tuple) else (changed,)
        elif isinstance(changed, tuple) and len(changed) == 2 and isinstance(changed[1], dict):
            inputs, kwargs = changed
        else:
            problem = f"a forward pre-hook with kwargs must return None or (inputs, kwargs), got {changed!r:.80}"
            raise ArgumentError(restate(type(module).__name__, problem))
    return inputs, kwargs


def _after(module: Module, inputs: tuple, kwargs: dict[str, Any], output: Any, failed: bool) -> Any:
    """The output after the forward hooks; where `forward` failed, those that are always called."""
    for hook in tuple(module._forward_hooks.values()):
        if failed and not hook.always:
            continue
        given = (inputs, kwargs, output) if hook.with_kwargs else (inputs, output)
        changed = hook.function(module, *given)
        if changed is not None:
            output = changed
    return output


class BackwardHooks:
    """One call of a module with backward hooks: tensors pass through a node of their own on the way in and out.

    Several tensors are joined to one on the way, so that their gradients arrive together.
    """

    def __init__(self, module: Module, inputs: tuple) -> None:
        self.module, self.inputs = module, inputs
        self.grad_output: tuple = ()

    def around(self, kwargs: dict[str, Any]) -> Any:
        """Call `forward`."""
        recorded = is_grad_enabled()
        places = [k for k, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.requires_grad and recorded]
        arrived = list(self.inputs)
        watched = _watched([self.inputs[k] for k in places], lambda grads: self._of_inputs(places, grads))
        for k, x in zip(places, watched, strict=True):
            arrived[k] = x
        output = self.module.forward(*arrived, **kwargs)
        several = isinstance(output, (tuple, list))
        results = list(output) if several else [output]
        outgoing = [k for k, z in enumerate(results) if isinstance(z, Tensor) and z.requires_grad]

        def finish(grads: tuple) -> tuple | None:
            return self._of_outputs(len(results), outgoing, grads, last=not places)

        for k, z in zip(outgoing, _watched([results[k] for k in outgoing], finish), strict=True):
            results[k] = z
        return type(output)(results) if type(output) in (tuple, list) else output if several else results[0]

    def _of_outputs(self, count: int, places: Sequence[int], grads: tuple, last: bool) -> tuple | None:
        """The gradients for the results have arrived; return what replaces them, if anything does."""
        changed = False
        for hook in tuple(self.module._backward_pre_hooks.values()):
            replaced = hook.function(self.module, _among(count, places, grads))
            if replaced is not None:
                changed, grads = True, _picked(self.module, replaced, count, places, grads)
        self.grad_output = _among(count, places, grads)
        if last:
            for hook in tuple(self.module._backward_hooks.values()):
                hook.function(self.module, (None,) * len(self.inputs), self.grad_output)
        return grads if changed else None

    def _of_inputs(self, places: Sequence[int], grads: tuple) -> tuple | None:
        """The gradients for the inputs have arrived; return what replaces them, if anything does."""
        changed, count = False, len(self.inputs)
        for hook in tuple(self.module._backward_hooks.values()):
            replaced = hook.function(self.module, _among(count, places, grads), self.grad_output)
            if replaced is not None:
                changed, grads = True, _picked(self.module, replaced, count, places, grads)
        return grads if changed else None


def _watched(tensors: list[Tensor], hook: Callable[[tuple], tuple | None]) -> list[Tensor]:
    """The same tensors as results of new nodes; `hook` sees all gradients for them at once, and may replace them."""
    if not tensors:
        return []
    if len(tensors) == 1:
        alone = tensors[0].reshape(tensors[0].shape)
        alone.register_hook(lambda grad: (hook((grad,)) or (None,))[0])
        return [alone]
    # x₁, x₂, ... -> (x₁.size + x₂.size + ...,)
    joined = concatenate([x.reshape(-1) for x in tensors], 0)
    joined.register_hook(lambda grad: _rejoined(hook(tuple(_parts(grad, tensors)))))
    return _parts(joined, tensors)


def _parts(joined: Any, tensors: list[Tensor]) -> list[Tensor]:
    found, start = [], 0
    for x in tensors:
        end = start + math.prod(x.shape)
        part = joined[start:end].reshape(x.shape)
        found.append(part if part.dtype == x.dtype else part.astype(x.dtype))
        start = end
    return found


def _rejoined(grads: tuple | None) -> Tensor | None:
    return None if grads is None else concatenate([g.reshape(-1) for g in grads], 0)


def _among(count: int, places: Sequence[int], grads: tuple) -> tuple:
    """The gradients in their places, None in the others."""
    found: list[Any] = [None] * count
    for k, grad in zip(places, grads, strict=True):
        found[k] = grad
    return tuple(found)


def _picked(module: Module, replaced: Any, count: int, places: Sequence[int], grads: tuple) -> tuple:
    """What a hook returned, for those that get a gradient."""
    given = replaced if isinstance(replaced, tuple) else (replaced,)
    if len(given) != count:
        problem = f"a backward hook must return None or {count} gradients, got {len(given)}"
        raise ArgumentError(restate(type(module).__name__, problem))
    picked = tuple(given[k] for k in places)
    for new, old in zip(picked, grads, strict=True):
        if not isinstance(new, Tensor) or new.shape != old.shape:
            problem = f"a backward hook must return tensors of the gradients' shapes, here {old.shape}"
            raise ShapeError(restate(type(module).__name__, problem, returned=new))
    return picked
