"""Layout: DOT in, SVG or PNG out, by Graphviz's own `dot` or by `graphviz-pure`, which pip installs without root."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sysconfig
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tensorgrad.errors import TensorgradError, restate
from tensorgrad.viz.format import theme
from tensorgrad.viz.format.sheet import sheet
from tensorgrad.viz.graph import column
from tensorgrad.viz.graph.layout.stack import stack
from tensorgrad.viz.graph.layout.titles import clear
from tensorgrad.viz.record.records import GraphRecord

TIMEOUT = 120
"""How long a layout may take, in seconds."""

LARGEST = 32_767
"""The most pixels per side of a PNG by `dot`."""

# The fonts inside graphviz-pure, which it draws PNG files with, lack a few characters of the formulas.
_REPLACEMENTS = str.maketrans(
    {
        "∗": "*",
        "∧": "and",
        "⊕": "xor",
        "∨": "or",
        "∀": "all",
        "∃": "any",
        "⌊": "floor(",
        "⌋": ")",
        "⌈": "ceil(",
        "⌉": ")",
    }
    | {"✓": "ok", "✗": "off by"}
)


NO_PROGRAM = (
    "This is a plain layout in one column: no program that lays out graphs is installed. "
    "pip install graphviz-pure (no root needed), and save the page again: then modules fold, and SVG and PNG work too."
)
TOO_LARGE = "This is a plain layout in one column: Graphviz failed on this graph, with all its modules open."


class RenderError(TensorgradError, RuntimeError):
    """A drawing can't be laid out: there is no program for it, or the program failed."""


def render(dot: str, format: str, resolution: int = 144) -> bytes:
    """Lay out a graph.

    Args:
        dot: its DOT text.
        format: `svg` or `png`.
        resolution: of a PNG, in dots per inch.

    Raises:
        RenderError: neither program is installed, or the layout failed, or it took more than two minutes.
    """
    program = find_program()
    if program.endswith(("graphviz-pure", "graphviz-pure.exe")) and format == "png":
        dot = dot.translate(_REPLACEMENTS)
    command = [program, f"-T{format}", "-q", *([f"-Gdpi={resolution}"] if format == "png" else [])]
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=TIMEOUT, check=True)
    except subprocess.TimeoutExpired:
        problem, fix = f"no layout within {TIMEOUT} seconds", "draw a smaller part of the graph"
        raise RenderError(restate("render", problem, fix=fix, program=program)) from None
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or str(error).encode()).decode(errors="replace").strip()
        raise RenderError(restate("render", f"the layout failed: {said}", program=program)) from error
    if format != "svg":
        return done.stdout
    svg = done.stdout.replace(f'font-family="{theme.FONT}"'.encode(), f'font-family="{theme.FONTS}"'.encode())
    return svg.replace(b'<g id="graph0"', f'{sheet()}\n<g id="graph0"'.encode(), 1)


def render_png(dot: str) -> bytes:
    """Lay out a graph as a picture: at 144 dots per inch, or at 72 where that would be too tall or wide.

    Raises:
        RenderError: as `render`; or the picture would still be too large: `dot` shrinks it then, silently, until it has
            32,767 pixels per side, and no text of it can be read.
    """
    for resolution in (144, 72):
        png = render(dot, "png", resolution)
        if max(struct.unpack(">II", png[16:24])) < LARGEST:
            return png
    problem = f"the picture would be more than {LARGEST:,} pixels tall or wide, even at 72 dots per inch"
    fix = "save .html or .svg, which have no limit; or draw less: graph(step, fold=True), graph(step, output=...)"
    raise RenderError(restate("render", problem, fix=fix))


def render_sheets(sheets: Sequence[str]) -> str:
    """Lay out the sheets of a graph side by side in time, and stack them: one SVG.

    Args:
        sheets: their DOT texts.

    Raises:
        RenderError: as `render`.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return stack([clear(svg.decode()) for svg in threads.map(lambda dot: render(dot, "svg"), sheets)])


def all_open(graph: GraphRecord, draw: Callable[[], str]) -> tuple[str, str]:
    """An SVG with all modules open, as `draw` lays it out; or a plain column, and a note why."""
    try:
        find_program()
    except RenderError:
        return column.draw(graph), NO_PROGRAM
    try:
        return draw(), ""
    except RenderError:
        return column.draw(graph), TOO_LARGE


def find_program() -> str:
    """The path of the layout program: `dot` where the system has it, else `graphviz-pure`.

    The latter is also found next to this Python, where its environment isn't activated.

    Raises:
        RenderError: neither is installed.
    """
    program = shutil.which("dot") or shutil.which("graphviz-pure")
    program = program or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    if program is None:
        raise RenderError(
            restate(
                "render",
                "no program that lays out graphs is installed",
                expected="Graphviz's `dot` on PATH, or the package graphviz-pure",
                fix="pip install graphviz-pure (needs no root), or install Graphviz with the system's package manager; "
                "the drawing's .dot needs neither",
            )
        )
    return program
