"""The state dict of a module: given, checked and loaded. All mismatches are reported before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.arrays.dtypes import as_array
from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import DTypeError, TensorgradError, describe, restate
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.operands import as_tensor
from tensorgrad.tensor import Tensor


class StateDictError(TensorgradError, RuntimeError):
    """A state dict that doesn't match its module; the message lists the missing, unexpected and wrong entries."""


class LoadResult(NamedTuple):
    """The result of `load_state_dict`: names that only the module has, and names that only the state dict has."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"LoadResult(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class HasState:
    """The part of `Module` that gives and loads state dicts."""

    def state_dict(
        self: Any, *, destination: dict[str, Tensor] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Every parameter and persistent buffer by its path, with PyTorch's names, order and layouts.

        The tensors are detached from any graph but share memory with the module: `clone()` them to keep their values.

        Args:
            destination: a dict to add the entries to; a new one if None.
            prefix: what the paths begin with, "encoder." for example.
            keep_vars: give the parameters themselves instead of detached tensors.
        """
        found = {} if destination is None else destination
        for name, tensor in self._state().items():
            found[prefix + name] = tensor if keep_vars else tensor.detach()
        return found

    def load_state_dict(self: Any, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> LoadResult:
        """Copy the values of a state dict, tensors or arrays by path, into the parameters and buffers.

        Args:
            state: the result of `state_dict()` of such a module, or PyTorch's state dict as arrays.
            strict: require that the names match one to one.
            assign: make parameters and buffers of the given values, in their dtypes, instead of copying the values
                into those that are there. An optimizer made before keeps the old ones.

        Returns:
            The names that are missing and unexpected; it prints as `<All keys matched successfully>` if none are.

        Raises:
            StateDictError: entries that are missing, unexpected, or of the wrong shape or dtype. The message lists all
                of them, and nothing was loaded.
            DTypeError: `state` is not a mapping.

        >>> import tensorgrad as tg
        >>> a, b = tg.nn.Linear(2, 3), tg.nn.Linear(2, 3)
        >>> b.load_state_dict(a.state_dict())
        <All keys matched successfully>
        """
        if assign:
            return self._assign_state(state, strict)
        return self.prepare_state_dict(state, strict)()

    def _assign_state(self: Any, state: Mapping[str, Any], strict: bool) -> LoadResult:
        result = self.prepare_state_dict(state, strict)()  # checks; the values are the same afterwards
        for path, own in self._state().items():
            if path in state:
                parent, _, name = path.rpartition(".")
                value = as_tensor(state[path]).detach()
                new = Parameter(value, own.requires_grad) if isinstance(own, Parameter) else value
                setattr(self.get_submodule(parent), name, new)
        return result

    def prepare_state_dict(self: Any, state: Mapping[str, Any], strict: bool = True) -> Callable[[], LoadResult]:
        """Check a state dict without changing anything; return a function that loads it and can't fail.

        So a checkpoint is loaded into model, optimizer and loader, or into none of them. Arguments and errors are those
        of `load_state_dict`.
        """
        if not isinstance(state, Mapping):
            problem = f"state must map paths to tensors or arrays, got {type(state).__name__}"
            raise DTypeError(restate("load_state_dict", problem, state=state))
        own = self._state()
        arrays, result = match(f"{type(self).__name__}.load_state_dict", own, state, strict)

        def load() -> LoadResult:
            with no_grad():
                for name, array in arrays.items():
                    own[name][...] = array
            return result

        return load

    def _state(self: Any) -> dict[str, Tensor]:
        return dict(self._members(HasState._own_state, "", True, False))

    def _own_state(self: Any) -> list[tuple[str, Tensor]]:
        kept = [(name, buffer) for name, buffer in self._own_buffers() if self._buffers[name]]
        return self._own_parameters() + kept


def is_count(value: Any) -> bool:
    """Whether `value` is an int ≥ 0, as a count read from a file must be."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def match(call: str, own: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool) -> tuple[dict, LoadResult]:
    """The arrays of `state` by name, to be written into `own`, and the names that only one of the two has.

    Shapes must be equal. Floats match floats and integers match integers; as in PyTorch the width may differ, if the
    module's dtype can represent the values. The arrays are copies in the dtypes of `own`: writing them can't fail, and
    can't change arrays still to be written, though a state dict shares memory with its module.

    Args:
        call: the call, for errors.
        own: the module's tensors by path.
        state: the state dict.
        strict: require that the names match one to one.

    Raises:
        StateDictError: names that only one has, under `strict`; shapes or dtypes that differ, values out of range, and
            parameters in read-only memory.
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
        raise StateDictError(f"{call}: the state dict doesn't match the module; nothing was loaded{report}{fix}")
    return arrays, LoadResult(missing, unexpected)


def _fitted(own: np.ndarray, value: Any) -> tuple[np.ndarray, str, str]:
    """A copy of `value` in the dtype of `own`; or else the kind of problem, and the problem."""
    try:
        array = as_array(value._data if isinstance(value, Tensor) else value)
    except Exception:  # another library's object may raise anything when NumPy asks it for an array
        return own, "wrong dtype", f"expected an array of numbers, got {describe(value)}"
    if array.shape != own.shape:
        return own, "wrong shape", f"{array.shape}, the module has {own.shape}"
    if array.dtype.kind != own.dtype.kind:
        return own, "wrong dtype", f"{array.dtype}, the module has {own.dtype}"
    if not own.flags.writeable:
        return own, "read-only", "the module's array is read-only"
    with np.errstate(all="ignore"):
        copy = array.astype(own.dtype)
    same = np.isfinite(copy) == np.isfinite(array) if own.dtype.kind == "f" else copy == array
    if array.dtype != own.dtype and not same.all():
        return own, "out of range", f"values of {array.dtype} outside the range of {own.dtype}, the module's dtype"
    return copy, "", ""


def _renaming(missing: list[str], unexpected: list[str], state: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """How to fix a state dict whose names don't match: remove a prefix, add one, or pass one of its entries."""
    for name in unexpected:
        if isinstance(state[name], Mapping) and not own.keys().isdisjoint(state[name]):
            return f"the entries are one level below: pass state[{name!r}]"
    if not all(isinstance(name, str) for name in unexpected):
        return "name the entries by the paths of the module's tensors, which are text"
    if prefix := _prefix(unexpected, missing):
        origin = ORIGINS.get(prefix, "")
        loaded = f"{{name.removeprefix({prefix!r}): t for name, t in state.items()}}"
        return f"the entries have the prefix {prefix!r}{origin}: load {loaded}"
    if prefix := _prefix(missing, unexpected):
        return f"the entries lack the prefix {prefix!r}: load {{{prefix!r} + name: t for name, t in state.items()}}"
    return "rename the entries, or pass strict=False to load those that match"


ORIGINS = {"module.": ", which PyTorch's DataParallel adds", "_orig_mod.": ", which torch.compile adds"}
"""Where a well-known prefix comes from."""


def _prefix(long: list[str], short: list[str]) -> str:
    """The prefix p, if there is one, for which p + name is in `long` for every name in `short`."""
    names = set(long)
    for name in long if short else []:
        prefix = name.removesuffix(short[0])
        if prefix != name and prefix.endswith(".") and all(prefix + other in names for other in short):
            return prefix
    return ""


def _section(title: str, entries: list[str]) -> str:
    return "".join([f"\n  {title} ({len(entries)}):", *(f"\n    {entry}" for entry in entries)]) if entries else ""
