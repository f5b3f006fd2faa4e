"""The section on one element: the sum over all the places where it went, number by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.viz.explain.computation import Link
from tensorgrad.viz.explain.explanation import Term
from tensorgrad.viz.explain.paths import Path, column
from tensorgrad.viz.explain.places import Index, met_label, rule
from tensorgrad.viz.explain.sections.chains import follow, product, whole
from tensorgrad.viz.explain.sections.routes import Routes
from tensorgrad.viz.explain.sections.windows import windows_of
from tensorgrad.viz.explain.subject import Subject
from tensorgrad.viz.explain.words import exact_sum
from tensorgrad.viz.format.document import Block, Equation, Heading, Prose, Table
from tensorgrad.viz.format.notation import element, factor, inline, numeral, partial, plain, total


class Expansion:
    """The last step of the chain rule for an element, taken apart.

    Attributes:
        terms: per op that the element went into, one term for each place.
        blocks: the section; none where the paths' chains have said it all.
    """

    def __init__(self, subject: Subject, routes: Routes, max_terms: int) -> None:
        self._subject, self._max_terms = subject, max_terms
        self.terms: tuple[tuple[Term, ...], ...] = ()
        self.blocks: list[Block] = []
        if subject.index is None:
            return
        links = subject.computation.users[subject.key]
        expanded = [self._expand(link, subject.index, subject.symbol, len(links) > 1) for link in links]
        self.terms = tuple(terms for terms, _ in expanded)
        if routes.count == 1 and len(self.terms[0]) == 1:
            self.blocks = self._further(routes.paths[0])
        else:
            self.blocks = [self._heading, *(block for _, blocks in expanded for block in blocks)]
        if len(links) > 1:
            parts = [numeral(exact_sum(term.value for term in terms)) for terms in self.terms]
            self.blocks.append(Equation(subject.goal, (total(parts), subject.said(subject.gradient))))

    @property
    def _heading(self) -> Block:
        return Heading(f"Number by number: where {inline(self._subject.symbol)} went")

    def _further(self, path: Path) -> list[Block]:
        """The element went into one place alone: follow it until it goes into several, and expand that step."""
        subject, words = self._subject, self._subject.words
        turns = follow(path, subject.index or (), words)
        if whole(turns, path):
            return []
        last = turns[-1]
        upstream = element(words[last.link.step.output], last.at)
        left, right, value = product(turns, words, subject.symbol, partial("L", upstream))
        terms, blocks = self._expand(path[len(turns)], last.at, upstream)
        arrived = exact_sum(term.value for term in terms)
        rows = (*right[:-1], f"{factor(arrived)} × {right[-1]}", numeral(arrived * value))
        text = f"It goes into one number alone, {inline(upstream)}, and that into several:"
        return [self._heading, Prose(text), *blocks, Equation(left, rows)]

    def _expand(
        self, link: Link, index: Index, symbol: str, one_of_several: bool = False
    ) -> tuple[tuple[Term, ...], list[Block]]:
        """All terms for an element that goes into an op, and the sum as it is written."""
        words, z = self._subject.words, self._subject.words[link.step.output]
        upstream, local = self._subject.flows[link.node, link.position].upstream, column(link, index)
        found = rule(link, index, words)
        if found is None:
            formula = f"Σ {partial('L', z)} · {partial(z, symbol)}"
            places = [tuple(place.tolist()) for place in np.argwhere(local)]
            met = [self._derivative(link, index, place) for place in places]
        else:
            formula = found.formula
            places = [place.z for place in found.places]
            met = [met_label(place, link, words, float(local[place.z])) for place in found.places]
        pairs = zip(places, met, strict=True)
        terms = tuple(Term(place, plain(m), float(upstream[place]), float(local[place])) for place, m in pairs)
        goal = partial("L", symbol) + (f" by {link.step.op.symbol or link.step.op.name}" if one_of_several else "")
        spoken = [k for k, term in enumerate(terms) if term.local or link.step.op.name != "max_pool"]
        if len(spoken) <= self._max_terms:
            blocks = _equation(goal, formula, z, [terms[k] for k in spoken], [met[k] for k in spoken])
        else:
            blocks = self._table(goal, formula, z, terms, met)
        return terms, [*blocks, *windows_of(link, index, terms, self._subject.replay.values, words)]

    def _derivative(self, link: Link, index: Index, place: Index) -> str:
        """∂z[place]/∂x[index], as the op's own rule has it; nothing where that is 1."""
        words, step = self._subject.words, link.step
        text = words.local(link, place)
        if text is None:
            return partial(element(words[step.output], place), element(words[step.inputs[link.position]], index))
        return "" if plain(text) == "1" else text

    def _table(self, goal: str, formula: str, z: str, terms: Sequence[Term], met: Sequence[str]) -> list[Block]:
        """The largest terms of a long sum."""
        order = sorted(range(len(terms)), key=lambda k: -abs(terms[k].value))
        listed, others = order[: self._max_terms], order[self._max_terms :]
        rows = []
        for k in listed:
            term = terms[k]
            local = f"× {factor(term.local)}" if met[k] else ""
            arrived = partial("L", element(z, term.place)), numeral(term.upstream)
            rows.append((*arrived, met[k], local, numeral(term.value)))
        silent = sum(1 for k in others if terms[k].value == 0)
        rest = f"the other {len(others):,}" + (f" ({silent:,} are 0)" if silent else "")
        rows.append((rest, "", "", "", numeral(exact_sum(terms[k].value for k in others))))
        rows.append(("their sum", "", "", "", numeral(exact_sum(term.value for term in terms))))
        head = ("gradient that arrived", "", "what it met" if any(met) else "", "", "product")
        text = f"These are {len(terms):,} terms; the {len(listed)} largest:"
        return [Equation(goal, (formula,)), Prose(text), Table(head, "lrlrr", tuple(rows))]


def _equation(goal: str, formula: str, z: str, terms: Sequence[Term], met: Sequence[str]) -> list[Block]:
    """A short sum: symbols, numbers, value."""
    if not terms:
        return [
            Equation(goal, (formula, "0")),
            Prose("No term is left: the loss doesn't feel this number."),
        ]
    factors = [(partial("L", element(z, term.place)), m) for term, m in zip(terms, met, strict=True)]
    symbols = total([f"{arrived} · {m}" if m else arrived for arrived, m in factors])
    numbers = total([_product(term) for term in terms])
    value = numeral(exact_sum(term.value for term in terms))
    rows = [formula] if "[" in formula else []
    return [Equation(goal, tuple(dict.fromkeys((*rows, symbols, numbers, value))))]


def _product(term: Term) -> str:
    """The term with its numbers put in; a factor of 1 needn't be said."""
    if term.local == 1 and not term.met:
        return numeral(term.upstream)
    return f"{factor(term.upstream)} × {factor(term.local)}"
