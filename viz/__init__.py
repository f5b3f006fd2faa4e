"""Drawings: `graph(loss)` shows the chain rule at work; the plots, the training, its weights, mistakes and cost."""

from .explain import explain
from .explain.explanation import Explanation
from .graph import Drawing, graph
from .plots import (
    DescentPath,
    GradientLog,
    Roc,
    compare,
    confusion_matrix,
    cost_curve,
    cost_surface,
    curves,
    feature_maps,
    filters,
    gradient_flow,
    mistakes,
    roc,
    roc_curve,
    save_training_figure,
    weight_pictures,
)
from .recorder import Depth
from .text import text
from .trace import Trace, trace

__all__ = [
    "Depth",
    "DescentPath",
    "Drawing",
    "Explanation",
    "GradientLog",
    "Roc",
    "Trace",
    "compare",
    "confusion_matrix",
    "cost_curve",
    "cost_surface",
    "curves",
    "explain",
    "feature_maps",
    "filters",
    "gradient_flow",
    "graph",
    "mistakes",
    "roc",
    "roc_curve",
    "save_training_figure",
    "text",
    "trace",
    "weight_pictures",
]
