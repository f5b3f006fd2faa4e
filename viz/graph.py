"""The backprop graph as a drawing: what ran, and on every edge the rule by which the gradient comes back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, restate

from . import dot
from .collect import MAX_OPS, collect
from .records import GraphRecord
from .render import render

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


@dataclass(frozen=True)
class Drawing:
    """A drawn graph. In a notebook it shows itself; elsewhere `save` it.

    `record` holds what is drawn, as plain data. `svg` and `png` need Graphviz's `dot` or the package `graphviz-pure`,
    and are laid out at first use.
    """

    record: GraphRecord

    @cached_property
    def dot(self) -> str:
        """The drawing in Graphviz's DOT language."""
        return dot.write(self.record)

    @cached_property
    def svg(self) -> str:
        """The drawing as an SVG document."""
        return render(self.dot, "svg").decode()

    @cached_property
    def png(self) -> bytes:
        """The drawing as a PNG image, at 144 dots per inch."""
        return render(self.dot, "png")

    def save(self, path: str | Path) -> Path:
        """Write the drawing, in the format that the suffix names: `.svg`, `.png`, `.dot` or `.gv`; returns the path.

        Folders are made as needed. Raises ArgumentError for another suffix, RenderError where nothing can lay it out.
        """
        path = Path(path)
        if path.suffix not in (".svg", ".png", ".dot", ".gv"):
            expected = "a path that ends in .svg, .png, .dot or .gv"
            raise ArgumentError(
                restate("Drawing.save", f"no format called {path.suffix!r}", expected=expected, path=path)
            )
        content = self.png if path.suffix == ".png" else (self.svg if path.suffix == ".svg" else self.dot).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing of {len(self.record.ops)} ops and {len(self.record.tensors)} tensors>"


def graph(loss: Tensor, names: Mapping[str, Any] | None = None, max_ops: int = MAX_OPS) -> Drawing:
    """Draw the graph behind a tensor: ops, tensors, parameters, and the local derivative on every backward edge.

    Works before and after `loss.backward()`; afterwards it shows the gradients of the leaves, while the values that
    backward has freed (numbers and names of constants) are no longer known.

    Args:
        loss: the result of the computation; usually a scalar, but any tensor that was recorded.
        names: tensors by the names they shall have, such as `dict(model.named_parameters())`. A tensor that isn't in it
            is called by its own `.name`, or by the variable that holds it where `graph` is called.
        max_ops: refuse a larger graph.

    Raises:
        DTypeError: `loss` is no tensor.
        GraphError: nothing was recorded for it: a leaf, or a result of `no_grad()`.
        ArgumentError: more than `max_ops` ops.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([1.0, -2.0], requires_grad=True)
    >>> loss = (w * w).sum()
    >>> drawing = tg.viz.graph(loss)
    >>> drawing
    <Drawing of 2 ops and 3 tensors>
    >>> [tensor.name for tensor in drawing.record.tensors]
    ['w', '', 'loss']
    """
    return Drawing(collect(loss, names, _variables_of(sys._getframe(1)), max_ops))


def _variables_of(frame: Any) -> dict[str, Any]:
    """The caller's variables; those that begin with an underscore are a notebook's own."""
    return {name: value for name, value in frame.f_locals.items() if not name.startswith("_")}
