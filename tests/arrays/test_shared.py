"""Memory that processes share: a forked child's writes are the parent's reads, and the other way round."""

import os

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.zeros((0, 3)), np.array(7), np.array([True])])
def test_shared_memory_holds_the_same_array(array):
    t = tg.tensor(array)
    assert not t.is_shared()
    assert t.share_memory_() is t and t.is_shared()
    assert t.numpy().dtype == array.dtype and t.shape == array.shape and np.array_equal(t.numpy(), array)
    place = t.numpy().ctypes.data
    assert t.share_memory_().numpy().ctypes.data == place, "what is shared stays where it is"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_trains_the_weights_of_its_parent():
    model = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1)).share_memory()
    optimizer = nn.optim.SGD(model.parameters(), lr=0.5)
    own = tg.ones(1)
    child = os.fork()
    if not child:
        with tg.no_grad():
            for p in model.parameters():
                p.grad = tg.ones(*p.shape)
            model[1].running_mean.fill_(3.0)
            own.fill_(5.0)
        optimizer.step()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert model[1].running_mean.item() == 3.0 and own.item() == 1.0
    np.testing.assert_array_equal(model[1].weight.numpy(), [0.5])  # 1 − 0.5 · 1
    np.testing.assert_array_equal(model[1].bias.numpy(), [-0.5])
