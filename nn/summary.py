"""The layers of a network, their shapes, parameters, multiply-adds and memory, as records and as a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.modes import no_grad, observe
from tensorgrad.autograd.observer import Observer, Scope
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ShapeError, restate
from tensorgrad.nn.module import Module
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.system import html
from tensorgrad.system.console import printable
from tensorgrad.system.table import align, rule
from tensorgrad.tensor import Tensor


@dataclass(frozen=True)
class Row:
    """One module. A parameter shared by several modules is counted in the first row only."""

    path: str
    layer: str
    depth: int
    output_shape: Any
    """A tuple of ints; a tuple of such tuples for several outputs; None if the module wasn't called."""
    parameters: int
    """The number of elements of the module's own parameters, without those of its children."""
    trainable: int
    """How many of these elements require a gradient."""
    activation_bytes: int
    """The memory of its outputs, summed over all calls; 0 for modules with children, and for views of the input."""
    input_shape: Any = None
    """As `output_shape`, of its inputs that are tensors."""
    multiply_adds: int = 0
    """The products that it adds up in matrix products and convolutions, in all calls, without its children's."""


@dataclass(frozen=True, repr=False)
class Summary:
    """The result of `summary`: a row per module, and the totals. It prints, and shows in a notebook, as a table.

    Attributes:
        rows: a `Row` per module, parents first.
        input_shape: the shape of the input.
        parameters: the number of elements of all parameters.
        trainable_parameters: those of the parameters that require a gradient.
        parameter_bytes: the memory of the parameters.
        buffer_bytes: the memory of the buffers.
        activation_bytes: the memory of the outputs of all layers.
        multiply_adds: the products that all layers add up, in matrix products and convolutions.
    """

    rows: tuple[Row, ...]
    input_shape: tuple[int, ...]
    parameters: int
    trainable_parameters: int
    parameter_bytes: int
    buffer_bytes: int
    activation_bytes: int
    multiply_adds: int = 0

    def __repr__(self) -> str:
        head, *body = align([HEADINGS, *([printable(cell) for cell in row] for row in self._cells())], ALIGNMENT)
        line = rule([head, *body])
        return "\n".join([head, line, *body, line, *self._totals()])

    def _repr_html_(self) -> str:
        return html.table(HEADINGS, self._cells(), ALIGNMENT) + "".join(map(html.line, self._totals()))

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                "  " * row.depth + (f"{row.path.rpartition('.')[2]}: " if row.path else "") + row.layer,
                "" if row.input_shape is None else str(row.input_shape),
                "not called" if row.output_shape is None else str(row.output_shape),
                f"{row.parameters:,}" if row.parameters else "",
                {0: "no", row.parameters: "yes"}.get(row.trainable, "in part") if row.parameters else "",
                _in_millions(row.multiply_adds) if row.multiply_adds else "",
                _in_bytes(row.activation_bytes) if row.activation_bytes else "",
            )
            for row in self.rows
        ]

    def _totals(self) -> list[str]:
        frozen = self.parameters - self.trainable_parameters
        return [
            f"Parameters:  {self.parameters:,} ({self.trainable_parameters:,} trainable, {frozen:,} frozen)",
            f"Products:    {_in_millions(self.multiply_adds)} multiply-adds in matrix products and convolutions",
            f"Memory:      {_in_bytes(self.parameter_bytes)} parameters, {_in_bytes(self.buffer_bytes)} buffers, "
            f"{_in_bytes(self.activation_bytes)} activations for an input of {self.input_shape}",
        ]


HEADINGS = ("Layer", "Input shape", "Output shape", "Parameters", "Trainable", "Multiply-adds", "Activations")
ALIGNMENT = "lllrrrr"

PRODUCTS: dict[str, Callable[[Sequence[Variable], Variable], int]] = {
    "linear": lambda inputs, z: z._data.size * inputs[1]._data.shape[-1],
    "matmul": lambda inputs, z: z._data.size * inputs[0]._data.shape[-1],
    "convolution": lambda inputs, z: z._data.size * math.prod(inputs[1]._data.shape[1:]),
    "transposed_convolution": lambda inputs, z: inputs[0]._data.size * math.prod(inputs[1]._data.shape[1:]),
}
"""How many products an op adds up, by its name, given its inputs and its output."""


class _Products(Observer):
    """Counts the products of ops, each for the innermost module that runs it."""

    def __init__(self) -> None:
        self.counts: dict[Any, int] = {}
        self._running: list[Any] = []

    def scope_entered(self, scope: Scope) -> None:
        self._running.append(scope.owner)

    def scope_left(self, scope: Scope) -> None:
        self._running.pop()

    def op_applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        if op.name in PRODUCTS and self._running:
            module = self._running[-1]
            self.counts[module] = self.counts.get(module, 0) + PRODUCTS[op.name](inputs, output)


def summary(model: Module, input: Sequence[int] | TensorLike) -> Summary:
    """Run `model` once and report its layers, their shapes, parameters, multiply-adds and memory.

    Args:
        model: any module.
        input: an input, a tensor or array; or its shape with the batch, `(1, 1, 28, 28)`, for an input of zeros.

    Returns:
        A `Summary`: `.rows` and totals as plain values, a text table as its `repr`, an HTML table in notebooks.

    The model runs in evaluation mode and without recording gradients. Its training flags, buffers and hooks, and the
    package's random generator, are restored afterwards, also if the model raises.

    Raises:
        ShapeError: `input` is a shape with a negative size.

    >>> import tensorgrad as tg
    >>> tg.nn.summary(tg.nn.Sequential(tg.nn.Linear(10, 10), tg.nn.ReLU()), (1, 10))
    Layer        Input shape  Output shape  Parameters  Trainable  Multiply-adds  Activations
    ─────────────────────────────────────────────────────────────────────────────────────────
    Sequential   (1, 10)      (1, 10)
      0: Linear  (1, 10)      (1, 10)              110        yes            100         40 B
      1: ReLU    (1, 10)      (1, 10)                                                    40 B
    ─────────────────────────────────────────────────────────────────────────────────────────
    Parameters:  110 (110 trainable, 0 frozen)
    Products:    100 multiply-adds in matrix products and convolutions
    Memory:      440 B parameters, 0 B buffers, 80 B activations for an input of (1, 10)
    """
    x = _example(model, input)
    shapes: dict[Module, tuple[Any, Any]] = {}
    activations: dict[Module, int] = {}

    def record(module: Module, inputs: tuple, output: Any) -> None:
        given = [_shape(part) for part in inputs if isinstance(part, Tensor)]
        shapes[module] = given[0] if len(given) == 1 else tuple(given) or None, _shape(output)
        if next(module.children(), None) is None:
            activations[module] = activations.get(module, 0) + _new_bytes(inputs, output)

    handles = [module.register_forward_hook(record) for module in model.modules()]
    try:
        with _undisturbed(model), observe(_Products()) as products:
            model(x)
    finally:
        for handle in handles:
            handle.remove()
    rows, counted = [], set()
    for path, module in model.named_modules():
        own = [p for _, p in module.named_parameters(recurse=False) if p not in counted]
        counted.update(own)
        depth = path.count(".") + 1 if path else 0
        sizes = sum(p.numel() for p in own), sum(p.numel() for p in own if p.requires_grad)
        given, made = shapes.get(module, (None, None))
        count = products.counts.get(module, 0)
        kind, memory = type(module).__name__, activations.get(module, 0)
        rows.append(Row(path, kind, depth, made, *sizes, memory, given, count))
    return Summary(
        rows=tuple(rows),
        input_shape=x.shape,
        parameters=sum(row.parameters for row in rows),
        trainable_parameters=sum(row.trainable for row in rows),
        parameter_bytes=sum(p.data.nbytes for p in counted),
        buffer_bytes=sum(b.data.nbytes for b in model.buffers()),
        activation_bytes=sum(row.activation_bytes for row in rows),
        multiply_adds=sum(row.multiply_adds for row in rows),
    )


def _example(model: Module, input: Any) -> Tensor:
    if isinstance(input, tuple | list) and all(isinstance(n, int | np.integer) for n in input):
        if min(input, default=0) < 0:
            problem = "the sizes of input must be ≥ 0"
            raise ShapeError(restate("summary", problem, fix="pass the batch size too", input=input))
        dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
        return Tensor(np.zeros(input, dtype))
    return as_tensor(input)


@contextmanager
def _undisturbed(model: Module) -> Iterator[None]:
    """Evaluation mode without recording; training flags, buffers and the generator are restored at the end."""
    training = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.data.copy())
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    random = default_generator().bit_generator.state
    try:
        with no_grad():
            model.eval()
            yield
    finally:
        default_generator().bit_generator.state = random
        for module, flag in training:
            module.training = flag
        for module, name, buffer, values in buffers:
            setattr(module, name, buffer)
            if buffer.data.tobytes() != values.tobytes():
                with no_grad():
                    buffer[...] = values


def _shape(output: Any) -> Any:
    if isinstance(output, tuple | list):
        return tuple(_shape(part) for part in output)
    return getattr(output, "shape", None)


def _new_bytes(inputs: tuple, output: Any) -> int:
    """The memory of an output; 0 if it shares the input's memory, as those of Flatten and Identity do."""
    if isinstance(output, tuple | list):
        return sum(_new_bytes(inputs, part) for part in output)
    if not isinstance(output, Tensor) or any(isinstance(x, Tensor) and np.may_share_memory(x, output) for x in inputs):
        return 0
    return output.data.nbytes


def _in_millions(count: int) -> str:
    """1290 -> "1,290", 416520 -> "0.4165 M"."""
    return f"{count:,}" if count < 100_000 else f"{count / 1e6:,.4g} M"


def _in_bytes(count: float) -> str:
    """1536 -> "1.5 KiB"."""
    if count < 1024:
        return f"{count} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024 or unit == "GiB":
            break
    return f"{count:.1f} {unit}"
