"""Views of arrays within kernels are the memory of the arrays."""

import numba
import numpy as np
import pytest

from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.views import between, flattened, tail


@dispatch.kernel
def number_elements(x):
    line = flattened(x)
    for k in range(len(line)):
        line[k] += k


@dispatch.kernel
def number_some(line, start, stop):
    some, rest = between(line, start, stop), tail(line, stop)
    for k in range(len(some)):
        some[k] += k
    for k in range(len(rest)):
        rest[k] -= 1


@pytest.mark.parametrize("shape", [(), (7,), (2, 3), (2, 1, 4, 3), (2, 0)], ids=repr)
def test_all_elements_in_order_and_in_place(shape):
    x = np.zeros(shape, np.float32)
    number_elements(x)
    np.testing.assert_array_equal(x, np.arange(x.size).reshape(shape))


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 5), (2, 4), (5, 5)])
def test_elements_from_one_to_another_and_those_behind(start, stop):
    x, expected = np.zeros(5), np.zeros(5)
    number_some(x, start, stop)
    expected[start:stop] += np.arange(stop - start)
    expected[stop:] -= 1
    np.testing.assert_array_equal(x, expected)


def test_an_array_that_is_not_contiguous_is_refused():
    with pytest.raises(numba.TypingError, match="must be contiguous"):
        number_elements(np.ones((4, 4))[:, ::2])
    with pytest.raises(numba.TypingError, match="must be contiguous"):
        number_some(np.ones(4)[::2], 0, 1)
    with pytest.raises(numba.TypingError, match="must have one axis"):
        number_some(np.ones((4, 4)), 0, 1)
