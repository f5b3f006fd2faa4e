"""Puts pages together: templates with their places filled in, and a program made of several files."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from importlib.resources import files

HELPERS = ("elements", "text", "decoding", "colors")
"""The parts that every program begins with, in `shared/`."""


def read(package: str, *path: str) -> str:
    """A part of a page: a file in a package or in a folder of it."""
    return files(package).joinpath(*path).read_text(encoding="utf-8")


def shared(name: str) -> str:
    """A part that several pages have in common."""
    return read(__package__, "shared", name)


def themed(style: str) -> str:
    """A style sheet, after the one that all pages that play have in common; `document` adds that of all pages."""
    return f"{shared('theme.css')}\n{style}"


def program(parts: Iterable[str]) -> str:
    """One program of several parts, after the helpers of all pages; it keeps its names to itself."""
    joined = "\n".join([*(shared(f"{name}.js") for name in HELPERS), *parts])
    return f'"use strict";\n(() => {{\n{joined}}})();'


def fill(template: str, parts: Mapping[str, str]) -> str:
    """A template with its places filled in: `@@style@@` with `parts["style"]`, whatever that contains.

    >>> fill("<p>@@text@@</p>", {"text": "@@text@@"})
    '<p>@@text@@</p>'
    """
    # Split before filling in: the parts may contain anything, also the marker of a place to fill.
    segments = template.split("@@")
    return "".join(parts[segment] if k % 2 else segment for k, segment in enumerate(segments))


def inline(svg: str) -> str:
    """An SVG document as a part of a page: without the XML prologue, which HTML doesn't allow."""
    return svg[svg.index("<svg") :]


def document(title: str, style: str, body: str, data: Mapping[str, str], program: str) -> str:
    """A page as one file, which needs no network and may use none.

    Args:
        title: of the window, as text.
        style: the style sheet.
        body: HTML.
        data: JSON, by the ids that the program reads it under.
        program: the script.
    """
    scripts = (f'<script type="application/json" id="{id}">{json}</script>' for id, json in data.items())
    style = f"{shared('base.css')}\n{style}"
    parts = {"title": html.escape(title), "style": style, "body": body, "program": program}
    return fill(shared("document.html"), parts | {"data": "\n".join(scripts)})


UNTRUSTED = (
    "<p>An interactive page belongs here. JupyterLab shows it once the notebook is trusted: "
    "View → Activate Command Palette → Trust Notebook.</p>"
)


def frame(page: str, height: int, svg: str = "") -> str:
    """A page in a frame of its own, for notebooks.

    Of a notebook that somebody else ran, JupyterLab drops the frame and keeps what is written in it: there stand a note
    and a picture, which a browser that shows the frame doesn't read.

    Args:
        page: the page as a document.
        height: of the frame in pixels.
        svg: the picture, as an SVG document.
    """
    style = f"width:100%;height:{height}px;border:1px solid #ddd"
    data = base64.b64encode(svg.encode()).decode()
    picture = f'<img alt="" src="data:image/svg+xml;base64,{data}">' if svg else ""
    inside = f"{UNTRUSTED}{picture}"
    return f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" style="{style}">{inside}</iframe>'
