"""Values added at indices: every kind of index, the dtypes, the order of the sums, compiled calls, PyTorch."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import kernels
from tensorgrad.kernels.jit import dispatch
from tensorgrad.ops.row_sums import added, added_to_zeros


def random_index(rng, shape):
    """An index with at least one array in it, as a tuple."""
    parts, length = [], rng.integers(1, 4, rng.integers(0, 3)).tolist()
    n = min(shape)  # an Ellipsis may move a part to any axis
    for _ in range(rng.integers(1, len(shape) + 1)):
        kinds = [
            rng.integers(-n, n, length),
            rng.integers(0, n, length).astype("i4"),
            slice(None),
            int(rng.integers(n)),
        ]
        kinds += [slice(0, n, 2), rng.integers(0, n, (3, *[1] * len(length)))]
        parts.append(kinds[rng.integers(len(kinds))])
    parts[rng.integers(len(parts))] = rng.integers(0, n, length)
    if rng.random() < 0.2:
        parts.insert(rng.integers(len(parts) + 1), None)
    if len(parts) < len(shape) and rng.random() < 0.4:
        parts.insert(rng.integers(len(parts) + 1), Ellipsis)
    return tuple(parts)


@pytest.mark.parametrize("seed", range(60))
def test_as_numpy_adds(seed):
    rng = np.random.default_rng(seed)
    dtype = ["float32", "float64", "float16", "int64", "int32"][seed % 5]
    x = (rng.standard_normal(rng.integers(1, 6, rng.integers(1, 5))) * 9).astype(dtype)
    index = random_index(rng, x.shape)
    v = (rng.standard_normal(x[index].shape) * 9).astype(dtype)
    for start, found in ((x, added(x, index, v)), (np.zeros_like(x), added_to_zeros(x.shape, index, v))):
        expected = start.astype("float64" if x.dtype.kind == "f" else dtype)
        np.add.at(expected, index, v.astype(expected.dtype))
        assert found.dtype == x.dtype
        np.testing.assert_array_equal(found, expected.astype(dtype))


def test_masks_numbers_and_nothing():
    x = np.arange(6.0).reshape(2, 3)
    mask = x > 2
    np.testing.assert_array_equal(added(x, (mask,), np.ones(3)), x + mask)
    np.testing.assert_array_equal(added(x, (), np.ones((2, 3))), x + 1)
    np.testing.assert_array_equal(added(x, (Ellipsis, np.array([0, 0])), np.ones((2, 2))), x + np.array([2, 0, 0]))
    np.testing.assert_array_equal(added(x, (np.zeros(0, int),), np.ones((0, 3))), x)
    np.testing.assert_array_equal(added(np.float64(1).reshape(()), (), np.float64(2).reshape(())), 3.0)
    assert added(x[:, :0], (np.array([1, 1]),), np.ones((2, 0))).shape == (2, 0)
    with pytest.raises(IndexError):
        added(x, (np.array([2]),), np.ones((1, 3)))


def test_kernel_refuses_rows_that_do_not_exist():
    x = np.zeros((1, 3, 2))
    for row in (-1, 3, 2**40):
        with pytest.raises(tg.RangeError, match=r"\[0, 3\)"):
            kernels.row_sums.add(np.ones((1, 1, 2)), np.array([row]), 3)
    for values, rows in ((np.ones((1, 1, 3)), np.array([0])), (np.ones((1, 2, 2)), np.array([0]))):
        with pytest.raises(tg.ShapeError):
            kernels.row_sums.add_to(x, values, rows)


def test_chunks_change_nothing():
    rng = np.random.default_rng(0)
    for width in (1, 5):
        x, v = rng.standard_normal((3, 7, width)).astype("f"), rng.standard_normal((3, 500, width)).astype("f")
        rows = rng.integers(0, 7, 500)
        expected = kernels.row_sums.add_to(x, v, rows)
        wide, z, strays = np.empty(x.shape), np.empty_like(x), np.empty(4, np.int64)
        for index in range(4):
            kernels.row_sums._add_kernel(x, v, rows, True, True, wide, z, strays, index, 4)
        np.testing.assert_array_equal(z, expected)


def test_threads_change_nothing(threads):
    rng = np.random.default_rng(1)
    v, rows = rng.standard_normal((2, 5000, 64)).astype("f"), rng.integers(0, 300, 5000)
    found = kernels.row_sums.add(v, rows, 300)
    dispatch.set_num_threads(1)
    np.testing.assert_array_equal(found, kernels.row_sums.add(v, rows, 300))


def test_many_small_values_are_not_lost():
    rows = np.zeros(100_000, np.int64)
    sums = tg.index_add(tg.tensor([2.0**24]), 0, tg.tensor(rows), tg.ones(100_000))
    assert sums.tolist() == [2.0**24 + 100_000]


def test_nan_stays_in_its_row():
    z = tg.index_add(tg.zeros(3), 0, tg.tensor([1, 1, 0]), tg.tensor([np.nan, 1.0, np.inf]))
    np.testing.assert_array_equal(z.numpy(), [np.inf, np.nan, 0.0])


def test_compiled_adds_follow_the_index():
    def loss(x, index, v):
        rows = tg.nn.functional.embedding(index, x)
        return (tg.index_add(x * 2, 0, index, v) ** 2).sum() + (x[index] * rows * v).sum()

    compiled, rng = tg.compile(loss), np.random.default_rng(0)
    for _ in range(5):
        x, v = rng.standard_normal((6, 3)).astype("f"), rng.standard_normal((4, 3)).astype("f")
        index = tg.tensor(rng.integers(0, 6, 4))
        results = []
        for f in (loss, compiled):
            a, b = tg.tensor(x, requires_grad=True), tg.tensor(v, requires_grad=True)
            z = f(a, index, b)
            z.backward()
            results.append((z.numpy(), a.grad.numpy(), b.grad.numpy()))
        for plain, again in zip(*results, strict=True):
            np.testing.assert_array_equal(plain, again)
    assert compiled.replays > 0, compiled.problems
