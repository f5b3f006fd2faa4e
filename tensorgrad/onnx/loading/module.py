"""A model that was read from an ONNX file, as a Module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.errors import ArgumentError, DTypeError, restate
from tensorgrad.nn import Module, Parameter
from tensorgrad.onnx.loading.running import Program, Run, execute
from tensorgrad.onnx.reading.graph import Declared
from tensorgrad.onnx.table import tensor_of
from tensorgrad.ops.operands import as_tensor
from tensorgrad.tensor import Tensor


class OnnxModule(Module):
    """A model from an ONNX file: it is called, trained, compiled and drawn like any other Module.

    Its parameters have the names of the file, `"conv1.weight"` in a Module `conv1` of its own. In evaluation mode it
    computes what the file says. In training mode, after `train()`, batch norms use the statistics of the batch and
    follow them, and dropouts drop.

    Args:
        program: the bound graph.
        inputs: what it is called with.
        parameters: the tensors to train, by name.
        buffers: the tensors of its state that aren't trained, by name.
        constants: all other tensors of the file, by name.
    """

    def __init__(
        self,
        program: Program,
        inputs: list[Declared],
        parameters: Mapping[str, np.ndarray],
        buffers: Mapping[str, np.ndarray],
        constants: Mapping[str, np.ndarray],
    ) -> None:
        self._program, self._inputs, self._constants = program, inputs, dict(constants)
        self._places: dict[str, tuple[str, ...]] = {}
        places = places_of([*parameters, *buffers])
        for name, array in parameters.items():
            owner, last = self._owner(places[name])
            owner.register_parameter(last, Parameter(array))
        for name, array in buffers.items():
            owner, last = self._owner(places[name])
            owner.register_buffer(last, array)
        self._places = places

    def _owner(self, place: tuple[str, ...]) -> tuple[Module, str]:
        """The Module in which a tensor lies, made where it is missing, and the tensor's name there."""
        owner: Module = self
        for name in place[:-1]:
            if name not in vars(owner):
                owner.register_module(name, Module())
            owner = vars(owner)[name]
        return owner, place[-1]

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs, in the order in which the module takes them."""
        return tuple(declared.name for declared in self._inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs, in the order in which the module returns them."""
        return tuple(self._program.outputs)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Run the model.

        Args:
            inputs: tensors or arrays, in the order of `input_names`; None leaves one out that has a default.
            named: tensors by name.

        Returns:
            The output, or a tuple of them in the order of `output_names`.

        Raises:
            ArgumentError: other inputs than the model has.
            DTypeError: an input of another dtype than the file states, or than the module was converted to.
            OnnxError: a node can't run with these inputs: the message names it.
        """
        scope: dict[str, Any] = dict(self._constants)
        for name, (*path, last) in self._places.items():
            owner: Any = self
            for part in path:
                owner = vars(owner)[part]
            scope[name] = vars(owner)[last]
        scope.update(self._given(inputs, named))
        results = execute(self._program, scope, Run(self.training, self._path))
        outputs = [x if isinstance(x, list) or x is None else tensor_of(x) for x in results]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _given(self, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        names = self.input_names
        given = dict(zip(names, inputs, strict=False)) | dict(named)
        defaults = {*self._constants, *self._places}
        if len(inputs) > len(names) or not {*given} <= {*names} or {*names[: len(inputs)]} & {*named}:
            problem = f"its inputs are {', '.join(names) or 'none'}"
            raise ArgumentError(restate("OnnxModule", problem, inputs=inputs, **named))
        missing = [name for name in names if given.get(name) is None and name not in defaults and name not in given]
        if missing:
            raise ArgumentError(restate("OnnxModule", f"its inputs {', '.join(missing)} are missing"))
        declared = {d.name: d for d in self._inputs}
        return {
            name: self._checked(declared[name], value)
            for name, value in given.items()
            if value is not None or name not in defaults
        }

    def _expect_dtype(self, dtype: np.dtype) -> None:
        """Take floating inputs of this dtype from now on: the parameters were converted to it."""
        self._inputs = [
            d._replace(dtype=dtype) if d.dtype is not None and is_float(d.dtype) else d for d in self._inputs
        ]

    @staticmethod
    def _checked(declared: Declared, value: Any) -> Any:
        if declared.dtype is None:
            return [as_tensor(x) for x in value] if isinstance(value, list | tuple) else _tensor(value)
        x = as_tensor(value)
        if x.dtype != declared.dtype:
            problem = f"its input {declared.name} must be of {declared.dtype}"
            fix = f"tg.as_tensor({declared.name}, dtype=tg.{declared.dtype})"
            raise DTypeError(restate("OnnxModule", problem, fix=fix, input=x))
        return x

    def extra_repr(self) -> str:
        """The names of inputs and outputs, and the number of nodes."""
        takes, gives = ", ".join(self.input_names), ", ".join(self.output_names)
        return f"({takes}) -> ({gives}), nodes={len(self._program.steps)}"


def _tensor(value: Any) -> Tensor | None:
    return None if value is None else as_tensor(value)


def places_of(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """By name of a tensor, the attributes that lead to it: `"conv1.weight"` is the `weight` of the Module `conv1`.

    Where a part can't be an attribute, because it is empty, the name of a method, or that of another tensor, the dots
    become underscores.

    >>> places_of(["conv1.weight", "conv1.bias", "scale", "scale.x", ".y"])["conv1.bias"]
    ('conv1', 'bias')
    >>> places_of(["scale", "scale.x", ".y"])
    {'scale': ('scale',), 'scale.x': ('scale_x',), '.y': ('_y',)}
    """
    names = list(dict.fromkeys(names))
    whole, taken, found = {*names}, set[str](), dict[str, tuple[str, ...]]()
    for name in names:
        parts = tuple(name.split("."))
        above = [".".join(parts[:k]) for k in range(1, len(parts))]
        if not all(map(_is_free, parts)) or any(part in whole for part in above) or name in taken:
            last = name.replace(".", "_") or "_"
            while last in whole or last in taken or not _is_free(last):
                last += "_"
            parts, above = (last,), []
        taken |= {*above, ".".join(parts)}
        found[name] = parts
    return found


def _is_free(name: str) -> bool:
    return bool(name) and not name.startswith("__") and not hasattr(OnnxModule, name) and name not in PRIVATE


PRIVATE = frozenset(["_program", "_inputs", "_constants", "_places"])
