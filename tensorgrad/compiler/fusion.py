"""Runs of steps that one kernel does in one pass over memory, to the same bits.

An eager engine can't join ops, for somebody may look at what lies between; here all readers are known. Max pooling and
the rectifier change places freely, max(relu x) = relu(max x), so what is rectified is the quarter that pooling leaves;
and a convolution before them pools each image while it is in the cache. Backward the gradient is put back the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensorgrad import kernels
from tensorgrad.compiler.recording import Step
from tensorgrad.op import Op
from tensorgrad.ops.activations import Relu, ReluGradient
from tensorgrad.ops.convolution import ChannelSum, Convolution, ConvolutionGradWeight
from tensorgrad.ops.pooling import MaxPool, MaxUnpool

PAIRS = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}


Shapes = dict[str, tuple[int, ...]]


def fused(
    forward: Sequence[Step], walks: dict[int, Sequence[Step]], results: Sequence[str], shapes: Shapes
) -> tuple[list[Step], dict[int, list[Step]]]:
    """The steps of forward, and of each walk back, with one step in the place of several where there is a kernel.

    What the steps made superfluous computed is still there: `program.live` drops it. `results` are the names that
    somebody reads besides the steps, `shapes` those of all arrays.
    """
    chains = _Chains(forward, walks, results, shapes)
    for step in forward:
        if step.function is MaxPool and len(step.settings["kernel"]) == 2:
            chains.join(step)
    return chains.forward, chains.walks


class _Chains:
    """All steps, who makes which array, and who reads it."""

    def __init__(
        self, forward: Sequence[Step], walks: dict[int, Sequence[Step]], results: Sequence[str], shapes: Shapes
    ) -> None:
        self.shapes = shapes
        self.forward = list(forward)
        self.walks = {k: list(steps) for k, steps in walks.items()}
        self.makers: dict[str, Step] = {}
        self.readers: dict[str, list[Step | None]] = {name: [None] for name in results}
        for step in (*forward, *(step for steps in walks.values() for step in steps)):
            self.makers.update(dict.fromkeys(step.outputs, step))
            for name in step.takes:
                self.readers.setdefault(name, []).append(step)

    def read_by(self, name: str, *ops: type[Op]) -> list[Step] | None:
        """The steps that read an array, if they are all applications of these ops."""
        readers = self.readers.get(name, [])
        return readers if all(step is not None and step.function in ops for step in readers) else None

    def join(self, pool: Step) -> None:
        """Rectify after this pooling, and pool while convolving, where the steps around it are of that kind."""
        relu = self.makers.get(pool.inputs[0])
        if relu is not None and relu.function is Relu:
            gradients = self._gradients_before(relu, pool)
            last, source = pool, relu.inputs[0]
        else:
            relu = self._only_reader(pool.outputs[0], Relu)
            gradients = None if relu is None else self._gradients_after(relu, pool)
            last, source = relu, pool.inputs[0]
        if gradients is None:
            return
        z, indices = last.outputs[0], pool.outputs[1]
        convolution = self.makers.get(source)
        if convolution is not None and self._is_pooled(convolution, pool):
            window = [convolution.settings[key] for key in ("stride", "padding", "dilation", "groups")]
            _replace(self.forward, last, Step(_convolve, _placed(window), convolution.inputs, {}, (z, indices)))
        else:
            convolution = None
            window = [pool.settings[key] for key in ("kernel", "stride", "padding", "dilation", "output")]
            _replace(self.forward, last, Step(_pool, _placed(window), (source,), {}, (z, indices)))
        for unpool, g, spread in gradients:
            self._join_back(unpool, (g, z, indices), spread, convolution)

    # ------------------------------------------------------------------------------------------------------- conditions

    def _only_reader(self, name: str, op: type[Op]) -> Step | None:
        """The one step of this op among the readers, if all others are rectifiers' gradients."""
        readers = self.read_by(name, op)
        return readers[0] if readers is not None and len(readers) == 1 else None

    def _gradients_before(self, relu: Step, pool: Step) -> list[tuple[Step, str, str]] | None:
        """For a rectifier before pooling: per walk back the unpooling, what it spreads, and the rectified result."""
        readers = self.read_by(relu.outputs[0], MaxPool, ReluGradient)
        unpools = self.read_by(pool.outputs[1], MaxUnpool)
        if readers is None or unpools is None or len(readers) != 1 + len(unpools):
            return None
        found = []
        for unpool in unpools:
            after = self._only_reader(unpool.outputs[0], ReluGradient)
            if after is None or after.inputs != (unpool.outputs[0], relu.outputs[0]):
                return None
            found.append((unpool, unpool.inputs[0], after.outputs[0]))
        return found

    def _gradients_after(self, relu: Step, pool: Step) -> list[tuple[Step, str, str]] | None:
        """The same for a rectifier after pooling."""
        unpools = self.read_by(pool.outputs[1], MaxUnpool)
        if unpools is None:
            return None
        found = []
        for unpool in unpools:
            before = self.makers.get(unpool.inputs[0])
            if before is None or before.function is not ReluGradient or before.inputs[1] != relu.outputs[0]:
                return None
            if self._only_reader(before.outputs[0], MaxUnpool) is not unpool:
                return None
            found.append((unpool, before.inputs[0], unpool.outputs[0]))
        return found

    def _is_pooled(self, step: Step, pool: Step) -> bool:
        """Whether this is a convolution whose output nobody else reads, pooled by windows of 2×2 side by side."""
        if step.function is not Convolution or len(self.readers[step.outputs[0]]) > 1:
            return False
        height, width = self.shapes[step.outputs[0]][2:]
        window = {key: pool.settings[key] for key in ("kernel", "stride", "padding", "dilation", "output")}
        return window == PAIRS | {"output": (height // 2, width // 2)}

    # ---------------------------------------------------------------------------------------------------------- joining

    def _join_back(self, unpool: Step, taken: tuple[str, str, str], spread: str, convolution: Step | None) -> None:
        """Put the gradient back to where the maxima were; the weights' and the bias's gradients in the same pass."""
        steps = next(steps for steps in self.walks.values() if any(step is unpool for step in steps))
        readers = self.read_by(spread, ConvolutionGradWeight, ChannelSum)
        weight = None if readers is None else next((s for s in readers if s.function is ConvolutionGradWeight), None)
        bias = next((s for s in self.readers.get(spread, []) if s is not None and s.function is ChannelSum), None)
        size = unpool.settings["size"]
        if convolution is not None and weight is not None and len(readers) == 1 + (bias is not None):
            window = [weight.settings[key] for key in ("size", "stride", "padding", "dilation", "groups")]
            names = (weight.outputs[0], bias.outputs[0] if bias is not None else f"{weight.outputs[0]}_bias")
            first = min(_place(steps, reader) for reader in readers)
            step = Step(_grad_weight, _placed([*window, size]), (weight.inputs[0], *taken), {}, names)
            for reader in readers:
                del steps[_place(steps, reader)]
            steps.insert(first, step)
        elif bias is not None:
            del steps[_place(steps, bias)]
            step = Step(_spread_and_sum, _placed([size]), taken, {}, (spread, bias.outputs[0]))
            _replace(steps, self.makers[spread], step)
        else:
            _replace(steps, self.makers[spread], Step(_spread, _placed([size]), taken, {}, (spread,)))


def _place(steps: list[Step], step: Step) -> int:
    # Not steps.index, which would compare settings.
    return next(k for k, other in enumerate(steps) if other is step)


def _replace(steps: list[Step], old: Step, new: Step) -> None:
    steps[_place(steps, old)] = new


def _placed(values: Sequence[Any]) -> dict[int, Any]:
    """Settings by their position behind the arrays."""
    return dict(enumerate(values))


# ------------------------------------------------------------------------------------------ what the joined steps call


def _pool(x, kernel, stride, padding, dilation, output):
    return kernels.rectified_pooling.max_forward(x, kernel, stride, padding, dilation, output_size=output)


def _spread(g, z, indices, size):
    return kernels.rectified_pooling.scatter(g, z, indices, size)


def _spread_and_sum(g, z, indices, size):
    return kernels.rectified_pooling.scatter_and_sums(g, z, indices, size)


def _convolve(*arguments):
    arrays, window = arguments[:-4], arguments[-4:]
    x, w, bias = (*arrays, None)[:3]
    return kernels.pooled_convolution.forward(x, w, bias, *window)


def _grad_weight(x, g, z, indices, kernel_size, stride, padding, dilation, groups, output_size):
    window = (kernel_size, stride, padding, dilation, groups)
    return kernels.pooled_convolution.grad_weight(x, g, z, indices, *window, output_size=output_size)
