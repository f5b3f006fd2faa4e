"""Drawings: `graph(loss)` shows the chain rule at work, `curves(history)` how the training went."""

from .graph import Drawing, graph
from .plots import curves, save_training_figure
from .recorder import Depth
from .trace import Trace, trace

__all__ = ["Depth", "Drawing", "Trace", "curves", "graph", "save_training_figure", "trace"]
