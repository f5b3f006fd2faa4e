"""One frame of a film: what is seen of a model at one step of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.autograd.modes import no_grad, observe
from tensorgrad.autograd.observer import Observer, Scope
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.tensor import Tensor
from tensorgrad.viz.attribution import in_eval_mode
from tensorgrad.viz.film import tiles

FEW = 4
"""How many numbers of a dense output are kept."""


@dataclass(frozen=True)
class Layer:
    """The parameters whose names are equal up to the last dot, and the module that holds them.

    Attributes:
        name: `conv1`; of a model that holds parameters itself its class; of a parameter without a module its own.
        kind: the class of the module; "" without one.
        module: the module; None without one.
        parameters: its own.
    """

    name: str
    kind: str
    module: Any
    parameters: tuple[Tensor, ...]

    @property
    def weight(self) -> Tensor | None:
        """The parameter that is drawn: the first of two or more axes."""
        return next((p for p in self.parameters if p.ndim > 1), None)


def layers_of(model: Any, parameters: Mapping[str, Tensor]) -> list[Layer]:
    """The layers of a model, from first to last."""
    modules = dict(model.named_modules()) if callable(getattr(model, "named_modules", None)) else {}
    members: dict[str, list[Tensor]] = {}
    for name, parameter in parameters.items():
        path = name.rpartition(".")[0]
        members.setdefault(path if path in modules else path or name, []).append(parameter)
    kinds = {path: type(modules[path]).__name__ if path in modules else "" for path in members}
    return [Layer(path or kinds[path], kinds[path], modules.get(path), tuple(ps)) for path, ps in members.items()]


@dataclass(frozen=True)
class Frame:
    """What is seen at one step.

    Attributes:
        step: the number of steps done.
        gradients: per layer ‖∂L/∂w‖; None where it has no gradient.
        updates: per layer ‖Δw‖ of this step; None at the first frame.
        weights: per layer ‖w‖.
        pictures: by layer and what is shown, the pixels `(h, w)`.
        outputs: the model's outputs for the kept images, `(K,)` or `(K, C)`; of larger ones the first few numbers,
            `(K, 4, 1)`.
    """

    step: int
    gradients: tuple[float | None, ...]
    updates: tuple[float | None, ...]
    weights: tuple[float, ...]
    pictures: Mapping[tuple[str, str], np.ndarray]
    outputs: np.ndarray


class Camera:
    """Takes frames of a model.

    Args:
        model: any callable; where it has modules, the maps of the first layers are seen.
        layers: all of its layers.
        shown: how many of the first layers with a weight of two or more axes are drawn.
        images: `(K, …)`, what the model is run on.
        seen: the indices of the images whose feature maps are kept.
    """

    def __init__(self, model: Any, layers: Sequence[Layer], shown: int, images: Tensor, seen: Sequence[int]) -> None:
        self.layers, self.images, self.seen = layers, images, seen
        self.shown = [layer for layer in layers if layer.weight is not None][:shown]
        self.captions: dict[tuple[str, str], str] = {}
        self._model = model

    def take(self, step: int, before: Sequence[Sequence[np.ndarray]] | None) -> Frame:
        """One frame.

        Args:
            step: the number of steps done.
            before: per layer the parameters before the last step; None where they aren't known.
        """
        outputs, maps = self._run()
        pictures = {}
        for layer in self.shown:
            found = {"filters": tiles.filters(_array(layer.weight), tuple(self.images.shape[1:]))}
            for k in self.seen if layer.name in maps else ():
                found[f"maps {k}"] = tiles.maps(maps[layer.name][k])
            for what, picture in found.items():
                if picture is not None:
                    pictures[layer.name, what] = picture[0].astype(np.float32)
                    self.captions[layer.name, what] = picture[1]
        arrays = self.parameters()
        changes: list[float | None] = [None] * len(arrays)
        if before is not None:
            pairs = (zip(now, then, strict=True) for now, then in zip(arrays, before, strict=True))
            changes = [norm([a - b for a, b in pair]) for pair in pairs]
        gradients = [[p.grad.data for p in layer.parameters if p.grad is not None] for layer in self.layers]
        return Frame(
            step,
            tuple(norm(found) if found else None for found in gradients),
            tuple(changes),
            tuple(norm(found) for found in arrays),
            pictures,
            outputs,
        )

    def parameters(self) -> list[list[np.ndarray]]:
        """Per layer the memory of its parameters."""
        return [[_array(p) for p in layer.parameters] for layer in self.layers]

    def _run(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The outputs for the kept images, and by name what each of the drawn layers gives."""
        outputs = _Outputs([layer.module for layer in self.shown if layer.module is not None])
        with in_eval_mode(self._model), no_grad(), observe(outputs):
            result = self._model(self.images)
        found = {layer.name: outputs.found.get(id(layer.module)) for layer in self.shown}
        count = len(self.images)
        maps = {name: a for name, a in found.items() if a is not None and a.ndim > 1 and len(a) == count}
        output = _array(_first(result))
        # Dense outputs, such as masks, would fill the memory.
        return (output if output.ndim < 3 else output.reshape(count, -1)[:, :FEW, None]).copy(), maps


class _Outputs(Observer):
    """Keeps the result of the last op in each call of these modules; of several calls, the first."""

    def __init__(self, modules: Sequence[Any]) -> None:
        self._wanted = {id(module) for module in modules}
        self._last: np.ndarray | None = None
        self.found: dict[int, np.ndarray] = {}

    def op_applied(self, op: Op, inputs: tuple[Variable, ...], output: Variable) -> None:
        self._last = output._data

    def scope_left(self, scope: Scope) -> None:
        if id(scope.owner) in self._wanted and self._last is not None:
            self.found.setdefault(id(scope.owner), self._last.copy())


def _first(result: Any) -> Any:
    """The first of several outputs."""
    while isinstance(result, tuple | list | Mapping) and len(result):
        result = next(iter(result.values())) if isinstance(result, Mapping) else result[0]
    return result


def norm(arrays: Sequence[np.ndarray]) -> float:
    """√Σ x² over all elements of several arrays, in float64."""
    return float(np.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays)))


def _array(tensor: Any) -> np.ndarray:
    return np.asarray(tensor._data if isinstance(tensor, Variable) else tensor)
