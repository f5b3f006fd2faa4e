"""What the engine hands out: tensors that share memory, and numbers that it repeats."""

import numpy as np
import pytest
from leaves import leaf

import tensorgrad as tg


def test_detach_cuts_and_shares():
    x = leaf(3)
    d = (x * 2.0).detach()
    assert not d.requires_grad and d.is_leaf
    ((x * d).sum()).backward()
    np.testing.assert_allclose(x.grad.data, d.data)


@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (1, 1)])
def test_a_repeated_number_is_a_read_only_view_of_it(shape):
    x = tg.tensor(2.5)
    z = x.broadcast_to(shape)
    assert np.array_equal(z.data, np.full(shape, 2.5, np.float32)) and z.dtype == np.float32
    assert not z.data.flags.writeable and z._version is x._version
    x[...] = 4.0
    assert np.array_equal(z.data, np.full(shape, 4.0, np.float32))
