"""The chain rule, drawn: on any graph, as a page that steps through it, in words, in a terminal; and plots of training.

`graph(loss)` draws, `explain(loss, wrt=w)` writes it out, `text(loss)` prints it, `trace()` watches a computation run.
"""

from tensorgrad.viz.attribution import grad_cam, input_gradient
from tensorgrad.viz.comparison.compare import compare
from tensorgrad.viz.comparison.comparison import Comparison
from tensorgrad.viz.doctor.doctor import Doctor, doctor
from tensorgrad.viz.doctor.report import Report
from tensorgrad.viz.exercise import Exercise
from tensorgrad.viz.exercise.rule_check import RuleCheck, check_rule
from tensorgrad.viz.explain import explain
from tensorgrad.viz.explain.explanation import Explanation
from tensorgrad.viz.film import Film
from tensorgrad.viz.graph.drawing import Drawing, graph
from tensorgrad.viz.graph.text import text
from tensorgrad.viz.microscope import Microscope, microscope
from tensorgrad.viz.playground import Playground
from tensorgrad.viz.plots import (
    DescentPath,
    GradientLog,
    Roc,
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
from tensorgrad.viz.record.recorder import Depth
from tensorgrad.viz.record.trace import Trace, trace

__all__ = [
    "Comparison",
    "Depth",
    "DescentPath",
    "Doctor",
    "Drawing",
    "Exercise",
    "Explanation",
    "Film",
    "GradientLog",
    "Microscope",
    "Playground",
    "Report",
    "Roc",
    "RuleCheck",
    "Trace",
    "check_rule",
    "compare",
    "confusion_matrix",
    "cost_curve",
    "cost_surface",
    "curves",
    "doctor",
    "explain",
    "feature_maps",
    "filters",
    "grad_cam",
    "gradient_flow",
    "graph",
    "input_gradient",
    "microscope",
    "mistakes",
    "roc",
    "roc_curve",
    "save_training_figure",
    "text",
    "trace",
    "weight_pictures",
]
