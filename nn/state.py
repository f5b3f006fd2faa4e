"""Matching a state dict to a module: everything that doesn't fit is found before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays.dtypes import as_array
from tensorgrad.errors import TensorgradError, describe
from tensorgrad.tensor import Tensor


class StateDictError(TensorgradError, RuntimeError):
    """A state dict that doesn't fit its module; the text lists every entry that is missing, unexpected or unfit."""


class LoadResult(NamedTuple):
    """What `load_state_dict` returns: the names that only the module had, and those that only the state dict had."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"LoadResult(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def is_count(value: Any) -> bool:
    """Whether that is a whole number ≥ 0, as a count read from a file has to be."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def match(call: str, own: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool) -> tuple[dict, LoadResult]:
    """The arrays of `state` by name, ready to be written into `own`, and what had no partner.

    Shapes must be equal, and floats meet floats, integers integers; the width of a dtype may differ, as in PyTorch, if
    it holds the values. The arrays are copies of the dtypes of `own`, so that writing them can't fail, nor change what
    is written next: a state dict shares its memory with the module that it comes from.

    Raises:
        StateDictError: names without a partner under `strict`; shapes or dtypes that differ, values that don't fit, and
            parameters in read-only memory, strict or not.
    """
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    arrays: dict[str, np.ndarray] = {}
    problems: dict[str, list[str]] = {"wrong shape": [], "wrong dtype": [], "out of range": [], "read-only": []}
    for name in own:
        if name in state:
            arrays[name], kind, problem = _fitted(own[name]._data, state[name])
            if kind:
                problems[kind].append(f"{name}: {problem}")
    report = "".join(_section(kind, lines) for kind, lines in problems.items())
    fix = "" if report else _renaming(missing, unexpected, state, own)
    if strict:
        wanted = [f"{name}: {describe(np.asarray(own[name]._data))}" for name in missing]
        given = [f"{name}: {describe(state[name])}" for name in unexpected]
        report = _section("missing", wanted) + _section("unexpected", given) + report
    if report:
        fix = f"\n  fix: {fix}" if fix else ""
        raise StateDictError(f"{call}: the state dict doesn't fit; nothing was loaded{report}{fix}")
    return arrays, LoadResult(missing, unexpected)


def _fitted(own: np.ndarray, value: Any) -> tuple[np.ndarray, str, str]:
    """A copy of `value` as `own` can take it; and if it can't, what kind of problem that is, and the problem."""
    try:
        array = as_array(value._data if isinstance(value, Tensor) else value)
    except Exception:  # whatever another library's object raises that NumPy asks for an array
        return own, "wrong dtype", f"{describe(value)} is no array of numbers"
    if array.shape != own.shape:
        return own, "wrong shape", f"{array.shape}, the module has {own.shape}"
    if array.dtype.kind != own.dtype.kind:
        return own, "wrong dtype", f"{array.dtype}, the module has {own.dtype}"
    if not own.flags.writeable:
        return own, "read-only", "the module's own memory can't be written"
    with np.errstate(all="ignore"):
        copy = array.astype(own.dtype)
    same = np.isfinite(copy) == np.isfinite(array) if own.dtype.kind == "f" else copy == array
    if array.dtype != own.dtype and not same.all():
        return own, "out of range", f"values of {array.dtype} that {own.dtype}, the module's dtype, can't hold"
    return copy, "", ""


def _renaming(missing: list[str], unexpected: list[str], state: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """How to change a state dict whose names don't match: take away a prefix, put one before, or take a part of it."""
    for name in unexpected:
        if isinstance(state[name], Mapping) and not own.keys().isdisjoint(state[name]):
            return f"the entries are one level below: pass state[{name!r}]"
    if prefix := _prefix(unexpected, missing):
        giver = GIVERS.get(prefix, "")
        loaded = f"{{name.removeprefix({prefix!r}): t for name, t in state.items()}}"
        return f"the entries have the prefix {prefix!r}{giver}: load {loaded}"
    if prefix := _prefix(missing, unexpected):
        return f"the entries lack the prefix {prefix!r}: load {{{prefix!r} + name: t for name, t in state.items()}}"
    return "rename the entries, or pass strict=False to load those that match"


GIVERS = {"module.": ", as PyTorch's DataParallel gives it", "_orig_mod.": ", as torch.compile gives it"}
"""Who puts a well-known prefix before the names of a network."""


def _prefix(long: list[str], short: list[str]) -> str:
    """The prefix that makes names among the `long` ones of all `short` ones, or nothing."""
    names = set(long)
    for name in long if short else []:
        prefix = name.removesuffix(short[0])
        if prefix != name and prefix.endswith(".") and all(prefix + other in names for other in short):
            return prefix
    return ""


def _section(title: str, entries: list[str]) -> str:
    return "".join([f"\n  {title} ({len(entries)}):", *(f"\n    {entry}" for entry in entries)]) if entries else ""
