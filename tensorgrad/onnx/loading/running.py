"""Running a graph: names hold values, and each node's handler makes new ones of them.

A value is a Tensor, or an ndarray where it follows from shapes and constants alone, or a list of values (a sequence). A
node whose inputs are all ndarrays is computed beside the graph, so that a reshape to a shape which the file computes
needs no values of tensors: it is compiled and drawn like any other reshape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad.autograd import modes
from tensorgrad.autograd.modes import mode, no_grad
from tensorgrad.errors import TensorgradError
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.graph import Declared
from tensorgrad.onnx.reading.limits import STEPS
from tensorgrad.onnx.table import Body, Handler, Host, Outputs, is_host, tensor_of
from tensorgrad.tensor import Tensor


@dataclass
class Step:
    """A node, bound: what to call, and with what."""

    label: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    handler: Handler | None
    attributes: dict[str, Any]
    function: Program | None = None
    free: tuple[str, ...] = ()
    """The names that no later node reads."""
    modules: tuple[str, ...] = ()
    """The paths of the modules in which it stands, the outermost first: for drawings."""


@dataclass
class Program:
    """A graph, bound: its steps, and the names of what goes in and comes out."""

    inputs: list[Declared] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)


class Run:
    """One forward pass.

    Args:
        training: whether the model is in training mode.
        path: where it stands in a larger model.
    """

    def __init__(self, training: bool, path: str = "") -> None:
        self.training, self.path, self.left = training, path, STEPS

    def count(self, what: str) -> None:
        """One step more. Raises OnnxError where a loop, or functions within functions, never seem to end."""
        self.left -= 1
        if self.left < 0:
            raise OnnxError(f"{what}: one forward pass runs at most {STEPS:,} nodes")


class BoundBody(Body):
    """A graph that is an attribute of a node, in the scope of that node."""

    def __init__(self, program: Program, scope: Mapping[str, Any], run: Run, label: str) -> None:
        self.program, self.scope, self.run, self.label = program, scope, run, label

    def __call__(self, *inputs: Any) -> list[Any]:
        """Run the graph."""
        self.run.count(self.label)
        if len(inputs) != len(self.program.inputs):
            raise OnnxError(f"{self.label}: its graph takes {len(self.program.inputs)} inputs, got {len(inputs)}")
        given = {declared.name: value for declared, value in zip(self.program.inputs, inputs, strict=True)}
        return execute(self.program, {**self.scope, **given}, self.run)


def execute(program: Program, scope: dict[str, Any], run: Run) -> list[Any]:
    """Run a graph.

    Args:
        program: the graph.
        scope: the values by name that it may read; they are changed.
        run: the forward pass.

    Returns:
        The values of its outputs.
    """
    scope.update(program.constants)
    entered: list[tuple[str, modes.scope]] = []
    try:
        for step in program.steps:
            if mode.observers and step.inputs:  # a constant belongs to no module
                _enter(entered, tuple(f"{run.path}.{p}" if run.path else p for p in step.modules))
            run.count(step.label)
            values = [scope[name] if name else None for name in step.inputs]
            for name, value in zip(step.outputs, _results(step, values, scope, run), strict=False):
                if name:
                    scope[name] = value
            for name in step.free:
                scope.pop(name, None)
    finally:
        _enter(entered, ())
    return [scope[name] for name in program.outputs]


def _enter(entered: list[tuple[str, modes.scope]], paths: tuple[str, ...]) -> None:
    """Tell the observers which modules the next node stands in: leave those that end, and enter the new ones."""
    while entered and tuple(path for path, _ in entered) != paths[: len(entered)]:
        entered.pop()[1].__exit__()
    for path in paths[len(entered) :]:
        entered.append((path, modes.scope(path, "Module")))
        entered[-1][1].__enter__()


def _results(step: Step, values: list[Any], scope: Mapping[str, Any], run: Run) -> list[Any]:
    """What the node returns, one value for each output."""
    try:
        if step.function is not None:
            given = [declared.name for declared in step.function.inputs]
            values += [None] * (len(given) - len(values))
            return execute(step.function, dict(zip(given, values, strict=True)), run)
        results = _called(step, values, scope, run)
    except OnnxError as error:
        raise OnnxError(str(error) if step.label in str(error) else f"{step.label}: {error}") from error
    except TensorgradError as error:
        raise OnnxError(f"{step.label}: {error}") from error
    except Exception as error:  # a node of a damaged file may fail in any way
        raise OnnxError(f"{step.label}: {type(error).__name__}: {error}") from error
    wanted = sum(1 for name in step.outputs if name)
    if len(results) < len(step.outputs) and wanted > len(results):
        raise OnnxError(f"{step.label}: it has {len(results)} outputs here, not {len(step.outputs)}")
    return results


def _called(step: Step, values: list[Any], scope: Mapping[str, Any], run: Run) -> list[Any]:
    handler = step.handler
    assert handler is not None
    options = {
        name: BoundBody(value, scope, run, step.label) if isinstance(value, Program) else value
        for name, value in step.attributes.items()
    }
    for name, kind in handler.context.items():
        options[name] = len(step.outputs) if kind is Outputs else run.training
    if handler.foldable and all(value is None or is_host(value) for value in values):
        with unobserved():
            results = _listed(handler.function(*_arguments(handler, values), **options))
        return [x._data if isinstance(x, Tensor) else x for x in results]
    return _listed(handler.function(*_arguments(handler, values), **options))


def _arguments(handler: Handler, values: list[Any]) -> list[Any]:
    return [_argument(value, handler.kind_of(position)) for position, value in enumerate(values)]


def _argument(value: Any, kind: Any) -> Any:
    if kind is Any or value is None:
        return value
    if kind is Host:
        return value if is_host(value) else tensor_of(value).detach().numpy()
    return tensor_of(value)


def _listed(results: Any) -> list[Any]:
    return list(results) if isinstance(results, tuple) else [results]


@contextmanager
def unobserved() -> Iterator[None]:
    """Within, nothing is recorded and no observer hears of ops: what is computed there follows from shapes alone."""
    before, mode.observers = mode.observers, ()
    try:
        with no_grad():
            yield
    finally:
        mode.observers = before
