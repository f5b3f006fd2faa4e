import numpy as np
import pytest
from cores import MOST_THREADS

from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import pointwise
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.linalg import linear, matmul
from tensorgrad.kernels.reduce import sums

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
# (N, I, O): whole tiles and odd ends, one image, one output.
SIZES = [(64, 400, 120), (1, 3136, 128), (8, 400, 120), (97, 101, 53), (300, 200, 1), (5, 3, 2)]
EVERY_SIZE = pytest.mark.parametrize("size", SIZES, ids=lambda size: "{}×{}×{}".format(*size))


def draw(size, dtype, seed=0):
    (n, i, o), rng = size, np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in ((n, o), (n, i), (o, i))]


@FLOATS
@EVERY_SIZE
def test_both_gradients_are_the_two_products_to_the_bit(size, dtype):
    g, x, w = draw(size, dtype)
    for layouts in ((g, x, w), (g.T.copy().T, x, w), (g, x.T.copy().T, w), (g, x, w.T.copy().T), (g[::-1], x, w)):
        dx, dw, db = linear.gradients(*layouts)
        assert dx.tobytes() == matmul.product(layouts[0], layouts[2]).tobytes()
        assert dw.tobytes() == matmul.product(layouts[0].T, layouts[1]).tobytes()
        assert db.tobytes() == sums.total(layouts[0], (0,)).tobytes()
        exact = [a.astype(np.float64) for a in layouts]
        for ours, factors in ((dx, (exact[0], exact[2])), (dw, (exact[0].T, exact[1]))):
            scale = fallback.product(*map(np.abs, factors))
            assert (np.abs(ours - fallback.product(*factors)) <= 8 * np.finfo(dtype).eps * scale).all()


@FLOATS
@EVERY_SIZE
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_behind_a_rectifier_they_are_those_of_what_passes(size, dtype, chunks, monkeypatch):
    g, x, w = draw(size, dtype)
    z = np.maximum(np.random.default_rng(3).standard_normal(g.shape), 0).astype(dtype)
    z[0, 0], g[-1, -1] = np.nan, np.inf

    def one_after_the_other(kernel, arguments, _):
        for index in reversed(range(chunks)):
            kernel(*arguments, index, chunks)

    monkeypatch.setattr(linear, "chunks_for", lambda items, work: chunks)
    monkeypatch.setattr(linear, "run", one_after_the_other)
    passing = pointwise.relu_gradient(g, z)
    np.testing.assert_array_equal(passing, np.where(z <= 0, 0, g))
    expected = matmul.product(passing, w), matmul.product(passing.T, x), sums.total(passing, (0,))
    for layout in (z, z.T.copy().T):
        for one, other in zip(linear.gradients(g, x, w, layout), expected, strict=True):
            np.testing.assert_array_equal(one, other)


@EVERY_SIZE
def test_the_bits_are_those_of_one_thread(size):
    arrays, before, results = draw(size, np.float32, 1), dispatch.get_num_threads(), set()
    try:
        for threads in {1, MOST_THREADS}:
            dispatch.set_num_threads(threads)
            results |= {tuple(a.tobytes() for a in linear.gradients(*arrays)) for _ in range(5)}
    finally:
        dispatch.set_num_threads(before)
    assert len(results) == 1


def test_what_does_not_fit_is_refused():
    g, x, w = draw((64, 100, 70), np.float32)
    for arrays in ((g[:, :69], x, w), (g, x[:63], w), (g, x[:, :99], w), (g[0], x, w), (g, x, w, g[1:])):
        with pytest.raises(ShapeError, match=r"g \(N, O\), x \(N, I\), w \(O, I\)"):
            linear.gradients(*arrays)
    with pytest.raises(DTypeError, match="linear_gradients"):
        linear.gradients(g, x.astype(np.float64), w)
