"""Loops over the elements of arrays, each stated by one expression, which kernels compile and NumPy can run.

Ops register here what they are made of; kernels, which know of no op, find it here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tensorgrad.formulas.expression import Expression


class Loop(NamedTuple):
    """One pass over arrays of one shape: an element of the result is `meaning` for the elements of the arrays.

    Attributes:
        name: what it is called: "sigmoid", "sigmoid gradient".
        meaning: an expression in the symbols below.
        arrays: the symbols that stand for an element of each array.
        parameters: the symbols that stand for numbers.
    """

    name: str
    meaning: Expression
    arrays: tuple[str, ...]
    parameters: tuple[str, ...]


LOOPS: dict[str, Callable[[], Loop]] = {}
"""What gives each loop, by its name: an expression is made when it is first asked for."""

ON_ARRAYS: dict[str, Callable[..., Any]] = {}
"""The functions of formulas on NumPy arrays, by name."""
