"""Writes the page of the microscope: the template, with the style, the layers and the program filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.viz.microscope.axes import Axis
from tensorgrad.viz.microscope.cut import Cut
from tensorgrad.viz.microscope.layers import Layer, Side
from tensorgrad.viz.microscope.rests import rests
from tensorgrad.viz.page import assembly
from tensorgrad.viz.page.encoding import encode, packed

PROGRAM = ("data", "meetings", "sums", "pictures", "words", "stage", "marks", "strips", "panel", "sweep", "main")
"""The parts of the program behind the shared ones, in the order in which they build on each other."""


def write(cuts: Sequence[Cut], left_out: Sequence[Layer]) -> str:
    """The page of these layers; it names those that were left out."""
    arrays = Arrays()
    places = {cut.layer.result: k for k, cut in enumerate(cuts)}
    layers = [_layer(cut, arrays, places.get(cut.layer.origin)) for cut in cuts]
    scope = {"layers": layers, "arrays": arrays.packed, "left_out": [layer.name for layer in left_out]}
    return assembly.document(
        title="The convolution microscope",
        style=assembly.themed(_part("microscope.css")),
        body=_part("microscope.html"),
        data={"scope": encode(scope)},
        program=assembly.program(_part(f"{name}.js") for name in PROGRAM),
    )


class Arrays:
    """The arrays of a page, each once: the result of one layer is often the input of the next."""

    def __init__(self) -> None:
        self.packed: list[dict[str, Any]] = []
        self._places: dict[tuple[tuple[int, ...], bytes], int] = {}

    def add(self, array: np.ndarray) -> int:
        """The place of an array among all."""
        key = array.shape, array.tobytes()
        if key not in self._places:
            self._places[key] = len(self.packed)
            self.packed.append({"shape": list(array.shape), **packed(array)})
        return self._places[key]


def _layer(cut: Cut, arrays: Arrays, before: int | None) -> dict[str, Any]:
    layer, filters = cut.layer, cut.layer.filters
    known = cut.arrays()
    source = layer.windows.values if layer.transposed else layer.pixels.values
    return {
        "name": layer.name,
        "kind": layer.kind,
        "before": before,
        "transposed": layer.transposed,
        "axes": [_axis(axis) for axis in layer.axes],
        "groups": layer.groups,
        "images": list(cut.images),
        "batch": layer.images,
        "channels": layer.pixels.values.shape[1],
        "maps": layer.windows.values.shape[1],
        "pixels": _side(layer.pixels),
        "windows": _side(layer.windows),
        "weights": filters.name if filters is not None else "",
        "precision": float(np.finfo(source.dtype).eps) if source.dtype.kind == "f" else 0.0,
        "arrays": {name: arrays.add(array) for name, array in (known | rests(cut)).items()},
    }


def _axis(axis: Axis) -> dict[str, Any]:
    plain = {"size": axis.size, "starts": list(axis.starts), "taps": axis.taps, "dilation": axis.dilation}
    return plain | ({"lengths": list(axis.lengths)} if axis.lengths else {})


def _side(side: Side) -> dict[str, Any]:
    return {"name": side.name, "beside": side.beside, "shared": side.shared}


def _part(name: str) -> str:
    return assembly.read(__package__, "page", name)
