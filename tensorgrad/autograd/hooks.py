"""What is called when a gradient is complete: hooks of tensors, and the gradients of interior tensors."""

import itertools
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from tensorgrad.autograd import modes
from tensorgrad.autograd.configuration import reconfigured
from tensorgrad.autograd.variable import Hook, Variable
from tensorgrad.errors import DTypeError, GraphError, restate


class HookHandle:
    """What `register_hook` returns: call `remove()` to take the hook away."""

    _numbers = itertools.count()

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
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


def after_backward(leaf: Variable, function: Callable[[], None]) -> HookHandle:
    """Call `function()` after each backward pass that adds to the `.grad` of the leaf, when all gradients are there.

    A function that several leaves have is called once. What it does is a part of the pass, so it makes its changes by
    `engine.host_call`, which a compiled function repeats.
    """
    if not hasattr(leaf, "_after_backward"):
        leaf._after_backward = {}
    reconfigured()
    return HookHandle(leaf._after_backward, function)


def register_post_accumulate_grad_hook(leaf: Variable, hook: Callable[[Any], None]) -> HookHandle:
    """Call `hook(leaf)` after each backward pass that adds to the `.grad` of the leaf, when all gradients are there."""
    call = "register_post_accumulate_grad_hook"
    check_hook(call, hook)
    if leaf._node is not None or not leaf._requires_grad:
        problem, fix = "the tensor isn't a leaf that gets a gradient", "register_hook sees the gradients of all tensors"
        raise GraphError(restate(call, problem, fix=fix, tensor=leaf))

    def bypassing() -> None:
        for observer in modes.mode.observers:
            observer.engine_bypassed("a hook after a backward pass", None)
        hook(leaf)

    return after_backward(leaf, bypassing)


def run_after_backward(leaves: Iterable[Variable]) -> None:
    """Call what is to follow a backward pass that has added to the `.grad` of these leaves."""
    functions = [
        function for leaf in leaves if (hooks := getattr(leaf, "_after_backward", None)) for function in hooks.values()
    ]
    for function in dict.fromkeys(functions):
        function()


def retain_grad(variable: Variable) -> None:
    """Let backward set `.grad` on an interior tensor too; leaves get theirs anyway."""
    if not variable._requires_grad:
        raise GraphError(
            restate("retain_grad", "the tensor gets no gradient", fix="set requires_grad=True first", tensor=variable)
        )
    if variable._node is not None:
        variable._node.retained = weakref.ref(variable)
