"""Two runs of one computation as a document: what differs, where it begins, and a table of all numbers."""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad.viz.comparison import labels
from tensorgrad.viz.comparison.pairing import Pair, Runs
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.document import Block, Heading, Prose, Table
from tensorgrad.viz.record.records import GraphRecord, TensorRecord

LISTED = 6
"""How many names a sentence lists."""


def document(record: GraphRecord, runs: Runs) -> Iterator[Block]:
    """The comparison, from the summary to the last gradient."""
    names = _names(record)
    yield Prose(_summary(runs, "value", "values", names))
    yield Prose(_summary(runs, "gradient", "gradients", names))
    made = {op.output for op in record.ops}
    leaves = [id for id in runs.values_part if id not in made]
    results = [id for id in runs.values_part if id in made]
    yield from _listed("Parameters and inputs that differ", leaves, names)
    yield from _listed("Values begin to differ at", results, names)
    yield from _listed("Gradients begin to differ at", list(runs.gradients_part), names)
    symbols = {op.id: op.symbol for op in record.ops}
    for op, text in runs.params:
        yield Prose(f"The op {symbols[op]} was called differently: {text}.")
    yield from _table("Values", "value", record, runs, names)
    yield from _table("Gradients, of arrays the mean absolute value", "gradient", record, runs, names)


def _names(record: GraphRecord) -> dict[str, str]:
    """What each tensor is called; a constant that is only a number, after the result that it went into."""
    own = {tensor.id: tensor.name or tensor.symbol for tensor in record.tensors}
    made = {op.id: own.get(op.output or "") for op in record.ops}
    results = {edge.tensor: made.get(edge.op) for edge in reversed(record.edges)}  # the first use counts

    def name(tensor: TensorRecord) -> str:
        into = results.get(tensor.id)
        return own[tensor.id] or (f"{tensor.kind} in {into}" if into else tensor.kind)

    return {tensor.id: theme.shorten(name(tensor), 28) for tensor in record.tensors}


def _summary(runs: Runs, what: str, noun: str, names: dict[str, str]) -> str:
    """`Values: 5 of 9 tensors differ, most conv1.weight, by 34 %: 0.51 | 0.34 at (0, 3).`"""
    found = [(pair, difference) for pair in runs.pairs if (difference := getattr(pair, what)) is not None]
    apart = [(pair, difference) for pair, difference in found if difference.apart]
    if not found:
        return f"{noun.capitalize()}: none that both runs know."
    if not apart:
        most = max(difference.relative for _, difference in found)
        equal = "all are equal" if most == 0 else f"all agree to rounding, {theme.power(most)}"
        return f"{noun.capitalize()}: {equal}."
    pair, most = max(apart, key=lambda both: both[1].relative)
    said = f"most {names[pair.id]}, by {theme.share(most.relative)}: {labels.both(most)}"
    return f"{noun.capitalize()}: {len(apart)} of {len(found)} differ, {said}."


def _listed(text: str, ids: list[str], names: dict[str, str]) -> Iterator[Prose]:
    if ids:
        more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
        yield Prose(f"{text}: {', '.join(names[id] for id in ids[:LISTED])}{more}.")


def _table(title: str, what: str, record: GraphRecord, runs: Runs, names: dict[str, str]) -> Iterator[Block]:
    known = [pair for pair in runs.pairs if getattr(pair, what) is not None]
    if not known:
        return
    firsts = {tensor.id: tensor for tensor in record.tensors}
    starts = runs.values_part if what == "value" else runs.gradients_part
    made = {op.output for op in record.ops}
    most = max(known, key=lambda pair: getattr(pair, what).relative)
    rows = []
    for pair in known if what == "value" else reversed(known):
        difference = getattr(pair, what)
        begins = "◀ begins" if what == "gradient" or pair.id in made else "◀ changed"
        mark = "◀ largest" if pair is most and difference.apart else begins if pair.id in starts else ""
        numbers = _numbers(firsts[pair.id], pair, what)
        shape = theme.sizes(firsts[pair.id].shape)
        rows.append((names[pair.id], *numbers, labels.apart(difference), mark, shape))
    yield Heading(title)
    yield Table(("tensor", *runs.labels, "differ", "", "shape"), "trrrtt", tuple(rows), optional=1)


def _numbers(first: TensorRecord, pair: Pair, what: str) -> tuple[str, str]:
    if what == "value":
        return labels.value(first), labels.value(pair.second)
    return labels.gradient(first.gradient), labels.gradient(pair.second.gradient)
