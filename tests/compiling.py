"""What the tests of compiled functions share."""

import numpy as np
from networks import LeNet5, ResNet18, SigmoidNetwork

import tensorgrad as tg
from tensorgrad import nn


def numbers(tensor):
    return None if tensor is None else np.array(tensor.detach().data)


def weight():
    """A parameter of two elements."""
    return tg.tensor([2.0, -3.0], requires_grad=True, name="w")


def captures(compiled):
    """The captures of a compiled function, as they are now."""
    programs = [entry.program for entry in compiled._entries.values() if entry.program is not None]
    found = [getattr(program.run, "_captured", None) for program in programs]
    return [captured for captured in found if captured is not None]


def poison(compiled, byte=0xFF):
    """Overwrite what captures keep between calls; where every byte is 0xFF, every float is NaN. How many there are."""
    found = captures(compiled)
    for captured in found:
        captured.fill(byte)
    return len(found)


def others(array, seed):
    """Other numbers of the same kind: floats of other sizes and signs, some of them 0; integers in another order."""
    rng = np.random.default_rng(seed)
    if array.dtype.kind == "f":
        scale = rng.choice([0.0, 0.25, 1.0, 16.0], array.shape)
        return (rng.standard_normal(array.shape) * scale).astype(array.dtype)
    return rng.permutation(array.reshape(-1)).reshape(array.shape)


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


def op_of(case):
    """What a case of the table calls, as a function that reads its op and its keywords alone.

    The guards of a function that read `case` would be those of the whole row, and most of the time of the test.
    """
    function, params = case.row.function, case.params
    return lambda *tensors: function(*tensors, **params)


def ready_made(function, *arguments, calls=2):
    """The compiled function, past its recordings."""
    compiled = tg.compile(function)
    for _ in range(calls):
        compiled(*arguments)
    return compiled


class Mixed(nn.Module):
    """Every kind of layer that does something beside its ops, or that a kernel joins with another."""

    def __init__(self):
        self.conv1, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.conv3 = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 20, 3, bias=False)
        self.dropout, self.output = nn.Dropout(0.3), nn.Linear(20, 5)

    def forward(self, x):
        # (N, 1, 20, 20) -> (N, 4, 10, 10) -> (N, 4, 4, 4) -> (N, 20, 1, 1)
        x = tg.max_pool2d(self.norm(self.conv1(x)).relu(), 2)
        x = tg.max_pool2d(self.conv2(x), 2).relu()
        x = tg.max_pool2d(self.conv3(x).relu(), 2)
        return self.output(self.dropout(x.flatten(1)))


NETWORKS = {
    "LeNet-5": (LeNet5, (1, 28, 28), 10),
    "mixed": (Mixed, (1, 20, 20), 5),
    "ResNet-18": (lambda: ResNet18(width=4), (3, 32, 32), 10),
    "sigmoids": (SigmoidNetwork, (64,), 10),
}
