"""Modules as functions of their parameters: `functional_call`, `stack_module_state`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tensorgrad.autograd.configuration import reconfigured
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.ops.joining import stack
from tensorgrad.ops.operands import flag
from tensorgrad.tensor import Tensor


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs) with other tensors in place of parameters and buffers; gradients flow to these.

    Args:
        module: a module, which is as before after the call.
        parameter_and_buffer_dicts: tensors by the names of `named_parameters` and `named_buffers`, or several such
            dicts. What isn't named stays the module's own.
        args: the argument of the call, or a tuple of several.
        kwargs: the keyword arguments of the call.
        tie_weights: replace a parameter that stands in several places in all of them.
        strict: demand a tensor for every parameter and buffer.

    Raises:
        ArgumentError: a name that the module doesn't have, or under `strict` a missing one.
        DTypeError: a value that isn't a tensor.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.Linear(2, 1)
    >>> weights = {"weight": tg.tensor([[1.0, 2.0]]), "bias": tg.tensor([0.5])}
    >>> tg.func.functional_call(layer, weights, tg.tensor([[1.0, 1.0]]))
    tensor([[3.5]])
    """
    call = "functional_call"
    tie_weights, strict = flag(call, "tie_weights", tie_weights), flag(call, "strict", strict)
    several = isinstance(parameter_and_buffer_dicts, (tuple, list))
    dicts: Any = parameter_and_buffer_dicts if several else (parameter_and_buffer_dicts,)
    tensors = {name: x for d in dicts for name, x in d.items()}
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, tensors, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


@contextmanager
def _swapped(module: Any, tensors: dict[str, Any], tie_weights: bool, strict: bool) -> Iterator[None]:
    """Within, other tensors stand in a module's attributes."""
    own: dict[str, Any] = dict(module.named_parameters(remove_duplicate=False))
    own |= dict(module.named_buffers(remove_duplicate=False))
    if unknown := tensors.keys() - own.keys():
        problem = f"the module has no parameter or buffer named {sorted(unknown)[0]!r}"
        raise ArgumentError(restate("functional_call", problem, expected=", ".join(own)))
    if strict and (missing := own.keys() - tensors.keys()):
        raise ArgumentError(restate("functional_call", f"strict needs a tensor for {sorted(missing)[0]!r}"))
    for name, x in tensors.items():
        if not isinstance(x, Variable):
            given: dict[str, Any] = {name: x}
            raise DTypeError(restate("functional_call", f"{name} must be a tensor, got {type(x).__name__}", **given))
    new = dict(tensors)
    if tie_weights:
        by_identity = {id(own[name]): x for name, x in tensors.items()}
        new |= {name: by_identity[id(x)] for name, x in own.items() if id(x) in by_identity and name not in tensors}
    modules: dict[str, Any] = dict(module.named_modules(remove_duplicate=False))
    places = [(vars(modules[path]), attribute, x) for name, x in new.items() for path, _, attribute in [_split(name)]]
    before = [(attributes, attribute, attributes[attribute]) for attributes, attribute, _ in places]
    try:
        for attributes, attribute, x in places:
            attributes[attribute] = x
        reconfigured()
        yield
    finally:
        for attributes, attribute, x in reversed(before):
            attributes[attribute] = x
        reconfigured()


def _split(name: str) -> tuple[str, str, str]:
    return name.rpartition(".")


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of several modules of one kind, by name, stacked along a new first axis.

    With `vmap` and `functional_call` they compute all modules at once.

    Args:
        models: modules with the same parameters and buffers.

    Returns:
        (parameters, buffers), two dicts. The stacked parameters are new leaves that require a gradient.

    Raises:
        ArgumentError: no modules, or modules of different classes.
        ShapeError: parameters of different shapes.

    >>> import tensorgrad as tg
    >>> parameters, buffers = tg.func.stack_module_state([tg.nn.Linear(2, 3), tg.nn.Linear(2, 3)])
    >>> parameters["weight"].shape
    (2, 3, 2)
    """
    if not models or any(type(m) is not type(models[0]) for m in models):
        raise ArgumentError(restate("stack_module_state", "models must be one module or more, of one class"))
    found: list[dict[str, Tensor]] = []
    for kind in ("named_parameters", "named_buffers"):
        members = [dict(getattr(m, kind)()) for m in models]
        if any(m.keys() != members[0].keys() for m in members):
            raise ShapeError(restate("stack_module_state", "models must have the same parameters and buffers"))
        stacked = {name: stack([m[name].detach() for m in members]) for name in members[0]}
        found.append({n: Tensor(x, requires_grad=kind == "named_parameters") for n, x in stacked.items()})
    return found[0], found[1]
