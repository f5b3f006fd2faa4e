"""Fuses convolution, relu and max pooling into one pass over memory.

Max pooling and relu commute, max(relu x) = relu(max x). So relu runs after 2×2 pooling, on a quarter of the elements,
and the kernel of the convolution pools each image while it is in the cache. The backward pass is fused likewise. Where
no convolution comes before, nothing is fused here: `loops` fuses relu with its neighbours, which is as fast.

The names are those of the kernels: x -> convolution and pooling -> z, with the `indices` of the maxima. In the backward
pass g is the gradient for z, and dx that for the convolution's output.
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
    """Fuse this pooling with the relu before or after it and the convolution before them, if there are both.

    `gradients` has, per backward pass, the unpooling and the names of g and dx; `last` is the later one of relu and
    pooling, and `source` is the name of the convolution's output.
    """
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
    """The step that reads an array, if no other does and it applies this op."""
    readers = chains.read_by(name, op)
    return readers[0] if readers is not None and len(readers) == 1 else None


def _gradients_before(chains: Chains, relu: Step, pool: Step) -> list[tuple[Step, str, str]] | None:
    """For a relu before pooling: per backward pass the unpooling, which takes g, and the names of g and dx.

    Relu's gradient makes dx. None if another step reads what would no longer be computed.
    """
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
    """The same for a relu after pooling: there relu's gradient takes g, and the unpooling makes dx."""
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
    """Whether this is a convolution whose output only one step reads, and the pooling is 2×2 at stride 2."""
    read_once = step.function is Convolution and len(chains.readers[step.outputs[0]]) == 1
    return read_once and pool.settings["window"].halves


def _join_back(chains: Chains, unpool: Step, pooled: tuple[str, str, str], dx: str) -> None:
    """Fuse the unpooling with what reads dx.

    With all gradients of the convolution, where nothing else reads dx, which then isn't computed; else with the bias's
    gradient, a sum over dx.

    Args:
        chains: the steps.
        unpool: the unpooling.
        pooled: the names of g, z and indices.
        dx: the name of the gradient for the convolution's output.
    """
    steps = chains.pass_of(unpool)
    readers = chains.read_by(dx, ConvolutionGradWeight, ConvolutionGradInput, ChannelSum)
    for_w = _reader(chains, dx, ConvolutionGradWeight)
    for_x, for_bias = _reader(chains, dx, ConvolutionGradInput), _reader(chains, dx, ChannelSum)
    others = [step for step in (for_x, for_bias) if step is not None]
    alone = readers is not None and len(readers) == 1 + len(others)
    if for_w is not None and alone:
        window = placed([for_w.settings["window"]])
        # The kernel returns the bias's gradient in any case; without a bias nobody reads it.
        names = (for_w.outputs[0], for_bias.outputs[0] if for_bias is not None else f"{for_w.outputs[0]}_bias")
        if for_x is None:
            step = Step(_grad_weight, window, (for_w.inputs[0], *pooled), {}, names)
        else:
            arrays = (for_w.inputs[0], for_x.inputs[1], *pooled)
            step = Step(_gradients, window, arrays, {}, (for_x.outputs[0], *names))
        replace(steps, [for_w, *others], step)
        return
    window = placed([unpool.settings["window"]])
    if for_bias is not None:
        step = Step(_scatter_and_sum, window, pooled, {}, (dx, for_bias.outputs[0]))
        replace(steps, [chains.makers[dx], for_bias], step)
    else:
        replace(steps, [chains.makers[dx]], Step(_scatter, window, pooled, {}, (dx,)))


def _reader(chains: Chains, name: str, op: type[Op]) -> Step | None:
    """The first step that reads an array and applies this op; None if there is none."""
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
