"""What the tests of compiled functions share."""

import numpy as np

import tensorgrad as tg


def numbers(tensor):
    return None if tensor is None else np.array(tensor.detach().data)


def assert_same(one, other):
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype and one.shape == other.shape
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def ready_made(function, *arguments, calls=2):
    """The compiled function, past its recordings."""
    compiled = tg.compile(function)
    for _ in range(calls):
        compiled(*arguments)
    return compiled
