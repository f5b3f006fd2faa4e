"""The calls of a model whose comparison shows what depends on the size of the batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.autograd.modes import no_grad, observe
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, TensorgradError, restate
from tensorgrad.nn import Module
from tensorgrad.nn.layers.lazy import Lazy
from tensorgrad.onnx.reading.errors import OnnxError, all_at_once
from tensorgrad.onnx.writing.layers import as_one
from tensorgrad.onnx.writing.trace import Traced, Tracer
from tensorgrad.tensor import Tensor

BATCHES = (2, 3, 5)
"""The sizes of the batches that the model is tried with, where the size shall be free."""


def batches_of(inputs: list[Tensor], axis: int | None) -> tuple[list[list[Tensor]], list[int]]:
    """The inputs of each call, and the sizes of these batches: BATCHES; or of two calls alike if the size is fixed.

    Raises:
        ArgumentError: an axis that an input hasn't got, or inputs of different sizes along it.
    """
    if axis is None:
        return [inputs, inputs], [0, 0]
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise ArgumentError(restate("onnx.export", f"batch_axis must be an int or None, got {axis!r}"))
    if not inputs or any(not -x.ndim <= axis < x.ndim for x in inputs):
        problem, fix = f"an input has no axis {axis}", "batch_axis=None fixes all sizes"
        raise ArgumentError(restate("onnx.export", problem, fix=fix, example=inputs))
    counts = {x.shape[axis] for x in inputs}
    if len(counts) != 1 or 0 in counts:
        problem = f"the inputs must have the same number of examples, at least 1, along the axis {axis}"
        raise ArgumentError(restate("onnx.export", problem, fix="batch_axis=None fixes all sizes", example=inputs))
    (count,) = counts
    return [[x.index_select(axis, np.arange(n) % count) for x in inputs] for n in BATCHES], [*BATCHES]


def traced_call(model: Module, inputs: list[Tensor]) -> Traced:
    """What a call of the model does, in evaluation mode."""
    if lazy := [path for path, module in model.named_modules() if isinstance(module, Lazy)]:
        problem = f"the layers {', '.join(lazy)} don't know their sizes before the first call"
        raise ArgumentError(restate("onnx.export", problem, fix="call the model once: model(example)"))
    flags = [(module, module.training) for module in model.modules()]
    tracer = Tracer([x.detach() for x in inputs])
    called = tracer.traced.tensors[:]
    model.eval()
    try:
        with no_grad(), observe(tracer), as_one(model, tracer):
            results = model(*called)
    except TensorgradError as error:
        fix = "batch_axis=None, if it takes batches of one size alone"
        shapes = ", ".join(str(x.shape) for x in inputs)
        raise OnnxError(f"onnx.export: the model fails with {shapes}: {error}\n  fix: {fix}") from error
    finally:
        for module, training in flags:
            module.training = training
    for value in _tensors(results):
        tracer.traced.outputs.append(tracer.number(value))
    return tracer.traced


def _tensors(results: Any) -> list[Variable]:
    """The tensors that a model returned, in order; None is left out."""
    if isinstance(results, Variable):
        return [results]
    if isinstance(results, dict):
        results = list(results.values())
    if isinstance(results, tuple | list):
        return [x for value in results if value is not None for x in _tensors(value)]
    raise DTypeError(restate("onnx.export", "the model must return tensors", returned=results))


@contextmanager
def unchanged(model: Module) -> Iterator[None]:
    """Within, calls of a model mustn't change its parameters and buffers. Afterwards these are as before.

    Raises:
        OnnxError: a call changed some. ONNX has no state that a run changes.
    """
    before = [(place, x, x._data.copy()) for place, x in _state_of(model)]
    changed = []
    try:
        yield
    finally:
        for (path, module, name), x, values in before:
            if vars(module).get(name) is not x:
                changed.append(f"{path}{name}")
                setattr(module, name, x)
            if not np.array_equal(x._data, values, equal_nan=x._data.dtype.kind == "f"):
                changed.append(f"{path}{name}")
                with no_grad():
                    x.copy_(Tensor(values))
    if changed:
        problem = "the model changes these tensors of its own when it is called, and ONNX has no such state:"
        raise all_at_once("onnx.export", problem, changed, "change them in training mode alone: if self.training:")


def _state_of(model: Module) -> Iterator[tuple[tuple[str, Module, str], Tensor]]:
    """The parameters and buffers: path and module that hold each, its name there, and the tensor."""
    for path, module in model.named_modules():
        for name, x in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if vars(module).get(name) is x:
                yield (f"{path}." if path else "", module, name), x
