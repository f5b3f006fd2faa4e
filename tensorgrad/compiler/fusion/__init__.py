"""Runs of steps that one kernel does, to the same bits.

An eager engine can't join ops, for somebody may look at what lies between; here all readers are known.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorgrad.compiler.fusion import linear, pooling
from tensorgrad.compiler.fusion.chains import Chains, Shapes
from tensorgrad.compiler.recording import Step
from tensorgrad.ops.elementwise.activations import Relu
from tensorgrad.ops.linear import LinearGradWeight
from tensorgrad.ops.pooling import MaxPool


def fused(
    forward: Sequence[Step], walks: dict[int, Sequence[Step]], results: Sequence[str], shapes: Shapes
) -> tuple[list[Step], dict[int, list[Step]]]:
    """The steps of forward, and of each walk back, with one step in the place of several where there is a kernel.

    What the steps made superfluous computed is still there: `program.live` drops it. `results` are the names that
    somebody reads besides the steps, `shapes` those of all arrays.
    """
    chains = Chains(forward, walks, results, shapes)
    for step in forward:
        if step.function is MaxPool and len(step.settings["kernel"]) == 2:
            pooling.join(chains, step)
        elif step.function is Relu:
            linear.rectify(chains, step)
    for steps in walks.values():
        for step in steps:
            if step.function is LinearGradWeight:
                linear.join(chains, step)
    return chains.forward, chains.walks
