import numpy as np
import pytest
from cores import MOST_THREADS

from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.kernels import fallback
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.linalg import matmul

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
# (M, K, N): whole tiles and odd ends, vectors, a layer's three products.
SIZES = [
    (64, 400, 120),
    (120, 64, 400),
    (64, 84, 10),
    (1, 400, 120),
    (400, 120, 1),
    (97, 53, 101),
    (7, 3136, 128),
    (300, 2, 3),
    (25, 40, 1),
]
EVERY_SIZE = pytest.mark.parametrize("size", SIZES, ids=lambda size: "{}×{}×{}".format(*size))


@pytest.fixture(autouse=True)
def no_blas(monkeypatch):
    for name in ("ONE_THREAD", "ONE_THREAD_VECTOR"):
        monkeypatch.setattr(matmul, name, 0)
    matmul.plan.cache_clear()
    yield
    matmul.plan.cache_clear()


def draw(size, dtype, seed=0):
    (m, k, n), generator = size, np.random.default_rng(seed)
    return [generator.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n), (n,))]


def layouts(a, b):
    """Both factors as they are, and as transposed views of contiguous matrices; and views that must be copied."""
    for x in (a, a.T.copy().T):
        for y in (b, b.T.copy().T):
            yield x, y
    yield a[:, ::-1].copy()[:, ::-1], np.repeat(b, 2, axis=1)[:, ::2]
    yield a.astype(a.dtype.newbyteorder(">")), b


@FLOATS
@EVERY_SIZE
def test_products_are_their_twin_in_every_layout(size, dtype):
    a, b, bias = draw(size, dtype)
    scale = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64) + np.abs(bias)
    for given in (None, bias):
        expected = fallback.product(a.astype(np.float64), b.astype(np.float64), given)
        for x, y in layouts(a, b):
            z = matmul.product(x, y, given)
            assert z.dtype == dtype and z.flags.c_contiguous
            assert (np.abs(z - expected) <= 8 * np.finfo(dtype).eps * scale).all()


@FLOATS
@EVERY_SIZE
def test_nan_and_infinity_reach_what_they_reach_in_the_twin(size, dtype):
    a, b, bias = draw(size, dtype, 1)
    a[0, -1], b[-1, -1], b[0, 0] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = fallback.product(a, b, bias)
        for x, y in layouts(a, b):
            z = matmul.product(x, y, bias)
            np.testing.assert_array_equal(np.isnan(z), np.isnan(expected))
            np.testing.assert_array_equal(np.isinf(z), np.isinf(expected))


@EVERY_SIZE
def test_the_bits_are_those_of_one_thread(size):
    a, b, bias = draw(size, np.float32, 2)
    before = dispatch.get_num_threads()
    results = []
    try:
        for threads in {1, MOST_THREADS}:
            dispatch.set_num_threads(threads)
            results += [matmul.product(x, y, bias).tobytes() for x, y in list(layouts(a, b))[:4] for _ in range(3)]
    finally:
        dispatch.set_num_threads(before)
    count = len(results) // 12
    assert all(results[3 * k : 3 * k + 3] == [results[3 * k]] * 3 for k in range(4 * count))
    assert results[:12] == results[-12:]


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 1, 2)])
def test_empty_matrices(shape):
    a, b, bias = draw(shape, np.float32)
    np.testing.assert_array_equal(matmul.product(a, b, bias), a @ b + bias)


def test_errors_restate_the_call():
    a, b, bias = draw((3, 4, 5), np.float32)
    with pytest.raises(ShapeError, match=r"(?s)a: \(3, 4\).*b: \(3, 4\)"):
        matmul.product(a, a)
    with pytest.raises(ShapeError, match=r"bias: \(3,\)"):
        matmul.product(a, b, bias[:3])
    with pytest.raises(DTypeError, match="float32 or float64"):
        matmul.product(a, b.astype(np.float64))
