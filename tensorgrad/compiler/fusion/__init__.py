"""Fusion: several steps are replaced by one kernel that computes the same bits.

An eager engine can't fuse ops, since Python may read what lies between; here all readers are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tensorgrad.compiler.fusion import linear, pooling
from tensorgrad.compiler.fusion.chains import Chains
from tensorgrad.compiler.steps import Kind, Step
from tensorgrad.ops.linear import LinearGradWeight
from tensorgrad.ops.pooling import MaxPool


def fused(
    forward: Sequence[Step], passes: Mapping[int, Sequence[Step]], results: Sequence[str], kinds: Mapping[str, Kind]
) -> tuple[list[Step], dict[int, list[Step]]]:
    """The steps of forward and of each backward pass, fused where there is a kernel.

    Steps whose results nobody reads any longer remain; `program.live` drops them.

    Args:
        forward: the steps of the forward pass.
        passes: those of the backward passes.
        results: the names of arrays that are read outside the steps.
        kinds: of all arrays.
    """
    chains = Chains(forward, passes, results, kinds)
    for step in forward:
        if step.function is MaxPool and len(step.settings["window"].kernel) == 2:
            pooling.join(chains, step)
    for steps in passes.values():
        for step in steps:
            if step.function is LinearGradWeight:
                linear.join(chains, step)
    return chains.forward, chains.passes
