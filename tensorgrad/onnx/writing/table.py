"""The table of exporters: which nodes of ONNX each op of tensorgrad becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.autograd.op import Op
from tensorgrad.onnx.writing.graph import Graph
from tensorgrad.onnx.writing.sizes import Number, Size, merged
from tensorgrad.onnx.writing.trace import Foreign

Exporter = Callable[[Graph, "Applied"], str]


class NotInOnnx(Exception):
    """An op, or this use of it, has no counterpart among ONNX's ops."""


@dataclass
class Applied:
    """An op as it is written.

    Attributes:
        op: the op; its parameters are attributes of this object, in which sizes may follow from the batch.
        traced: its parameters by name, in each of the traces.
        batches: the sizes of their batches.
        inputs: the names of its inputs.
        shapes: the shapes of its inputs.
        dtypes: the dtypes of its inputs.
        shape: the shape of its output.
        dtype: the dtype of its output.
        made_by: by name of a value, the op that made it, as it was written.
        references: the names of tensors that stand in its parameters, by their numbers.
        reference_shapes: their shapes.
    """

    op: Op
    traced: list[dict[str, Any]]
    batches: list[int]
    inputs: list[str]
    shapes: list[tuple[Number, ...]]
    dtypes: list[np.dtype]
    shape: tuple[Number, ...]
    dtype: np.dtype
    made_by: dict[str, Applied]
    references: dict[int, str]
    reference_shapes: dict[int, tuple[Number, ...]]

    def __getattr__(self, name: str) -> Any:
        """A parameter of the op, by its name, or the default of its class.

        Raises NotInOnnx where it was computed from values, and Varying where it depends on the batch otherwise.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self.traced[0]:
            return getattr(type(self.op), name)
        value = merged([params[name] for params in self.traced], self.batches)
        for part in value if type(value) is tuple else (value,):
            if isinstance(part, Foreign):
                raise NotInOnnx(f"its {name} is {part.origin}")
        return value

    @property
    def x(self) -> str:
        """The first input."""
        return self.inputs[0]

    def static(self, values: Any, what: str) -> tuple[int, ...]:
        """Sizes that don't depend on the batch. Raises NotInOnnx where one does."""
        if any(isinstance(n, Size) for n in values):
            raise NotInOnnx(f"{what} depend on the size of the batch")
        return tuple(values)


EXPORTERS: dict[type[Op], Exporter] = {}
"""By class of an op."""


def exports(*classes: type[Op]) -> Callable[[Exporter], Exporter]:
    """Enter a function into the table; it adds nodes to the graph, and returns the name of the result."""

    def enter(function: Exporter) -> Exporter:
        EXPORTERS.update(dict.fromkeys(classes, function))
        return function

    return enter


def exporter_of(op: Op) -> Exporter | None:
    """The exporter of an op: that of its class, or of the nearest class that it derives from."""
    return next((EXPORTERS[cls] for cls in type(op).__mro__ if cls in EXPORTERS), None)
