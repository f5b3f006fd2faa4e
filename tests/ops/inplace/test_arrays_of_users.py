"""Tensors over an array that the user holds know of one another's changes."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd import versions


def around(array):
    return tg.from_numpy(array)


OVER_ONE_ARRAY = {
    "two tensors": lambda a: (around(a), around(a)),
    "a tensor and a part": lambda a: (around(a), around(a[1:])),
    "two parts that overlap": lambda a: (around(a[:3]), around(a[1:])),
    "a view and a tensor": lambda a: (around(a)[:3], around(a)),
    "an array and a tensor": lambda a: (a, around(a)),
    "a tensor that takes part": lambda a: (tg.Tensor(a), tg.Tensor(a, requires_grad=True)),
    "parameters": lambda a: (nn.Parameter(a), nn.Parameter(a)),
    "its data": lambda a: ((t := tg.tensor(a)), around(t.data)),
    "its numpy()": lambda a: ((t := tg.tensor(a)), around(t.numpy())),
    "exchanged data": lambda a: ((t := tg.zeros(4, dtype="float64")), setattr(t, "data", a), around(a))[::2],
}


@pytest.mark.parametrize("make", OVER_ONE_ARRAY.values(), ids=OVER_ONE_ARRAY)
def test_tensors_over_one_array_know_of_changes(make):
    """A value that backward needs is either as it was, or missed: it's never another one."""
    one, other = make(np.arange(1.0, 5.0))
    w = tg.tensor(np.full(one.shape, 2.0), requires_grad=True)
    (w * one).sum().backward()
    before = w.grad.data.copy()
    for _ in range(2):  # what is read between two changes is as it is then
        z = (w * one).sum()
        with tg.no_grad():
            other[1] += 10.0
        with pytest.raises(tg.GraphError, match="changed in place"):
            z.backward()
    w.grad = None
    (w * one).sum().backward()
    assert w.grad.data.sum() == before.sum() + 20.0


def test_an_array_outlives_its_tensors():
    a, w = np.ones(3), tg.tensor(np.ones(3), requires_grad=True)
    for _ in range(3):
        z = (w * around(a)).sum()
        z.backward()
        around(a)[0] = 5.0
    assert w.grad.tolist() == [11.0, 3.0, 3.0]
    z = (w * around(a)).sum()
    around(np.ones(3))[0] = 7.0  # another one
    z.backward()


def test_an_optimizer_over_the_array_of_another_parameter_is_noticed():
    a = np.ones(3)
    p, q = nn.Parameter(a), nn.Parameter(a)
    z = (p * p).sum()
    (q * q).sum().backward()
    nn.optim.SGD([q], lr=1.0).step()
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.backward()


def test_a_recorded_change_keeps_what_it_overwrites():
    a = np.array([1.0, 2.0, 3.0])
    t, u = around(a), around(a)
    w = tg.tensor(np.ones(3), requires_grad=True)
    z = (w * t).sum()
    u *= w
    z.backward()
    assert w.grad.tolist() == [1.0, 2.0, 3.0]


def test_forgotten_arrays_are_swept():
    for k in range(5000):
        around(np.zeros(k % 7))
    assert len(versions._of_owners) <= versions._most_owners <= 4096
