"""The backprop graph as a drawing: what ran, and on every edge the rule that carries the gradient back."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.storage import write_file
from tensorgrad.viz import page, playground
from tensorgrad.viz.graph import column, legend, pictures
from tensorgrad.viz.graph.fold import choose_folded, drawn_modules
from tensorgrad.viz.graph.grids import space_for
from tensorgrad.viz.graph.health import Finding
from tensorgrad.viz.graph.layout import dot, playing
from tensorgrad.viz.graph.layout.dot import Drawn
from tensorgrad.viz.graph.layout.render import RenderError, all_open, render_png, render_sheets
from tensorgrad.viz.graph.layout.sheet import scale
from tensorgrad.viz.graph.layout.told import told
from tensorgrad.viz.graph.simplify import fold_view_ops
from tensorgrad.viz.page import assembly
from tensorgrad.viz.playground import Playground
from tensorgrad.viz.record.collect import MAX_OPS, live_computation, variables_of
from tensorgrad.viz.record.modules.calls import Modules
from tensorgrad.viz.record.recorder import Depth, Recorder
from tensorgrad.viz.record.records import GraphRecord
from tensorgrad.viz.record.trace import Trace

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor
    from tensorgrad.viz.exercise import Exercise

FORMATS = {".html": "html", ".svg": "svg", ".png": "png", ".dot": "dot", ".gv": "dot"}
"""The formats of files, by suffix."""


def check_path(call: str, path: Path) -> None:
    """Raise ArgumentError for a path that a drawing can't be saved under: an unknown suffix, or a folder."""
    if path.suffix.lower() not in FORMATS:
        problem = f"path must end in one of {', '.join(FORMATS)}, got {path.suffix!r}"
        raise ArgumentError(restate(call, problem, path=str(path)))
    if path.is_dir():
        raise ArgumentError(restate(call, "path must be a file, got a folder", path=str(path)))


@dataclass(frozen=True)
class Drawing:
    """A drawn graph. A notebook shows it as its page; elsewhere `save` it.

    `svg` and `png` need Graphviz's `dot` or the package `graphviz-pure`, and are laid out at first use; `html`, a page
    to step through, does without.

    Attributes:
        record: the graph as plain data.
        folded: the paths of the modules and loops that are drawn as one box each.
        pictures: whether arrays are shown as pictures, in the SVG and on the page.
        findings: the problems that are marked; None for what `tensorgrad.viz.graph.health` finds.
        with_legend: whether shapes and colours are explained above the graph.
        compact: whether each op is one box with the tensor that it makes and its parameters.
        recorder: the computation itself, with its arrays, for `playground`.
    """

    record: GraphRecord
    folded: frozenset[str] = frozenset()
    pictures: bool = False
    findings: tuple[Finding, ...] | None = None
    with_legend: bool = True
    compact: bool = False
    recorder: Recorder | None = field(default=None, repr=False, compare=False)

    @cached_property
    def dot(self) -> str:
        """The drawing in Graphviz's DOT language."""
        return dot.write(*self._drawn())

    def _drawn(self) -> Drawn:
        """What `dot.write` is to draw."""
        picture = pictures.cells if self.pictures else pictures.none
        return Drawn(self.record, self.folded, picture, self.findings, self.with_legend, self.compact)

    @cached_property
    def svg(self) -> str:
        """The drawing as an SVG document; of more than 60 ops in sheets, one below the other."""
        svg = render_sheets(dot.write_sheets(self._drawn()))
        return pictures.put_in(svg, self.record) if self.pictures else svg

    @cached_property
    def png(self) -> bytes:
        """The drawing as a PNG image, at 144 dots per inch, or at 72 where it is tall; of some 150 ops at most."""
        return render_png(self.dot)

    @cached_property
    def html(self) -> str:
        """The drawing as a page that steps through the chain rule: one file, which needs no network.

        Where no program can lay it out, it is a plain column, with a note.
        """
        return self._page()

    def _page(self, compared: Any = None) -> str:
        """The page; `compared` is what it shows of another run of the same computation."""
        whole = replace(self, folded=frozenset(), compact=False) if self.folded or self.compact else self
        svg, note = all_open(self.record, lambda: whole.svg)
        views = {} if note else views_of(whole, self.folded)
        begin = " ".join(name for name, wanted in (("compact", self.compact), ("folded", self.folded)) if wanted)
        strongest, not_finite = scale(self.record)
        entries = [entry.plain for entry in legend.entries(strongest > 0, not_finite)]
        begin = begin if begin in views else ""
        lids, problems = told(self.record, self._drawn().findings)
        return page.write(self.record, svg, note, views, begin, entries, lids, problems, compared)

    def save(self, path: str | Path, *, play: bool = False) -> Path:
        """Write the drawing, in the format of the suffix; returns the path.

        Folders are made as needed. The file appears under its name when it is complete: an earlier one survives a full
        disk.

        Args:
            path: ends in `.html`, `.svg`, `.png`, or `.dot` or `.gv` for DOT text.
            play: of an SVG: whether it moves. Op by op the forward pass appears, then the gradient comes back; browsers
                and READMEs play it, also where they show it as an image.

        Raises:
            ArgumentError: another suffix, or the path of a folder; `play` with another suffix than `.svg`.
            RenderError: no program can lay it out, for `.svg` and `.png`; or it is too large for a `.png`.
            StorageError: the file can't be written.
        """
        path = Path(path)
        check_path("Drawing.save", path)
        if play and path.suffix.lower() != ".svg":
            problem = f"play needs a path that ends in .svg, got {path.suffix!r}"
            fix = "leave it out: a page plays by itself"
            raise ArgumentError(restate("Drawing.save", problem, fix=fix, path=str(path)))
        content = getattr(self, FORMATS[path.suffix.lower()])
        content = playing.played(content, self.record, self.folded) if play else content
        write_file("Drawing.save", path, content if isinstance(content, bytes) else content.encode(), folders=True)
        return path

    def playground(self, path: str | Path | None = None) -> Playground:
        """The graph as a page that computes it anew, forward and backward, at every drag of a number.

        The reader changes an input or a weight, and sees every value and every product of the chain rule follow, and
        beside the change of the loss what the gradient predicts: g·Δw. A button makes a step of gradient descent. The
        page computes with the formulas and derivatives of the ops; what was drawn at random stays as it was.

        Args:
            path: where to write the page, a `.html` file; None for nowhere.

        Returns:
            A `Playground`, which a notebook shows, and which `save` writes.

        Raises:
            ArgumentError: another suffix; more than 5,000 numbers; ops that the page can't compute, which are named.
            GraphError: the graph didn't keep a value that it starts from, or its result isn't one number.
            StorageError: the file can't be written.

        >>> import tensorgrad as tg
        >>> w = tg.tensor(2.0, requires_grad=True)
        >>> tg.viz.graph((w * 3).tanh()).playground("play.html")
        <Playground of 8 numbers>
        """
        if self.recorder is None:
            fix = "tg.viz.graph(step).playground(path)"
            raise ArgumentError(restate("Drawing.playground", "the drawing must be one that graph made", fix=fix))
        sheets = dot.write_sheets(Drawn(self.record, (), space_for(self.record), ()), with_numbers=False)
        drawn = all_open(self.record, lambda: render_sheets(sheets))
        made = playground.write(self.recorder, self.record, *drawn)
        if path is not None:
            made.save(path)
        return made

    def exercise(
        self, path: str | Path | None = None, blank: float = 0.4, *, key: str | Path | None = None, seed: int = 0
    ) -> Exercise:
        """An exercise sheet: this drawing with some rules, numbers and shapes left blank.

        On its page each answer is checked: a formula at random points against the op's own slope, so any equivalent
        form is right; a number within the digits that are shown. There are two hints for each. Printed, it is one sheet
        of paper with lines for the answers. Whatever is blank follows from what is left, in the order of the questions.

        The numbers are those of tensors without axes; of arrays, shapes and rules are asked for. The page holds the
        answers: it is for practice, the paper for an examination.

        Args:
            path: where to write the page, a `.html` file, or with `.svg` the drawing alone; None for nowhere.
            blank: the fraction of all questions to ask, from 0 to 1; at most 20 are asked.
            key: where to write the key, the same sheet filled in.
            seed: of the choice: equal seeds leave the same blank.

        Raises:
            DTypeError: `blank` isn't a number.
            ArgumentError: `blank` isn't in [0, 1], `seed` isn't an integer ≥ 0, or a path doesn't end in `.html` or
                `.svg`.
            GraphError: nothing can be asked for: no rule of the graph is arithmetic, and no number known.
            StorageError: a file can't be written.

        >>> import tensorgrad as tg
        >>> w = tg.tensor(0.5, requires_grad=True, name="w")
        >>> h = (w * 2).sigmoid()
        >>> sheet = tg.viz.graph(h).exercise("sheet.html", blank=1.0, key="key.html")
        >>> sheet
        <Exercise of 6 blanks: 2 rules, 2 values, 1 local derivative and 1 product>
        >>> sheet.blanks[2].prompt, sheet.blanks[2].answer
        ('∂h/∂u₁', 'h · (1 − h)')
        """
        from tensorgrad.viz.exercise import exercise  # which draws, too

        if key is not None and path is None:
            problem, fix = "a key needs a sheet: path must be given", 'exercise("sheet.html", key="key.html")'
            raise ArgumentError(restate("Drawing.exercise", problem, fix=fix, key=str(key)))
        made = exercise(self, blank, seed)
        if path is not None:
            made.save(path, key)
        return made

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks; those that show no frames take the SVG."""
        return assembly.frame(self.html, height=720, svg=self._repr_svg_())

    def _repr_svg_(self) -> str:
        try:
            return self.svg
        except RenderError:  # a notebook would show a traceback
            return column.draw(self.record)

    def __repr__(self) -> str:
        return f"<Drawing of {len(self.record.ops)} ops and {len(self.record.tensors)} tensors>"


def graph(
    source: Tensor | Trace,
    names: Mapping[str, Any] | None = None,
    max_ops: int = MAX_OPS,
    *,
    output: Tensor | Iterable[Tensor] | None = None,
    fold: str | Iterable[str] | bool | None = None,
    unfold: str | Iterable[str] = (),
    compact: bool = False,
    pictures: bool = False,
    check: bool = False,
) -> Drawing:
    """Draw the chain rule on a computation: ops, tensors, parameters, and on every edge the gradient that flows back.

    Each op is shown with its formula, each tensor with its shape, and its value or mean ± standard deviation, minimum …
    maximum. Each edge has the local derivative, between scalars with its number, and the contribution to the gradient:
    the product of the chain rule between scalars, for arrays the mean |·| of their elements. The lanes of the gradient
    are the darker and wider the longer it is. Layers whose gradient vanishes or explodes, and activations that are
    dead or saturated, are named as such, by the rules of `tensorgrad.viz.graph.health`.

    Of a trace, everything is drawn that `backward()` started from: all losses and all micro-batches, with the sums of
    their gradients. What else was computed, such as a metric, isn't.

    Works before and after `loss.backward()`. Backward frees values; after it, the drawing has only rules, shapes and
    the leaves' gradients: pass `retain_graph=True`, draw before it, or trace the step.

    Args:
        source: the result of a computation; usually the loss, but any tensor that was recorded. Or a `Trace`, also
            of a computation that failed: the op that raised is drawn in red, with its error.
        names: tensors by the names to give them, such as `dict(model.named_parameters())`. Other tensors have their own
            `.name`, or the name of the variable that holds them where `graph` is called.
        max_ops: the largest graph to draw.
        output: of a trace, the tensor or the tensors to draw. By default those that `backward()` started from; where it
            never ran, the recorded results that nothing used; where an op failed last, that op.
        fold: paths of modules and loops to draw as one box each (`"layer1"`), True for the outermost ones, False for
            none; by default a graph of more than 40 ops is folded, as little as needed.
        unfold: paths of modules to draw open all the same.
        compact: draw one box for each op, with the tensor that it makes and its parameters. Constants are left out, and
            biases are but named; all numbers of the gradients stay. The page begins so, and can show either view.
        pictures: show filters, feature maps and their gradients as small pictures, in the SVG.
        check: mark each edge with ✓ whose contribution finite differences confirm, where the op's inputs are known: a
            trace knows them all.

    Raises:
        DTypeError: `source` is neither a tensor nor a trace.
        GraphError: nothing was recorded for it: a leaf, or a result of `no_grad()`; nothing ran inside the trace, or
            `output` wasn't computed there.
        ArgumentError: more than `max_ops` ops; `fold` or `unfold` names a module that isn't there; `output` without a
            trace.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([1.0, -2.0], requires_grad=True)
    >>> loss = (w * w).sum()
    >>> drawing = tg.viz.graph(loss)
    >>> drawing
    <Drawing of 2 ops and 3 tensors>
    >>> [tensor.name for tensor in drawing.record.tensors]
    ['w', '', 'loss']
    """
    depth = Depth(numbers=True, details=True, check=check)
    variables = variables_of(sys._getframe(1))
    if isinstance(source, Trace):
        computed = source.computation(output, names, variables, max_ops)
    elif output is not None:
        fix = "leave it out, or pass a trace and the tensor: graph(step, output=loss)"
        raise ArgumentError(
            restate("graph", "output must be None, unless source is a trace", fix=fix, source=source, output=output)
        )
    else:
        computed = live_computation(source, names, variables, max_ops)
    recorder = Recorder(computed, depth)
    record = recorder.record()
    folded = folded_paths("graph", record, fold, unfold)
    return Drawing(record, folded, pictures, compact=compact, recorder=recorder)


MANY = 1000
"""A page of more ops has the compact view with modules folded alone: it would take as much space again."""


def views_of(whole: Drawing, folded: frozenset[str]) -> dict[str, page.View]:
    """The other layouts that a page can show: compact, folded, and both.

    Args:
        whole: with all modules open.
        folded: the modules to fold; all of the outermost, where there are none.
    """
    folded = folded or folded_paths("graph", whole.record, True, ())
    wanted = {"compact": replace(whole, compact=True)} if len(whole.record.ops) <= MANY else {}
    if folded:
        wanted["folded"] = replace(whole, folded=folded)
        wanted["compact folded"] = replace(whole, folded=folded, compact=True)
    views = {}
    for name, drawing in wanted.items():
        with contextlib.suppress(RenderError):
            views[name] = page.View(drawing.svg, dot.boxes(whole.record, drawing.folded))
    return views


def folded_paths(
    call: str, record: GraphRecord, fold: str | Iterable[str] | bool | None, unfold: str | Iterable[str]
) -> frozenset[str]:
    """The paths of the modules that a drawing folds, from the arguments of `call`; see `graph`."""
    plain = fold_view_ops(record)
    modules = drawn_modules(plain)
    fold = _paths(call, "fold", fold, modules) if not isinstance(fold, bool | None) else fold
    return choose_folded(plain, modules, fold, _paths(call, "unfold", unfold, modules))


def _paths(call: str, argument: str, paths: str | Iterable[str], modules: Modules) -> list[str]:
    """The paths, checked; a list of modules that isn't drawn itself, such as `layers`, stands for those in it."""
    paths = [paths] if isinstance(paths, str) else list(paths)
    found = []
    for path in paths:
        inner = [known for known in modules.kinds if known.startswith(f"{path}.")]
        if path in modules.kinds:
            found.append(path)
        elif inner:
            found += [known for known in inner if not any(known.startswith(f"{other}.") for other in inner)]
        else:
            known = ", ".join(list(modules.kinds)[:20]) or "none: no op ran in a module, no parameter's name has a dot"
            problem = f"{argument} must name modules of this graph, got {path!r}"
            given: dict[str, Any] = {argument: paths}
            raise ArgumentError(restate(call, problem, expected=f"one of: {known}", **given))
    return found
