import numpy as np
import pytest

from tensorgrad.kernels import fallback
from tensorgrad.kernels.elementwise import row_normalization

SHAPES = [((6, 5, 1), 1), ((6, 2, 7), 3), ((4, 1, 9), 2), ((64, 32, 33), 8)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize(
    ("shape", "groups"), [((6, 5, 1), 1), ((6, 2, 7), 3), ((4, 1, 9), 2), ((64, 32, 33), 8)], ids=str
)
def test_kernels_compute_what_their_references_state(shape, groups, centered, dtype):
    rng = np.random.default_rng(0)
    x, g = (rng.standard_normal(shape).astype(dtype) + dtype(3) for _ in range(2))
    w, b = (rng.standard_normal(groups * shape[1]).astype(dtype) for _ in range(2))
    z, mean, inverse = row_normalization.normalize(x, w, b, 1e-3, centered)
    exact, g64 = x.astype(np.float64), g.astype(np.float64)
    results = (
        *(z, mean, inverse),
        row_normalization.grad_input(g, x, w, mean, inverse, centered),
        row_normalization.grad_weights(g, x, mean, inverse, groups),
    )
    z, mean, inverse = fallback.normalize(exact, w, b, 1e-3, centered)
    references = (
        *(z, mean, inverse),
        fallback.normalize_grad_input(g64, exact, w, mean, inverse, centered),
        fallback.normalize_grad_weights(g64, exact, mean, inverse, groups),
    )
    tolerance = 2e-5 if dtype == np.float32 else 1e-11
    for result, reference in zip(results, references, strict=True):
        assert result.shape == reference.shape
        np.testing.assert_allclose(result, reference, rtol=tolerance, atol=tolerance * np.abs(reference).max())


def test_the_variance_survives_a_large_mean():
    x = np.random.default_rng(0).standard_normal((4, 3, 50)).astype("f") + np.float32(1e4)
    one, zero = np.ones(3, "f"), np.zeros(3, "f")
    z, mean, inverse = row_normalization.normalize(x, one, zero, 0.0)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(inverse, 1 / exact.std((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(mean, exact.mean((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(z.mean((1, 2)), 0, atol=1e-5)
