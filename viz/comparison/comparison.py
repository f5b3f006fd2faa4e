"""Two runs of one computation in one drawing: both numbers at each tensor, the largest differences marked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from tensorgrad.viz.comparison import labels
from tensorgrad.viz.comparison.pairing import Pair, Runs
from tensorgrad.viz.comparison.writing import document
from tensorgrad.viz.format.document import as_text
from tensorgrad.viz.format.terminal import terminal_width
from tensorgrad.viz.format.theme import share
from tensorgrad.viz.graph.drawing import Drawing
from tensorgrad.viz.graph.health import Finding
from tensorgrad.viz.graph.layout.dot import Drawn
from tensorgrad.viz.graph.simplify import without_numbers
from tensorgrad.viz.record.records import GraphRecord

MARKED = 3
"""How many of the largest differences are marked in the drawing: of the values, and of the gradients."""


@dataclass(frozen=True)
class Comparison(Drawing):
    """Two runs of one computation, compared: see `compare`. It prints; a notebook shows it as its page.

    Attributes:
        record: the first run as plain data.
        runs: what the second run has in its place, how far they lie apart, and where differences begin.
    """

    runs: Runs = field(kw_only=True)

    def _drawn(self) -> Drawn:
        cells = labels.Cells(self.record, self.runs)
        return Drawn(_without_numbers(self.record), self.folded, cells, tuple(self._findings()), compact=self.compact)

    @cached_property
    def html(self) -> str:
        """The page of the first run, with the differences listed and the second run's numbers in the details."""
        return self._page(self.runs)

    def text(self, width: int | None = None) -> str:
        """Both runs' values and gradients as a table, in the order of the computation.

        Args:
            width: in columns; by default that of the terminal.

        Raises:
            DTypeError: `width` isn't an integer.
            ArgumentError: `width` is below 20.
        """
        return as_text(document(self.record, self.runs), terminal_width("Comparison.text", width))

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        apart = sum(bool(self.apart(pair)) for pair in self.runs.pairs)
        return f"<Comparison of {len(self.record.ops)} ops: {apart} of {len(self.runs.pairs)} tensors differ>"

    @staticmethod
    def apart(pair: Pair) -> bool:
        """Whether the values or the gradients of a tensor differ by more than rounding."""
        return any(found is not None and found.apart for found in (pair.value, pair.gradient))

    def largest(self, what: Literal["value", "gradient"], count: int = MARKED) -> list[Pair]:
        """The tensors whose values, or gradients, differ most, by more than rounding; the largest difference first."""
        found = [pair for pair in self.runs.pairs if (d := getattr(pair, what)) is not None and d.apart]
        return sorted(found, key=lambda pair: -getattr(pair, what).relative)[:count]

    def _findings(self) -> list[Finding]:
        """What the drawing marks. Parameters and inputs that differ are no news, unless by the most."""
        made = {op.output for op in self.record.ops}
        starts = [Finding(id, "values begin to differ") for id in self.runs.values_part if id in made]
        starts += [Finding(id, "gradients begin to differ") for id in self.runs.gradients_part]
        most = [
            Finding(pair.id, f"{what}s differ by {share(difference.relative)}", labels.both(difference))
            for what in ("value", "gradient")
            for pair in self.largest(what)
            if (difference := getattr(pair, what)) is not None
        ]
        return [*starts, *(Finding(op, "called differently", text) for op, text in self.runs.params), *most]


def _without_numbers(record: GraphRecord) -> GraphRecord:
    """The graph with rules and shapes alone: the cells hold the numbers of both runs."""
    tensors = map(without_numbers, record.tensors)
    edges = (replace(edge, local=None, contribution=None, checked=None) for edge in record.edges)
    return replace(record, tensors=tuple(tensors), edges=tuple(edges))
