"""Thirty everyday graphs, drawn: the values, the gradients and the sums are the tape's."""

import functools
import json
import re

import numpy as np
import pytest
from dot_reader import numbers_after, read
from everyday import GRAPHS, Tape

import tensorgrad as tg
from tensorgrad.system.columns import columns
from tensorgrad.viz import page
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.layout import dot
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.record.collect import MAX_OPS
from tensorgrad.viz.record.graph_index import GraphIndex

NUMBERS, MOST = tg.viz.Depth(numbers=True), 5000


@functools.cache
def record_of(name):
    """The tape of a graph, and its records."""
    tape = Tape(GRAPHS[name])
    return tape, tape.trace.record(names=tape.names, depth=NUMBERS, max_ops=MOST)


def close(drawn, computed, size):
    """Whether a number is that of the tape: float32 is added up in another order."""
    return drawn == pytest.approx(computed, abs=1e-5 * size + 1e-30, rel=1e-5, nan_ok=True)


every_graph = pytest.mark.parametrize("name", GRAPHS)


@every_graph
def test_the_numbers_that_are_drawn_are_those_of_the_tape(name):
    tape, record = record_of(name)
    drawn = {tensor.name: tensor for tensor in record.tensors if tensor.name in tape.names}
    missing = tape.names.keys() - drawn.keys()
    assert not any(tape.gradients[path] for path in missing), "what got a gradient is drawn, under its name"
    for path, tensor in drawn.items():
        array = tape.names[path].numpy().astype(np.float64)
        finite = array[np.isfinite(array)]
        assert tensor.shape == array.shape
        if array.shape == ():
            assert tensor.value == array
        elif finite.size:
            assert (tensor.statistics.min, tensor.statistics.max) == (finite.min(), finite.max())
            assert close(tensor.statistics.mean, finite.mean(), np.abs(finite).mean())
        parts = tape.gradients[path]
        if not parts:
            assert tensor.gradient is None or name == "failed"
            continue
        with np.errstate(all="ignore"):
            gradient = functools.reduce(np.add, parts).astype(np.float64)
            size = np.abs(parts).sum(0, dtype=np.float64).mean() if gradient.size else 0.0
        assert close(tensor.gradient.mean_abs, np.abs(gradient).mean() if gradient.size else 0.0, size)
        if gradient.shape == ():
            assert close(tensor.gradient.value, gradient.item(), size)


@every_graph
def test_what_comes_along_the_edges_adds_up_to_the_gradient(name):
    _, record = record_of(name)
    parts = {tensor.id: [] for tensor in record.tensors}
    for edge in record.edges:
        parts[edge.tensor].append(edge.contribution)
    for tensor in record.tensors:
        contributions = [part for part in parts[tensor.id] if part is not None]
        if tensor.kind == "output" or not contributions or tensor.altered:
            continue
        means = [part.mean_abs for part in contributions]
        if len(contributions) == 1:
            assert close(tensor.gradient.mean_abs, means[0], means[0])
        elif tensor.shape == ():
            assert close(tensor.gradient.value, sum(part.value for part in contributions), sum(means))
        else:
            assert not tensor.gradient.mean_abs > sum(means) * (1 + 1e-5), "no sum is larger than its parts together"


@every_graph
def test_text_and_page_hold_the_same_graph(name):
    tape, record = record_of(name)
    if len(record.ops) <= MAX_OPS:
        text = tg.viz.text(tape.trace, names=tape.names, width=100)
        assert len(text.splitlines()) > 2 and max(map(columns, text.splitlines())) <= 100
    written = page.write(record, column.draw(record))
    data = json.loads(re.search(r'id="records">(.*?)</script>', written, re.DOTALL)[1])
    assert len(data["tensors"]) == len(record.tensors) and len(data["ops"]) == len(record.ops)


@every_graph
def test_the_compact_view_holds_the_same_facts(name):
    """Every id that an edge names is declared, every op is in one box, and the numbers in the boxes are the tape's."""
    tape, record = record_of(name)
    boxes, lanes = {}, {}
    for sheet in dot.write_sheets(dot.Drawn(record, compact=True)):
        nodes, edges = read(sheet)
        assert {end for ends in edges.values() for end in ends[:2]} <= nodes.keys()
        assert not nodes.keys() & boxes.keys() and not edges.keys() & lanes.keys(), "what is drawn is drawn once"
        boxes, lanes = boxes | nodes, lanes | edges
    plain = fold_view_ops(record)
    assert {op.id for op in plain.ops} <= boxes.keys()
    index, places = GraphIndex(plain), {}
    for op in plain.ops:
        for position, edge in enumerate(index.edges[op.id]):
            places.setdefault(edge.tensor, []).append((op.id, f"edge-{op.id}-{position}"))
            if edge.tensor in index.maker:
                told = numbers_after("=", lanes[f"edge-{op.id}-{position}"][2])
                part = edge.contribution
                assert not (part is None and told), "a gradient is written only where there is one"
                if part is not None:
                    assert told[-1] == pytest.approx(
                        part.mean_abs if part.value is None else part.value, rel=0.06, nan_ok=True
                    )
    for tensor in plain.tensors:
        parts = tape.gradients.get(tensor.name)
        if tensor.kind != "parameter" or not parts or not np.size(parts[0]):
            continue
        with np.errstate(all="ignore"):
            gradient = functools.reduce(np.add, parts).astype(np.float64)
        size = gradient.item() if gradient.shape == () else np.abs(gradient).mean()
        for op, _ in places[tensor.id]:
            others = [edge for edge in index.edges[op] if index.tensors[edge.tensor].kind == "parameter"]
            if len(others) > 1 and any(edge.tensor == tensor.id and edge.operand == "b" for edge in others):
                assert f"+ {tensor.name.rpartition('.')[2]}" in boxes[op], "a bias is a mark"
            else:
                told = numbers_after("mean |grad| =" if gradient.shape else "=", boxes[op])
                assert any(number == pytest.approx(size, rel=0.06, nan_ok=True) for number in told)
