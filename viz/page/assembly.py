"""Puts pages together: templates with their places filled in, and a program made of several files."""

from __future__ import annotations

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


def frame(page: str, height: int) -> str:
    """A page in a frame of its own, for notebooks; `height` in pixels."""
    style = f"width:100%;height:{height}px;border:1px solid #ddd"
    return f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" style="{style}"></iframe>'
