"""How much of a gradient is rounding: the computation once more, with every number off by its last bit.

Each value and each gradient on the way is multiplied by 1 + u · ξ, where u is the rounding of its dtype and ξ is random
in [−1, 1]: Monte Carlo arithmetic (D. S. Parker, Monte Carlo Arithmetic, UCLA 1997). So a gradient that is a small
difference of large terms moves by the rounding of the terms.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.autograd.backward import gradients
from tensorgrad.autograd.engine import Variable, apply, set_grad_enabled, wrap
from tensorgrad.viz.explain.subject import Subject
from tensorgrad.viz.record.steps import Key

SAMPLES = 3
"""Times that the computation runs."""

SAFETY = 16
"""How many times what was seen is allowed: the samples are few, and rounding may add up."""


def rounding(subject: Subject) -> tuple[float, np.ndarray]:
    """How far the loss, and each element of the gradient, may be off by rounding alone; 0 where it can't be told."""
    found = [_disturbed(subject, np.random.default_rng(seed)) for seed in range(SAMPLES)]
    if any(sample is None for sample in found):
        return 0.0, np.zeros(subject.gradient.shape)
    losses, gradients = zip(*found, strict=True)
    with np.errstate(all="ignore"):
        loss = max(abs(other - subject.loss) for other in losses)
        gradient = np.max([np.abs(other - subject.gradient.astype(np.float64)) for other in gradients], axis=0)
    return SAFETY * loss, SAFETY * gradient


def _disturbed(subject: Subject, rng: np.random.Generator) -> tuple[float, np.ndarray] | None:
    """Loss and gradient with every number on the way off by its last bit; None where the values aren't all known."""

    def off(array: np.ndarray) -> np.ndarray:
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
                if array is None and key in subject.replay.values:
                    array = np.asarray(subject.replay.values[key], step.node.dtype)
                if array is None:
                    return None
                tensors[key] = wrap(off(array), isinstance(key, Variable))
            inputs.append(tensors[key])
        with set_grad_enabled(step.node is not None):
            output = apply(type(step.op), *inputs, **step.op.params)
        if output._data.flags.writeable and all(output._data is not x._data for x in inputs):
            output._data[...] = off(output._data)  # in place: what the node has saved of it is off too
        if output._node is not None:
            output._node.hooks = {0: lambda gradient: wrap(off(gradient._data))}
        tensors[step.output] = output
    (found,) = gradients([output], [tensors[subject.key]], [None], retain_graph=True)
    return output._data.item(), found._data.astype(np.float64)
