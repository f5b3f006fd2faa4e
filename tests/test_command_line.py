"""`python -m tensorgrad`: a saved model's graph, and a description of the installation, from the command line."""

import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numba
import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import installation
from tensorgrad.__main__ import main
from tensorgrad.kernels.jit.dispatch import COMPILED, get_num_threads

ROOT = Path(__file__).parent.parent

NET = """
import tensorgrad as tg
from tensorgrad import nn

class Net(nn.Module):
    def __init__(self):
        self.hidden, self.out = nn.Linear(4, 5), nn.Linear(5, 3)
    def forward(self, x):
        return self.out(self.hidden(x).relu())

def nothing():
    return 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "network.py"
    path.write_text(NET)
    return path


def test_it_draws_a_saved_model(file, tmp_path, capsys):
    rng = np.random.default_rng(0)
    sizes = {"hidden.weight": (5, 4), "hidden.bias": (5,), "out.weight": (3, 5), "out.bias": (3,)}
    state = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in sizes.items()}
    tg.save(state, tmp_path / "w.safetensors")
    out = tmp_path / "drawn" / "graph.dot"
    main(["draw", f"{file}:Net", str(tmp_path / "w.safetensors"), "--input", "2,4", "--label", "1", "--out", str(out)])
    assert capsys.readouterr().out == f"wrote {out}\n"
    dot = out.read_text()
    assert "cross-entropy" in dot
    assert all(name in dot for name in sizes)


def test_as_a_program(file, tmp_path):
    out = tmp_path / "graph.dot"
    command = [sys.executable, "-m", "tensorgrad", "draw", f"{file}:Net", "--input", "2x4", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"wrote {out}\n"
    assert "Σ" in out.read_text()


@pytest.mark.parametrize(
    ("model", "sizes", "complaint"),
    [
        ("Net", "2,4", "model must be a file or module and a name"),
        ("{file}:Missing", "2,4", "has no model 'Missing'"),
        ("no.such.module:Net", "2,4", "no.such.module can't be loaded"),
        ("{file}:nothing", "2,4", "must be a Module, got int"),
        ("{file}:Net", "2,5", "linear: input and weight must agree in the size of the last axis"),
    ],
)
def test_what_cannot_be_drawn_ends_with_one_plain_message(file, tmp_path, model, sizes, complaint):
    with pytest.raises(SystemExit, match=complaint):
        main(["draw", model.format(file=file), "--input", sizes, "--out", str(tmp_path / "x.dot")])


def test_weights_that_do_not_fit_are_named(file, tmp_path):
    tg.save({"hidden.weight": np.zeros((5, 3), np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(SystemExit, match="wrong shape"):
        main(
            ["draw", f"{file}:Net", str(tmp_path / "w.safetensors"), "--input", "2,4", "--out", str(tmp_path / "x.dot")]
        )


def rows(report):
    """A report's rows by their names, without the lines that go on."""
    return dict(line.split(maxsplit=1) for line in report.splitlines() if line[0] != " ")


def test_the_doctor_describes_the_installation(capsys):
    main(["doctor"])
    found = rows(capsys.readouterr().out)
    assert found["tensorgrad"].startswith(f"{tg.__version__}, in ") and numba.__version__ in found["numba"]
    assert np.__version__ in found["NumPy"] and platform.python_version() in found["Python"]
    assert {"processor", "vectors", "kernels", "environment", "convolution"} <= found.keys()
    assert found["threads"].startswith(f"{get_num_threads()}, ")
    if COMPILED:
        assert "writable" in found["cache"] and "NOT" not in found["cache"]
    assert int(re.match(r"\d+(?= GFLOP/s with 1 thread)", found["convolution"])[0]) > 0
    # The extras are those of pyproject.toml, except for the ones to develop and compare with.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {name[1:-1] for name in found if name[0] == "["} == set(project["optional-dependencies"]) - {"dev", "bench"}


def test_the_doctor_finds_a_cache_that_cannot_be_written(monkeypatch, capsys):
    # For the superuser, whom tests may run as, no folder is read-only.
    monkeypatch.setattr(installation.os, "access", lambda folder, mode: False)
    main(["doctor"])
    if COMPILED:
        assert "NOT writable" in rows(capsys.readouterr().out)["cache"]
