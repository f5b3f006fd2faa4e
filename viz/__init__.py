"""Drawings: `graph(loss)` shows the chain rule at work, `curves(history)` how the training went."""

from .curves import curves, save_training_figure
from .graph import Drawing, graph

__all__ = ["Drawing", "curves", "graph", "save_training_figure"]
