"""Kernels that read images at other places: adjoints, threads, what they refuse."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import kernels
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.sampling.tables import Axis

AXES = [
    (Axis("reflect", 5, 9, before=2),),
    (Axis("replicate", 4, 6, before=-1), Axis("replicate", 3, 9, before=4)),
    (Axis("circular", 4, 7, before=3), Axis("circular", 3, 3)),
    (Axis("nearest", 3, 7), Axis("linear", 5, 2), Axis("cubic", 6, 9, align_corners=True)),
    (Axis("linear, antialiased", 9, 4), Axis("cubic, antialiased", 11, 3, scale=0.3)),
]


@pytest.mark.parametrize("axes", AXES, ids=lambda axes: " ".join(axis.kind for axis in axes))
def test_transposed_tables_are_the_adjoint(axes):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, *[axis.size for axis in axes]))
    g = rng.standard_normal((2, 3, *[axis.length for axis in axes]))
    back = kernels.separable.resample(g, tuple(axis.adjoint for axis in axes))
    assert back.shape == x.shape
    assert (kernels.separable.resample(x, axes) * g).sum() == pytest.approx((x * back).sum(), rel=1e-12)


def results(rng):
    """Of arrays so large that the work is shared out."""
    x, w = rng.standard_normal((8, 16, 40, 40)).astype("f"), rng.standard_normal((8, 2000, 4)).astype("f")
    k = rng.integers(-1, 1600, w.shape)
    flat, indices = x.reshape(8, 16, 1600), rng.integers(0, 1600, (8, 16, 1000))
    yield kernels.separable.resample(x, (Axis("linear", 40, 70), Axis("cubic", 40, 50)))
    yield kernels.weighted.sample(flat, w, k)
    yield kernels.weighted.adjoint(kernels.weighted.sample(flat, w, k), w, k, 1600)
    yield kernels.weighted.dots(flat, kernels.weighted.sample(flat, w, k), k)
    yield kernels.selection.pick(flat, indices)
    yield kernels.selection.add(flat[..., :1000], indices, (40, 40))
    yield kernels.selection.put(flat[..., :1000], indices, (40, 40))
    yield kernels.adaptive.max_indices(x, (7, 9))


def test_threads_change_nothing(threads):
    found = list(results(np.random.default_rng(1)))
    dispatch.set_num_threads(1)
    for a, b in zip(found, results(np.random.default_rng(1)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_lies_nowhere_is_not_read():
    x = np.array([[[np.nan, 1.0, 2.0]]])
    w, k = np.array([[[np.inf, 2.0]]]), np.array([[[-1, 1]]])
    np.testing.assert_array_equal(kernels.weighted.sample(x, w, k), [[[2.0]]])
    np.testing.assert_array_equal(kernels.weighted.adjoint(np.ones((1, 1, 1)), w, k, 3), [[[0.0, 2.0, 0.0]]])
    np.testing.assert_array_equal(kernels.weighted.dots(x, np.ones((1, 1, 1)), k), [[[0.0, 1.0]]])


@pytest.mark.parametrize("index", [-1, 4, 2**40])
def test_a_place_outside_is_refused(index):
    for call in (
        lambda: kernels.selection.pick(np.zeros((1, 1, 4)), np.array([[[index]]])),
        lambda: kernels.selection.add(np.zeros((1, 1, 1)), np.array([[[index]]]), (2, 2)),
        lambda: kernels.selection.put(np.zeros((1, 1, 1)), np.array([[[index]]]), (2, 2)),
    ):
        with pytest.raises(tg.RangeError, match=r"\[0, 4\)"):
            call()


def test_arrays_that_do_not_fit_are_refused():
    x = np.zeros((1, 2, 4))
    for call in (
        lambda: kernels.separable.resample(x, (Axis("linear", 5, 2),)),
        lambda: kernels.weighted.sample(x, np.zeros((1, 3, 2)), np.zeros((1, 3, 1), np.int64)),
        lambda: kernels.selection.pick(x, np.zeros((1, 1, 4), np.int64)),
        lambda: kernels.selection.add(x, np.zeros((1, 2, 3), np.int64), (4,)),
    ):
        with pytest.raises(tg.ShapeError):
            call()


def pixel_of(place, n, padding, align_corners):
    """The pixel that a place means, step by step, or None: reflections one after the other."""
    if np.isnan(place) or (np.isinf(place) and padding == "reflection"):
        return None
    if padding == "reflection":
        low, high = (0, n - 1) if align_corners else (-0.5, n - 0.5)
        while low < high and not low <= place <= high:
            place = 2 * low - place if place < low else 2 * high - place
        place = 0.0 if low == high else place
    if padding != "zeros":
        place = min(max(place, 0), n - 1)
    return int(place) if 0 <= place < n else None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("size", [(5, 1), (4, 3, 6)], ids=str)
def test_the_pixels_around_places(size, padding, align_corners, dtype):
    rng = np.random.default_rng(3)
    places = tuple(rng.integers(-9, 14, (2, 300)).astype(dtype) for _ in size)
    places[0][0, :3] = np.nan, np.inf, -np.inf
    offsets = rng.integers(-1, 3, (5, len(size)))
    options = (offsets, size, padding, align_corners)
    expected = np.empty((2, 300, 5), np.int64)
    for n, q, t in np.ndindex(expected.shape):
        shifted = zip(places, size, offsets[t], strict=True)
        found = [pixel_of(place[n, q] + offset, m, padding, align_corners) for place, m, offset in shifted]
        expected[n, q, t] = -1 if None in found else np.ravel_multi_index(found, size)
    np.testing.assert_array_equal(kernels.weighted.pixels(places, *options), expected)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(kernels.fallback.pixels(places, *options), expected)
