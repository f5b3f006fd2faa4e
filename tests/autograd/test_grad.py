"""tg.grad: gradients of any tensors, derivatives of higher order, gradcheck."""

import numpy as np
import pytest
from leaves import leaf

import tensorgrad as tg
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op

RNG = np.random.default_rng(7)


def test_grad_of_interior_tensors_and_leaves_touches_no_grad_attribute():
    x, upstream = leaf(3), RNG.standard_normal(3)
    h = x * x
    y = h * x
    gh, gx = tg.grad(y, [h, x], upstream)
    np.testing.assert_allclose(gh.data, upstream * x.data)
    np.testing.assert_allclose(gx.data, 3 * x.data**2 * upstream)
    assert x.grad is None


def test_grad_walks_only_where_it_leads():
    x, w = leaf(3), leaf(3)
    trunk = w * w  # not on the way to x
    y = (x * trunk).sum()
    tg.grad(y, x, retain_graph=False)
    assert trunk._node.saved is not None


def test_grad_of_unused_inputs():
    x, y = leaf(2), leaf(2)
    with pytest.raises(tg.GraphError, match=r"(?s)don't depend.*allow_unused"):
        tg.grad((x * 2.0).sum(), [x, y])
    assert tg.grad((x * 2.0).sum(), [x, y], allow_unused=True)[1] is None
    with pytest.raises(tg.GraphError, match="inputs must require a gradient"):
        tg.grad((x * 2.0).sum(), tg.ones(2))


def test_higher_derivatives_by_create_graph():
    x = tg.tensor(1.5, dtype="float64", requires_grad=True)
    g = x**5
    for k in range(1, 6):
        (g,) = tg.grad(g, x, create_graph=True)
        expected = np.prod([5 - j for j in range(k)]) * 1.5 ** (5 - k)
        assert g.item() == pytest.approx(expected)


def test_backward_with_create_graph_gives_differentiable_grads():
    x, v = leaf(3), RNG.standard_normal(3)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.backward(v)
    np.testing.assert_allclose(x.grad.data, 6 * x.data * v)


def test_hessian_jacobian_vjp_hvp_agree():
    x, v = RNG.standard_normal(4), RNG.standard_normal(4)

    def f(t):
        return (t.sin() * t * t).sum()

    h = tg.hessian(f, x).data
    np.testing.assert_allclose(h, h.T)
    np.testing.assert_allclose(h @ v, tg.hvp(f, x, v).data)
    np.testing.assert_allclose(np.diag(h), 2 * np.sin(x) + 4 * x * np.cos(x) - x * x * np.sin(x))
    a = RNG.standard_normal((3, 4))
    np.testing.assert_allclose(tg.jacobian(lambda t: tg.matmul(a, t), x).data, a)
    _, pull = tg.vjp(lambda t: tg.matmul(a, t), x)
    np.testing.assert_allclose(pull([1.0, 0.0, 2.0])[0].data, a[0] + 2 * a[2])
    assert tg.jacobian(lambda t: tg.ones(2), x).data.tolist() == [[0.0] * 4] * 2


def test_gradcheck_finds_a_wrong_rule():
    class WrongSquare(Op):
        """z = x², whose rule forgets the 2."""

        def forward(self, x):
            return x * x

        def backward_x(self, grad, x):
            return grad * x

    with pytest.raises(tg.GradientError, match=r"(?s)3 of 3 gradients of input 0 are wrong.*analytic"):
        tg.gradcheck(lambda x: apply(WrongSquare, x), [np.array([1.0, 2.0, 3.0])])
    with pytest.raises(tg.DTypeError, match="float64"):
        tg.gradcheck(lambda x: x, [tg.ones(2)])


@pytest.mark.parametrize("v", [tg.ones(3, 1), tg.ones(1, 3), 2.0, np.ones(2)], ids=["column", "row", "number", "short"])
def test_the_vector_of_hvp_has_the_shape_of_x(v):
    with pytest.raises(tg.ShapeError, match="hvp: v must have the shape of x"):
        tg.hvp(lambda x: (x**3).sum(), tg.tensor([1.0, 2.0, 3.0]), v)
