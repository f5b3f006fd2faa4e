"""Documents of headings, paragraphs, equations and tables, as terminal text, Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tensorgrad.system.columns import columns, cut, wrap
from tensorgrad.system.console import printable
from tensorgrad.system.table import align
from tensorgrad.viz.format.notation import latex, latex_sentence, markdown_sentence, plain as unmarked

SUMS = (" + ", " − ")
OPERATORS = (" = ", " · ", " × ", " + ", " − ", " ± ", " → ", " ⊙ ")


def plain(text: str) -> str:
    """The text in characters of standard output, without markup: to be laid out."""
    return printable(unmarked(text))


def _broken(formula: str, width: int) -> list[str]:
    """A formula in lines: one term of a sum on each where they fit, else broken before any operator."""
    terms = wrap(formula, 1, SUMS, force=False)
    fits = len(terms) > 1 and max(map(columns, terms)) <= width
    return terms if fits and columns(formula) > width else wrap(formula, width, OPERATORS)


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str

    def lines(self, width: int) -> list[str]:
        """The title underlined, after an empty line."""
        title = cut(plain(self.text), width)
        return ["", title, "─" * columns(title)]

    def markdown(self) -> str:
        """A heading of level 4."""
        return f"#### {markdown_sentence(self.text)}"

    def latex(self) -> str:
        """A paragraph with a title."""
        return rf"\paragraph{{{latex_sentence(self.text)}}}"


@dataclass(frozen=True)
class Prose:
    """A paragraph, in which formulas and names are marked up."""

    text: str

    def lines(self, width: int) -> list[str]:
        """The paragraph wrapped."""
        return wrap(plain(self.text), width)

    def markdown(self) -> str:
        """A paragraph."""
        return markdown_sentence(self.text)

    def latex(self) -> str:
        """A paragraph."""
        return latex_sentence(self.text)


@dataclass(frozen=True)
class Equation:
    """`left = right₀ = right₁ = …`, each on a line; without a right side the left alone."""

    left: str
    right: tuple[str, ...] = ()

    def lines(self, width: int) -> list[str]:
        """Lines with the equal signs below one another; long ones are broken before an operator."""
        left = plain(self.left)
        if not self.right:
            return [f"  {line}" for line in _broken(left, width - 2)]
        indent = columns(left) + 2
        if indent > width // 2:
            return [
                "  " + line
                for text in (left, *(f"= {plain(r)}" for r in self.right))
                for line in _broken(text, width - 4)
            ]
        lines = []
        for number, right in enumerate(self.right):
            first, *rest = _broken(plain(right), width - indent - 3)
            lines.append((f"  {left}" if number == 0 else " " * indent) + f" = {first}")
            lines += [" " * (indent + 3) + line for line in rest]
        return lines

    @property
    def rows(self) -> list[str]:
        """Each line in LaTeX's mathematical mode, without alignment."""
        if not self.right:
            return [latex(self.left)]
        return [f"{latex(self.left) if number == 0 else ''} = {latex(text)}" for number, text in enumerate(self.right)]

    def markdown(self) -> str:
        """A displayed formula."""
        return f"$$\n{self._aligned('aligned')}\n$$"

    def latex(self) -> str:
        """Lines aligned at the equal signs; needs the package amsmath."""
        return self._aligned("align*")

    def _aligned(self, environment: str) -> str:
        rows = (
            [latex(self.left)]
            if not self.right
            else [
                f"{latex(self.left) if number == 0 else ''} &= {latex(text)}" for number, text in enumerate(self.right)
            ]
        )
        body = " \\\\\n".join(rows)
        return f"\\begin{{{environment}}}\n{body}\n\\end{{{environment}}}"


@dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
        head: the headings; all empty for none.
        kinds: per column `l` for formulas, `t` for plain text, `r` for numbers.
        body: the rows.
        optional: how many of the last columns a narrow terminal may leave out.
    """

    head: tuple[str, ...]
    kinds: str
    body: tuple[tuple[str, ...], ...]
    optional: int = 0

    def lines(self, width: int) -> list[str]:
        """Columns side by side; the widest are cut where they don't fit."""
        rows = (self.head, *self.body) if any(self.head) else self.body
        cells = [[plain(cell) for cell in row] for row in rows]
        alignment = self.kinds.replace("t", "l")
        return [f"  {line}" for line in align(cells, alignment, width - 2, self.optional)]

    def markdown(self) -> str:
        """A table, formulas typeset."""
        rule = "|".join("---:" if kind == "r" else ":---" for kind in self.kinds)
        lines = [" | ".join(map(markdown_sentence, self.head)), rule]
        for row in self.body:
            cells = [
                markdown_sentence(c) if k == "t" else f"${latex(c)}$" for c, k in zip(row, self.kinds, strict=True)
            ]
            lines.append(" | ".join(cell.replace("|", r"\vert ") if cell != "$$" else "" for cell in cells))
        return "\n".join(f"| {line} |" for line in lines)

    def latex(self) -> str:
        """A tabular."""
        layout = "".join("r" if kind == "r" else "l" for kind in self.kinds)
        lines = [" & ".join(map(latex_sentence, self.head))] if any(self.head) else []
        for row in self.body:
            cells = [latex_sentence(c) if k == "t" else f"${latex(c)}$" for c, k in zip(row, self.kinds, strict=True)]
            lines.append(" & ".join(cell if cell != "$$" else "" for cell in cells))
        body = " \\\\\n".join(lines)
        return f"\\begin{{tabular}}{{{layout}}}\n{body}\n\\end{{tabular}}"


Block = Heading | Prose | Equation | Table


def as_text(blocks: Iterable[Block], width: int) -> str:
    """The document for a terminal of that many columns."""
    return printable("\n".join(line for block in blocks for line in block.lines(width)).lstrip("\n"))


def as_markdown(blocks: Iterable[Block]) -> str:
    """The document for a notebook."""
    return "\n\n".join(block.markdown() for block in blocks)


def as_latex(blocks: Iterable[Block]) -> str:
    """The document as a part of a LaTeX document that loads amsmath."""
    return "\n\n".join(block.latex() for block in blocks)
