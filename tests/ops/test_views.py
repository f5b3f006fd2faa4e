"""Views share the memory of what they show, however that lies in memory."""

import numpy as np
import pytest

import tensorgrad as tg


def _of_bytes(values):
    return np.ndarray(values.shape, values.dtype, bytearray(values.tobytes()))


@pytest.mark.parametrize("how", [np.asfortranarray, _of_bytes, lambda x: x[:, ::-1], lambda x: x.T], ids=str)
def test_windows_of_any_memory_are_views_that_follow_it(how):
    x = tg.from_numpy(how(np.arange(12.0).reshape(3, 4)))
    windows = x.unfold(1, 2, 1)
    expected = np.lib.stride_tricks.sliding_window_view(x.numpy(), 2, 1)
    assert np.shares_memory(windows.numpy(), x.numpy())
    np.testing.assert_array_equal(windows.numpy(), expected)
    x.mul_(10)
    np.testing.assert_array_equal(windows.numpy(), expected)
    assert windows.max().item() == 110


def test_windows_of_nothing_and_of_what_cannot_be_written():
    assert tg.zeros(3, 0).unfold(0, 2, 1).shape == (2, 0, 2) and tg.zeros(0).unfold(0, 0, 1).shape == (1, 0)
    assert not tg.zeros(3).expand(2, 3).unfold(1, 2, 1).data.flags.writeable
