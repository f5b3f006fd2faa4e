"""Writes the page of a playground: the template, with style, drawing, scalar program and functions filled in."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tensorgrad.viz.format import theme
from tensorgrad.viz.format.grids import grid_of
from tensorgrad.viz.page import assembly
from tensorgrad.viz.page.encoding import encode
from tensorgrad.viz.playground.functions import ERF
from tensorgrad.viz.playground.playground import Playground
from tensorgrad.viz.playground.program import Place, Port, Program, Stage, program_of
from tensorgrad.viz.playground.tape import Block, Extremes, Function, Mapped, Slots
from tensorgrad.viz.record.recorder import Recorder
from tensorgrad.viz.record.records import EdgeRecord, GraphRecord, TensorRecord
from tensorgrad.viz.record.steps import Key

PROGRAM = ("engine", "play", "grids", "graph", "curve", "panel", "main")
"""The parts of the program behind the formulas of the ops, in the order in which they build on each other."""


def write(recorder: Recorder, graph: GraphRecord, svg: str, note: str = "") -> Playground:
    """A computation as a page to play with.

    Args:
        recorder: the computation, after it has made its records.
        graph: these records.
        svg: their drawing, with space for the grids.
        note: a line to show above the drawing.

    Raises:
        GraphError, ArgumentError: the page can't compute it; see `program_of`.
    """
    program = program_of(recorder.computed)
    functions = list(dict.fromkeys(b.function for b in program.tape.blocks if isinstance(b, Mapped)))
    formulas = [_part("functions.js"), _formulas(functions)]
    page = assembly.document(
        title=f"Playground: {theme.shorten(graph.loss)}",
        style=assembly.themed(assembly.shared("view.css") + _part("playground.css")),
        body=assembly.fill(_part("playground.html"), {"note": html.escape(note), "drawing": assembly.inline(svg)}),
        data={"program": encode(_plain(graph, recorder.id_of, program, functions))},
        program=assembly.program([assembly.shared("view.js"), *formulas, *(_part(f"{name}.js") for name in PROGRAM)]),
    )
    return Playground(page, len(program.tape.values))


def _part(name: str) -> str:
    return assembly.read(__package__, "page", name)


def _formulas(functions: Iterable[Function]) -> str:
    """The elementwise functions of the program, by number, each with its derivative for each operand."""
    lines = [
        f"  {{ value: {f.value}, slopes: [{', '.join(slope or 'null' for slope in f.slopes)}] }}," for f in functions
    ]
    return "\n".join([f"const erf = {ERF};", "const FUNCTIONS = [", *lines, "];", ""])


# ----------------------------------------------------------------------------------------------------------- as JSON


def _plain(
    graph: GraphRecord, id_of: Callable[[Key], str], program: Program, functions: list[Function]
) -> dict[str, Any]:
    records, reached = {tensor.id: tensor for tensor in graph.tensors}, graph.reached
    edges: dict[str, list[EdgeRecord]] = {op.id: [] for op in graph.ops}
    for edge in graph.edges:
        edges[edge.op].append(edge)
    places = {id_of(key): place for key, place in program.places.items()}
    return {
        "values": [float(x) for x in program.tape.values],
        "tensors": [_tensor(records[id], place, id in reached) for id, place in places.items()],
        "stages": [_stage(stage, graph, edges[f"op{stage.number}"], id_of) for stage in program.stages],
        "blocks": [_block(block, functions) for block in program.tape.blocks],
        "loss": program.loss,
        "name": graph.loss,
        "lanes": {"decades": list(theme.DECADES), "other": theme.NOT_FINITE, "plain": theme.VERMILION},
    }


def _tensor(record: TensorRecord, place: Place, reached: bool) -> dict[str, Any]:
    grid = grid_of(record.shape)
    return {
        "id": record.id,
        "title": record.name or record.symbol or "constant",
        "symbol": record.symbol,
        "kind": record.kind,
        "shape": list(record.shape),
        "slots": _slots(place.slots),
        "free": place.free,
        "trained": place.trained,
        "reached": reached,
        "grid": {"rows": grid.rows, "columns": grid.columns, "places": list(grid.places), "cell": list(grid.cell)},
    }


def _stage(stage: Stage, graph: GraphRecord, edges: list[EdgeRecord], id_of: Callable[[Key], str]) -> dict[str, Any]:
    op = graph.ops[stage.number]
    ports = zip(stage.ports, edges, strict=True)
    return {
        "op": op.id,
        "symbol": op.symbol,
        "output": op.output,
        "ports": [_port(port, edge, f"edge-{op.id}-{k}", id_of) for k, (port, edge) in enumerate(ports)],
        "first": stage.first,
        "last": stage.last,
    }


def _port(port: Port, edge: EdgeRecord, id: str, id_of: Callable[[Key], str]) -> dict[str, Any]:
    return {
        "edge": id,
        "tensor": id_of(port.source),
        "slots": _slots(port.slots),
        "carries": port.carries,
        "rule": edge.applied,
        "local": "" if edge.local is None else theme.number(edge.local),
        "summed": list(edge.summed),
    }


def _block(block: Block, functions: list[Function]) -> dict[str, Any]:
    out = _slots(block.out)
    if isinstance(block, Mapped):
        return {"map": functions.index(block.function), "out": out, "operands": [_slots(x) for x in block.operands]}
    if isinstance(block, Extremes):
        return {"sign": block.sign, "shared": block.shared, "out": out, "groups": [_slots(x) for x in block.groups]}
    at, coefficients = block.at.tolist(), block.coefficients.tolist()
    return {"at": at, "coefficients": coefficients, "out": out, "factors": [_slots(x) for x in block.factors]}


def _slots(slots: Slots) -> Any:
    """Numbers of slots: a run of them by its first and its length."""
    if len(slots) > 2 and (np.diff(slots) == 1).all():
        return {"first": int(slots[0]), "count": len(slots)}
    return [int(slot) for slot in slots]
