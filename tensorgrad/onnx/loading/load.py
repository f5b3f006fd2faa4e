"""`load`: a file becomes a Module."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

import tensorgrad.onnx.ops  # noqa: F401  # fills the table
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.onnx.loading.binding import Binder, steps_of
from tensorgrad.onnx.loading.module import OnnxModule
from tensorgrad.onnx.loading.running import Program
from tensorgrad.onnx.reading.errors import all_at_once, only_onnx_errors
from tensorgrad.onnx.reading.file import read
from tensorgrad.onnx.reading.graph import PARAMETERS, Model
from tensorgrad.onnx.reading.limits import FILE_BYTES
from tensorgrad.onnx.table import Buffer, Host

if TYPE_CHECKING:
    from onnx import ModelProto


def load(path: str | os.PathLike[str] | bytes | ModelProto, *, max_bytes: int = FILE_BYTES) -> OnnxModule:
    """Read an ONNX file as a Module, which runs, trains, compiles and is drawn.

    Floating initializers become parameters of their names: those that `tg.onnx.export` marked, or in other files all
    with at least one axis that are no running statistics and no settings, such as the scales of a Resize. The module
    comes in evaluation mode, in which it computes what the file says; `train()` lets batch norms use the batch, and
    dropouts drop.

    A file may come from a stranger. Reading it runs nothing. Sizes are checked before memory is allocated, external
    data are read from the folder of the model only, a forward pass runs a bounded number of nodes, and whatever is
    wrong with a file raises OnnxError.

    Args:
        path: the file, whose external data lie beside it; or an `onnx.ModelProto` or its bytes.
        max_bytes: the most bytes that the file, and all its tensors together, may have.

    Raises:
        OnnxError: a damaged file, or one with ops, attributes or dtypes that tensorgrad hasn't: the message lists all.
        ImportError: the package onnx isn't installed: `pip install 'tensorgrad-engine[onnx]'`.

    >>> import onnx.parser, tensorgrad as tg
    >>> text = '<ir_version: 8, opset_import: ["": 17]> g (float[n, 2] x) => (float[n, 2] y) { y = Relu (x) }'
    >>> model = tg.onnx.load(onnx.parser.parse_model(text))
    >>> model(tg.tensor([[-1.0, 2.0]]))
    tensor([[0., 2.]])
    """
    model, problems = read("onnx.load", path, max_bytes)
    with only_onnx_errors("onnx.load", "binding the model"):
        program = Binder(model, problems).program()
        if problems:
            count = len(set(problems))
            raise all_at_once("onnx.load", f"{count} thing{'s' * (count > 1)} of this model can't be taken:", problems)
        parameters, buffers, constants = _sorted(model, program)
        inputs = [d for d in model.graph.inputs if d.name not in model.graph.initializers]
        inputs += [d for d in model.graph.inputs if d.name in constants]
        return OnnxModule(program, inputs, parameters, buffers, constants).eval()


def _sorted(model: Model, program: Program) -> tuple[dict[str, np.ndarray], ...]:
    """The initializers: parameters, buffers, constants."""
    arrays = model.graph.initializers
    kinds: dict[str, set[Any]] = {name: set() for name in arrays}
    for step in steps_of(program):
        for position, name in enumerate(step.inputs):
            if name in kinds:
                kinds[name].add(Any if step.handler is None else step.handler.kind_of(position))
    listed = model.metadata.get(PARAMETERS)
    marked = None if listed is None else {*listed.split("\n")}
    parameters, buffers, constants = {}, {}, {}
    for name, array in arrays.items():
        if not is_float(array.dtype) or kinds[name] <= {Host}:
            constants[name] = array
        elif kinds[name] == {Buffer} or (marked is not None and name not in marked):
            buffers[name] = array
        elif array.ndim == 0 and marked is None:
            constants[name] = array
        else:
            parameters[name] = array
    return parameters, buffers, constants
