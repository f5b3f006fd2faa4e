"""Ops that are linear in each of their operands, as sums of products: the coefficients are found by running the op.

`z[k] = Σ c · x[i] · w[j]`: where x is 1 at i and 0 elsewhere, z is a linear function of w alone. One run with random
numbers r in w, one with r·j and one with r·j² then tell c and j of each z[k] that is made of a single term, as in a
matrix product or a convolution; where there are several, as in a mean, w is halved until each part has one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd.op import ALL_INPUTS, Op
from tensorgrad.viz.playground.application import Application

ROUNDING = 1e-4
"""The relative error of a sum that still counts as one term: an op may round to float32."""


class Terms(NamedTuple):
    """Products of as many factors, each from another operand.

    Attributes:
        operands: the positions of the inputs that the factors are from.
        at: per term the element of z that it belongs to.
        coefficients: per term.
        elements: for each operand, per term its element.
    """

    operands: tuple[int, ...]
    at: np.ndarray
    coefficients: np.ndarray
    elements: tuple[np.ndarray, ...]


def find_products(applied: Application, most: int) -> list[Terms] | None:
    """The op as sums of products; None if it isn't linear in each operand of floats.

    Its gradient rules say which operands are multiplied with each other. Operands that aren't floats stay as they are.

    Args:
        applied: the op.
        most: how many times it may be run.

    Raises:
        TooMany: it would have to be run more often.
    """
    if not _is_linear(applied):
        return None
    free = applied.floats
    factors = {p: _factors(applied.op, p, free) for p in free}
    probe = _Probe(applied, most)
    found = [probe.constant()]
    if not np.isfinite(found[0].coefficients).all():
        return None
    for count in range(1, len(free) + 1):
        for operands in itertools.combinations(free, count):
            if all(q in factors[p] or p in factors[q] for p, q in itertools.combinations(operands, 2)):
                found.append(probe.terms(operands))
    return [terms for terms in found if len(terms.at)]


def value_of(terms: Sequence[Terms], arrays: Sequence[np.ndarray], size: int) -> np.ndarray:
    """The sums of products for other arrays, flat."""
    total = np.zeros(size)
    for part in terms:
        product = part.coefficients
        for p, elements in zip(part.operands, part.elements, strict=True):
            product = product * arrays[p].ravel()[elements]
        total += np.bincount(part.at, product, size)
    return total


def _factors(op: Op, position: int, free: Sequence[int]) -> set[int]:
    """The other operands that an input may be multiplied with: those that its gradient rule asks for."""
    rule = op.rule(position) if op.rules else None
    if rule is None or ALL_INPUTS in rule.wants:
        return set(free) - {position}
    return set(rule.wants).intersection(free) - {position}


def _is_linear(applied: Application) -> bool:
    """Whether the op is linear in each operand of floats, plus a constant, at random places small and large."""
    rng, arrays, free = np.random.default_rng(0), applied.arrays, applied.floats
    for p, scale in itertools.product(free, (1e-2, 1.0, 1e2)):
        if arrays[p].size == 0:
            continue
        given = [scale * rng.standard_normal(a.shape) if q in free else a for q, a in enumerate(arrays)]
        x, y = scale * rng.standard_normal((2, *arrays[p].shape))
        at = [applied.at([*given[:p], point, *given[p + 1 :]]) for point in (x, y, x + y, 0 * x, -3 * x)]
        if not all(np.isfinite(z).all() for z in at):
            return False
        size = max(np.abs(z).max(initial=0) for z in at)
        sums, multiples = at[0] + at[1] - at[2] - at[3], at[4] - at[3] + 3 * (at[0] - at[3])
        if max(np.abs(sums).max(initial=0), np.abs(multiples).max(initial=0)) > 1e-5 * size:
            return False
    return True


class TooMany(Exception):
    """An op would have to be run too often."""


class _Probe:
    """Runs of an op with 0 in place of all operands but some."""

    def __init__(self, applied: Application, most: int) -> None:
        self._applied, self._arrays, self._left = applied, applied.arrays, most
        rng = np.random.default_rng(1)
        self._random = {p: rng.integers(1025, 2048, a.size) / 1024 for p, a in enumerate(self._arrays)}
        self._zeros = [np.zeros(a.shape) if a.dtype.kind == "f" else a for a in self._arrays]
        self._known: dict[tuple[Any, ...], np.ndarray] = {}

    def constant(self) -> Terms:
        """What is there where all operands are 0."""
        z = self._at({})
        at = np.flatnonzero(z)
        return Terms((), at, z[at], ())

    def terms(self, operands: tuple[int, ...]) -> Terms:
        """The products of exactly one element of each of these operands."""
        *first, last = operands
        if self._arrays[last].size == 0:
            return Terms(operands, np.array([], int), np.array([]), (np.array([], int),) * len(operands))
        rows: list[tuple[int, float, tuple[int, ...]]] = []
        everywhere = np.arange(self._arrays[last].size), np.arange(len(self._at({})))
        for chosen in itertools.product(*(range(self._arrays[p].size) for p in first)):
            units = {p: _Unit(i) for p, i in zip(first, chosen, strict=True)}
            rows += [(k, c, (*chosen, j)) for k, c, j in self._solve(units, last, *everywhere)]
        at = np.array([row[0] for row in rows], int)
        elements = np.array([row[2] for row in rows], int).reshape(len(rows), len(operands))
        return Terms(operands, at, np.array([row[1] for row in rows], float), tuple(elements.T))

    def _solve(self, units: Mapping[int, _Unit], last: int, columns: np.ndarray, rows: np.ndarray) -> list[_Entry]:
        """The entries, in some rows and columns, of the matrix of z as a linear function of the last operand."""
        r = self._random[last][columns]
        once, by_number, by_square = (
            self._difference({**units, last: _Powers(last, columns, r, power)})[rows] for power in range(3)
        )
        present = np.abs(once) + np.abs(by_number) + np.abs(by_square) > 0
        rows, once, by_number, by_square = (part[present] for part in (rows, once, by_number, by_square))
        with np.errstate(all="ignore"):
            place = np.clip(np.nan_to_num(np.rint(by_number / once)), 1, len(columns)).astype(int)
            error = np.maximum(np.abs(by_number - once * place), np.abs(by_square - once * place**2))
        single = (error <= ROUNDING * np.abs(once)) | (len(columns) == 1)
        at = place[single] - 1
        entries = zip(rows[single], once[single] / r[at], columns[at], strict=True)
        found = [(int(k), float(c), int(j)) for k, c, j in entries]
        if not single.all():
            for half in np.array_split(columns, 2):
                found += self._solve(units, last, half, rows[~single])
        return found

    def _difference(self, given: Mapping[int, _Unit | _Powers]) -> np.ndarray:
        """The part of z that is a product of all these operands: z with all, less what is there without one of them."""
        total = np.zeros(len(self._at({})))
        for count in range(len(given) + 1):
            for chosen in itertools.combinations(given, count):
                total = total + (-1) ** (len(given) - count) * self._at({p: given[p] for p in chosen})
        return total

    def _at(self, given: Mapping[int, _Unit | _Powers]) -> np.ndarray:
        """z, flat, where all other operands are 0."""
        key = tuple((p, *(x.key if isinstance(x, _Powers) else x)) for p, x in given.items())
        if key not in self._known:
            if self._left == 0:
                raise TooMany
            self._left -= 1
            arrays = list(self._zeros)
            for p, x in given.items():
                flat = np.zeros(arrays[p].size)
                if isinstance(x, _Powers):
                    flat[x.columns] = x.r * np.arange(1, len(x.columns) + 1) ** x.power
                else:
                    flat[x.element] = 1.0
                arrays[p] = flat.reshape(arrays[p].shape)
            z = self._applied.at(arrays).ravel()
            if len(given) > 1:  # nobody will ask again
                return z
            self._known[key] = z
        return self._known[key]


_Entry = tuple[int, float, int]
"""Of a matrix: the row, the number, the column."""


class _Unit(NamedTuple):
    """An operand that is 1 at one element."""

    element: int


class _Powers(NamedTuple):
    """An operand with r · number^power in some elements, which are numbered from 1."""

    operand: int
    columns: np.ndarray
    r: np.ndarray
    power: int

    @property
    def key(self) -> tuple[Any, ...]:
        return "powers", int(self.columns[0]), len(self.columns), self.power
