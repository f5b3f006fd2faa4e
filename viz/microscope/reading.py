"""Finds the convolutions and poolings of a computation, and reads from each op what the microscope needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.ops.pooling import MaxPoolIndices
from tensorgrad.viz.microscope.axes import Axes, of_tiling, of_window
from tensorgrad.viz.microscope.layers import Filters, Layer, Side
from tensorgrad.viz.record.arrivals import arrivals, same
from tensorgrad.viz.record.steps import Computed, Key, Step, flows_of

PLACE_KEEPING = frozenset({"batch_norm", "scale_and_shift", "group_norm", "layer_norm", "cast", "reshape"})
"""Ops whose result has, at each place, what they made of the element there; where they keep the shape."""


def layers_of(computed: Computed) -> Iterator[Layer]:
    """The convolutions and poolings over signals and images whose numbers are known, in the order they ran."""
    reader = _Reader(computed)
    called: Counter[str] = Counter()
    for step in computed.steps:
        layer = reader.layer(step)
        if layer is not None:
            called[layer.name] += 1
            again = called[layer.name]
            yield replace(layer, name=f"{layer.name} #{again}") if again > 1 else layer


class _Reader:
    """Reads layers from the steps of a computation."""

    def __init__(self, computed: Computed) -> None:
        self._computed = computed
        self._flows = flows_of(computed.passes)
        self._arrived = arrivals(computed.passes, computed.steps)
        self._makers = {step.output: step for step in computed.steps}
        self._users: dict[Key, Step] = {}
        for step in computed.steps:
            for key in step.inputs:
                self._users.setdefault(key, step)

    def layer(self, step: Step) -> Layer | None:
        """The layer that a step is; None for other ops, volumes, and arrays that are empty or not known any more."""
        op: Any = step.op
        read = _KINDS.get(op.name)
        window = getattr(op, "window", None)
        if read is None or step.error or (window is not None and len(window.kernel) > 2):
            return None
        source, result = self._array(step, 0), self._values(step.output)
        found = read(self, step, op) if source is not None and result is not None and source.size else None
        return None if found is None else replace(found, result=step.output, origin=self._origin(step.inputs[0]))

    def _origin(self, key: Key) -> Key:
        """What a tensor was made from by ops that keep each element at its place: relu, dropout, batch norm."""
        while (step := self._makers.get(key)) is not None and self._keeps_places(step):
            key = step.inputs[0]
        return key

    def _keeps_places(self, step: Step) -> bool:
        """Whether each element of the result is made from that of the first input, and of no other such input."""
        if not isinstance(step.op, Elementwise) and step.op.name not in PLACE_KEEPING:
            return False
        shapes = zip(step.inputs[1:], step.input_shapes[1:], strict=True)
        alone = not any(shape == step.shape and other in self._makers for other, shape in shapes)
        return step.input_shapes[0] == step.shape and alone

    # ------------------------------------------------------------------------------------------------------- each kind

    def _convolution(self, step: Step, op: Any) -> Layer | None:
        weights = self._array(step, 1)
        if weights is None:
            return None
        bias = self._array(step, 2) if len(step.inputs) > 2 else None
        part, arrived = self._part(step, 1), self._arrived.get(step.inputs[1])
        whole = arrived.gradient if part is not None and arrived and not same(arrived.gradient, part) else None
        name = str(self._computed.known[step.inputs[1]].name or "")
        filters = Filters(_image(weights), _image(part), bias, name, _image(whole))
        kind = "transposed convolution" if op.name == "transposed_convolution" else "convolution"
        pixels, windows = self._sides(step)[:: -1 if op.name == "transposed_convolution" else 1]
        module, _, parameter = name.rpartition(".")
        title = module or (parameter if parameter != "weight" else "") or kind  # `weight` of a module that stands alone
        return Layer(title, kind, of_window(op.window), pixels, windows, op.window.groups, filters)

    def _max_pool(self, step: Step, op: Any) -> Layer:
        image: Any = self._array(step, 0)
        chosen = MaxPoolIndices.of(window=op.window).forward(image)
        return self._pooling(step, "max pooling", of_window(op.window), chosen=_image(chosen))

    def _picked(self, step: Step, op: Any) -> Layer | None:
        """Max pooling that also returns the places, or whose windows are adaptive."""
        chosen, search = self._array(step, 1), self._makers.get(step.inputs[1])
        found: Any = search.op if search is not None else None
        if chosen is None or found is None or chosen.ndim > 4:
            return None
        if found.name == "max_pool_indices":
            axes = of_window(found.window)
        elif found.name == "adaptive_max_indices":
            axes = of_tiling(step.input_shapes[0][2:], found.size)
        else:
            return None
        return self._pooling(step, "max pooling", axes, chosen=_image(chosen))

    def _avg_pool(self, step: Step, op: Any) -> Layer:
        counts = [np.array(numbers) for numbers in op.window.image.counts(op.count_include_pad)]
        divisors = np.multiply.outer(*counts) if op.divisor is None else np.full(op.window.image.output, op.divisor)
        return self._pooling(step, "average pooling", of_window(op.window), shares=1 / divisors)

    def _adaptive_avg_pool(self, step: Step, op: Any) -> Layer | None:
        size, count = step.input_shapes[0][2:], step.shape[2:]
        return self._tiled(step, size, count) if len(size) < 3 else None

    def _mean(self, step: Step, op: Any) -> Layer | None:
        """The mean of each channel of images, which is a pooling with one window."""
        if len(step.input_shapes[0]) != 4 or tuple(op.axis) != (2, 3):
            return None
        return self._tiled(step, step.input_shapes[0][2:], (1, 1))

    def _tiled(self, step: Step, size: tuple[int, ...], count: tuple[int, ...]) -> Layer:
        axes = of_tiling(size, count)
        lengths = [axis.lengths or (axis.taps,) * len(axis.starts) for axis in axes]
        return self._pooling(step, "average pooling", axes, shares=1 / np.multiply.outer(*map(np.array, lengths)))

    def _pooling(
        self, step: Step, kind: str, axes: Axes, *, chosen: np.ndarray | None = None, shares: np.ndarray | None = None
    ) -> Layer:
        pixels, windows = self._sides(step)
        scope = next((scope for scope in reversed(step.scopes) if scope.path), None)
        own = scope is not None and "Pool" in scope.kind
        name = self._computed.paths.get(id(scope.owner), scope.path) if scope is not None and own else kind
        return Layer(name, kind, axes, pixels, windows, pixels.values.shape[1], chosen=chosen, shares=shares)

    # ---------------------------------------------------------------------------------------------- arrays of its step

    def _sides(self, step: Step) -> tuple[Side, Side]:
        """Input and result."""
        (source, result), known = (step.inputs[0], step.output), self._computed.known
        maker, user = self._makers.get(source), self._users.get(result)
        arrived = self._arrived.get(result)
        gradient, part = arrived.gradient if arrived is not None else None, self._part(step, 0)
        shared = part is not None and source in self._arrived and not same(self._arrived[source].gradient, part)
        return (
            Side(_image(self._array(step, 0)), _image(part), _name(known, source), _op_name(maker), shared),
            Side(_image(self._values(result)), _image(gradient), _name(known, result), _op_name(user)),
        )

    def _array(self, step: Step, position: int) -> np.ndarray | None:
        """The values of an input as the step read them."""
        key = step.inputs[position]
        return step.leaves[key] if key in step.leaves else self._values(key)

    def _values(self, key: Key | None) -> np.ndarray | None:
        return self._computed.known[key].array if key in self._computed.known else None

    def _part(self, step: Step, position: int) -> np.ndarray | None:
        """The gradient that the step passed on to an input."""
        flow = self._flows.get((step.node, position)) if step.node is not None else None
        return None if flow is None else flow.contribution


def _name(known: Mapping[Key, Any], key: Key | None) -> str:
    return str(known[key].name or "") if key in known else ""


def _op_name(step: Step | None) -> str:
    return "" if step is None else step.op.name.replace("_", " ")


def _image(array: Any) -> Any:
    """Four axes: `(N, C, L)` is `(N, C, 1, L)`, and the mean of each channel, `(N, C)`, an image of one pixel."""
    if array is None or array.ndim == 4:
        return array
    return array[:, :, None] if array.ndim == 3 else array.reshape(*array.shape, 1, 1)


_KINDS = {
    "convolution": _Reader._convolution,
    "transposed_convolution": _Reader._convolution,
    "max_pool": _Reader._max_pool,
    "pick_pixels": _Reader._picked,
    "avg_pool": _Reader._avg_pool,
    "adaptive_avg_pool": _Reader._adaptive_avg_pool,
    "mean": _Reader._mean,
}
