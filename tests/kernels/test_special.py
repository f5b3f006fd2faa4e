import math
from functools import partial

import numpy as np
import pytest
from machine_code import assert_vectorised

from tensorgrad.formulas.loops import LOOPS
from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import loops

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


erf = partial(loops.compute, "erf")


@FLOATS
def test_erf_is_within_four_ulp_of_the_c_library(dtype):
    small = np.geomspace(1e-30, 1, 5001)
    x = np.concatenate([np.linspace(-8, 8, 200_001), -small, small]).astype(dtype)
    expected = np.array([math.erf(value) for value in x])
    ours = erf(x)
    assert ours.dtype == dtype
    assert (np.abs(ours - expected) / np.spacing(np.abs(expected).astype(dtype))).max() < 4


@FLOATS
def test_erf_of_any_layout_and_of_what_is_not_finite(dtype):
    x = np.array([[np.nan, np.inf, -np.inf], [0.0, -0.0, 1e30]], dtype)
    for layout in (x, x.T, x[::-1], x[:, :0], x.astype(x.dtype.newbyteorder())):
        np.testing.assert_array_equal(erf(layout), fallback.loop(LOOPS["erf"](), [layout.astype(dtype)], (0,)))


@FLOATS
def test_a_loop_over_erf_is_vectorised(dtype):
    x = np.ones(3, dtype)
    assert assert_vectorised(loops.kernel_of(LOOPS["erf"]()), x, x, (dtype(0),), 0, 1) > 5
