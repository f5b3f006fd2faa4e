"""What an explanation is written in: sentences, equations and tables, as terminal text, Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorgrad.system.console import printable
from tensorgrad.viz.format.notation import latex, latex_sentence, markdown_sentence, plain as unmarked
from tensorgrad.viz.format.terminal import columns, cut, fill, wrap

SUMS = (" + ", " − ")
OPERATORS = (" = ", " · ", " × ", " + ", " − ", " ± ", " → ", " ⊙ ")


def plain(text: str) -> str:
    """The text as standard output can say it, before it is laid out."""
    return printable(unmarked(text))


def _broken(formula: str, width: int) -> list[str]:
    """A formula in lines: a term of a sum on each where that is enough, else filled up to any operator."""
    terms = wrap(formula, 1, SUMS, force=False)
    fits = len(terms) > 1 and max(map(columns, terms)) <= width
    return terms if fits and columns(formula) > width else wrap(formula, width, OPERATORS)


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str

    def lines(self, width: int) -> list[str]:
        """Underlined, after an empty line."""
        title = cut(plain(self.text), width)
        return ["", title, "─" * columns(title)]

    def markdown(self) -> str:
        """A heading."""
        return f"#### {markdown_sentence(self.text)}"

    def latex(self) -> str:
        """A paragraph with a title."""
        return rf"\paragraph{{{latex_sentence(self.text)}}}"


@dataclass(frozen=True)
class Prose:
    """A paragraph; formulas and names in it are marked."""

    text: str

    def lines(self, width: int) -> list[str]:
        """Wrapped."""
        return wrap(plain(self.text), width)

    def markdown(self) -> str:
        """A paragraph."""
        return markdown_sentence(self.text)

    def latex(self) -> str:
        """A paragraph."""
        return latex_sentence(self.text)


@dataclass(frozen=True)
class Equation:
    """`left = right₀ = right₁ = …`, a line for each; without a right side the left stands alone."""

    left: str
    right: tuple[str, ...] = ()

    def lines(self, width: int) -> list[str]:
        """Equal signs below one another, long lines broken before an operator."""
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
    """Rows of cells: per column `l` for formulas, `t` for plain text, `r` for numbers."""

    head: tuple[str, ...]
    kinds: str
    body: tuple[tuple[str, ...], ...]
    spare: int = 0
    """How many of the last columns a narrow terminal may go without."""

    def lines(self, width: int) -> list[str]:
        """Columns side by side; the widest formula column is cut where there is too little room."""
        cells = [[plain(cell) for cell in row] for row in (self.head, *self.body)]
        widths = [max(columns(row[k]) for row in cells) for k in range(len(self.kinds))]
        while 2 * len(widths) + sum(widths) > width and len(self.kinds) - len(widths) < self.spare:
            widths.pop()
        excess = 2 * len(widths) + sum(widths) - width
        while excess > 0:
            widest = max(range(len(widths)), key=lambda k: widths[k])
            if widths[widest] <= 6:
                break
            widths[widest] -= 1
            excess -= 1
        return [cut(self._line(row, widths).rstrip(), width) for row in (cells if any(self.head) else cells[1:])]

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = zip(row, widths, self.kinds, strict=False)
        return "  " + "  ".join(fill(cut(cell, width), width, kind == "r") for cell, width, kind in cells)

    def markdown(self) -> str:
        """A table; formulas are typeset."""
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
    """The document for a terminal of so many columns."""
    return printable("\n".join(line for block in blocks for line in block.lines(width)).lstrip("\n"))


def as_markdown(blocks: Iterable[Block]) -> str:
    """The document for a notebook."""
    return "\n\n".join(block.markdown() for block in blocks)


def as_latex(blocks: Iterable[Block]) -> str:
    """The document as a piece of a LaTeX document, which loads amsmath."""
    return "\n\n".join(block.latex() for block in blocks)
