"""Images read between pixels: the kernels beside NumPy, adjoints, chunks, places outside, gradients, compiled calls."""

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.kernels import bilinear, fallback
from tensorgrad.kernels.jit import dispatch


def drawn(seed, dtype="float64"):
    """Images, places (some on pixels, on edges, outside, infinite, NaN) and an upstream gradient."""
    rng = np.random.default_rng(seed)
    n, c, h, w, q = rng.integers([1, 1, 1, 1, 31], [6, 6, 6, 6, 36])
    v, u = (rng.uniform(-3, size + 2, (n, q)) for size in (h, w))
    for place, size in ((v, h), (u, w)):
        there = rng.random(place.shape)
        place[there < 0.3] = np.round(place[there < 0.3])
        special = [np.nan, np.inf, -np.inf, -1, 0, size - 1, size, -1e30, 2.0**40]
        place[there > 0.8] = rng.choice(special, (there > 0.8).sum())
    x, g = rng.standard_normal((n, c, h, w)), rng.standard_normal((n, c, q))
    return [a.astype(dtype) for a in (x, v, u, g)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(10))
def test_kernels_compute_what_their_references_state(seed, dtype):
    x, v, u, g = drawn(seed, dtype)
    size = x.shape[2:]
    with np.errstate(invalid="ignore"):
        expected = (
            fallback.bilinear(x, v, u),
            fallback.bilinear_adjoint(g, v, u, size),
            fallback.bilinear_slopes(g, x, v, u),
        )
    found = bilinear.sample(x, v, u), bilinear.adjoint(g, v, u, size), bilinear.slopes(g, x, v, u)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=3e-5 if dtype == "float32" else 1e-13)
    # <sample(x), g> = <x, adjoint(g)>
    assert (found[0] * g).sum() == pytest.approx((x * found[1]).sum(), rel=1e-3, abs=1e-3)


def test_chunks_change_nothing():
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((4, 3, 9, 8)).astype("f"), rng.standard_normal((4, 3, 50)).astype("f")
    v, u = (rng.uniform(-2, 10, (4, 50)).astype("f") for _ in range(2))
    whole = bilinear.sample(x, v, u), bilinear.adjoint(g, v, u, (9, 8)), bilinear.slopes(g, x, v, u)
    parts = [np.empty_like(a) for a in whole]
    for index in range(3):
        bilinear._sample_kernel(x, v, u, parts[0], index, 3)
        bilinear._adjoint_kernel(g, v, u, parts[1], index, 3)
        bilinear._slopes_kernel(g, x, v, u, parts[2], index, 3)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, b)


def test_threads_change_nothing(threads):
    rng = np.random.default_rng(1)
    x, g = rng.standard_normal((8, 16, 40, 40)).astype("f"), rng.standard_normal((8, 16, 3000)).astype("f")
    v, u = (rng.uniform(-2, 42, (8, 3000)).astype("f") for _ in range(2))
    found = bilinear.sample(x, v, u), bilinear.adjoint(g, v, u, (40, 40)), bilinear.slopes(g, x, v, u)
    dispatch.set_num_threads(1)
    again = bilinear.sample(x, v, u), bilinear.adjoint(g, v, u, (40, 40)), bilinear.slopes(g, x, v, u)
    for a, b in zip(found, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_lies_around_is_not_read():
    """A NaN in the image reaches only the places that it is next to."""
    x = np.ones((1, 1, 3, 3))
    x[0, 0, 0, 0] = np.nan
    v, u = np.array([[1.5, -5.0, np.nan, 2.5, 0.5]]), np.array([[1.5, -5.0, 0.0, 2.0, 0.5]])
    np.testing.assert_array_equal(bilinear.sample(x, v, u), [[[1.0, 0.0, 0.0, 0.5, np.nan]]])
    g = np.array([[[1.0, np.nan, np.inf, 1.0, 0.0]]])
    assert np.isfinite(bilinear.adjoint(g, v, u, (3, 3))).all()


def test_arrays_that_do_not_fit_are_refused():
    x, v, g = np.zeros((2, 3, 4, 5)), np.zeros((2, 6)), np.zeros((2, 3, 6))
    for call in (
        lambda: bilinear.sample(x, v, v[:, :5]),
        lambda: bilinear.sample(x[0], v, v),
        lambda: bilinear.adjoint(g, v[:1], v[:1], (4, 5)),
        lambda: bilinear.slopes(g[:, :2], x, v, v),
    ):
        with pytest.raises(tg.ShapeError):
            call()


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_gradients_are_the_same_recorded_or_not(padding_mode):
    rng = np.random.default_rng(2)
    x = tg.tensor(rng.standard_normal((2, 3, 5, 4)), requires_grad=True)
    grid = tg.tensor(rng.uniform(-1.4, 1.4, (2, 6, 3, 2)), requires_grad=True)
    z = F.grid_sample(x, grid, "bilinear", padding_mode, False)
    g = tg.tensor(rng.standard_normal(z.shape))
    plain = tg.autograd.grad((z * g).sum(), [x, grid], retain_graph=True)
    recorded = tg.autograd.grad((z * g).sum(), [x, grid], create_graph=True)
    for a, b in zip(plain, recorded, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_compiled_calls_give_the_same_bits():
    def loss(x, grid):
        return (F.grid_sample(x, grid, "bilinear", "border", True) ** 2).sum()

    compiled, rng = tg.compile(loss), np.random.default_rng(3)
    for _ in range(5):
        x, grid = rng.standard_normal((2, 3, 5, 4)).astype("f"), rng.uniform(-1.3, 1.3, (2, 6, 3, 2)).astype("f")
        results = []
        for f in (loss, compiled):
            a, b = tg.tensor(x, requires_grad=True), tg.tensor(grid, requires_grad=True)
            z = f(a, b)
            z.backward()
            results.append((z.numpy(), a.grad.numpy(), b.grad.numpy()))
        for plain, again in zip(*results, strict=True):
            np.testing.assert_array_equal(plain, again)
    assert compiled.replays > 0, compiled.problems
