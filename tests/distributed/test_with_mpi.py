"""Several processes: `mpiexec -n 2` runs the programs beside this file, whose ranks check what they find."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tensorgrad.nn.training.checkpoint import Checkpoint

PROGRAMS = Path(__file__).parent / "programs"
BESIDE = Path(sys.executable).parent / "mpiexec"  # pip's MPI lies beside its Python
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")

pytestmark = [
    pytest.mark.slow,
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


@pytest.mark.parametrize(("ranks", "way"), [(2, "shared memory"), (4, "shared memory"), (2, "messages")])
def test_ranks_compute_what_one_process_computes(ranks, way):
    code, output, _ = run(ranks, "checks.py", way)
    assert code == 0 and output.rstrip().endswith("all checks right"), output


def test_fit_in_several_processes(tmp_path):
    code, output, _ = run(2, "fitting.py", tmp_path / "training.safetensors")
    assert code == 0 and "fit right" in output, output
    # Rank 0 alone reports: a line per epoch.
    assert output.count("epoch 3/3: loss") == 2 and output.count("resuming from") == 1


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


def test_a_rank_that_is_killed_leaves_a_whole_checkpoint(tmp_path):
    path = tmp_path / "training.safetensors"
    code, output, _ = run(2, "fitting.py", path, 7)
    assert code != 0 and "right" not in output, output
    assert list(tmp_path.iterdir()) == [path]
    from_file = Checkpoint(path, None, None, None)
    from_file.processes.size = 2
    state = from_file._read()  # checks the checksum
    assert len(state["history"]["steps"]) == 6 and set(state["ranks"]) == {"1"}
