"""Arrays whose numbers can't be read: views work, everything else raises."""

import operator

import numpy as np
import pytest

from tensorgrad.kernels.arguments import as_contiguous, floats
from tensorgrad.kernels.jit.opaque import Opaque, constant, is_constant, planned, real

ARRAY = np.arange(24.0).reshape(2, 3, 4)

VIEWS = {
    "transposed": lambda x: x.T,
    "one row": lambda x: x[1],
    "steps": lambda x: x[:, ::-1, 1:4:2],
    "an element": lambda x: x[1, 2, 3, ...],
    "new axis": lambda x: x[:, None],
    "reshaped": lambda x: x.reshape(6, 4),
    "flat": lambda x: x.ravel(),
    "axes": lambda x: x.transpose((2, 0, 1)),
    "swapped": lambda x: x.swapaxes(0, 2),
    "squeezed": lambda x: x[:1].squeeze(0),
    "spread": lambda x: np.broadcast_to(x, (5, 2, 3, 4)),
    "flipped": lambda x: np.flip(x, 1),
    "as it is": lambda x: x.astype(np.float64, copy=False),
    "ready": lambda x: as_contiguous(x),
    "floats": lambda x: floats("relu", "x", x)[0],
}

READERS = {
    "array": np.array,
    "asarray": np.asarray,
    "contiguous": np.ascontiguousarray,
    "sum": np.sum,
    "isfinite": np.isfinite,
    "where": lambda x: np.where(x, 1, 0),
    "concatenate": lambda x: np.concatenate([x, x]),
    "into a plain one": lambda x: np.copyto(np.zeros((2, 3, 4)), x),
    "out": lambda x: np.add(ARRAY, 1, out=x),
    "into": lambda x: np.copyto(x, ARRAY),
    "plus": lambda x: x + 1,
    "plus from the right": lambda x: ARRAY + x,
    "times itself": lambda x: x @ x,
    "negative": operator.neg,
    "in place": lambda x: operator.iadd(x, 1),
    "equal": lambda x: x == 0,
    "not equal": lambda x: x != x,
    "equal from the right": lambda x: np.float64(0) == x,
    "less": lambda x: x < 0,
    "bool": bool,
    "float": lambda x: float(x[0, 0, 0]),
    "int": lambda x: int(x[0, 0, 0]),
    "index": lambda x: [1][x[0, 0, 0]],
    "in": lambda x: 0.0 in x,
    "fancy index": lambda x: x[[0, 1]],
    "mask": lambda x: x[ARRAY > 3],
    "as an index": lambda x: ARRAY[x],
    "set": lambda x: operator.setitem(x, 0, 1),
    "set another": lambda x: operator.setitem(np.zeros((2, 3, 4)), ..., x),
    "method": lambda x: x.sum(),
    "item": lambda x: x.item(),
    "buffer": memoryview,
    "converted": lambda x: x.astype(np.float32),
    "copied": lambda x: x.astype(np.float64),
    "reshaped to a copy": lambda x: x.T.reshape(-1),
    "raveled to a copy": lambda x: x.T.ravel(),
    "ready copy": lambda x: as_contiguous(x.T),
    "dtype of another order": lambda x: as_contiguous(Opaque(ARRAY.astype(">f8"))),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_are_views(view):
    found, expected = view(Opaque(ARRAY)), view(ARRAY)
    assert type(found) is Opaque
    assert (found.shape, found.dtype, found.strides) == (expected.shape, expected.dtype, expected.strides)
    assert (found.ndim, found.size, found.itemsize, found.nbytes) == (
        expected.ndim,
        expected.size,
        expected.itemsize,
        expected.nbytes,
    )
    assert np.shares_memory(real(found), ARRAY)
    np.testing.assert_array_equal(real(found), expected)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_whatever_reads_or_writes_raises(reader):
    before = ARRAY.copy()
    with pytest.raises((TypeError, AttributeError)):
        reader(Opaque(ARRAY))
    np.testing.assert_array_equal(ARRAY, before)


def test_no_numbers_no_secret():
    assert Opaque(np.zeros((0, 3))).T.reshape(-1).shape == (0,)
    assert is_constant(np.zeros((0, 3)))


def test_plans_hold_constants():
    calls = []

    @planned
    def plan(count):
        calls.append(count)
        return count, (np.arange(count), "text"), np.ones((count, 2)).T

    one, two = plan(3), plan(3)
    assert calls == [3] and one is two
    _, (table, _), other = one
    assert is_constant(table) and is_constant(table[1:].reshape(2, 1)) and is_constant(other)
    assert type(table) is np.ndarray and table.flags.carray
    np.testing.assert_array_equal(table, np.arange(3))
    again = constant(table)
    assert is_constant(again) and not np.shares_memory(again, table)
    assert not is_constant(np.arange(3)) and not is_constant(table + 1) and not is_constant(table.copy())
