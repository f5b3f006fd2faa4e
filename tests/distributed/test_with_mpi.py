"""Several processes: `mpiexec -n 2` runs the programs beside this file, whose ranks check what they find."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
BESIDE = Path(sys.executable).parent / "mpiexec"  # pip's MPI lies beside its Python
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="mpi4py is not installed: the extra mpi"),
    pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec: the extra mpi"),
]


def run(ranks, program, *arguments):
    """The program's return code, what it printed, and how many seconds it took."""
    command = [str(MPIEXEC), "-n", str(ranks), sys.executable, str(PROGRAMS / program), *map(str, arguments)]
    start = time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_NUM_THREADS"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    return done.returncode, done.stdout + done.stderr, time.perf_counter() - start


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_compute_what_one_process_computes(ranks):
    code, output, _ = run(ranks, "checks.py")
    assert code == 0 and output.count(" right") == 9, output


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raises", "[rank 1] ShapeError on rank 1 of 2: all ranks are ended"),
        ("ends", "rank 1 reached the end of the program, while rank 0 is in all_reduce"),
        ("hangs", "rank 0 waited 0.5 s for the other ranks in all_reduce"),
        ("is killed", "9"),
    ],
)
def test_a_rank_that_fails_ends_all_and_says_why(how, reason):
    code, output, _ = run(2, "failures.py", how)
    assert code != 0 and reason in output, output
