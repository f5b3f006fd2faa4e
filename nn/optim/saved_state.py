"""Whether the saved state of an optimizer fits another one, with a report of everything that doesn't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError
from tensorgrad.tensor import Tensor

if TYPE_CHECKING:
    from .optimizer import Optimizer


def misfits(optimizer: Optimizer, state: dict[str, Any]) -> list[str]:
    """All that `optimizer` can't take of `state`, a line each; nothing is changed."""
    missing = {"optimizer", "steps", "param_groups", "state"} - set(state)
    if missing:
        return [f"it has no {key!r}" for key in sorted(missing)]
    if state["optimizer"] != optimizer.name:
        return [f"saved by {state['optimizer']}, loaded into {optimizer.name}"]
    groups, saved_groups = optimizer.param_groups, state["param_groups"]
    if len(saved_groups) != len(groups):
        return [f"groups of parameters: {len(saved_groups)} saved, {len(groups)} here"]
    return [
        f"group {k}: {problem}"
        for k, (group, saved) in enumerate(zip(groups, saved_groups, strict=True))
        for problem in _group_misfits(optimizer, group, saved, state["state"])
    ]


def _group_misfits(
    optimizer: Optimizer, group: dict[str, Any], saved: dict[str, Any], entries: dict[str, Any]
) -> Iterator[str]:
    if saved.get("params") != group["names"]:
        yield f"parameters {saved.get('params')} saved, {group['names']} here"
        return
    options = set(saved) - {"params"}
    if options != set(optimizer.defaults):
        yield f"options {sorted(options)} saved, {sorted(optimizer.defaults)} here"
        return
    if callable(group["lr"]) != isinstance(saved["lr"], str):
        yield f"learning rate {saved['lr']} saved, {group['lr']} here: both must be numbers, or both schedules"
        return
    try:
        slots = optimizer.slots(optimizer.loaded_options(group, saved))
    except ArgumentError as error:
        yield str(error)
        return
    for name, p in zip(group["names"], group["params"], strict=True):
        if name in entries:  # a parameter that never had a gradient has no state
            yield from _entry_misfits(name, p, entries[name], slots)


def _entry_misfits(name: str, p: Tensor, entry: dict[str, Any], slots: tuple[str, ...]) -> Iterator[str]:
    for slot in sorted({"step", *slots} - set(entry)):
        yield f"{name}: no {slot!r} saved"
    for slot in sorted(set(entry) & set(slots)):
        array = entry[slot]
        if array.shape != p.shape or array.dtype != p.dtype:
            yield f"{name}: {slot} is {array.shape} {array.dtype}, the parameter {p.shape} {p.dtype}"
