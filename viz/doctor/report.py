"""What the doctor says: the findings as text, and on the drawing of the step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tensorgrad.viz.format.document import Block, Heading, Prose, as_markdown, as_text
from tensorgrad.viz.format.terminal import terminal_width
from tensorgrad.viz.graph.drawing import Drawing
from tensorgrad.viz.graph.health import Finding

RULES = (
    "softmax or sigmoid before a loss of logits, nll_loss of probabilities, inputs that aren't scaled, labels that "
    "count from 1, gradients that vanish or explode, dead and saturated units, NaN and ∞, parameters without a "
    "gradient, a missing zero_grad(), and the learning rate"
)


@dataclass(frozen=True)
class Report:
    """What `doctor` found. It prints; `drawing` shows it on the graph of the last step.

    Attributes:
        findings: the problems, each with its cause and its remedy.
        places: for each of them where it is, as text: a module, an op with its line, a parameter; "" for the training
            as a whole.
        drawing: the last step, with the problems at their places.
    """

    findings: tuple[Finding, ...]
    places: tuple[str, ...]
    drawing: Drawing

    def text(self, width: int | None = None) -> str:
        """The findings one by one, each with place, cause and remedy.

        Args:
            width: in columns; by default that of the terminal.

        Raises:
            DTypeError: `width` isn't an integer.
            ArgumentError: `width` is below 20.
        """
        return as_text(self._blocks(), terminal_width("Report.text", width))

    def _blocks(self) -> Iterator[Block]:
        if not self.findings:
            yield Prose(f"Nothing was found. Looked for: {RULES}.")
        for number, (finding, place) in enumerate(zip(self.findings, self.places, strict=True), 1):
            yield Heading(f"{number}. {finding.text}" + (f" ({place})" if place else ""))
            if finding.cause:
                yield Prose(f"cause: {finding.cause}")
            yield Prose(f"remedy: {finding.remedy}")

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __str__(self) -> str:
        return self.text()

    def _repr_markdown_(self) -> str:
        return as_markdown(self._blocks())

    def __repr__(self) -> str:
        return f"<Report: {', '.join(finding.text for finding in self.findings) or 'nothing found'}>"
