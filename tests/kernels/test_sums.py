import numpy as np
import pytest

from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.reduce import columns, sums

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SHAPES = [(7, 11), (5000, 3), (3, 5000), (5000, 200), (2, 3, 9000), (9000, 2, 3), (40, 7, 1, 50), (20_000,)]


@FLOATS
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_of_squares_divided_in_another_dtype(shape, dtype):
    x = (100 + np.random.default_rng(0).standard_normal(shape)).astype(dtype)
    wide = x.astype(np.longdouble)
    for axes in {tuple(range(x.ndim)), (0,), (x.ndim - 1,), tuple(range(0, x.ndim, 2))}:
        for squares, result in ((False, np.float32), (True, np.float64), (True, dtype)):
            exact = (wide**2 if squares else wide).sum(axes) / 7
            z = sums.total(x, axes, divisor=7, squares=squares, dtype=np.dtype(result))
            assert (z.shape, z.dtype, z.flags.c_contiguous) == (exact.shape, result, True)
            np.testing.assert_allclose(z, exact.astype(np.float64), rtol=1e-7 if result == np.float32 else 1e-12)


@FLOATS
@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize("squares", [False, True])
@pytest.mark.parametrize(
    "sizes",
    [(1, 9, 1), (700, 4, 3), (600, 7, 1), (3, 10, 7), (2, 1000, 5), (1, 70, 63), (1, 17, 64), (2, 9, 1100)],
    ids=str,
)
def test_a_fold_in_any_number_of_chunks_and_blocks(sizes, squares, chunks, dtype, monkeypatch):
    def one_after_the_other(kernel, arguments, _):
        for index in reversed(range(chunks)):
            kernel(*arguments, index, chunks)

    monkeypatch.setattr(columns, "run", one_after_the_other)
    x = np.random.default_rng(1).standard_normal(sizes).astype(dtype)
    for block in (sizes[1], 4, 1):
        starts = range(0, sizes[1], block)
        z = np.full((sizes[0], len(starts), sizes[2]), np.nan)
        columns.fold(x, z, block, 3.0, 2.0, squares)
        terms = x.astype(np.float64) ** (2 if squares else 1)
        exact = np.stack([terms[:, k : k + block].sum(1) for k in starts], 1) * 1.5
        np.testing.assert_allclose(z, exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(64, 10), (4, 512), (1000, 2), (1, 2048)], ids=str)
def test_few_rows_are_added_as_numpy_adds_them(shape):
    """A kernel that sums beside other work must give the bits that NumPy gives elsewhere."""
    x = np.random.default_rng(2).standard_normal(shape)
    z = np.empty((1, 1, shape[1]))
    columns.fold(x[None], z, shape[0], 1.0, 1.0, False)
    assert x.size <= sums.FEW
    assert z.tobytes() == sums.total(x, (0,)).tobytes() == x.sum(0).tobytes()


@FLOATS
def test_what_is_not_finite_stays_in_its_sum(dtype):
    x = np.ones((6000, 70), dtype)
    x[5, 0], x[7, 1], x[[9, 11], 2] = np.nan, np.inf, (np.inf, -np.inf)
    for z in (sums.total(x, (0,)), sums.total(x.T, (1,)), sums.total(x, (0,), keepdims=True)[0]):
        np.testing.assert_array_equal(z, [np.nan, np.inf, np.nan] + [6000] * 67)


def test_intermediate_sums_may_exceed_the_range():
    x = np.float32([3e38, 3e38, -3e38, -3e38] * 3000)
    assert sums.total(x) == 0
    assert sums.total(x, squares=True, dtype=sums.FLOAT64) == pytest.approx(12000 * 9e76)


def test_repeated_numbers_are_multiplied():
    x = np.broadcast_to(np.float32(0.1), (1000, 1000, 1000, 1000))
    assert sums.total(x) == np.float32(1e12 * float(np.float32(0.1)))
    np.testing.assert_array_equal(sums.total(x[0], divisor=10**9), np.float32(0.1))


def test_a_long_product_is_made_in_parts():
    a = np.full((2, 3, 50_000), 0.1, np.float32)
    b = a.mT.copy()  # for a matrix times its own transpose NumPy calls another function of BLAS, which rounds otherwise
    z = sums.product_in_parts(np.matmul, a, b)
    # As one product it is wrong by 2e-5.
    np.testing.assert_allclose(z, np.full((2, 3, 3), 50_000 * float(np.float32(0.1)) ** 2), rtol=5e-6)
    assert z.dtype == np.float32


def test_the_kernel_runs_in_parallel_for_much_work():
    assert dispatch.chunks_for(100, columns.WORK * 20_000_000) == min(100, dispatch.get_num_threads())
