"""The numbers of two runs, as text and as cells of a drawing's labels."""

from __future__ import annotations

from tensorgrad.viz.comparison.differences import Difference
from tensorgrad.viz.comparison.pairing import Pair, Runs
from tensorgrad.viz.format import theme
from tensorgrad.viz.graph import markup
from tensorgrad.viz.graph.labels import summary
from tensorgrad.viz.record.records import GradientRecord, GraphRecord, TensorRecord


def value(tensor: TensorRecord) -> str:
    """A scalar's value, an array's mean ± standard deviation; "" where it isn't known."""
    if tensor.value is not None:
        return theme.number(tensor.value)
    return summary(tensor.statistics, tensor.dtype).partition(",")[0]


def gradient(record: GradientRecord | None) -> str:
    """A scalar gradient, or the mean absolute value."""
    if record is None:
        return "none"
    return theme.short(record.mean_abs) if record.value is None else theme.number(record.value)


def apart(difference: Difference | None) -> str:
    """The relative difference in per cent; `=` where nothing differs."""
    if difference is None:
        return ""
    if difference.relative == 0:
        return "="
    return theme.share(difference.relative) if difference.apart else f"≈ {theme.power(difference.relative)}"


def both(difference: Difference) -> str:
    """The element that differs most, in both runs: `0.51 | 0.34 at (0, 3)`."""
    if difference.first is None or difference.second is None:
        return "only one run has it"
    place = f" at {difference.index}" if difference.index else ""
    return f"{theme.number(difference.first)} | {theme.number(difference.second)}{place}"


class Cells:
    """Makes the cell of a tensor's label: a table of both runs' numbers."""

    def __init__(self, record: GraphRecord, runs: Runs) -> None:
        self._labels = runs.labels
        self._pairs: dict[str, tuple[TensorRecord, Pair]] = {
            tensor.id: (tensor, pair) for tensor, pair in zip(record.tensors, runs.pairs, strict=True)
        }

    def __call__(self, tensor: TensorRecord) -> str:
        """The cell; "" where neither a value nor a gradient is known, and at later copies of a leaf."""
        if tensor.id not in self._pairs:
            return ""
        first, pair = self._pairs[tensor.id]
        style = theme.TENSORS[tensor.kind]
        rows = []
        if pair.value is not None:
            rows.append(_row(style.ink, "value", value(first), value(pair.second), apart(pair.value)))
        if pair.gradient is not None:
            numbers = gradient(first.gradient), gradient(pair.second.gradient)
            name = "grad" if first.gradient and first.gradient.value is not None else "mean |grad|"
            rows.append(_row(style.gradient, name, *numbers, apart(pair.gradient)))
        if not rows:
            return ""
        names = (theme.shorten(label, 16) for label in self._labels)
        head = _row(style.small, "", *names, "differ")
        table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">'
        return f"<TD>{table}{head}{''.join(rows)}</TABLE></TD>"


def _row(color: str, *texts: str) -> str:
    first, *others = (markup.run(text, color, markup.SMALL) for text in texts)
    cells = "".join(f'<TD ALIGN="RIGHT">{other}</TD>' for other in others)
    return f'<TR><TD ALIGN="LEFT">{first}</TD>{cells}</TR>'
