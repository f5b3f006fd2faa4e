"""Leaves of random numbers, for the tests of the engine."""

import numpy as np

import tensorgrad as tg

RNG = np.random.default_rng(7)


def leaf(*shape, dtype=np.float64):
    return tg.Tensor(RNG.standard_normal(shape).astype(dtype), requires_grad=True)
