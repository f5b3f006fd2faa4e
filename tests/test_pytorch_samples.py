"""PyTorch's own sample inputs, through every function and method of tensorgrad that has the name of PyTorch's."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "pytorch_samples.py"


@pytest.mark.oracle
def test_pytorchs_samples_give_pytorchs_results():
    """In a process of its own: what the other tests watch would make it ten times as slow."""
    pytest.importorskip("torch")
    pytest.importorskip("expecttest", reason="PyTorch's sample inputs need it")
    command = [sys.executable, str(TOOL), "--method", "--verbose", "--most", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if not line.startswith(("ok", "known"))]
    assert done.returncode == 0, "\n".join([*lines, done.stderr[-2000:]])
