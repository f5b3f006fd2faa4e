"""What an optimizer keeps per parameter, in which precision; how it is saved and loaded, if it fits.

For parameters of float16 rules compute in float32, and keep their arrays and the exact weights in it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.errors import ArgumentError, TensorgradError, describe, restate
from tensorgrad.nn.optim.options import storable
from tensorgrad.nn.state import is_count
from tensorgrad.tensor import Tensor

if TYPE_CHECKING:
    from tensorgrad.nn.optim.optimizer import Optimizer

HALF_CHAR = np.dtype(np.float16).char  # compared in a third of the time of a dtype

EXACT = "exact_weight"
"""The slot of the float32 weights behind those of a float16 parameter."""


def precision(dtype: np.dtype) -> np.dtype:
    """The dtype that rules compute in and keep their arrays in: float32 for float16, which can't hold 1e-8."""
    return np.promote_types(dtype, np.float32)


def slots_for(p: Tensor, slots: tuple[str, ...]) -> tuple[str, ...]:
    """The slots of a parameter: for float16 one more, its weights in float32, where small steps add up."""
    return (*slots, EXACT) if p._data.dtype.char == HALF_CHAR else slots


def incompatibilities(optimizer: Optimizer, state: Any) -> list[str]:
    """What of `state` doesn't fit `optimizer`, a line each; nothing is changed.

    A state may come from a damaged file, so everything is checked: that it is a dict, and all that is in it.
    """
    if not isinstance(state, Mapping):
        return [f"expected a dict, got {describe(state)}"]
    missing = {"optimizer", "steps", "param_groups", "state"} - set(state)
    if missing:
        return [f"it has no {key!r}" for key in sorted(missing)]
    if not isinstance(state["optimizer"], str) or state["optimizer"] != optimizer.name:
        return [f"saved by {state['optimizer']}, loaded into {optimizer.name}"]
    if not is_count(state["steps"]):
        return [f"'steps' must be a whole number ≥ 0, got {describe(state['steps'])}"]
    groups, saved_groups, entries = optimizer.param_groups, state["param_groups"], state["state"]
    if not isinstance(saved_groups, list | tuple) or not all(isinstance(group, Mapping) for group in saved_groups):
        return ["'param_groups' must be a list of dicts"]
    if not isinstance(entries, Mapping) or not all(isinstance(entry, Mapping) for entry in entries.values()):
        return ["'state' must be a dict of dicts"]
    if len(saved_groups) != len(groups):
        return [f"groups of parameters: {len(saved_groups)} saved, {len(groups)} here"]
    unknown = [
        f"{name}: this optimizer has no parameter of that name"
        for name in entries
        if name not in optimizer.named_parameters()
    ]
    return unknown + [
        f"group {k}: {problem}"
        for k, (group, saved) in enumerate(zip(groups, saved_groups, strict=True))
        for problem in _incompatibilities_of_group(optimizer, group, saved, entries)
    ]


def _incompatibilities_of_group(
    optimizer: Optimizer, group: dict[str, Any], saved: Mapping[str, Any], entries: Mapping[str, Any]
) -> Iterator[str]:
    if not isinstance(saved.get("params"), list) or saved["params"] != group["names"]:
        yield f"parameters {saved.get('params')} saved, {group['names']} here"
        return
    options = set(saved) - {"params"}
    if options != set(optimizer.defaults):
        yield f"options {sorted(map(str, options))} saved, {sorted(optimizer.defaults)} here"
        return
    if callable(group["lr"]) != isinstance(saved["lr"], str):
        yield f"learning rate {saved['lr']} saved, {group['lr']} here: both must be numbers, or both schedules"
        return
    unlike = [key for key in options if not callable(group[key]) and not _alike(saved[key], group[key])]
    yield from (f"{key} is {describe(saved[key])}, here {describe(group[key])}" for key in sorted(unlike))
    if unlike:
        return
    try:
        slots = optimizer.slots(optimizer.loaded_options(group, saved))
    except TensorgradError as error:
        yield str(error)
        return
    for name, p in zip(group["names"], group["params"], strict=True):
        if name in entries:  # a parameter that never had a gradient has no state
            shapes = {slot: optimizer.shape_of(slot, p.shape) for slot in slots_for(p, slots)}
            known = {slot: shape for slot, shape in shapes.items() if shape is not None}
            yield from _incompatibilities_of_entry(name, p, entries[name], known)


def _alike(saved: Any, here: Any) -> bool:
    """Whether a saved option has the kind of the present one: a bool, a finite number, or as many of them."""
    if isinstance(here, tuple):
        return isinstance(saved, list | tuple) and len(saved) == len(here) and all(map(_alike, saved, here))
    if isinstance(here, bool):
        return isinstance(saved, bool)
    if isinstance(here, int | float):
        return isinstance(saved, int | float) and not isinstance(saved, bool) and math.isfinite(saved)
    return True  # an optimizer of the user's own, which checks its options itself


def _incompatibilities_of_entry(
    name: str, p: Tensor, entry: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[str]:
    for slot in sorted({"step", *shapes} - set(entry)):
        yield f"{name}: no {slot!r} saved"
    if not is_count(entry.get("step", 0)):
        yield f"{name}: 'step' must be a whole number ≥ 0, got {describe(entry['step'])}"
    for slot in set(entry) - {"step"}:
        array = entry[slot]
        if not isinstance(array, np.ndarray | Tensor):
            yield f"{name}: {slot} must be an array, got {describe(array)}"
        elif slot in shapes and (array.shape != shapes[slot] or array.dtype != precision(p.dtype)):
            yield f"{name}: {slot} is {array.shape} {array.dtype}, expected {shapes[slot]} {precision(p.dtype)}"


class HasState:
    """The part of `Optimizer` that gives and loads its state."""

    _steps: int
    _state: dict[Tensor, dict[str, Any]]

    def state_dict(self: Any) -> dict[str, Any]:
        """All that decides the steps to come, apart from weights and schedules: JSON can hold it, but for the arrays.

        Keys: `optimizer`, the class; `steps`; `param_groups`, per group its options and its `params` by name (a
        schedule by its repr, for it is code); `state`, per name the `step` count and the arrays, which are the
        optimizer's own: copy them to keep them.
        """
        groups = [
            {"params": list(group["names"])} | {key: storable(group[key]) for key in self.defaults}
            for group in self.param_groups
        ]
        state = {name: dict(self._state[p]) for name, p in self.named_parameters().items() if p in self._state}
        return {"optimizer": self.name, "steps": self._steps, "param_groups": groups, "state": state}

    def load_state_dict(self: Any, state: dict[str, Any]) -> None:
        """Go on where `state` was taken, to the bit. Saved numbers replace this optimizer's; its schedules stay.

        Raises:
            ArgumentError: the state of another optimizer or of other parameters, with a report of all that differs.
                This optimizer is left as it was.
        """
        self.prepare_state_dict(state)()

    def prepare_state_dict(self: Any, state: dict[str, Any]) -> Callable[[], None]:
        """Check a state without changing anything; return the function that loads it, which can't fail.

        Errors are those of `load_state_dict`.
        """
        problems = incompatibilities(self, state)
        if problems:
            problem = "the state doesn't fit:" + "".join(f"\n    {line}" for line in problems)
            fix = "build the optimizer as the saved one was built, over parameters of the same names and order"
            raise ArgumentError(restate(f"{self.name}.load_state_dict", problem, fix=fix))
        pairs = zip(self.param_groups, state["param_groups"], strict=True)
        options = [self.loaded_options(group, saved) for group, saved in pairs]
        steps, named = state["steps"], self.named_parameters()
        kept = {
            named[name]: {key: value if key == "step" else self._kept(value) for key, value in entry.items()}
            for name, entry in state["state"].items()
        }

        def load() -> None:
            for group, loaded in zip(self.param_groups, options, strict=True):
                group.update(loaded)
            self._steps, self._state = steps, defaultdict(dict, kept)

        return load

    def loaded_options(self: Any, group: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a group after loading: the saved numbers, and the group's own schedule."""
        return self.checked({key: group[key] if callable(group[key]) else saved[key] for key in self.defaults})
