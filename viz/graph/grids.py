"""The space that a drawing leaves for grids of live numbers, which a page puts over it."""

from __future__ import annotations

from collections.abc import Callable

from tensorgrad.viz.format import theme
from tensorgrad.viz.format.grids import grid_of
from tensorgrad.viz.graph import markup
from tensorgrad.viz.graph.pictures import PLACEHOLDER
from tensorgrad.viz.record.records import GraphRecord, TensorRecord


def space_for(graph: GraphRecord) -> Callable[[TensorRecord], str]:
    """What makes the cell of a tensor's label that a page puts its grids over: of its values, and of its gradient."""
    reached = graph.reached

    def cells(tensor: TensorRecord) -> str:
        captions = ["value", "gradient"][: 1 + (tensor.id.partition("-")[0] in reached)]
        grid = grid_of(tensor.shape)
        width, height = grid.columns * grid.cell[0], grid.rows * grid.cell[1]
        size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}"'
        cell = f'<TD {size} BGCOLOR="{PLACEHOLDER}"></TD>'
        # A cell of fixed size would be stretched to its column: it stands in a table of its own.
        table = f'<TD><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0"><TR>{cell}</TR></TABLE></TD>'
        ink = theme.TENSORS[tensor.kind].small
        names = "".join(f"<TD>{markup.run(caption, ink, 8)}</TD>" for caption in captions)
        rows = f"<TR>{table * len(captions)}</TR><TR>{names}</TR>"
        return f'<TD><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="5" CELLPADDING="0">{rows}</TABLE></TD>'

    return cells
