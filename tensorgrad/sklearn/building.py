"""The module and the optimizer of an estimator, made from its parameters."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from tensorgrad import nn
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn.optim import Optimizer
from tensorgrad.sklearn.mlp import MLP

GROUPS = ("module", "optimizer")
"""Parameters with options of their own: `module__hidden=32`, `optimizer__momentum=0.9`."""


def is_option(name: str) -> bool:
    """Whether a parameter's name is that of an option, such as `module__hidden`."""
    group, _, option = name.partition("__")
    return group in GROUPS and bool(option)


def options_of(estimator: Any, group: str) -> dict[str, Any]:
    """The options of a group, by their names after the underscores."""
    begin = f"{group}__"
    return {name.removeprefix(begin): value for name, value in vars(estimator).items() if name.startswith(begin)}


def module_of(call: str, module: Any, shape: tuple[int, ...], outputs: int, options: Mapping[str, Any]) -> nn.Module:
    """The network: an instance is copied, a class or factory is called with the sizes of input and output.

    Args:
        call: for errors.
        module: None for an `MLP`.
        shape: of one example: (features,), or (channels, height, width).
        outputs: the number of outputs.
        options: further arguments of the class or factory.

    Raises:
        ArgumentError: options for an instance, or that the class or factory doesn't take.
        DTypeError: neither a module nor a callable that makes one.
    """
    if module is None:
        _check_options(call, "module", MLP, options)
        return MLP(math.prod(shape), outputs, **options)
    if isinstance(module, nn.Module):
        if options:
            problem = f"module is an instance, and takes no options {sorted(options)}"
            raise ArgumentError(restate(call, problem, fix="pass its class, or a function that makes it"))
        return copy.deepcopy(module)
    if callable(module):
        _check_options(call, "module", module, options)
    made = module(shape[0], outputs, **options) if callable(module) else module
    if not isinstance(made, nn.Module):
        problem = "module must be an nn.Module, or a function (inputs, outputs, **options) that makes one"
        raise DTypeError(restate(call, problem, module=module, made=made))
    return made


def optimizer_of(call: str, optimizer: Any, module: nn.Module, lr: float, options: Mapping[str, Any]) -> Optimizer:
    """The optimizer over a module's parameters: of a class, of its name in lower case, or made by a function.

    Raises:
        ArgumentError: an unknown name, or options that it doesn't take, or a learning rate among them.
        DTypeError: neither a name, a class nor a function.
    """
    if isinstance(optimizer, str):
        known = {
            name.lower(): kind
            for name, kind in vars(nn.optim).items()
            if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
        }
        if optimizer not in known:
            problem = f"optimizer must be a class or one of {', '.join(sorted(known))}, got {optimizer!r}"
            raise ArgumentError(restate(call, problem, optimizer=optimizer))
        optimizer = known[optimizer]
    if not callable(optimizer):
        problem = "optimizer must be a class of nn.optim, its name, or a function (parameters, lr=…, **options)"
        raise DTypeError(restate(call, problem, fix='optimizer="adam"', optimizer=optimizer))
    if "lr" in options:
        raise ArgumentError(restate(call, "the learning rate is the parameter lr, not optimizer__lr", fix="lr=…"))
    _check_options(call, "optimizer", optimizer, options)
    return optimizer(module.parameters(), lr=lr, **options)


def _check_options(call: str, what: str, maker: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise ArgumentError for options that a class or a function doesn't take."""
    try:
        taken = inspect.signature(maker).parameters
    except (TypeError, ValueError):  # it says nothing of its parameters
        return
    unknown = [name for name in options if name not in taken]
    if unknown and all(p.kind is not p.VAR_KEYWORD for p in taken.values()):
        names = ", ".join(f"{what}__{name}" for name in unknown)
        given = 2 if what == "module" else 1  # sizes, or parameters
        known = ", ".join(f"{what}__{name}" for name in list(taken)[given:] if name != "lr")
        problem = f"{getattr(maker, '__name__', what)} has no parameter for {names}"
        raise ArgumentError(restate(call, problem, fix=f"it takes {known}" if known else "it takes none"))
