"""The graph that is written: nodes, constants, and numbers that follow from the size of the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.onnx.reading.tensors import CODES
from tensorgrad.onnx.writing.sizes import Number, Size

OPSET = 18
"""The version of ONNX's ops that is written."""

IR = 8
"""The version of the file format that came with it."""


class Graph:
    """Nodes and initializers, under names of their own.

    Args:
        package: the module `onnx`.
        batch: the input, and the axis of it, whose size is that of the batch.
    """

    def __init__(self, package: Any, batch: tuple[str, int]) -> None:
        self.helper, self.numpy_helper = package.helper, package.numpy_helper
        self.batch = batch
        self.nodes: list[Any] = []
        self.initializers: dict[str, np.ndarray] = {}
        self.scope = ""
        self._used: Counter[str] = Counter()
        self._constants: dict[tuple[Any, ...], str] = {}
        self._sizes: dict[Number, str] = {}

    def name(self, wanted: str) -> str:
        """A name that nothing else has."""
        self._used[wanted] += 1
        count = self._used[wanted]
        return wanted if count == 1 else self.name(f"{wanted}_{count - 1}")

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; returns the name of its output, or a tuple of several names.

        Args:
            op: the op.
            inputs: names; "" for an input that is left out.
            outputs: how many.
            attributes: those that are None are left out.
        """
        name = self.name(f"{self.scope}/{op}" if self.scope else op)
        results = [name] if outputs == 1 else [f"{name}.{k}" for k in range(outputs)]
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(self.helper.make_node(op, list(inputs), results, name=name, **given))
        return results[0] if outputs == 1 else tuple(results)

    def constant(self, value: Any, dtype: Any = None) -> str:
        """The name of a constant; equal ones are one."""
        array = np.asarray(value, dtype)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            name = self.name("constant")
            tensor = self.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
            self.nodes.append(self.helper.make_node("Constant", [], [name], name=name, value=tensor))
            self._constants[key] = name
        return self._constants[key]

    def size(self, number: Number) -> str:
        """The name of a vector of one whole number, which may follow from the size of the batch."""
        if not isinstance(number, Size):
            return self.constant([number], np.int64)
        if number not in self._sizes:
            if number == Size(1, 0):
                source, axis = self.batch
                made = self.add("Shape", source, start=axis, end=axis + 1)
            else:
                made = self.size(Size(1, 0))
                if number.slope != 1:
                    made = self.add("Mul", made, self.constant([number.slope], np.int64))
                if number.offset:
                    made = self.add("Add", made, self.constant([number.offset], np.int64))
            self._sizes[number] = made
        return self._sizes[number]

    def numbers(self, values: Sequence[Number]) -> str:
        """The name of a vector of whole numbers."""
        if not any(isinstance(v, Size) for v in values):
            return self.constant(list(values), np.int64)
        return self.add("Concat", *map(self.size, values), axis=0)

    def reshape(self, x: str, shape: Sequence[Number]) -> str:
        """x in another shape. One size that depends on the batch is −1: it follows from the others."""
        varying = [n for n in shape if isinstance(n, Size)]
        if len(varying) == 1 and 0 not in shape:
            shape = [-1 if isinstance(n, Size) else n for n in shape]
        allow = 1 if 0 in shape else None
        return self.add("Reshape", x, self.numbers(shape), allowzero=allow)

    def cast(self, x: str, dtype: np.dtype) -> str:
        """x in another dtype."""
        return self.add("Cast", x, to=CODES[dtype])

    def live(self, outputs: Sequence[str]) -> list[Any]:
        """The nodes that the outputs need, in their order."""
        wanted, kept = {*outputs}, []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                kept.append(node)
                wanted.update(node.input)
        return kept[::-1]
