"""What one core can do at most, measured: the limit that kernels are compared with."""

import time

import numpy as np
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.jit.dispatch import kernel
from tensorgrad.kernels.simd.emitter import COLUMNS, ROWS, Loop, Writer, emit_one, integer, lanes


def fma_peak(dtype: str = "float32", seconds: float = 0.2) -> float:
    """What one core can do at most, measured: GFLOP/s of multiply-adds on registers alone, the best of many tries."""
    values, rounds = np.zeros(ROWS * COLUMNS * lanes(dtype), dtype), 100_000
    _chains(values, rounds)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        _chains(values, rounds)
        best = min(best, time.perf_counter() - start)
    return 2 * values.size * rounds / best / 1e9


@intrinsic
def _chain_tile(typing, values, at, rounds):
    return types.void(values, types.intp, types.intp), lambda *call: emit_one(*call, _write_chains)


def _write_chains(build: Writer, rows: int, columns: int, arguments: tuple) -> None:
    """As many independent chains of multiply-adds as the largest tile has, so that none waits for itself."""
    values, rounds = arguments
    targets = [build.at(values, integer(index * build.lanes)) for index in range(ROWS * COLUMNS)]
    factor = build.read(values)
    loop = Loop(build, rounds, 1, [build.read(target) for target in targets], "rounds")
    loop.close([build.multiply_add(value, factor, value) for value in loop.carried])
    for value, target in zip(loop.carried, targets, strict=True):
        build.write(value, target)


@kernel
def _chains(values, rounds):
    _chain_tile(values, 0, rounds)
