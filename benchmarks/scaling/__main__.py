"""Weak scaling on this machine: a step of one process with one thread, beside that of several at once.

    python -m benchmarks.scaling --ranks 2 --networks LeNet-5 ResNet-20

Efficiency is the time of a step of one process alone over that of the same step in several processes, each with a batch
of the same size. Both are measured in short turns, by the same processes, since the speed of a machine that others use
too changes within seconds; what counts is the median of the turns' ratios (in brackets the quartiles). In a third turn
all processes compute at once, each for itself: so what the machine loses and what the exchange costs are told apart.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.scaling.step import NETWORKS

ONE_THREAD = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
WAYS = ("op by op", "compiled")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--ranks", type=int, default=2, help="processes; no more than there are cores")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a turn; a round has three")
    options = parser.parse_args()
    for network in options.networks:
        for way in options.ways:
            found = steps(options.ranks, network, way, options.rounds, options.seconds)
            alone, apart, together = (found[turn] for turn in ("alone", "apart", "together"))
            print(
                f"{network}, {way}: {median(alone) * 1e3:.2f} ms alone, {median(together) * 1e3:.2f} ms with "
                f"{options.ranks} ranks: efficiency {_ratios(alone, together)}; "
                f"without an exchange {_ratios(alone, apart)}, the exchange {_ratios(apart, together)}",
                flush=True,
            )


def steps(ranks: int, network: str, way: str, rounds: int, seconds: float) -> dict[str, Any]:
    """What `step` prints: the median times of a step in each turn, in seconds."""
    program = [sys.executable, "-m", "benchmarks.scaling.step", network, way, str(rounds), str(seconds)]
    command = [mpiexec(), "-n", str(ranks), *program]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def _ratios(times: list[float], others: list[float]) -> str:
    """The median of the turns' ratios, and the quartiles."""
    ratios = sorted(a / b for a, b in zip(times, others, strict=True))
    low, middle, high = (ratios[len(ratios) * k // 4] for k in (1, 2, 3))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def mpiexec() -> str:
    """The launcher: that of the MPI in Python's environment, or of the system."""
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    return found or sys.exit("there is no mpiexec: pip install 'tensorgrad-engine[mpi]'")


if __name__ == "__main__":
    main()
