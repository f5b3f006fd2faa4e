"""Which elements of an operand belong together in an op, such as those of one row: found by running the op on NaN."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tensorgrad.viz.playground.application import Application


class Groups:
    """Which elements of an operand an element of the output depends on.

    Attributes:
        depends: `(x.size, z.size)`, whether an element of z depends on one of x.
        members: the elements of each distinct group, in order.
        of_output: per element of z its group.
    """

    def __init__(self, depends: np.ndarray) -> None:
        self.depends = depends
        distinct, inverse = np.unique(depends.T, axis=0, return_inverse=True)
        self.members = [np.flatnonzero(row) for row in distinct]
        self.of_output = inverse.ravel()

    @cached_property
    def flat(self) -> np.ndarray:
        """The elements of all groups, one after the other."""
        return np.concatenate(self.members)

    @cached_property
    def of_flat(self) -> np.ndarray:
        """Per element of `flat` its group."""
        return np.repeat(np.arange(len(self.members)), [len(group) for group in self.members])


def groups_of(applied: Application, position: int) -> Groups:
    """The groups of an operand: where an element of it is NaN, what depends on it is NaN."""
    usual = [np.full(a.shape, 0.5) if a.dtype.kind == "f" else a for a in applied.arrays]
    rows = []
    for element in range(usual[position].size):
        x = usual[position].copy()
        x.flat[element] = np.nan
        rows.append(np.isnan(applied.at([*usual[:position], x, *usual[position + 1 :]])).ravel())
    return Groups(np.array(rows))
