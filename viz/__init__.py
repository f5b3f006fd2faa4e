"""Drawings: `graph(loss)` shows the chain rule at work, `curves(history)` how the training went."""

from .graph import Drawing, graph
from .plots import curves, feature_maps, filters, save_training_figure, weight_pictures
from .recorder import Depth
from .trace import Trace, trace

__all__ = [
    "Depth",
    "Drawing",
    "Trace",
    "curves",
    "feature_maps",
    "filters",
    "graph",
    "save_training_figure",
    "trace",
    "weight_pictures",
]
