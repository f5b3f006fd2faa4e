"""Warnings about losses that can be computed, but are probably not what the caller means."""

from __future__ import annotations

import warnings

from tensorgrad.errors import restate
from tensorgrad.ops.elementwise.activations import Sigmoid
from tensorgrad.ops.softmax import Softmax
from tensorgrad.tensor import Tensor

AFTER = {
    "cross_entropy": (Softmax, "input comes from softmax, but cross_entropy applies softmax itself", "pass the logits"),
    "nll_loss": (Softmax, "input comes from softmax, but nll_loss takes logarithms", "use log_softmax before it"),
    "binary_cross_entropy_with_logits": (
        Sigmoid,
        "input comes from sigmoid, but this loss applies a sigmoid itself",
        "pass the logits, or use binary_cross_entropy",
    ),
}
"""For each loss an op whose result it shouldn't get, what is wrong then, and the fix."""


def warn_of_activation(call: str, x: Tensor) -> None:
    """Warn where the input of a loss was computed by an activation that the loss applies itself."""
    op, problem, fix = AFTER[call]
    if x._node is not None and type(x._node.op) is op:
        warnings.warn(restate(call, problem, fix=fix, input=x), UserWarning, stacklevel=3)
