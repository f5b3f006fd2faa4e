"""Tests that need a program to lay out a graph."""

import pytest

from tensorgrad.viz.graph.layout.render import RenderError, find_program

try:
    find_program()
except RenderError:
    HAS_PROGRAM = False
else:
    HAS_PROGRAM = True
needs_program = pytest.mark.skipif(not HAS_PROGRAM, reason="neither dot nor graphviz-pure is installed")
