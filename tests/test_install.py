"""The README's install line, in a fresh environment: `import tensorgrad` works from wherever a program is started."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tools import try_wheel

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PROGRAM = "import tensorgrad as tg, tensorgrad.nn; print(tg.tensor(1.), tg.nn.Linear(1, 1), tg.viz.graph.__name__)"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone named tensorgrad, installed as the README says into an environment that borrows this one's packages."""
    pytest.importorskip("setuptools", minversion="77")
    clone = tmp_path_factory.mktemp("home") / "tensorgrad"
    built = shutil.ignore_patterns(".git", ".venv*", "build", "dist", "out", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, clone, symlinks=True, ignore=built)
    venv.create(clone / "env", with_pip=False)
    base = str(clone / "env")
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": base, "platbase": base}))
    borrowed = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "borrowed.pth").write_text("\n".join(borrowed))
    pip = [sys.executable, "-m", "pip", "--python", base, "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--no-index", "-e", "."], cwd=clone, check=True)
    return clone


def run(clone, folder, *arguments):
    python = clone / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = subprocess.run([python, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


EXPECTED = "tensor(1.) Linear(in_features=1, out_features=1, bias=True) graph"


@pytest.mark.parametrize("folder", ["..", ".", "tests"])
def test_started_in_a_folder(clone, folder):
    assert run(clone, clone / folder, "-c", PROGRAM).strip() == EXPECTED


def test_a_script_beside_the_clone(clone, tmp_path):
    for script in (clone.parent / "script.py", tmp_path / "script.py"):
        script.write_text(PROGRAM)
        assert run(clone, tmp_path, str(script)).strip() == EXPECTED


def test_the_module_as_a_command(clone):
    assert "warmup" in run(clone, clone.parent, "-m", "tensorgrad", "--help")


def test_nothing_else_becomes_importable(clone, tmp_path):
    for name in ("nn", "viz", "tests", "examples", "benchmarks"):
        assert f"No module named '{name}'" in run(clone, tmp_path, "-c", f"import {name}")


def test_a_wheel_alone_trains_and_draws(clone, tmp_path):
    """Built from the clone and installed without it: the package's data files are in it."""
    base = tmp_path / "env"
    shutil.copytree(clone / "env", base, symlinks=True)
    (packages,) = base.rglob("site-packages")
    for link in packages.glob("*tensorgrad*"):  # the editable install
        shutil.rmtree(link) if link.is_dir() else link.unlink()
    pip = [sys.executable, "-m", "pip", "--quiet", "--no-input"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *offline, "--wheel-dir", tmp_path, clone], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([*pip, "--python", base, "install", "--no-deps", "--no-index", wheel], check=True)
    python = base / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONIOENCODING": "utf-8"}  # a new place would compile anew
    command = [python, "-c", try_wheel.PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "works: the loss went from" in done.stdout
