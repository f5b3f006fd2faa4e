"""Plots on matplotlib: of a training, its weights and maps, its mistakes, its gradients, its cost.

Each function takes the Axes to draw on and returns them. Without any it makes a figure of its own, `ax.figure`, aside
from pyplot: nothing global changes, and no display is needed. Hues are told apart by colour-blind readers too.
"""

from .confusion import confusion_matrix
from .curves import curves, save_training_figure
from .mistakes import mistakes
from .pictures import feature_maps, filters, weight_pictures
from .roc import Roc, roc, roc_curve

__all__ = [
    "Roc",
    "confusion_matrix",
    "curves",
    "feature_maps",
    "filters",
    "mistakes",
    "roc",
    "roc_curve",
    "save_training_figure",
    "weight_pictures",
]
