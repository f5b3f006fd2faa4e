"""Thirty everyday graphs, drawn: the values, the gradients and the sums are the tape's."""

import functools
import json
import re

import numpy as np
import pytest
from everyday import GRAPHS, Tape

import tensorgrad as tg
from tensorgrad.system.columns import columns
from tensorgrad.viz import page
from tensorgrad.viz.graph import column
from tensorgrad.viz.record.collect import MAX_OPS

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
