"""What tests look for in the machine code of kernels that LLVM vectorises by itself."""

import re
from collections.abc import Callable

import numba
import numpy as np
import pytest

from tensorgrad.kernels.jit import dispatch


def packed_arithmetic(kernel: Callable, *arguments: object) -> int:
    """How many products, quotients, comparisons and extremes of vectors are in the code for these arguments.

    The first is an array.

    Compiled anew, since numba doesn't show what came from its cache. Skips the test where the code isn't for x86.
    """
    anew = numba.njit(**dispatch.OPTIONS)(kernel.py_func)
    anew(*arguments)
    (assembly,) = anew.inspect_asm().values()
    if not re.search(r"%[xyz]mm\d", assembly):
        pytest.skip("no x86 assembly")
    suffix = "ps" if arguments[0].dtype == np.float32 else "pd"
    return len(re.findall(rf"\sv?(?:mul|div|cmp\w*|max|min|fn?m(?:add|sub)\d+){suffix}\s", assembly))
