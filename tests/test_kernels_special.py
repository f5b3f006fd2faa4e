import math

import numpy as np
import pytest

from tensorgrad.kernels import special, twins

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


@FLOATS
def test_erf_is_within_four_ulp_of_the_c_library(dtype):
    small = np.geomspace(1e-30, 1, 5001)
    x = np.concatenate([np.linspace(-8, 8, 200_001), -small, small]).astype(dtype)
    expected = np.array([math.erf(value) for value in x])
    ours = special.erf(x)
    assert ours.dtype == dtype
    assert (np.abs(ours - expected) / np.spacing(np.abs(expected).astype(dtype))).max() < 4


@FLOATS
def test_erf_of_any_layout_and_of_what_is_not_finite(dtype):
    x = np.array([[np.nan, np.inf, -np.inf], [0.0, -0.0, 1e30]], dtype)
    for layout in (x, x.T, x[::-1], x[:, :0], x.astype(x.dtype.newbyteorder())):
        np.testing.assert_array_equal(special.erf(layout), twins.erf(layout.astype(dtype)))


@FLOATS
def test_a_loop_over_erf_is_vectorised(dtype):
    special.erf(np.ones(1, dtype))
    assemblies = special._erf_piece.inspect_asm().items()
    (assembly,) = [text for kinds, text in assemblies if str(kinds[0].dtype) == np.dtype(dtype).name]
    if "xmm" not in assembly:
        pytest.skip("no x86 assembly")
    assert assembly.count("divps" if dtype == np.float32 else "divpd") > 1
