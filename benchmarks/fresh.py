"""What only a new process shows: how long it takes to begin, and how much memory it needs.

`python -m benchmarks.fresh LIBRARY startup|memory` does it once and prints a line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

START = time.perf_counter()  # before numpy and all the rest
STEPS, WARM = 12, 6


def startup(library: str) -> dict[str, float]:
    """Seconds for the import, and from before it to the end of the first training step of LeNet-5 at batch 64."""
    module = {"tensorgrad": "tensorgrad.nn", "pytorch": "torch"}[library]
    importlib.import_module(module)
    imported = time.perf_counter() - START
    step = importlib.import_module(f"benchmarks.libraries.{library}").prepare("step", {"net": "LeNet-5", "batch": 64})
    step()
    return {"import": imported, "first_step": time.perf_counter() - START}


def memory(library: str) -> dict[str, float]:
    """Peak MiB of training the MNIST CNN at batch 256, in all and above what the import took; page faults per step."""
    import resource

    module = importlib.import_module(f"benchmarks.libraries.{library}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = module.prepare("step", {"net": "MNIST CNN", "batch": 256})
    for _ in range(WARM):
        step()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(STEPS):
        step()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "peak": usage.ru_maxrss / 1024,
        "above_import": (usage.ru_maxrss - before) / 1024,
        "faults": (usage.ru_minflt - faults) / STEPS,
    }


def runs(library: str, what: str, environment: dict[str, str], count: int) -> dict[str, float]:
    """The median of each figure over so many new processes. Raises CalledProcessError."""
    answers = [_run(library, what, environment) for _ in range(count)]
    return {key: statistics.median(answer[key] for answer in answers) for key in answers[0]}


def cold(environment: dict[str, str]) -> dict[str, float]:
    """Our startup with an empty cache of compiled kernels."""
    with tempfile.TemporaryDirectory() as folder:
        return _run("tensorgrad", "startup", environment | {"NUMBA_CACHE_DIR": folder})


def _run(library: str, what: str, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.fresh", library, what]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)
    return json.loads(done.stdout.decode().splitlines()[-1])


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    print(json.dumps({"startup": startup, "memory": memory}[sys.argv[2]](sys.argv[1])))
