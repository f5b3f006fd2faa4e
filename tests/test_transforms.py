"""gradcheck itself: it agrees with differences taken here by hand, and it refuses rules that are wrong."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op


class Cube(Op):
    """z = x³, with its rule left to the tests below."""

    symbol, formula, derivatives = "x³", "z = x³", ("∂z/∂x = 3x²",)

    def forward(self, x):
        return x**3


class RightCube(Cube):
    def backward_x(self, grad, x):
        return grad * 3 * x * x


class LostFactor(Cube):
    def backward_x(self, grad, x):
        return grad * x * x


class FlippedSign(Cube):
    def backward_x(self, grad, x):
        return -grad * 3 * x * x


class IgnoredUpstream(Cube):
    def backward_x(self, grad, x):
        return 3 * x * x


class OneWrongElement(Cube):
    def backward_x(self, grad, x):
        wrong = np.ones(x.shape)
        wrong.flat[-1] = 1.001
        return grad * 3 * x * x * wrong


class NanSlope(Cube):
    def backward_x(self, grad, x):
        return grad * float("nan")


class NoRule(Cube):
    pass


class Reversed(Op):
    """z = x, reversed; its rule forgets to reverse, which `.sum().backward()` doesn't notice."""

    symbol, formula, derivatives = "⇄", "z = x, reversed", ("∂L/∂x = ∂L/∂z, reversed",)

    def forward(self, x):
        return x[::-1].copy()

    def backward_x(self, grad):
        return grad


class FirstOrderOnly(Cube):
    """Right once; its rule works on arrays, so that the second derivative is lost."""

    def backward_x(self, grad, x):
        return grad * (3 * x.data**2)


X = np.random.default_rng(1).uniform(0.5, 2.0, (2, 3))


def test_a_right_rule_passes():
    assert tg.gradcheck(lambda x: apply(RightCube, x), [X])


@pytest.mark.parametrize("op", [LostFactor, FlippedSign, IgnoredUpstream, OneWrongElement, NanSlope])
def test_a_wrong_rule_is_refused(op):
    with pytest.raises(tg.GradientError, match="gradients of input 0 are wrong") as raised:
        tg.gradcheck(lambda x: apply(op, x), [X])
    assert "analytic" in str(raised.value) and "numeric" in str(raised.value)


def test_the_one_wrong_element_is_named():
    with pytest.raises(tg.GradientError, match=r"1 of 6 gradients of input 0 are wrong; worst at \(1, 2\)"):
        tg.gradcheck(lambda x: apply(OneWrongElement, x), [X])


def test_a_rule_that_a_sum_would_not_notice_is_refused():
    with pytest.raises(tg.GradientError):
        tg.gradcheck(lambda x: apply(Reversed, x), [X[0]])


def test_a_missing_rule_is_refused():
    with pytest.raises(tg.GradientError, match="gradients of input 1 are wrong"):
        tg.gradcheck(lambda x, y: x * x + apply(NoRule, y), [X, X])
    with pytest.raises(tg.GraphError, match="no graph"):
        tg.gradcheck(lambda x: apply(NoRule, x), [X])


def test_a_rule_right_only_once_fails_as_a_second_derivative():
    def gradient(op):
        return lambda x: tg.grad(apply(op, x) + x * x, x, np.ones(X.shape), create_graph=True)[0]

    assert tg.gradcheck(lambda x: apply(FirstOrderOnly, x), [X])
    assert tg.gradcheck(gradient(RightCube), [X])
    with pytest.raises(tg.GradientError):
        tg.gradcheck(gradient(FirstOrderOnly), [X])


def test_inputs_are_checked_as_asked_and_left_alone():
    x, y = tg.Tensor(X.copy(), requires_grad=True), tg.Tensor(X.copy())
    assert tg.gradcheck(lambda x, y: x * apply(LostFactor, y), [x, y])
    with pytest.raises(tg.GradientError, match="input 1"):
        tg.gradcheck(lambda x, y: x * apply(LostFactor, y), [X, X])
    assert x.grad is None
    np.testing.assert_array_equal(x.data, X)


def test_only_float64_will_do():
    with pytest.raises(tg.DTypeError, match="float64"):
        tg.gradcheck(tg.exp, [X.astype(np.float32)])


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: (x * y).sin() / (1 + y * y),
        lambda x, y: tg.softmax(x @ y.T) @ y,
        lambda x, y: tg.logsumexp(x[:, [0, 0, 2]] - y.flip(1), axis=1),
        lambda x, y: tg.where(x > y, x * x, y.exp()).cumsum(0),
    ],
)
def test_gradients_against_differences_taken_here(function):
    """Without gradcheck: directional derivatives along random directions, five-point differences, random upstream."""
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal((2, 3)), rng.standard_normal((2, 3))]
    directions = [rng.standard_normal((2, 3)), rng.standard_normal((2, 3))]
    xs = [tg.Tensor(a, requires_grad=True) for a in arrays]
    z = function(*xs)
    upstream = rng.standard_normal(z.shape)

    def along(t):
        moved = function(*[tg.Tensor(a + t * d) for a, d in zip(arrays, directions, strict=True)])
        return float((moved.data * upstream).sum())

    h = 1e-3
    numeric = (along(-2 * h) - 8 * along(-h) + 8 * along(h) - along(2 * h)) / (12 * h)
    z.backward(upstream)
    analytic = sum(float((x.grad.data * d).sum()) for x, d in zip(xs, directions, strict=True))
    assert analytic == pytest.approx(numeric, rel=1e-8)
