"""What is called when a gradient is complete: hooks of tensors, and the gradients of interior tensors."""

import itertools
import weakref
from typing import Any

from tensorgrad.autograd.configuration import reconfigured
from tensorgrad.autograd.variable import Hook, Variable
from tensorgrad.errors import DTypeError, GraphError, restate


class HookHandle:
    """What `register_hook` returns: call `remove()` to take the hook away."""

    _numbers = itertools.count()

    def __init__(self, hooks: dict[int, Hook], hook: Hook) -> None:
        self._hooks, self._number = hooks, next(self._numbers)
        hooks[self._number] = hook
        reconfigured()

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        if self._hooks.pop(self._number, None) is not None and not self._hooks:
            reconfigured()


def check_hook(call: str, hook: Any) -> None:
    """Raise DTypeError for a hook that can't be called: it would fail in a later pass, far from this line."""
    if not callable(hook):
        raise DTypeError(restate(call, "a hook must be a function", fix="pass the function, not its result", hook=hook))


def register_hook(variable: Variable, hook: Hook) -> HookHandle:
    """Call `hook(grad)` when the gradient of `variable` is complete; a result that isn't None replaces it."""
    check_hook("register_hook", hook)
    if not variable._requires_grad:
        raise GraphError(
            restate("register_hook", "the tensor gets no gradient", fix="set requires_grad=True first", tensor=variable)
        )
    owner, slot = (variable, "_hooks") if variable._node is None else (variable._node, "hooks")
    if not getattr(owner, slot):
        reconfigured()
        if getattr(owner, slot) is None:
            setattr(owner, slot, {})
    return HookHandle(getattr(owner, slot), hook)


def retain_grad(variable: Variable) -> None:
    """Let backward set `.grad` on an interior tensor too; leaves get theirs anyway."""
    if not variable._requires_grad:
        raise GraphError(
            restate("retain_grad", "the tensor gets no gradient", fix="set requires_grad=True first", tensor=variable)
        )
    if variable._node is not None:
        variable._node.retained = weakref.ref(variable)
