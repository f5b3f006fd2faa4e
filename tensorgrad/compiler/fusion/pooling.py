"""Fuses convolution, relu and max pooling into one pass over memory.

Max pooling and relu commute, max(relu x) = relu(max x), so relu runs on the quarter of the elements that pooling
leaves, and a convolution pools each image while it is in the cache. The backward pass is fused likewise. Without a
convolution that does so, relu is a part of a loop (`loops`), which takes as long.
"""

from __future__ import annotations

from tensorgrad import kernels
from tensorgrad.autograd.op import Op
from tensorgrad.compiler.fusion.chains import Chains, placed, replace
from tensorgrad.compiler.steps import Step
from tensorgrad.ops.convolution import ChannelSum, Convolution, ConvolutionGradInput, ConvolutionGradWeight
from tensorgrad.ops.elementwise.activations import Relu, ReluGradient
from tensorgrad.ops.pooling import MaxPool, MaxUnpool


def join(chains: Chains, pool: Step) -> None:
    """Fuse this pooling with the relu before or after it and the convolution before them, if there are both."""
    before, after = chains.makers.get(pool.inputs[0]), _only_reader(chains, pool.outputs[0], Relu)
    if before is not None and before.function is Relu:
        gradients, last, source = _gradients_before(chains, before, pool), pool, before.inputs[0]
    elif after is not None:
        gradients, last, source = _gradients_after(chains, after, pool), after, pool.inputs[0]
    else:
        return
    convolution = chains.makers.get(source)
    if gradients is None or convolution is None or not _is_pooled(chains, convolution, pool):
        return
    z, indices, window = last.outputs[0], pool.outputs[1], convolution.settings["window"]
    replace(chains.forward, [last], Step(_convolve, placed([window]), convolution.inputs, {}, (z, indices)))
    for unpool, g, dx in gradients:
        _join_back(chains, unpool, (g, z, indices), dx)


def _only_reader(chains: Chains, name: str, op: type[Op]) -> Step | None:
    """The step that reads an array, if it is the only one and of this op."""
    readers = chains.read_by(name, op)
    return readers[0] if readers is not None and len(readers) == 1 else None


def _gradients_before(chains: Chains, relu: Step, pool: Step) -> list[tuple[Step, str, str]] | None:
    """For a relu before pooling: per backward pass the unpooling, its upstream gradient, and relu's gradient."""
    readers = chains.read_by(relu.outputs[0], MaxPool, ReluGradient)
    unpools = chains.read_by(pool.outputs[1], MaxUnpool)
    if readers is None or unpools is None or len(readers) != 1 + len(unpools):
        return None
    found = []
    for unpool in unpools:
        after = _only_reader(chains, unpool.outputs[0], ReluGradient)
        if after is None or after.inputs != (unpool.outputs[0], relu.outputs[0]):
            return None
        found.append((unpool, unpool.inputs[0], after.outputs[0]))
    return found


def _gradients_after(chains: Chains, relu: Step, pool: Step) -> list[tuple[Step, str, str]] | None:
    """The same for a relu after pooling."""
    unpools = chains.read_by(pool.outputs[1], MaxUnpool)
    if unpools is None:
        return None
    found = []
    for unpool in unpools:
        before = chains.makers.get(unpool.inputs[0])
        if before is None or before.function is not ReluGradient or before.inputs[1] != relu.outputs[0]:
            return None
        if _only_reader(chains, before.outputs[0], MaxUnpool) is not unpool:
            return None
        found.append((unpool, before.inputs[0], unpool.outputs[0]))
    return found


def _is_pooled(chains: Chains, step: Step, pool: Step) -> bool:
    """Whether only one step reads the output of this convolution, pooled by adjacent windows of 2×2."""
    unread = step.function is Convolution and len(chains.readers[step.outputs[0]]) == 1
    return unread and pool.settings["window"].halves


def _join_back(chains: Chains, unpool: Step, taken: tuple[str, str, str], dx: str) -> None:
    """Fuse the unpooling with the gradients of the convolution, or with the bias's gradient alone."""
    steps = chains.pass_of(unpool)
    readers = chains.read_by(dx, ConvolutionGradWeight, ConvolutionGradInput, ChannelSum)
    weight = _reader(chains, dx, ConvolutionGradWeight)
    back, bias = _reader(chains, dx, ConvolutionGradInput), _reader(chains, dx, ChannelSum)
    others = [step for step in (back, bias) if step is not None]
    alone = readers is not None and len(readers) == 1 + len(others)
    if weight is not None and alone:
        window = placed([weight.settings["window"]])
        names = (weight.outputs[0], bias.outputs[0] if bias is not None else f"{weight.outputs[0]}_bias")
        if back is None:
            step = Step(_grad_weight, window, (weight.inputs[0], *taken), {}, names)
        else:
            arrays = (weight.inputs[0], back.inputs[1], *taken)
            step = Step(_gradients, window, arrays, {}, (back.outputs[0], *names))
        replace(steps, [weight, *others], step)
        return
    window = placed([unpool.settings["window"]])
    if bias is not None:
        step = Step(_scatter_and_sum, window, taken, {}, (dx, bias.outputs[0]))
        replace(steps, [chains.makers[dx], bias], step)
    else:
        replace(steps, [chains.makers[dx]], Step(_scatter, window, taken, {}, (dx,)))


def _reader(chains: Chains, name: str, op: type[Op]) -> Step | None:
    """The first application of this op among the readers."""
    return next((step for step in chains.readers.get(name, []) if step is not None and step.function is op), None)


# ------------------------------------------------------------------------------------------ what the fused steps call


def _scatter(g, z, indices, window):
    return kernels.rectified_pooling.scatter(g, z, indices, window)


def _scatter_and_sum(g, z, indices, window):
    return kernels.rectified_pooling.scatter_and_sums(g, z, indices, window)


def _convolve(*arguments):
    *arrays, window = arguments
    x, w, bias = (*arrays, None)[:3]
    return kernels.pooled_convolution.forward(x, w, bias, window)


def _grad_weight(x, g, z, indices, window):
    return kernels.pooled_convolution.grad_weight(x, g, z, indices, window)


def _gradients(x, w, g, z, indices, window):
    return kernels.pooled_convolution.gradients(x, w, g, z, indices, window)
