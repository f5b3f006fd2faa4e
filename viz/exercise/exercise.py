"""An exercise sheet: a drawn graph with blanks, as a page that checks the answers and as a sheet of paper."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate
from tensorgrad.storage import write_file
from tensorgrad.viz.exercise import writing
from tensorgrad.viz.exercise.blank import Blank, Kind, filled, listed, marked
from tensorgrad.viz.exercise.masking import mask
from tensorgrad.viz.exercise.questions.choosing import choose
from tensorgrad.viz.exercise.scene import Scene
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.drawing import Drawing
from tensorgrad.viz.graph.layout.render import RenderError
from tensorgrad.viz.page import assembly

KINDS: dict[Kind, tuple[str, str]] = {
    "rule": ("rule", "rules"),
    "value": ("value", "values"),
    "local": ("local derivative", "local derivatives"),
    "product": ("product", "products"),
    "sum": ("sum of paths", "sums of paths"),
    "shape": ("shape", "shapes"),
}


@dataclass(frozen=True)
class Exercise:
    """An exercise sheet: see `Drawing.exercise`. A notebook shows it as its page.

    Attributes:
        drawing: the graph, with everything in it.
        blanks: the questions, in an order in which they can be solved.
    """

    drawing: Drawing
    blanks: tuple[Blank, ...]

    @cached_property
    def html(self) -> str:
        """The page to practise on; printed, a sheet with lines for the answers."""
        return writing.write(self.svg, self.blanks, key=False)

    @cached_property
    def key_html(self) -> str:
        """The sheet filled in."""
        return writing.write(self.key_svg, self.blanks, key=True)

    @cached_property
    def svg(self) -> str:
        """The drawing with its blanks, for a document of one's own."""
        return self._svg(key=False)

    @cached_property
    def key_svg(self) -> str:
        """The drawing with the answers in their places."""
        return self._svg(key=True)

    def save(self, path: str | Path, key: str | Path | None = None) -> Path:
        """Write the sheet, and the key where a path is given for it; returns the path of the sheet.

        Args:
            path: ends in `.html` for the page, or in `.svg` for the drawing alone, with its blanks.
            key: the same for the key.

        Raises:
            ArgumentError: a path that ends otherwise.
            StorageError: a file can't be written.
        """
        files = [(Path(path), "")] + ([] if key is None else [(Path(key), "key_")])
        for file, _ in files:
            if file.suffix.lower() not in (".html", ".svg"):
                problem = f"path and key must end in .html or .svg, got {file.name!r}"
                raise ArgumentError(restate("Exercise.save", problem, fix='save a page, "sheet.html", and print that'))
        for file, which in files:
            content = getattr(self, which + file.suffix.lower()[1:])
            write_file("Exercise.save", file, content.encode(), folders=True)
        return files[0][0]

    def _svg(self, key: bool) -> str:
        """The drawing with blanks, or with the answers in their places; no findings, which would tell numbers."""
        record = mask(self.drawing.record, self.blanks, filled if key else marked)
        try:
            svg = Drawing(record, self.drawing.folded, findings=(), with_legend=False).svg
        except RenderError:
            svg = column.draw(record)
        return writing.mark(svg, self.blanks, key)

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        return assembly.frame(self.html, height=760)

    def __repr__(self) -> str:
        counts = Counter(blank.kind for blank in self.blanks)
        said = [f"{counts[kind]} {KINDS[kind][counts[kind] > 1]}" for kind in KINDS if counts[kind]]
        noun = "blank" if len(self.blanks) == 1 else "blanks"
        return f"<Exercise of {len(self.blanks)} {noun}: {listed(said)}>" if said else "<Exercise without blanks>"


def exercise(drawing: Drawing, blank: float, seed: int) -> Exercise:
    """An exercise of a drawing: see `Drawing.exercise`."""
    if isinstance(blank, bool) or not isinstance(blank, int | float):
        raise DTypeError(restate("Drawing.exercise", f"blank must be a number, got {blank!r}", blank=blank))
    if not 0 <= blank <= 1:
        fix = "it is the fraction of the rules and numbers to leave blank: blank=0.4"
        raise ArgumentError(restate("Drawing.exercise", f"blank must be in [0, 1], got {blank}", fix=fix, blank=blank))
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        problem = f"seed must be an integer of at least 0, got {seed!r}"
        raise ArgumentError(restate("Drawing.exercise", problem, seed=seed))
    blanks = choose(Scene(drawing.record, drawing.folded), blank, seed)
    if blank and not blanks:
        problem = "nothing in this graph can be asked for: it has no rule that is arithmetic, and no known number"
        fix = "draw it before backward() frees its values, or trace the step; unfold a module: graph(step, unfold=…)"
        raise GraphError(restate("Drawing.exercise", problem, fix=fix, drawing=drawing))
    return Exercise(drawing, tuple(blanks))
