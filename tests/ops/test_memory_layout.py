"""Results don't depend on where arrays lie in memory: each case, its arrays near to each other and far apart.

A loop that LLVM has vectorised asks at run time how far its arrays are apart, and runs one by one where that is less
than a few vectors: a sum taken in such a loop would then be rounded in another order.
"""

import sys
from functools import partial

import batches
import numpy as np
import pytest
from cases import CASES

import tensorgrad as tg
from tensorgrad.arrays import memory

# Arenas take turns in one piece of memory: to get so much anew takes longer than a case. What the one before has left
# also shows a kernel that reads what it should write.
MEMORY = np.zeros(1 << 24, np.uint8)


class Arena:
    """Hands out memory in one direction, with the same gap between any two arrays."""

    def __init__(self, step, gap):
        self.memory = MEMORY
        self.first = -self.memory.ctypes.data % 64
        self.place, self.step, self.gap = (0 if step > 0 else len(self.memory) - 64), step, gap

    def empty(self, shape, dtype):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        room = -(-(size + self.gap) // 16) * 16
        start = self.place if self.step > 0 else self.place - room
        self.place += self.step * room
        return np.ndarray(shape, dtype, self.memory, self.first + start)


LAYOUTS = {"apart": (1, 4096), "upwards": (1, 0), "downwards": (-1, 0), "upwards, 64 between": (1, 64)}


def results(case, dtype, arena):
    arrays = []
    for x in case.inputs(dtype):
        arrays.append(arena.empty(x.shape, x.dtype))
        arrays[-1][...] = x
    tensors = [tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
    z = case.call(*tensors)
    found = [np.array(z.detach())]
    if z.requires_grad:
        upstream = arena.empty(z.shape, z.dtype)
        upstream[...] = case.upstream(z.shape, z.dtype)
        wanted = [x for x in tensors if x.requires_grad]
        found += [np.array(g) for g in tg.grad(z, wanted, upstream, allow_unused=True) if g is not None]
    return found


def assert_the_same_everywhere(call, monkeypatch):
    expected = None
    for layout in LAYOUTS.values():
        arena = Arena(*layout)
        monkeypatch.setattr(memory, "empty", arena.empty)
        found = call(arena)
        if expected is not None:
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)
        expected = found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.cases("case", [case for case in CASES if case.sample.inputs], ids=repr)
def test_results_dont_depend_on_where_arrays_lie(case, dtype, monkeypatch):
    assert_the_same_everywhere(lambda arena: results(case, dtype, arena), monkeypatch)


# The cases above are small: rows of a few vectors, and none.
ROWS = {
    "softmax": lambda x, y: tg.softmax(x, axis=1),
    "log_softmax": lambda x, y: tg.log_softmax(x, axis=1),
    "cross_entropy": lambda x, y: tg.nn.cross_entropy(x, y, reduction="none"),
    "batch_norm": lambda x, y: tg.batch_norm(x.T.unsqueeze(0).swapaxes(1, 2), training=True),
    "sigmoid": lambda x, y: x.sigmoid(),
    "gelu": lambda x, y: tg.gelu(x),
    "softplus": lambda x, y: tg.softplus(x),
    "logsumexp": lambda x, y: tg.logsumexp(x, axis=1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [4, 10, 33])
@pytest.mark.parametrize("name", ROWS)
def test_rows_dont_depend_on_where_they_lie(name, size, dtype, monkeypatch):
    rng = np.random.default_rng(size)

    def call(values, labels, upstream, arena):
        array = arena.empty(values.shape, dtype)
        array[...] = values
        x = tg.Tensor(array, requires_grad=True)
        z = ROWS[name](x, labels)
        return [np.array(z.detach()), np.array(tg.grad(z, x, upstream.reshape(-1)[: z.numel()].reshape(z.shape))[0])]

    for _ in range(20):  # another order of summation changes the last digit of some sums, not of all
        values, upstream = rng.standard_normal((2, 1, size)).astype(dtype)
        labels = rng.integers(0, size, 1)
        assert_the_same_everywhere(partial(call, values, labels, upstream), monkeypatch)


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 2_180
