import numpy as np
import pytest

from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import normalization

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SHAPES = pytest.mark.parametrize("shape", [(2, 3, 4, 5), (64, 16, 9, 9), (7, 1, 33), (5, 4), (1, 2, 1, 1)], ids=str)


def draw(shape, dtype, mean=0.0):
    generator = np.random.default_rng(0)
    x, g = (generator.standard_normal(shape).astype(dtype) for _ in range(2))
    return x + dtype(mean), g, [generator.standard_normal(shape[1]).astype(dtype) for _ in range(4)]


def results(room, grad_input, x, g, numbers):
    yield from room.moments(x)
    yield room.scale_and_shift(x, *numbers[:3])
    yield from room.gradient_sums(g, x, numbers[0])
    yield grad_input(g, x, *numbers)


def both(x, g, numbers):
    ours = results(normalization, normalization.grad_input, x, g, numbers)
    return zip(ours, results(fallback, fallback.batch_norm_grad_input, x, g, numbers), strict=True)


@FLOATS
@SHAPES
def test_kernels_compute_what_their_twins_state(shape, dtype):
    x, g, numbers = draw(shape, dtype)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    exact = [a.astype(np.float64) for a in (x, g)], [a.astype(np.float64) for a in numbers]
    for (result, reference), precise in zip(
        both(x, g, numbers), results(fallback, fallback.batch_norm_grad_input, *exact[0], exact[1]), strict=True
    ):
        assert (result.shape, result.dtype) == (reference.shape, reference.dtype)
        np.testing.assert_allclose(result, precise, rtol=tolerance, atol=tolerance * max(1, np.abs(precise).max()))


@FLOATS
def test_the_variance_survives_a_large_mean(dtype):
    x, _, _ = draw((64, 3, 8, 8), dtype, 1e3)
    mean, var = normalization.moments(x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(var, exact.var((0, 2, 3)), rtol=1e-5)


@FLOATS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_channel_as_in_the_twin(value, dtype):
    x, g, numbers = draw((4, 3, 5, 5), dtype)
    x[1, 2, 0, 0] = value
    g[0, 1, 3, 3] = value
    with np.errstate(invalid="ignore"):
        for result, reference in both(x, g, numbers):
            np.testing.assert_allclose(result, reference, rtol=1e-4, atol=1e-4)


def test_any_layout_and_no_mixture_of_dtypes():
    x, g, numbers = draw((6, 4, 5, 5), np.float64)
    for layout in (x[::-1, ::2], np.asfortranarray(x), x.astype(">f8"), x[:0]):
        few = [values[: layout.shape[1]] for values in numbers]
        np.testing.assert_allclose(
            normalization.scale_and_shift(layout, *few[:3]), fallback.scale_and_shift(layout, *few[:3])
        )
    with pytest.raises(TypeError, match="batch_norm"):
        normalization.gradient_sums(g.astype(np.float32), x, numbers[0])


@FLOATS
def test_bits_do_not_depend_on_the_run(dtype):
    x, g, numbers = draw((32, 8, 30, 30), dtype)
    runs = [[r.tobytes() for r in results(normalization, normalization.grad_input, x, g, numbers)] for _ in range(5)]
    assert all(run == runs[0] for run in runs)


@FLOATS
@pytest.mark.parametrize("shape", [(64, 2, 5, 9), (2, 3, 30, 30), (1, 1, 70_000), (9, 2, 7)], ids=str)
@pytest.mark.parametrize("threads", [1, 7])
def test_a_channel_is_cut_where_there_are_fewer_than_threads(threads, shape, dtype, monkeypatch):
    def backwards(kernel, arguments, chunks):
        for index in reversed(range(chunks)):
            kernel(*arguments, index, chunks)

    monkeypatch.setattr(normalization, "run", backwards)
    monkeypatch.setattr(normalization, "threads_for", lambda work, most: threads)
    monkeypatch.setattr(normalization, "chunks_for", lambda items, work: min(items, threads))
    x, g, numbers = draw(shape, dtype, 100.0)
    exact, axes = x.astype(np.float64), (0, *range(2, x.ndim))
    mean, var = normalization.moments(x)
    np.testing.assert_allclose(mean, exact.mean(axes), rtol=1e-7)
    np.testing.assert_allclose(var, exact.var(axes), rtol=1e-5)
    centered = exact - np.float64(numbers[0]).reshape(-1, *[1] * (x.ndim - 2))
    for result, terms in zip(normalization.gradient_sums(g, x, numbers[0]), (g, g * centered), strict=True):
        assert (np.abs(result - terms.sum(axes, np.float64)) <= 1e-6 * np.abs(terms).sum(axes)).all()
    result = normalization.grad_input(g, x, *numbers)
    np.testing.assert_allclose(result, fallback.batch_norm_grad_input(g, x, *numbers), rtol=1e-4, atol=1e-3)


@FLOATS
@pytest.mark.parametrize("first", [1e4, -1e6, np.inf])
def test_the_variance_survives_a_first_element_far_away(first, dtype):
    x, _, _ = draw((8, 3, 9, 9), dtype, 5.0)
    x[0, 1, 0, 0] = first
    exact = x.astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean, var = normalization.moments(x)
        np.testing.assert_allclose(mean, exact.mean((0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(var, exact.var((0, 2, 3)), rtol=1e-5)
    x[:, 1] = 1
    x[0, 1, 0, 0] = 1e3
    np.testing.assert_allclose(normalization.moments(x)[1], x.astype(np.float64).var((0, 2, 3)), rtol=1e-5)
