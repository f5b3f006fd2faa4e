"""Plots on matplotlib: of a training, its weights and maps, its mistakes, its gradients, its cost.

Each function takes the Axes to draw on and returns them. Without any it makes a figure of its own, `ax.figure`, as
`plt.figure()` does: notebooks and `plt.show()` show it, and `plt.close(ax.figure)` lets it go. No display is needed.
Hues are told apart by colour-blind readers too.
"""

from .comparison import compare
from .confusion import confusion_matrix
from .cost_curve import cost_curve
from .cost_surface import cost_surface
from .curves import curves, save_training_figure
from .descent import DescentPath
from .gradient_flow import GradientLog, gradient_flow
from .mistakes import mistakes
from .pictures import feature_maps, filters, weight_pictures
from .roc import Roc, roc, roc_curve

__all__ = [
    "DescentPath",
    "GradientLog",
    "Roc",
    "compare",
    "confusion_matrix",
    "cost_curve",
    "cost_surface",
    "curves",
    "feature_maps",
    "filters",
    "gradient_flow",
    "mistakes",
    "roc",
    "roc_curve",
    "save_training_figure",
    "weight_pictures",
]
