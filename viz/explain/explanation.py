"""An explanation as data and as a document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tensorgrad.system.console import printable
from tensorgrad.viz.format.document import Block, Equation, as_latex, as_markdown, as_text
from tensorgrad.viz.format.terminal import terminal_width


@dataclass(frozen=True)
class PathTaken:
    """One path from the tensor to the loss.

    Attributes:
        ops: the symbols of its ops.
        contribution: the product of the local derivatives along it: a number for an element, else an array of the
            tensor's shape.
    """

    ops: tuple[str, ...]
    contribution: Any


@dataclass(frozen=True)
class Term:
    """One term of the sum for an element: ∂L/∂z[place] · ∂z[place]/∂x.

    Attributes:
        place: the index of the element of z.
        met: the factor of x there, such as `x[0,2]`.
        upstream: ∂L/∂z[place].
        local: ∂z[place]/∂x.
    """

    place: tuple[int, ...]
    met: str
    upstream: float
    local: float

    @property
    def value(self) -> float:
        """Their product."""
        return self.upstream * self.local


@dataclass(frozen=True)
class Explanation:
    """The chain rule for one tensor or one of its elements: see `explain`. It prints, and shows in a notebook.

    Attributes:
        name: of the tensor.
        index: of the element; None for the whole tensor.
        count: how many paths lead from it to the loss.
        paths: those that are listed, the largest contribution first.
        gradient: ∂L/∂w by backpropagation: a number for an element, else an array.
        path_sum: the sum over all paths, each computed by itself; None where they are too many for that.
        terms: of an element, the terms of the sum over the places that it goes to, per op that uses it.
        difference: the central difference: of an element, along it; of an array, along a random direction; None where
            it wasn't asked for, or the computation can't be run again.
        expected: that derivative by backpropagation; None if no check was asked for.
    """

    name: str
    index: tuple[int, ...] | None
    count: int
    paths: tuple[PathTaken, ...]
    gradient: Any
    path_sum: Any
    terms: tuple[tuple[Term, ...], ...]
    difference: float | None
    expected: float | None
    _blocks: tuple[Block, ...] = field(repr=False)

    def text(self, width: int | None = None) -> str:
        """The document for a terminal.

        Args:
            width: in columns; by default that of the terminal.

        Raises:
            DTypeError: `width` isn't an integer.
            ArgumentError: `width` is below 20.
        """
        return as_text(self._blocks, terminal_width("Explanation.text", width))

    @property
    def latex(self) -> str:
        """A part of a LaTeX document that loads amsmath; `str` has the same in Unicode.

        Names with letters that aren't ASCII need XeLaTeX or LuaLaTeX, with a font that has the letters.
        """
        return as_latex(self._blocks)

    @property
    def formulas(self) -> list[str]:
        """Each displayed line in LaTeX's mathematical mode, as matplotlib can draw it."""
        return [row for block in self._blocks if isinstance(block, Equation) for row in block.rows]

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        element = "" if self.index is None else f"[{', '.join(map(str, self.index))}]"
        paths = "1 path" if self.count == 1 else f"{self.count:,} paths"
        return printable(f"<Explanation of ∂L/∂{self.name}{element}: {paths}>")

    def _repr_markdown_(self) -> str:
        return as_markdown(self._blocks)

    def _repr_latex_(self) -> str:
        return "\n\n".join(block.markdown() for block in self._blocks if isinstance(block, Equation))
