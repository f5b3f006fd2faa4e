"""Tensors that are the same memory under another name: behind `detach()` are the values of what is before it."""

from __future__ import annotations

import numpy as np

from tensorgrad.autograd.variable import Variable
from tensorgrad.viz.record.steps import Computed, Key

Memory = tuple[int, tuple[int, ...], tuple[int, ...]]
"""The address of the first element, the shape and the strides."""


def memory_of(array: np.ndarray) -> Memory:
    """What two arrays that are the same elements of the same memory have in common."""
    return array.__array_interface__["data"][0], array.shape, array.strides


def owners_of(computed: Computed) -> dict[Memory, Key]:
    """The leaf with a gradient, or else the result of an op, that each array of a computation belongs to."""
    owners: dict[Memory, Key] = {}
    for step in computed.steps:
        for key in (*step.inputs, step.output):
            known = computed.known.get(key)
            if isinstance(key, Variable):
                owners[memory_of(key._data)] = key
            elif key is step.output and known is not None and known.array is not None:
                owners.setdefault(memory_of(known.array), key)
    return owners
