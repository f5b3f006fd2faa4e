"""The sections on the paths: each with the product of its local derivatives, and their sum."""

from __future__ import annotations

import itertools
import math

import numpy as np

from tensorgrad.viz.explain import words as wording
from tensorgrad.viz.explain.computation import Link
from tensorgrad.viz.explain.explanation import PathTaken
from tensorgrad.viz.explain.paths import Path, count, gradients_along, products, shared, shortest
from tensorgrad.viz.explain.sections.chains import follow, product, whole
from tensorgrad.viz.explain.subject import Subject
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.document import Block, Equation, Heading, Prose, Table
from tensorgrad.viz.format.notation import few, inline, numeral, partial, total

EVERY = 100
"""Up to so many paths, each is walked by itself, and the largest are listed; of more, the shortest."""

STEPS = 60
"""Of a longer path, the beginning and the end are written."""


class Routes:
    """The paths from the subject to the loss.

    Attributes:
        count: how many there are.
        paths: those that are listed.
        products: the product of the local derivatives along each of them, an array.
        sum: of the products of all; None where there are too many paths to walk each.
    """

    def __init__(self, subject: Subject, max_paths: int) -> None:
        self._subject = subject
        self._tables: dict[int, Path] = {}  # those paths whose rules are written out, by their number
        self.count = count(subject.computation, subject.key)
        self.paths, self.sum = self._choose(max_paths)
        self.products = [gradients_along(path)[-1] for path in self.paths]

    def _choose(self, max_paths: int) -> tuple[list[Path], np.ndarray | None]:
        """The paths to list, and the sum over all where all could be walked."""
        search = shortest(self._subject.computation, self._subject.key)
        if self.count > EVERY:
            return list(itertools.islice(search, max_paths)), None
        paths, sizes, sum = list(search), {}, np.zeros(self._subject.gradient.shape)
        for k, array in products(paths):
            sizes[k] = self._size(array)
            sum += array
        return [paths[k] for k in sorted(range(len(paths)), key=lambda k: -sizes[k])[:max_paths]], sum

    def _size(self, array: np.ndarray) -> float:
        size = wording.norm(np.asarray(self._subject.value(array)))
        return size if math.isfinite(size) else math.inf

    @property
    def taken(self) -> tuple[PathTaken, ...]:
        """The listed paths as records."""
        pairs = zip(self.paths, self.products, strict=True)
        return tuple(PathTaken(_symbols(path), self._subject.value(array)) for path, array in pairs)

    # ------------------------------------------------------------------------------------------------------- every path

    def each(self) -> list[Block]:
        """The section on the listed paths, one by one."""
        start, listed = inline(self._subject.name), len(self.paths)
        lead = "one path leads" if self.count == 1 else f"{self.count:,} paths lead"
        blocks: list[Block] = [Heading(f"Backward: {lead} from {start} to the loss")]
        if listed < self.count:
            which = "with the largest contributions" if self.sum is not None else "with the fewest steps"
            blocks.append(Prose(f"Here are the {listed} {which}; the sum has the other {self.count - listed:,} too."))
        for number, (path, array) in enumerate(zip(self.paths, self.products, strict=True), start=1):
            way = " → ".join([self._subject.name, *few(_symbols(path), STEPS), "L"])
            blocks.append(Equation(way) if self.count == 1 else Prose(f"Path {number}: {inline(way)}"))
            blocks += self._along(number, path, array)
        return blocks

    def _along(self, number: int, path: Path, array: np.ndarray) -> list[Block]:
        """The product of the local derivatives of one path: as numbers where it is one of numbers, else as rules."""
        subject = self._subject
        if subject.one_number:
            turns = follow(path, subject.index or (0,) * array.ndim, subject.words)
            if whole(turns, path):
                left, right, value = product(turns, subject.words, subject.symbol)
                return [Equation(left, right if len(turns) == 1 else (*right, numeral(value)))]
        table = self._rules(number, path)
        if subject.one_number or wording.few(array):
            return [table, Equation(subject.goal, (subject.said(array),))]
        return [table]

    def _rules(self, number: int, path: Path) -> Block:
        """One row for each step of the gradient from the loss to the start, less what an earlier table has shown."""
        arrays = gradients_along(path)
        known, before = max(((shared(path, other), -k) for k, other in self._tables.items()), default=(0, 0))
        self._tables[number] = path
        rows = []
        if known:
            step, position = path[-known]
            reached = partial("L", self._subject.words[step.inputs[position]])
            rows.append((f"{reached} as on path {-before}", "", "", ""))
        for link, array in list(zip(reversed(path), arrays[1:], strict=True))[known:]:
            text = self._subject.words.backward(link) + self._broadcast(link)
            numbers = [numeral(measure(array), 3) for measure in (wording.mean, wording.norm)]
            rows.append((text, theme.sizes(array.shape), numbers[0], numbers[1]))
        gap = (f"… {len(rows) - 2 * (STEPS // 2):,} steps more", "", "", "")
        return Table(("", "shape", "mean |·|", "norm"), "ltrr", tuple(few(rows, STEPS, gap)), optional=2)

    def _broadcast(self, link: Link) -> str:
        """Says over which axes a broadcast operand's gradient is summed."""
        unsummed = self._subject.flows[link.node, link.position].unsummed
        shape = link.step.input_shapes[link.position]
        lead = len(unsummed) - len(shape)
        axes = [k for k in range(len(unsummed)) if k < lead or shape[k - lead] != unsummed[k]]
        return f", summed over {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}" if axes else ""

    # ---------------------------------------------------------------------------------------------------------- the sum

    def total(self) -> list[Block]:
        """The section on the sum over the paths; none for one path alone."""
        if self.count == 1:
            return []
        subject, rest = self._subject, self.count - len(self.paths)
        whole_sum = subject.gradient if self.sum is None else self.sum
        terms = [subject.said(array) for array in self.products]
        if rest:
            terms.append(subject.said(whole_sum - np.sum(self.products, axis=0, dtype=np.float64)))
        blocks: list[Block] = [Heading(f"The sum over {'both' if self.count == 2 else f'all {self.count:,}'} paths")]
        if subject.one_number:
            blocks.append(Equation(subject.goal, (total(terms), subject.said(whole_sum))))
            blocks += [Prose(f"The last term is that of the other {rest:,} together.")] if rest else []
        else:
            labels = [f"path {number}" for number in range(1, len(self.paths) + 1)]
            labels += [f"the other {rest:,} together"] if rest else []
            rows = zip([*labels, "sum"], [*terms, subject.said(whole_sum)], strict=True)
            blocks.append(Table(("", ""), "tt", tuple(rows)))
        if self.sum is None:
            blocks.append(Prose("They are too many to walk one by one: backpropagation adds up where paths meet."))
        return blocks


def _symbols(path: Path) -> tuple[str, ...]:
    return tuple(link.step.op.symbol or link.step.op.name for link in path)
