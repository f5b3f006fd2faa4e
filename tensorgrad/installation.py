"""What is installed here and how fast it is: `python -m tensorgrad doctor`, text to paste into a bug report."""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numba
import numpy as np

import tensorgrad as tg
from tensorgrad import kernels
from tensorgrad.kernels.jit import cache, dispatch
from tensorgrad.system.forks import imported
from tensorgrad.system.table import align

DISTRIBUTION = "tensorgrad-engine"
VARIABLES = re.compile(r"(NUMBA|OMP|OPENBLAS|MKL|KMP|GOMP|TBB|TENSORGRAD)_\w+")
"""Names of environment variables that change how kernels are compiled or run, or where data is looked for."""

IMAGES, CHANNELS, SIDE = 16, 64, 32
"""The convolution that is timed: as many images, and channels in and out, of so many pixels a side; 3×3 filters."""


def report() -> str:
    """What is installed, how kernels run and how fast one is, as a table in plain text."""
    return "\n".join(align([row for part in (_versions, _machine, _speed, _cache, _extras) for row in part()], "ll"))


def _versions() -> Iterator[tuple[str, str]]:
    yield "tensorgrad", f"{tg.__version__}, in {_shortened(Path(tg.__file__).resolve().parent)}"
    yield "Python", f"{platform.python_version()}, {platform.python_implementation()}, {platform.platform()}"
    yield "NumPy", f"{np.__version__}, BLAS: {_blas()}"
    yield "numba", f"{numba.__version__}, llvmlite {_version('llvmlite')}"
    yield "others", ", ".join(f"{name} {_version(name)}" for name in ("graphviz", "tqdm", "safetensors"))
    yield "dot", shutil.which("dot") or "not on PATH: drawings need it, or the extra draw"


def _machine() -> Iterator[tuple[str, str]]:
    emitter = imported("tensorgrad.kernels.simd.emitter")
    yield "processor", f"{platform.machine()}, {emitter.CPU}, {os.cpu_count()} cores"
    yield "vectors", f"{8 * emitter.WIDTH} bits, {emitter.lanes(np.dtype('float32'))} float32 numbers at once"
    compiled = "compiled" if dispatch.COMPILED else "not compiled, for NUMBA_DISABLE_JIT is set: NumPy computes, slowly"
    yield "kernels", compiled
    found = sorted(name for name in os.environ if VARIABLES.fullmatch(name))
    yield "environment", " ".join(f"{name}={_shortened(os.environ[name])}" for name in found) or "nothing set"


def _threading_layer() -> str:
    """The layer in which numba has run threads."""
    try:
        return numba.threading_layer() if dispatch.COMPILED else "none"
    except ValueError:  # nothing ran in parallel
        return "none yet"


def _cache() -> Iterator[tuple[str, str]]:
    """Where compiled kernels are kept, and whether they can be."""
    if not dispatch.COMPILED:
        return
    for path in kernels.MODULES.values():
        imported(path)
    folders = [Path(folder) for folder in sorted(cache.FOLDERS)]
    if not folders:
        yield "cache", "none: no folder can be written; set NUMBA_CACHE_DIR to one that can"
        return
    files = [file for folder in folders for file in folder.glob("*.nb[ci]")]
    size = sum(file.stat().st_size for file in files) / 2**20
    yield "cache", f"{len(files)} files, {size:.1f} MiB, {_writable(folders)}"
    yield "", f"in {len(folders)} folders below {_shortened(os.path.commonpath(folders))}"


def _writable(folders: Sequence[Path]) -> str:
    refused = [folder for folder in folders if not os.access(_existing(folder), os.W_OK)]
    return f"NOT writable: {_shortened(refused[0])}; set NUMBA_CACHE_DIR" if refused else "writable"


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _speed() -> Iterator[tuple[str, str]]:
    rng = np.random.default_rng(0)
    images = tg.tensor(rng.standard_normal((IMAGES, CHANNELS, SIDE, SIDE)).astype(np.float32))
    weight = tg.tensor(rng.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32))
    operations = 2 * images.numel() * weight[0].numel()
    before, rates = dispatch.get_num_threads(), []
    try:
        for threads in sorted({1, before}):
            dispatch.set_num_threads(threads)
            rate = operations / _seconds(images, weight) / 1e9
            rates.append(f"{rate:.0f} GFLOP/s with {threads} thread{'s' * (threads > 1)}")
    finally:
        dispatch.set_num_threads(before)
    yield "threads", f"{before}, threading layer {_threading_layer()}"
    yield "convolution", ", ".join(rates)
    yield "", f"3×3, {CHANNELS} → {CHANNELS} channels, {IMAGES} images of {SIDE}×{SIDE}, counted as direct arithmetic"


def _seconds(images: tg.Tensor, weight: tg.Tensor) -> float:
    """The shortest time of one convolution, of those that a quarter of a second leaves time for."""
    best, end = float("inf"), 0.0
    with tg.no_grad():
        tg.conv2d(images, weight, padding=1)
        while not end or time.perf_counter() < end:
            end = end or time.perf_counter() + 0.25
            start = time.perf_counter()
            tg.conv2d(images, weight, padding=1)
            best = min(best, time.perf_counter() - start)
    return best


def _extras() -> Iterator[tuple[str, str]]:
    """Each extra of the distribution, with its packages' versions."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield "extras", f"unknown: {DISTRIBUTION} isn't installed, its folder is on the path"
        return
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        found = re.fullmatch(r"([\w.-]+).*extra == ['\"]([\w-]+)['\"]", requirement)
        if found and found[1] != DISTRIBUTION:
            extras.setdefault(found[2], []).append(found[1])
    for extra, packages in extras.items():
        if extra not in ("dev", "bench"):  # for those who change tensorgrad
            yield f"[{extra}]", ", ".join(f"{name} {_version(name)}" for name in packages)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _blas() -> str:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return " ".join(str(blas.get(key, "")) for key in ("name", "version")).strip() or "unknown"


def _shortened(path: object) -> str:
    """A path or value without the user's name: what lies in the home folder begins with ~."""
    home = str(Path.home())
    return str(path).replace(home, "~") if len(home) > 1 else str(path)
