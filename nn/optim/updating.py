"""How an update rule is run on many parameters: in one loop over all of them, or by NumPy on each."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import KERNEL_FLOATS
from tensorgrad.arrays.quiet import quiet
from tensorgrad.kernels.rules import Program, traced
from tensorgrad.kernels.step_programs import Programs

LARGE = 4096
"""Weights in a group from which on its rule is compiled: for fewer NumPy is fast enough, and numba isn't loaded."""

Array = Any
"""What an update rule computes with: an ndarray, or the symbol of an element where the rule is compiled."""

Rule = Callable[[Array, Array, dict[str, Any]], Array | None]
"""An update rule with all options filled in: `rule(w, g, state)`."""

Work = tuple[np.ndarray, np.ndarray, dict[str, Any]]
"""What a rule computes for one parameter: weights, gradient and state, float32 in place of float16."""


class Batch(NamedTuple):
    """Parameters of one group that are all at one step.

    Attributes:
        place: the number of the group, and of the batch in it: the same in the next step.
        options: the options of the group.
        slots: the names of the arrays that are kept per parameter.
        step: how often these parameters were updated, this time included.
        work: weights, gradient and state of each.
    """

    place: tuple[int, int]
    options: dict[str, Any]
    slots: tuple[str, ...]
    step: int
    work: list[Work]


class Updates:
    """Updates batch after batch, and remembers from step to step what is the same in each."""

    def __init__(self) -> None:
        self._tables: dict[tuple[int, int], tuple[list, list, list]] = {}
        self._programs = Programs()

    def run(self, batch: Batch, rule_of: Callable[[dict[str, Any]], Rule], pure: bool) -> None:
        """Update the parameters: by a kernel what one can take, by NumPy the others.

        Args:
            batch: the parameters.
            rule_of: gives the update rule with these options.
            pure: whether the rule depends on its arguments alone. Then it is traced once, not in each step.
        """
        tables, left = self._in_tables(batch) if _is_large(batch.work) else ([], batch.work)
        if tables:
            try:
                program = self._program(batch, rule_of, pure)
            except Exception:  # whatever it is that symbols can't do; a rule that is wrong raises for NumPy, too
                tables, left = [], batch.work
        for table, chosen in tables:
            kernels.optim.update(table, [g for _, g, _ in chosen], program)
        for w, g, state in left:
            _update_by_numpy(rule_of(batch.options), batch.slots, w, g, state)

    def _program(self, batch: Batch, rule_of: Callable[[dict[str, Any]], Rule], pure: bool) -> Program:
        """What the update rule does to an element."""
        if pure:
            return self._programs.find(batch.place, rule_of, batch.options, batch.slots, batch.step)
        return traced(rule_of(batch.options), batch.slots, batch.step)

    def _in_tables(self, batch: Batch) -> tuple[list, list[Work]]:
        """The work in tables for kernels, one per dtype, each with the work that it holds; and the work in no table."""
        key: list[Any] = []
        for w, g, state in batch.work:
            key += w, w.flags.writeable, g.dtype
            for slot in batch.slots:
                key.append(state.get(slot))
        known = self._tables.get(batch.place)
        # The same objects as in the step before: to look at each of them again would take as long as the update.
        if known is None or len(known[0]) != len(key) or not all(map(is_, key, known[0])):
            known = self._tables[batch.place] = key, *_tables(batch.slots, batch.work)
        _, tables, left = known
        work = batch.work
        return [(table, [work[k] for k in chosen]) for table, chosen in tables], [work[k] for k in left]


def _is_large(work: list[Work]) -> bool:
    size = 0
    for w, _, _ in work:
        size += w.size
        if size >= LARGE:
            return True
    return False


@quiet
def _update_by_numpy(rule: Rule, slots: tuple[str, ...], w: np.ndarray, g: np.ndarray, state: dict[str, Any]) -> None:
    new = dict(state)
    weights = rule(w, g, new)
    if weights is not None:
        w[...] = weights
    for slot in slots:
        if new.get(slot) is not state.get(slot):
            state[slot][...] = new[slot]


def _tables(slots: tuple[str, ...], work: list[Work]) -> tuple[list[tuple[Any, list[int]]], list[int]]:
    """Tables for kernels, each with the positions in `work` that it holds, and the positions that no table holds."""
    if not kernels.dispatch.COMPILED:
        return [], list(range(len(work)))
    together: dict[np.dtype, list[int]] = {}
    left: list[int] = []
    arrays: list[tuple[Any, ...]] = [(w, *[state.get(slot) for slot in slots]) for w, _, state in work]
    for k, (w, *kept) in enumerate(arrays):
        fits = w.dtype == work[k][1].dtype and _fits_kernel(w, kept)
        (together.setdefault(w.dtype, []) if fits else left).append(k)
    return [(kernels.optim.Table([arrays[k] for k in chosen]), chosen) for chosen in together.values()], left


def _fits_kernel(w: np.ndarray, kept: list[np.ndarray | None]) -> bool:
    """Whether weights and what is kept for them lie in memory as a kernel takes them: it gets their addresses alone."""
    fits = w.dtype in KERNEL_FLOATS and w.flags.carray
    return fits and all([a is not None and a.dtype == w.dtype and a.shape == w.shape and a.flags.carray for a in kept])
