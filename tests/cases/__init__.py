"""The one table of op cases. Adding an op means adding its row to the family's file here; the tests follow."""

from cases import (
    activations,
    arithmetic,
    comparison,
    convolution,
    creation,
    indexing,
    linear,
    losses,
    pooling,
    reductions,
    shapes,
    transcendental,
)
from cases.table import Case, Row

FAMILIES = (
    arithmetic,
    transcendental,
    activations,
    comparison,
    reductions,
    shapes,
    indexing,
    linear,
    losses,
    convolution,
    pooling,
    creation,
)
ROWS: list[Row] = [row for family in FAMILIES for row in family.ROWS]
CASES: list[Case] = [Case(row, number) for row in ROWS for number in range(len(row.samples))]
