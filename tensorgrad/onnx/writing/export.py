"""`export`: a model becomes a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

import tensorgrad.onnx.writing.ops  # noqa: F401  # fills the table
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn import Module
from tensorgrad.onnx.reading.errors import OnnxError, all_at_once, onnx_package
from tensorgrad.onnx.reading.graph import PARAMETERS
from tensorgrad.onnx.reading.tensors import CODES
from tensorgrad.onnx.writing.calls import batches_of, traced_call, unchanged
from tensorgrad.onnx.writing.graph import IR, OPSET, Graph
from tensorgrad.onnx.writing.layers import write_layer
from tensorgrad.onnx.writing.sizes import Number, Size, Varying, as_expanded, merged
from tensorgrad.onnx.writing.table import Applied, NotInOnnx, exporter_of
from tensorgrad.onnx.writing.trace import LayerCall, Ref, Traced
from tensorgrad.ops.operands import as_tensor
from tensorgrad.storage import write_file

Names = tuple[list[str], list[str]]
"""Of inputs and of outputs."""


def export(
    model: Module,
    example: Any,
    path: str | os.PathLike[str],
    *,
    batch_axis: int | None = 0,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> None:
    """Write a model to an ONNX file, as it computes in evaluation mode.

    The model is called with batches made of the example. Each op that it runs becomes nodes of ONNX (opset 18); an
    elementwise op that ONNX lacks becomes its formula. Parameters and buffers keep their names. Dropout disappears,
    and batch norms use their running statistics. The sizes that depend on the batch are found by comparing calls with
    several batch sizes; the file takes any. A Python loop or branch is written as it ran for the example.

    Args:
        model: the Module; its training flags are as before when the call returns.
        example: an input, or a tuple of inputs; only shapes, dtypes and the values that indices take matter.
        path: the file; its folder must exist. It is replaced when the new one is complete.
        batch_axis: the axis of all inputs that counts examples, whose size is free; None to fix all sizes.
        input_names: names for the inputs; by default `input`, or `input_0`, `input_1` …
        output_names: names for the outputs; by default `output`, or `output_0`, `output_1` …

    Raises:
        OnnxError: ops, or uses of them, that ONNX lacks, random numbers, and values that depend on the batch in another
            way than as sizes: the message lists all of them. Or the model changes its own parameters or buffers.
        ArgumentError: examples without the batch axis, or names that aren't as many as there are tensors.
        ImportError: the package onnx isn't installed: `pip install 'tensorgrad-engine[onnx]'`.

    >>> import tempfile, tensorgrad as tg
    >>> net = tg.nn.Sequential(tg.nn.Linear(4, 3), tg.nn.ReLU())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.onnx.export(net, tg.zeros(1, 4), f"{folder}/net.onnx")
    ...     again = tg.onnx.load(f"{folder}/net.onnx")
    >>> x = tg.ones(5, 4)
    >>> [name for name, _ in again.named_parameters()], tg.allclose(again(x), net(x))
    (['0.weight', '0.bias'], True)
    """
    package = onnx_package("onnx.export")
    if not isinstance(model, Module):
        raise DTypeError(restate("onnx.export", "expected a Module", model=model))
    if isinstance(example, dict):
        fix = "pass a tuple, in the order of the model's arguments, and input_names="
        raise DTypeError(restate("onnx.export", "example must be a tensor or a tuple of tensors, got a dict", fix=fix))
    inputs = [as_tensor(x) for x in (example if isinstance(example, tuple | list) else (example,))]
    names = _names("input", len(inputs), input_names)
    batches, sizes = batches_of(inputs, batch_axis)
    with unchanged(model):
        traces = [traced_call(model, batch) for batch in batches]
    outputs = _names("output", len(traces[0].outputs), output_names)
    exporter = Exporter(package, model, traces, sizes, (names, outputs), batch_axis or 0)
    exporter.write_calls()
    content = exporter.finished().SerializeToString()
    write_file("onnx.export", path, content)


def _names(what: str, count: int, given: Sequence[str] | None) -> list[str]:
    if given is None:
        return [what] if count == 1 else [f"{what}_{k}" for k in range(count)]
    names = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if len(names) != count or len(set(names)) != count or not all(isinstance(name, str) and name for name in names):
        problem = f"{what}_names must be a list of {count} names that differ"
        raise ArgumentError(restate("onnx.export", problem, names=given))
    return names


class Exporter:
    """Writes traced calls as a graph.

    Args:
        package: the module `onnx`.
        model: the model, whose parameters and buffers have names.
        traces: calls with batches of several sizes.
        batches: these sizes.
        names: those of the inputs, and those of the outputs.
        axis: the axis of the batch.
    """

    def __init__(
        self, package: Any, model: Module, traces: list[Traced], batches: list[int], names: Names, axis: int
    ) -> None:
        self.helper, self.numpy_helper = package.helper, package.numpy_helper
        self.traces, self.batches = traces, batches
        inputs, self.outputs = names
        self.graph = Graph(package, (inputs[0], axis))
        self.problems = [problem for trace in traces[:1] for problem in trace.problems]
        self.values: dict[int, str] = {}
        self.made_by: dict[str, Applied] = {}
        self.inputs = [(name, self._shape(k), self._array(k).dtype) for k, name in enumerate(inputs)]
        state = [*model.named_parameters(), *model.named_buffers()]
        self.state = {id(tensor): name for name, tensor in state}
        self.parameters = {name for name, _ in model.named_parameters()}
        self.values.update(enumerate(inputs))
        for name in (*dict.fromkeys(self.state.values()), *inputs, *self.outputs):
            if self.graph.name(name) != name:
                problem, fix = f"two tensors are called {name!r}", "pass other input_names or output_names"
                raise ArgumentError(restate("onnx.export", problem, fix=fix))

    def _array(self, number: int) -> np.ndarray:
        return self.traces[0].arrays[number]

    def _shape(self, number: int) -> tuple[Number, ...]:
        return merged([trace.arrays[number].shape for trace in self.traces], self.batches)

    def write_calls(self) -> None:
        """Add the nodes of all calls. Raises OnnxError that lists what can't be written."""
        counts = {len(trace.calls) for trace in self.traces}
        if len(counts) != 1:
            problem = "the model runs other ops for another batch size"
            raise OnnxError(f"onnx.export: {problem}\n  fix: batch_axis=None fixes the size")
        for calls in zip(*(trace.calls for trace in self.traces), strict=True):
            try:
                if any(isinstance(call, LayerCall) for call in calls):
                    self._write_layer(calls)
                else:
                    self._write(calls)
            except NotInOnnx as error:
                self._refuse(calls[0], str(error))
            except Varying:
                self._refuse(calls[0], "its parameters depend on the size of the batch")
        if self.problems:
            problem = "this can't be written as ONNX:"
            several = len({*self.batches}) > 1 and "batch" in " ".join(self.problems)
            fix = "batch_axis=None fixes the size of the batch" if several else ""
            raise all_at_once("onnx.export", problem, self.problems, fix)

    def _write_layer(self, calls: tuple[Any, ...]) -> None:
        first = calls[0]
        if len({(type(c), c.inputs, getattr(c, "outputs", None)) for c in calls}) != 1:
            raise NotInOnnx("the model runs other ops for another batch size")
        self.graph.scope = first.scope
        inputs = [self._value(number) for number in first.inputs]
        names = write_layer(self.graph, first.module, self._parameter, inputs)
        self.values.update(zip(first.outputs, names, strict=True))

    def _parameter(self, tensor: Variable) -> str:
        """The name of a parameter of the model."""
        name = self.state[id(tensor)]
        self.graph.initializers[name] = tensor._data
        return name

    def _refuse(self, call: Any, why: str) -> None:
        if isinstance(call, LayerCall):
            self.problems.append(f"{type(call.module).__name__} in {call.scope or 'the model'}: {why}")
            self.values.update(dict.fromkeys(call.outputs, "?"))
            return
        self.problems.append(f"{call.op.name} in {call.scope or 'the model'}: {why}")
        self.values.setdefault(call.output, "?")

    def _write(self, calls: tuple[Any, ...]) -> None:
        first = calls[0]
        if len({(type(c.op), c.inputs, c.output) for c in calls}) != 1:
            raise NotInOnnx("the model runs other ops for another batch size")
        exporter = exporter_of(first.op)
        references = _references(first.params)
        self.graph.scope = first.scope
        applied = Applied(
            op=first.op,
            traced=[c.params for c in calls],
            batches=self.batches,
            inputs=[self._value(number) for number in first.inputs],
            shapes=[self._shape(number) for number in first.inputs],
            dtypes=[self._array(number).dtype for number in first.inputs],
            shape=self._shape(first.output),
            dtype=self._array(first.output).dtype,
            made_by=self.made_by,
            references={k: self._value(k) for k in references},
            reference_shapes={k: self._shape(k) for k in references},
        )
        if exporter is None:
            raise NotInOnnx("it has no form in ONNX")
        name = exporter(self.graph, applied)
        self.values[first.output] = name
        self.made_by.setdefault(name, applied)

    def _value(self, number: int) -> str:
        """The name of a tensor; one that no op made is a parameter, a buffer, or a constant."""
        if number not in self.values:
            self.values[number] = self._leaf(number)
        return self.values[number]

    def _leaf(self, number: int) -> str:
        tensors = [trace.tensors[number] for trace in self.traces]
        name = self.state.get(id(tensors[0]))
        if name is not None:
            self.graph.initializers[name] = self._array(number)
            return name
        for trace in self.traces:
            if number in trace.foreign:
                raise NotInOnnx(f"a tensor of it is {trace.foreign[number]}")
        arrays = [trace.arrays[number] for trace in self.traces]
        first = arrays[0]
        if first.dtype not in CODES:
            raise NotInOnnx(f"a constant of dtype {first.dtype}")
        if all(np.array_equal(a, first, equal_nan=a.dtype.kind == "f") for a in arrays):
            return self.graph.constant(first)
        if first.ndim == 0 and first.dtype.kind in "fiu" and all(float(a).is_integer() for a in arrays):
            return self._number(arrays)
        try:
            part, shape = as_expanded(arrays, self.batches)
        except Varying:
            raise NotInOnnx("a constant of it differs from call to call") from None
        return self.graph.add("Expand", self.graph.constant(part), self.graph.numbers(shape))

    def _number(self, arrays: list[np.ndarray]) -> str:
        """A number that grows with the size of the batch, such as the size itself."""
        try:
            size = merged([int(a) for a in arrays], self.batches)
        except Varying:
            raise NotInOnnx("a number depends on the size of the batch") from None
        return self.graph.cast(self.graph.add("Squeeze", self.graph.size(size)), arrays[0].dtype)

    def finished(self) -> Any:
        """The file."""
        outputs, names = [], self.outputs
        for name, number in zip(names, self.traces[0].outputs, strict=True):
            self.graph.scope = ""
            made = self._value(number)
            self.graph.nodes.append(self.helper.make_node("Identity", [made], [name], name=self.graph.name(name)))
            outputs.append((name, self._shape(number), self._array(number).dtype))
        nodes = self.graph.live(names)
        used = {name for node in nodes for name in node.input}
        initializers = [
            self.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            for name, array in self._in_the_models_order().items()
            if name in used
        ]
        declared = [[self._declared(*value) for value in values] for values in (self.inputs, outputs)]
        graph = self.helper.make_graph(nodes, "tensorgrad", *declared, initializer=initializers)
        opsets = [self.helper.make_opsetid("", OPSET)]
        model = self.helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="tensorgrad")
        entry = model.metadata_props.add()
        entry.key, entry.value = (
            PARAMETERS,
            "\n".join(name for name in self.graph.initializers if name in self.parameters),
        )
        return model

    def _in_the_models_order(self) -> dict[str, np.ndarray]:
        """The parameters and buffers that were met, in the order in which the model names them."""
        met = self.graph.initializers
        return {name: met[name] for name in self.state.values() if name in met}

    def _declared(self, name: str, shape: tuple[Number, ...], dtype: np.dtype) -> Any:
        sizes = [_dimension(n) if isinstance(n, Size) else n for n in shape]
        return self.helper.make_tensor_value_info(name, CODES[dtype], sizes)


def _dimension(size: Size) -> str:
    times = "" if size.slope == 1 else f"{size.slope} * "
    return f"{times}batch" + (f" + {size.offset}" if size.offset else "")


def _references(params: dict[str, Any]) -> list[int]:
    found, left = [], list(params.values())
    while left:
        value = left.pop()
        if isinstance(value, Ref):
            found.append(value.number)
        elif type(value) is tuple:
            left += value
    return found
