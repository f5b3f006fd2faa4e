"""Plots on matplotlib: of a training, its weights and feature maps, its mistakes, its gradients, its cost.

Each function takes the Axes to draw on and returns them. Without any it makes a figure of its own, `ax.figure`, as
`plt.figure()` does: notebooks and `plt.show()` show it, and `plt.close(ax.figure)` closes it. No display is needed.
Colour-blind readers can distinguish the hues.
"""

from tensorgrad.viz.plots.confusion import confusion_matrix
from tensorgrad.viz.plots.cost.cost_curve import cost_curve
from tensorgrad.viz.plots.cost.cost_surface import cost_surface
from tensorgrad.viz.plots.cost.descent import DescentPath
from tensorgrad.viz.plots.mistakes import mistakes
from tensorgrad.viz.plots.pictures import feature_maps, filters, weight_pictures
from tensorgrad.viz.plots.roc import Roc, roc, roc_curve
from tensorgrad.viz.plots.training.comparison import compare
from tensorgrad.viz.plots.training.curves import curves, save_training_figure
from tensorgrad.viz.plots.training.gradient_flow import GradientLog, gradient_flow

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
