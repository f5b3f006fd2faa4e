"""The product of local derivatives, link by link, for one number that stays one number on its way to the loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorgrad.viz.explain.computation import Link
from tensorgrad.viz.explain.paths import Path, column
from tensorgrad.viz.explain.places import Index, met_label, rule
from tensorgrad.viz.explain.words import Words
from tensorgrad.viz.format.notation import element, factor, few, partial, plain

FACTORS = 24
"""Of longer products, the beginning and the end are written."""


@dataclass(frozen=True)
class Turn:
    """One link of a chain between numbers: x[index] went into z[at] alone, and the derivative there."""

    link: Link
    index: Index
    at: Index
    derivative: float


def follow(links: Iterable[Link], index: Index, words: Words) -> tuple[Turn, ...]:
    """The turns from the element `index` on, along the links, until it goes into several elements."""
    turns = []
    for link in links:
        found = rule(link, index, words)
        if found is not None and len(found.places) > 1:
            break
        local = column(link, index)
        at = _only_place(local, link, index) if found is None else found.places[0].z if found.places else None
        if at is None:
            break
        turns.append(Turn(link, index, at, float(local[at])))
        index = at
    return tuple(turns)


def _only_place(local: np.ndarray, link: Link, index: Index) -> Index | None:
    """Where ∂z/∂x[index] isn't 0, if that is one place, or can be only one; else None."""
    if local.size == 1:
        return (0,) * local.ndim
    places = np.argwhere(local)
    if len(places) == 1:
        return tuple(places[0].tolist())
    same = len(places) == 0 and local.shape == link.step.input_shapes[link.position]
    return index if same else None


def product(turns: Sequence[Turn], words: Words, start: str, rest: str = "") -> tuple[str, tuple[str, ...], float]:
    """The chain written out from the loss to its start: symbols, formulas, numbers, and the value without the rest.

    `rest` is what stands before it where the chain doesn't reach the loss: ∂L/∂u[at].
    """
    symbols = [rest] if rest else []
    formulas = list(symbols)
    for turn in reversed(turns):
        step = turn.link.step
        x, z = words[step.inputs[turn.link.position]], words[step.output]
        z = element(z, turn.at if step.shape else None)
        symbols.append(partial(z, element(x, turn.index)))
        formulas.append(_formula(turn, words, symbols[-1]))
    numbers = [factor(turn.derivative) for turn in reversed(turns)]
    symbols, formulas, numbers = (few(factors, FACTORS) for factors in (symbols, formulas, numbers))
    left = partial("L", start)
    rows = [" · ".join(symbols), " · ".join(formulas), " × ".join(numbers)]
    value = float(np.prod([turn.derivative for turn in turns]))
    # Of one op alone the symbols are the left side, and the formula may be the number.
    fresh = [row for row, before in zip(rows, [left, *rows], strict=False) if plain(row) != plain(before)]
    return left, tuple(fresh), value


def _formula(turn: Turn, words: Words, symbol: str) -> str:
    """What the derivative is by the op's own rule; for layers, the element that was met."""
    found = rule(turn.link, turn.index, words)
    if found is not None:
        (place,) = found.places
        return met_label(place, turn.link, words, turn.derivative) or symbol
    text = words.local(turn.link, turn.at)
    return symbol if text is None else text


def whole(turns: Sequence[Turn], path: Path) -> bool:
    """Whether the chain reaches the loss."""
    return len(turns) == len(path)
