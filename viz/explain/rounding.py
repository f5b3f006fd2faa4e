"""The rounding error of a gradient: runs the computation again, with the last bit of every number changed at random.

Each value and each gradient in between is multiplied by 1 + u · ξ, where u is the rounding of its dtype and ξ is random
in [−1, 1]: Monte Carlo arithmetic (D. S. Parker, Monte Carlo Arithmetic, UCLA 1997). So a gradient that is a small
difference of large terms changes by the rounding of the terms.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.autograd.backward_pass import gradients
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import set_grad_enabled
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.viz.explain.subject import Subject
from tensorgrad.viz.record.steps import Key

SAMPLES = 3
"""How many times the computation runs."""

SAFETY = 16
"""The allowed error, relative to the largest one in the samples: these are few, and errors may add up."""


def rounding(subject: Subject) -> tuple[float, np.ndarray]:
    """The rounding errors of the loss and of each element of the gradient; 0 where values are missing."""
    runs = (_perturbed(subject, np.random.default_rng(seed)) for seed in range(SAMPLES))
    found = [sample for sample in runs if sample is not None]
    if not found:
        return 0.0, np.zeros(subject.gradient.shape)
    losses, gradients = zip(*found, strict=True)
    with np.errstate(all="ignore"):
        loss = max(abs(other - subject.loss) for other in losses)
        gradient = np.max([np.abs(other - subject.gradient.astype(np.float64)) for other in gradients], axis=0)
    return SAFETY * loss, SAFETY * gradient


def _perturbed(subject: Subject, rng: np.random.Generator) -> tuple[float, np.ndarray] | None:
    """Loss and gradient with the last bit of every number changed; None where a value isn't known."""

    def perturbed(array: np.ndarray) -> np.ndarray:
        if array.dtype.kind != "f":
            return array
        unit = np.finfo(array.dtype).eps
        with np.errstate(all="ignore"):
            return np.asarray(array * (1 + unit * rng.uniform(-1, 1, array.shape)), array.dtype)

    tensors: dict[Key, Variable] = {}
    known, steps = subject.computation.known, subject.computation.steps
    for step in steps:
        inputs = []
        for key in step.inputs:
            if key not in tensors:
                array = known[key].array if key in known else None
                if array is None and step.node is not None and key in subject.replay.values:
                    array = np.asarray(subject.replay.values[key], step.node.dtype)
                if array is None:
                    return None
                tensors[key] = wrap(perturbed(array), isinstance(key, Variable))
            inputs.append(tensors[key])
        with set_grad_enabled(step.node is not None):
            output = apply(type(step.op), *inputs, **step.op.keywords)
        if output._data.flags.writeable and all(output._data is not x._data for x in inputs):
            output._data[...] = perturbed(output._data)  # in place, so that the node's saved value changes too
        if output._node is not None:
            output._node.hooks = {0: lambda gradient: wrap(perturbed(gradient._data))}
        tensors[step.output] = output
    (found,) = gradients([output], [tensors[subject.key]], [None], retain_graph=True)
    assert found is not None
    return output._data.item(), found._data.astype(np.float64)
