"""tensorgrad.func: transforms against PyTorch's, nested, on trees; modules as functions."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vjp,
    vmap,
)

X = np.random.default_rng(0).standard_normal((2, 3))
W = np.random.default_rng(1).standard_normal(3)


def loss(x, w):
    return (x.sin() * w).sum()


def field(x, w):
    return (x * x) @ w


# The same code on tensors of either library.
CALLS = [
    lambda f, x, w: f.grad(loss)(x, w),
    lambda f, x, w: f.grad(loss, argnums=1)(x, w),
    lambda f, x, w: f.grad(loss, argnums=(0, 1))(x, w)[1],
    lambda f, x, w: f.grad(lambda x: (f.grad(loss)(x, w) * x).sum())(x),
    lambda f, x, w: f.grad(lambda w: (f.grad(loss)(x, w) ** 2).sum())(w),
    lambda f, x, w: f.grad_and_value(loss)(x, w)[1],
    lambda f, x, w: f.grad(lambda p: (p["w"] * p["x"][0]).sin().sum())({"w": w, "x": [x, w]})["x"][0],
    lambda f, x, w: f.grad(lambda x: (loss(x, w), x * 2), has_aux=True)(x)[1],
    lambda f, x, w: f.vjp(field, x, w)[0],
    lambda f, x, w: f.vjp(field, x, w)[1](field(x, w))[1],
    lambda f, x, w: f.jvp(field, (x, w), (x.cos(), w * 2))[1],
    lambda f, x, w: f.jvp(lambda x: f.grad(loss)(x, w), (x,), (x.cos(),))[1],
    lambda f, x, w: f.jacrev(field)(x, w),
    lambda f, x, w: f.jacrev(field, argnums=(0, 1))(x, w)[1],
    lambda f, x, w: f.jacfwd(field)(x, w),
    lambda f, x, w: f.jacfwd(field, argnums=1)(x, w),
    lambda f, x, w: f.hessian(loss)(x, w),
    lambda f, x, w: f.jacrev(f.jacrev(loss, argnums=1), argnums=0)(x, w),
    lambda f, x, w: f.jacfwd(f.jacrev(loss))(x, w),
    lambda f, x, w: f.vmap(lambda a, b: (a * b).sum(), in_dims=(0, None))(x, w),
    lambda f, x, w: f.vmap(lambda a, b: a * b, in_dims=(1, 0), out_dims=1)(x, w),
    lambda f, x, w: f.vmap(f.grad(lambda a: a.sin().sum()))(x),
    lambda f, x, w: f.vmap(lambda a: (a, a.sum()), out_dims=(1, 0))(x)[0],
    lambda f, x, w: f.vmap(f.vmap(lambda a: a * 2))(x),
    lambda f, x, w: f.vmap(lambda d: d["x"] + d["w"], in_dims=({"x": 0, "w": None},))({"x": x, "w": w}),
    lambda f, x, w: f.grad(lambda x: f.vmap(lambda a: (a * w).sin().sum())(x).sum())(x),
]


@pytest.mark.oracle
@pytest.mark.parametrize("call", CALLS)
def test_as_in_pytorch(call):
    torch = pytest.importorskip("torch")
    found, expected = call(tg.func, tg.tensor(X), tg.tensor(W)), call(torch.func, torch.tensor(X), torch.tensor(W))
    np.testing.assert_allclose(found.data, expected.numpy(), rtol=1e-12, atol=1e-12)
    assert not found.requires_grad


def test_gradients_flow_on_to_leaves_outside():
    w = tg.tensor(W, requires_grad=True)
    g = grad(lambda x: (x.sin() * w).sum())(tg.tensor(X))
    (g * g).sum().backward()
    np.testing.assert_allclose(w.grad.data, (2 * np.cos(X) ** 2 * W).sum(0))
    x = tg.tensor(X, requires_grad=True)
    y, pull = vjp(lambda x: x**3, x)
    assert y.requires_grad
    (g,) = tg.grad(pull(tg.ones(2, 3, dtype="float64"))[0].sum(), x)
    np.testing.assert_allclose(g.data, 6 * X)


def test_nothing_is_left_behind():
    x = tg.tensor(X)
    g, value = grad_and_value(lambda x: (x * x).sum())(x)
    assert not (g.requires_grad or value.requires_grad or x.requires_grad)
    assert hessian(lambda x: (x * x).sum())(x).shape == (2, 3, 2, 3)
    assert jacrev(lambda x: x[:0])(tg.tensor(W)).shape == (0, 3)
    assert jacfwd(lambda x: x[:0])(tg.tensor(W)).shape == (0, 3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: grad(lambda x: x)(tg.ones(2)), tg.ShapeError, "one scalar tensor"),
        (lambda: grad(lambda x: x, argnums=1)(tg.ones(2)), tg.ArgumentError, "argnums"),
        (lambda: grad(lambda x: x)(2.0), tg.DTypeError, "must be tensors, got float"),
        (lambda: grad(lambda x: x)(tg.tensor([1])), tg.DTypeError, "must be floats, got int64"),
        (lambda: jvp(lambda x: x, (tg.ones(2),), (tg.ones(3),)), tg.ShapeError, "shapes of the primals"),
        (lambda: vjp(lambda x: 3, tg.ones(2)), tg.DTypeError, "must return tensors, got int"),
        (lambda: vmap(lambda x: x, in_dims=(0, 0))(tg.ones(2)), tg.ArgumentError, "one entry per argument, 1, got 2"),
        (lambda: vmap(lambda x: x, in_dims=None)(tg.ones(2)), tg.ArgumentError, "name an axis"),
        (lambda: vmap(lambda x, y: x)(tg.ones(2), tg.ones(3)), tg.ShapeError, "one length, 1 or more, got [2, 3]"),
        (lambda: vmap(lambda x: x, in_dims=2)(tg.ones(2)), tg.RangeError, "in_dims must be in [-1, 1), got 2"),
        (lambda: vmap(lambda x: x * tg.rand(1))(tg.ones(2)), tg.ArgumentError, "draws random numbers"),
        (lambda: vmap(lambda x: x, randomness="some"), tg.ArgumentError, "'some'"),
        (lambda: vmap(lambda x: x, out_dims=(0, 1))(tg.ones(2)), tg.ArgumentError, "one entry per result, 1, got 2"),
        (lambda: functional_call(nn.Linear(2, 1), {"w": tg.ones(1)}, tg.ones(2)), tg.ArgumentError, "'w'"),
        (lambda: functional_call(nn.Linear(2, 1), {"bias": 1.0}, tg.ones(2)), tg.DTypeError, "bias must be a tensor"),
        (lambda: functional_call(nn.Linear(2, 1), {}, tg.ones(2), strict=True), tg.ArgumentError, "'bias'"),
        (lambda: stack_module_state([nn.Linear(2, 1), nn.ReLU()]), tg.ArgumentError, "one class"),
    ],
)
def test_bad_calls_are_refused_in_words(call, error, words):
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)


def test_randomness_of_vmap():
    x = tg.zeros(4)
    same = vmap(lambda a: a + tg.rand(1)[0], randomness="same")(x)
    assert len(set(same.tolist())) == 1
    assert len(set(vmap(lambda a: a + tg.rand(1)[0], randomness="different")(x).tolist())) == 4


def network():
    tg.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 1))


def test_a_module_as_a_function_of_its_parameters():
    model, x = network().eval(), tg.tensor(X.astype(np.float32))
    own = dict(model.named_parameters())
    before = [id(p) for p in model.parameters()]
    expected = model(x)
    doubled = {name: (p * 2).detach() for name, p in own.items()}
    z = functional_call(model, doubled, x)
    assert not np.allclose(z.data, expected.data)
    np.testing.assert_array_equal(functional_call(model, (own, dict(model.named_buffers())), (x,)).data, expected.data)
    assert [id(p) for p in model.parameters()] == before
    g = grad(lambda p: (functional_call(model, p, x) ** 2).sum())({n: p.detach() for n, p in own.items()})
    (model(x) ** 2).sum().backward()
    for name, p in own.items():
        np.testing.assert_allclose(g[name].data, p.grad.data, rtol=1e-5, atol=1e-6)
    with pytest.raises(tg.ShapeError):
        functional_call(model, own, tg.zeros(2, 9))
    assert [id(p) for p in model.parameters()] == before


def test_shared_parameters_are_replaced_everywhere():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    x, twice = tg.ones(1, 2), {"0.weight": 2 * tg.eye(2)}
    np.testing.assert_array_equal(functional_call(model, twice, x).data, [[4, 4]])
    alone = functional_call(model, twice, x, tie_weights=False)
    np.testing.assert_allclose(alone.data, (2 * model[0].weight.data.sum(1))[None], rtol=1e-6)


def test_an_ensemble():
    models = [nn.Linear(3, 2) for _ in range(4)]
    parameters, buffers = stack_module_state(models)
    assert parameters["weight"].requires_grad and not buffers
    x = tg.tensor(X.astype(np.float32))
    z = vmap(lambda p: functional_call(models[0], p, x))(parameters)
    np.testing.assert_array_equal(z.data, np.stack([m(x).data for m in models]))
    z.sum().backward()
    assert parameters["bias"].grad.shape == (4, 2)
