"""Names for several models in one computation: each path begins with its model's name."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from tensorgrad.autograd.variable import Variable
from tensorgrad.viz.record.steps import Key, Known, Step


def tell_apart(
    steps: Iterable[Step], known: MutableMapping[Key, Known], variables: Iterable[tuple[str, Any]]
) -> Mapping[int, str]:
    """Rename the parameters of several models, in `known`; returns the paths of their modules, by identity.

    Models that share names are told apart; so are several that were called by themselves, so that each can be folded.
    A model is any object with `named_modules()` and `named_parameters()`: the outermost module that was called, where a
    trace has seen it, else a variable of the caller. Its name is that of the variable that holds it, or of its class;
    where a variable holds several in turn, the next ones get a number, as do equal names of parameters without a model:
    `model 2.0.weight`.
    """
    steps, variables, paths = list(steps), list(variables), dict[int, str]()
    models = _outermost(steps) or [value for _, value in variables if _is_model(value)]
    alike = _alike(models, steps, known)
    whole = _whole(steps)
    alike += [model for model in whole if len(whole) > 1 and not any(model is other for other in alike)]
    if alike:
        names = _names(alike, variables)
        for model in alike:
            for tensor, name in _tensors(model):
                _rename(known, tensor, f"{names[id(model)]}.{name}")
        for step in steps:
            prefix = names.get(id(step.scopes[0].owner)) if step.scopes else None
            for scope in step.scopes if prefix else ():
                # A module that two models share keeps its first name.
                paths.setdefault(id(scope.owner), f"{prefix}.{scope.path}" if scope.path else str(prefix))
    _number(known)
    return paths


def _outermost(steps: Iterable[Step]) -> list[Any]:
    """The outermost modules that were called, in the order of their first op."""
    found = {id(step.scopes[0].owner): step.scopes[0].owner for step in steps if step.scopes}
    return [owner for owner in found.values() if _is_model(owner)]


def _whole(steps: Iterable[Step]) -> list[Any]:
    """The outermost modules that aren't a part of another one, and have parameters."""
    found = {
        id(step.scopes[0].owner): step.scopes[0].owner for step in steps if step.scopes and not step.scopes[0].path
    }
    return [owner for owner in found.values() if _is_model(owner) and any(True for _ in owner.named_parameters())]


def _is_model(value: Any) -> bool:
    return not isinstance(value, type) and hasattr(value, "named_modules") and hasattr(value, "named_parameters")


def _alike(models: Iterable[Any], steps: Iterable[Step], known: Mapping[Key, Known]) -> list[Any]:
    """The models with a used module or a parameter that has the same path in another model."""
    models = list({id(model): model for model in models}.values())
    owners: dict[str, set[int]] = defaultdict(set)
    users: dict[str, list[Any]] = defaultdict(list)
    for step in steps:
        for scope in step.scopes:
            if scope.path:
                owners[scope.path].add(id(scope.owner))
                users[scope.path].append(step.scopes[0].owner)
    for model in models:
        for tensor, _ in _tensors(model):
            name = known[_key(tensor)].name if _key(tensor) in known else None
            if name and name == tensor.name:
                owners[f"{name} "].add(id(tensor))  # no path ends in a space
                users[f"{name} "].append(model)
    alike = {id(model) for path, found in owners.items() if len(found) > 1 for model in users[path]}
    return [model for model in models if id(model) in alike]


def _names(models: Iterable[Any], variables: Iterable[tuple[str, Any]]) -> dict[int, str]:
    """The name of each model: the variable that holds it or a model around it, else its class, with a number."""
    holders = [(name, value) for name, value in variables if _is_model(value)]
    holders.sort(key=lambda pair: not any(pair[1] is model for model in models))
    names: dict[int, str] = {}
    for model in models:
        held = [name for name, value in holders if any(module is model for _, module in value.named_modules())]
        held = held or [type(model).__name__]
        free = (name for name in itertools.chain(held, numbered(held[0])) if name not in names.values())
        names[id(model)] = next(free)
    return names


def numbered(word: str) -> Iterator[str]:
    """`word 2`, `word 3`, …"""
    return (f"{word} {k}" for k in itertools.count(2))


def _tensors(model: Any) -> Iterator[tuple[Variable, str]]:
    """Parameters and buffers of a model, and their names."""
    for members in ("named_parameters", "named_buffers"):
        for name, tensor in getattr(model, members, list)():
            if isinstance(tensor, Variable):
                yield tensor, tensor.name or name


def _key(tensor: Variable) -> Key:
    return tensor if tensor._requires_grad else id(tensor._data)


def _rename(known: Mapping[Key, Known], tensor: Variable, name: str) -> None:
    """Rename a tensor, unless the caller has given it another name."""
    key = _key(tensor)
    if key in known and known[key].name == tensor.name:
        known[key].name = name


def _number(known: Mapping[Key, Known]) -> None:
    """Put a number before the names of modules' parameters that are still the same."""
    seen: Counter[str] = Counter()
    for key, entry in known.items():
        if isinstance(key, Variable) and entry.name and "." in entry.name:
            seen[entry.name] += 1
            if seen[entry.name] > 1:
                entry.name = f"model {seen[entry.name]}.{entry.name}"
