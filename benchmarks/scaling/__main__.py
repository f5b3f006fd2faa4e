"""Weak scaling on this machine: a step of one process with one thread, beside that of several at once.

    python -m benchmarks.scaling --ranks 2 --networks LeNet-5 ResNet-20

Efficiency is the time of a step of one process alone over that of the same step in several processes, each with a batch
of the same size. The two are measured in turns.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.scaling.step import NETWORKS

ONE_THREAD = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
WAYS = ("op by op", "compiled")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--ranks", type=int, default=2, help="processes; no more than there are cores")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="the steps of a round, in each setting")
    options = parser.parse_args()
    for network in options.networks:
        for way in options.ways:
            pairs = [
                [step(ranks, network, way, options.seconds) for ranks in (1, options.ranks)]
                for _ in range(options.rounds)
            ]
            alone, together = (median(times) for times in zip(*pairs, strict=True))
            rounds = ", ".join(f"{a / b:.2f}" for a, b in pairs)
            print(
                f"{network}, {way}: {alone * 1e3:.2f} ms alone, {together * 1e3:.2f} ms with {options.ranks} ranks: "
                f"efficiency {alone / together:.2f} (rounds: {rounds})",
                flush=True,
            )


def step(ranks: int, network: str, way: str, seconds: float) -> float:
    """The median time of a step, in seconds."""
    program = [sys.executable, "-m", "benchmarks.scaling.step", network, way, str(seconds)]
    command = program if ranks == 1 else [mpiexec(), "-n", str(ranks), *program]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])["median"]


def mpiexec() -> str:
    """The launcher: that of the MPI in Python's environment, or of the system."""
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    return found or sys.exit("there is no mpiexec: pip install 'tensorgrad-engine[mpi]'")


if __name__ == "__main__":
    main()
