"""Kernels whose source is generated."""

from __future__ import annotations

import ast
from typing import Any

_BEYOND = 1_000_000
"""A line that no file has."""


def execute(source: str, file: str, space: dict[str, Any]) -> None:
    """Run generated source as code of a file, beside whose compiled kernels its own are kept.

    Its lines are numbered beyond the end of the file. Numba reads the source of each kernel that it caches, and does
    without where there is none; other lines of the file in its place are, from Python 3.12 on, an error where they
    begin within a text, and the kernel isn't cached.
    """
    tree = ast.parse(source)
    ast.increment_lineno(tree, _BEYOND)
    exec(compile(tree, file, "exec"), space)
