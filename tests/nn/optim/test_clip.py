"""Gradient clipping: by hand, and against PyTorch."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ArgumentError
from tensorgrad.nn.optim import NonFiniteError, clip_grad_norm_, clip_grad_value_


def with_gradients(*gradients):
    parameters = []
    for g in gradients:
        p = tg.zeros(*np.shape(g), requires_grad=True, dtype=np.asarray(g).dtype)
        p.grad = tg.tensor(np.asarray(g))
        parameters.append(p)
    return parameters


def test_the_norm_is_that_of_all_gradients_together():
    parameters = [*with_gradients(np.array([3.0, 0]), np.array([[-4.0]])), tg.zeros(2, requires_grad=True)]
    assert clip_grad_norm_(parameters, 1.0).item() == 5
    assert np.allclose(parameters[0].grad.data, [0.6, 0], rtol=1e-6)
    assert np.allclose(parameters[1].grad.data, [[-0.8]], rtol=1e-6)
    assert parameters[2].grad is None


def test_the_norm_is_divided_by_with_a_millionth_to_spare():
    """The factor is max_norm / (norm + 1e-6), as PyTorch's: of tiny gradients the millionth decides."""
    (p,) = with_gradients(np.array([3e-6, 0]))
    clip_grad_norm_(p, 1e-6)
    np.testing.assert_allclose(p.grad.data, [0.75e-6, 0], rtol=1e-12)


def test_small_gradients_stay_to_the_bit():
    (p,) = with_gradients(np.array([0.3, 0.4]))
    assert clip_grad_norm_(p, 1.0).item() == 0.5 and p.grad.tolist() == [0.3, 0.4]


def test_no_gradient_at_all():
    assert clip_grad_norm_([tg.zeros(2, requires_grad=True)], 1.0).item() == 0


def test_clipping_by_value():
    (p,) = with_gradients(np.array([-3.0, 0.5, math.inf, math.nan]))
    clip_grad_value_(p, 2)
    assert np.array_equal(p.grad.data, [-2, 0.5, 2, math.nan], equal_nan=True)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_norm_that_is_not_finite(value):
    (p,) = with_gradients(np.array([1.0, value]))
    with pytest.raises(NonFiniteError, match=f"the norm of the gradients is {value}"):
        clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.data[0] == 1
    clip_grad_norm_(p, 1.0)
    assert np.isnan(p.grad.data[1])


@pytest.mark.parametrize("arguments", [{"max_norm": -1}, {"max_norm": 1, "norm_type": 0}, {"max_norm": math.nan}])
def test_errors(arguments):
    with pytest.raises(ArgumentError, match="clip_grad_norm_"):
        clip_grad_norm_(with_gradients(np.ones(2)), **arguments)
    with pytest.raises(ArgumentError, match="clip_grad_value_"):
        clip_grad_value_(with_gradients(np.ones(2)), -1)


@pytest.mark.oracle
@pytest.mark.parametrize("norm_type", [1, 2, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.7, 1e3])
def test_as_pytorch(norm_type, max_norm):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    gradients = [rng.standard_normal(shape) for shape in [(3, 4), (5,), ()]]
    ours = with_gradients(*gradients)
    theirs = [torch.zeros(np.shape(g), dtype=torch.float64) for g in gradients]
    for p, g in zip(theirs, gradients, strict=True):
        p.grad = torch.tensor(g)
    want = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert clip_grad_norm_(ours, max_norm, norm_type).item() == pytest.approx(want.item(), rel=1e-12)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-12)
    clip_grad_value_(ours, 0.1)
    torch.nn.utils.clip_grad_value_(theirs, 0.1)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-12)
