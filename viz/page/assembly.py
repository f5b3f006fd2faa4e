"""Puts pages together: a template with its places filled in, and a program made of several files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files


def read(package: str, *path: str) -> str:
    """A part of a page: a file in a package or in a folder of it."""
    return files(package).joinpath(*path).read_text(encoding="utf-8")


def program(parts: Iterable[str]) -> str:
    """One program of several parts, which keeps its names to itself."""
    joined = "\n".join(parts)
    return f'"use strict";\n(() => {{\n{joined}}})();'


def fill(template: str, parts: Mapping[str, str]) -> str:
    """A template with its places filled in: `@@style@@` with `parts["style"]`, whatever that contains.

    >>> fill("<p>@@text@@</p>", {"text": "@@text@@"})
    '<p>@@text@@</p>'
    """
    segments = template.split("@@")
    return "".join(parts[segment] if k % 2 else segment for k, segment in enumerate(segments))
