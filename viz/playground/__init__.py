"""A computation that the reader changes: a page that computes forward and backward itself, at every drag of a number.

A graph becomes a program of scalars (`program`), op by op (`lowering`). An elementwise op is its formula, mapped over
numbers; an op that is linear in each of its operands is a list of products, found by running it (`products`); any other
is its formula, read with sums over the elements that belong together (`reading`). The page (`page/`) runs that program,
and applies the chain rule to it.
"""

from tensorgrad.viz.playground.playground import Playground
from tensorgrad.viz.playground.writing import write

__all__ = ["Playground", "write"]
