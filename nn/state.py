"""Matching a state dict to a module: everything that doesn't fit is found before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays import as_array
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


def match(call: str, own: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool) -> tuple[dict, LoadResult]:
    """The arrays of `state` by name, ready to be written into `own`, and what had no partner.

    Shapes must be equal, and floats meet floats, integers integers; the width of a dtype may differ, as in PyTorch.

    Raises:
        StateDictError: names without a partner under `strict`; shapes or dtypes that differ, strict or not.
    """
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    arrays, shapes, dtypes = {}, [], []
    for name in own:
        if name not in state:
            continue
        try:
            array = arrays[name] = as_array(state[name].data if isinstance(state[name], Tensor) else state[name])
        except TensorgradError:
            dtypes.append(f"{name}: {describe(state[name])} is no array of numbers")
            continue
        if array.shape != own[name].shape:
            shapes.append(f"{name}: {array.shape}, the module has {own[name].shape}")
        if array.dtype.kind != own[name].dtype.kind:
            dtypes.append(f"{name}: {array.dtype}, the module has {own[name].dtype}")
    report = _section("wrong shape", shapes) + _section("wrong dtype", dtypes)
    if strict:
        wanted = [f"{name}: {describe(np.asarray(own[name].data))}" for name in missing]
        given = [f"{name}: {describe(state[name])}" for name in unexpected]
        report = _section("missing", wanted) + _section("unexpected", given) + report
    if report:
        fix = "" if shapes or dtypes else "\n  fix: rename the entries, or pass strict=False to load those that match"
        raise StateDictError(f"{call}: the state dict doesn't fit; nothing was loaded{report}{fix}")
    return arrays, LoadResult(missing, unexpected)


def _section(title: str, entries: list[str]) -> str:
    return "".join([f"\n  {title} ({len(entries)}):", *(f"\n    {entry}" for entry in entries)]) if entries else ""
