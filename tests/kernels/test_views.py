"""Views of arrays within kernels are the memory of the arrays."""

import numba
import numpy as np
import pytest

from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.views import flattened


@dispatch.kernel
def number_elements(x):
    line = flattened(x)
    for k in range(len(line)):
        line[k] += k


@pytest.mark.parametrize("shape", [(), (7,), (2, 3), (2, 1, 4, 3), (2, 0)], ids=repr)
def test_all_elements_in_order_and_in_place(shape):
    x = np.zeros(shape, np.float32)
    number_elements(x)
    np.testing.assert_array_equal(x, np.arange(x.size).reshape(shape))


def test_an_array_that_is_not_contiguous_is_refused():
    with pytest.raises(numba.TypingError, match="must be contiguous"):
        number_elements(np.ones((4, 4))[:, ::2])
