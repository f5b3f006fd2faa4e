"""Kernels that several processes compiled, loaded together by one: each computes what it should, however it is run.

Numba numbers functions in the order in which a process compiles them, so kernels of different processes once bore one
symbol, and were run one for the other.
"""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

WORKER = Path(__file__).parent.parent / "many_processes.py"
FUNCTIONS = ("sigmoid", "leaky_relu", "elu", "tanh", "silu", "gelu", "softplus")
FACTORIES = (FUNCTIONS, ("power 1", "power 2", "power 3"), tuple(f"{name} gradient" for name in FUNCTIONS))


def start(work, folder, **task):
    """A worker with a cache of its own, or one that it shares."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder), "NUMBA_NUM_THREADS": "2"}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    worker = subprocess.Popen([sys.executable, WORKER, work], env=environment, text=True, **pipes)
    worker.stdin.write(json.dumps(task))
    worker.stdin.close()
    return worker


def wrong(worker):
    """Which kernels computed something else than their references, once the worker is done."""
    worker.stdin = None  # `communicate` would close it again
    output, errors = worker.communicate(timeout=600)
    assert worker.returncode == 0, errors
    return json.loads(output)


def drawn(seed):
    """Calls, kernels with a dtype, three of them closures of one factory; and processes that compile one or two."""
    rng = np.random.default_rng(seed)
    alike, *others = FACTORIES[seed % 3 :] + FACTORIES[: seed % 3]
    names = [*rng.choice(alike[:3] if seed < 2 else alike, 3, replace=False)]
    if seed > 1:
        names += [*rng.choice(sum(others, ()), rng.integers(0, 5), replace=False)]
    dtype = str(rng.choice(["float32", "float64"]))
    calls = [[str(name), dtype] for name in rng.permutation(names)]
    cuts = [k for k in range(1, len(calls)) if seed < 2 or rng.random() < 0.7]
    return calls, [calls[i:j] for i, j in pairwise([0, *cuts, len(calls)])]


@pytest.mark.seeds(2)
def test_each_computes_what_it_should(seed, tmp_path):
    calls, processes = drawn(seed)
    if seed % 2 and hasattr(os, "fork"):
        assert wrong(start("fork", tmp_path, processes=processes, calls=calls, seed=seed)) == []
        return
    for part in processes:
        assert wrong(start("compile", tmp_path, calls=part)) == []
    assert wrong(start("check", tmp_path, calls=calls, seed=seed)) == []


def test_two_processes_fill_one_cache_at_once(tmp_path):
    calls = [["sigmoid", "float32"], ["leaky_relu", "float32"], ["power 2", "float32"]]
    for worker in [start("compile", tmp_path, calls=each) for each in (calls, calls[::-1])]:
        assert wrong(worker) == []
    assert wrong(start("compile", tmp_path, calls=calls)) == []
