"""Drawings: `graph(loss)` shows the chain rule at work; the plots, the training, its weights, mistakes and cost."""

from .graph import Drawing, graph
from .plots import (
    Roc,
    confusion_matrix,
    curves,
    feature_maps,
    filters,
    mistakes,
    roc,
    roc_curve,
    save_training_figure,
    weight_pictures,
)
from .recorder import Depth
from .trace import Trace, trace

__all__ = [
    "Depth",
    "Drawing",
    "Roc",
    "Trace",
    "confusion_matrix",
    "curves",
    "feature_maps",
    "filters",
    "graph",
    "mistakes",
    "roc",
    "roc_curve",
    "save_training_figure",
    "trace",
    "weight_pictures",
]
