"""Fuses the gradients of a fully connected layer, and that of the relu after it."""

from __future__ import annotations

from tensorgrad.compiler.fusion.chains import Chains, placed, replace
from tensorgrad.compiler.steps import Step
from tensorgrad.ops.elementwise.activations import ReluGradient
from tensorgrad.ops.linear import MatMul, gradients
from tensorgrad.ops.reductions import Sum

OVER_IMAGES = {"axis": (0,), "keepdims": False}


def join(chains: Chains, weight: Step) -> None:
    """Fuse the gradients of weight, input and bias, if all come from one upstream gradient."""
    steps, g, readers = chains.pass_of(weight), weight.inputs[0], chains.readers[weight.inputs[0]]
    others = [step for step in readers if step is not None and chains.pass_of(step) is steps]
    # g (N, O) · w (O, I) is the input's, Σ over N the bias's.
    back = next((step for step in others if step.function is MatMul and _is_product(chains, step, g, weight)), None)
    bias = next((step for step in others if step.function is Sum and step.settings == OVER_IMAGES), None)
    if back is None:
        return
    joined = [weight, back] if bias is None else [weight, back, bias]
    arrays, relu = [g, weight.inputs[1], back.inputs[1]], chains.makers.get(g)
    if relu is not None and relu.function is ReluGradient and len(readers) == len(joined):
        arrays = [relu.inputs[0], *arrays[1:], relu.inputs[1]]
    outputs = tuple(step.outputs[0] for step in (back, weight, bias) if step is not None)
    replace(steps, joined, Step(_linear_gradients, placed([bias is not None]), tuple(arrays), {}, outputs))


def _is_product(chains: Chains, step: Step, g: str, weight: Step) -> bool:
    """Whether a step is the product of g with a weight of this shape."""
    return step.inputs[0] == g and chains.kinds[step.inputs[1]].shape == chains.kinds[weight.outputs[0]].shape


def _linear_gradients(g, x, w, *rest):
    *z, biased = rest
    found = gradients(g, x, w, *z)
    return found if biased else found[:2]
