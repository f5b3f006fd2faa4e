"""The register tiles as machine code: whole vectors, nothing spilled inside a loop."""

import platform
import re

import numba
import numpy as np
import pytest

from tensorgrad.kernels import convolution, simd
from tensorgrad.kernels.runtime import OPTIONS

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 assembly")

REGISTER = {64: "zmm", 32: "ymm", 16: "xmm"}[simd.VECTOR_BYTES]
EMPTY, INDICES = np.zeros(4096, np.float32), np.zeros(2, np.int64)


def assembly(kernel, *arguments):
    """Compiled anew: what comes from the cache has no text."""
    compiled = numba.njit(**OPTIONS)(kernel.py_func)
    compiled(*arguments)
    (text,) = compiled.inspect_asm().values()
    return text.split("\n")


def innermost_loops(lines):
    """The bodies of the loops without a loop inside, as lists of instructions."""
    labels = {m[1]: at for at, line in enumerate(lines) if (m := re.match(r"(\.LBB\w+):", line))}
    spans = [
        (labels[m[1]], at)
        for at, line in enumerate(lines)
        if (m := re.match(r"\s+j\w+\s+(\.LBB\w+)", line)) and labels.get(m[1], at) < at
    ]
    inner = [s for s in spans if not any(s[0] <= o[0] and o[1] <= s[1] and o != s for o in spans)]
    return [lines[first + 1 : last + 1] for first, last in inner]


LAYOUT = convolution._frame("test", (2, 4, 8, 8), (4, 4, 3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
KERNELS = {
    "sums": (convolution._sum_taps, (EMPTY, 4, 64, EMPTY, 0, LAYOUT.offsets, np.zeros((4, 36), np.float32), 0)),
    "dots": (
        convolution._dot_images,
        (np.zeros((4, 36)), EMPTY, INDICES, EMPTY, INDICES, LAYOUT.offsets, LAYOUT.layout, 1),
    ),
}


@pytest.mark.parametrize("name", KERNELS)
def test_tiles_stay_in_full_width_registers(name):
    kernel, arguments = KERNELS[name]
    tiles = [body for body in innermost_loops(assembly(kernel, *arguments)) if any("vfmadd" in line for line in body)]
    largest = max(sum("vfmadd" in line for line in body) for body in tiles)
    assert largest == 4 * (simd.WIDE if name == "sums" else simd.MANY)
    for body in tiles:
        multiplications = [line for line in body if "vfmadd" in line]
        assert all(f"%{REGISTER}" in line for line in multiplications), "\n".join(body)
        spills = [line for line in body if re.search(rf"%{REGISTER}", line) and "(%rsp" in line]
        assert not spills, "\n".join(body)
