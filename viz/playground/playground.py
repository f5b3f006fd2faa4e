"""A playground as an object: saved as a file, or shown in a notebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.storage import write_file
from tensorgrad.viz.page import assembly


@dataclass(frozen=True)
class Playground:
    """A page that computes a graph anew at every drag of a number: see `Drawing.playground`. A notebook shows it.

    Attributes:
        html: the page: one file that needs no network.
        numbers: how many numbers it computes.
    """

    html: str = field(repr=False)
    numbers: int

    def save(self, path: str | Path) -> Path:
        """Write the page to a file that ends in `.html`; returns the path.

        Raises:
            ArgumentError: another suffix, or the path of a folder.
            StorageError: the file can't be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".html" or path.is_dir():
            problem = f"path must be a file that ends in .html, got {str(path)!r}"
            raise ArgumentError(restate("Drawing.playground", problem, fix='playground("play.html")'))
        write_file("Drawing.playground", path, self.html.encode(), folders=True)
        return path

    def _repr_html_(self) -> str:
        """The page in a frame of its own, for notebooks."""
        return assembly.frame(self.html, height=760)

    def __repr__(self) -> str:
        return f"<Playground of {self.numbers:,} numbers>"
