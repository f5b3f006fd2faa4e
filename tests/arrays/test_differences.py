"""Central differences against derivatives that are known in closed form."""

import numpy as np
import pytest

from tensorgrad.arrays.differences import CentralDifference, numeric_gradient

RNG = np.random.default_rng(0)
X, D = RNG.standard_normal((2, 3, 4))


def test_the_derivative_along_a_direction():
    difference = CentralDifference(np.sin, X, D, 1e-5)
    np.testing.assert_allclose(difference.value, np.cos(X) * D, atol=1e-9)
    np.testing.assert_allclose(difference.kink, 0, atol=2e-5)


def test_the_error_bounds_the_difference_from_the_derivative():
    for step in (1e-1, 1e-3, 1e-5, 1e-8):
        difference = CentralDifference(lambda x: float((x**3).sum()), X, D, step)
        assert abs(difference.value - (3 * X**2 * D).sum()) <= difference.error(np.finfo(np.float64).eps)


def test_the_error_of_a_cubic_is_six_times_its_own():
    step = 0.1
    difference = CentralDifference(lambda x: float((x**3).sum()), X, D, step)
    own = abs(difference.value - (3 * X**2 * D).sum())
    assert own == pytest.approx(step**2 * abs((D**3).sum()))
    assert difference.error(0.0) == pytest.approx(6 * own)


def test_a_kink_has_two_slopes():
    difference = CentralDifference(lambda x: float(np.maximum(x, 0).sum()), np.zeros(2), np.array([1.0, 2.0]), 1e-3)
    assert difference.one_sided == pytest.approx((0, 3))
    assert difference.kink == pytest.approx(1.5)
    assert difference.value == pytest.approx(1.5)


def test_elements_that_do_not_move_keep_their_bits():
    x, seen = np.array([-0.0, np.inf, 1.0]), []
    CentralDifference(lambda moved: seen.append(moved) or 0.0, x, np.array([0.0, 0.0, 1.0]), 0.5)
    assert [moved[2] for moved in seen] == [0.5, 1.5]
    for moved in seen:
        assert moved[:2].tobytes() == x[:2].tobytes()


def test_the_gradient_element_by_element():
    weights = RNG.standard_normal(X.shape)
    found = numeric_gradient(lambda x: (weights * np.exp(x)).sum(), X, 1e-6)
    np.testing.assert_allclose(found, weights * np.exp(X), rtol=1e-7)
