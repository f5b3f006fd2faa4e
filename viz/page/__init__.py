"""The page: the drawing, its records and a small program, in a single file that needs no network and no server."""

from tensorgrad.viz.page.writing import View, write

__all__ = ["View", "write"]
