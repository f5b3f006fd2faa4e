"""Twenty steps of a small network beside PyTorch's, step by step, for each optimizer and its options."""

import math
from functools import partial

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn import optim

pytestmark = pytest.mark.oracle

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.01, "momentum": 0.5, "maximize": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.001, "maximize": True, "centered": True, "eps": 1e-3}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.01, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.01, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.01, "maximize": True}),
    ("Adafactor", {}),
    (
        "Adafactor",
        {"lr": 0.01, "beta2_decay": -0.5, "eps": (1e-4, 1e-2), "d": 1.5, "weight_decay": 0.1, "maximize": True},
    ),
    ("Adamax", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("ASGD", {"lr": 0.1}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 5, "weight_decay": 0.01, "maximize": True}),
    ("Rprop", {"lr": 0.01}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2), "maximize": True}),
]
SHAPES = [(6, 16), (16,), (16, 4), (4,)]


def start(dtype):
    rng = np.random.default_rng(0)
    weights = [(rng.standard_normal(shape) / math.sqrt(shape[0])).astype(dtype) for shape in SHAPES]
    batches = [(rng.standard_normal((8, 6)), rng.standard_normal((8, 4))) for _ in range(20)]
    return weights, [(x.astype(dtype), y.astype(dtype)) for x, y in batches]


def loss(weights, x, y):
    """A two-layer network's mean squared error, in the language that both libraries speak."""
    w1, b1, w2, b2 = weights
    difference = (x @ w1 + b1).tanh() @ w2 + b2 - y
    return (difference * difference).mean()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-6)])
@pytest.mark.parametrize(("name", "options"), CASES, ids=lambda v: v if isinstance(v, str) else ",".join(v))
def test_twenty_steps(name, options, dtype, tolerance, request):
    torch = pytest.importorskip("torch")
    # PyTorch keeps some optimizers' numbers, such as products of momenta, in its default dtype.
    request.addfinalizer(partial(torch.set_default_dtype, torch.get_default_dtype()))
    torch.set_default_dtype(getattr(torch, dtype))
    weights, batches = start(dtype)
    ours = [tg.tensor(w, requires_grad=True) for w in weights]
    theirs = [torch.tensor(w, requires_grad=True) for w in weights]
    mine, pytorch = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step, (x, y) in enumerate(batches):
        mine.zero_grad()
        pytorch.zero_grad()
        loss(ours, tg.tensor(x), tg.tensor(y)).backward()
        loss(theirs, torch.tensor(x), torch.tensor(y)).backward()
        for p, q in zip(ours, theirs, strict=True):
            if dtype == "float32":
                # The same gradients for both: the test is of the rule, not of how float32's rounding grows.
                q.grad.copy_(torch.tensor(p.grad.data))
        mine.step()
        pytorch.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(
                p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance, err_msg=f"step {step}"
            )


def test_schedules_beside_pytorch():
    torch = pytest.importorskip("torch")
    weights, batches = start("float64")
    ours = [tg.tensor(w, requires_grad=True) for w in weights]
    theirs = [torch.tensor(w, requires_grad=True) for w in weights]
    mine = optim.SGD(ours, lr=optim.cosine(0.1, 20), momentum=0.9)
    pytorch = torch.optim.SGD(theirs, lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(pytorch, 20)
    for x, y in batches:
        for optimizer, p, tensor in ((mine, ours, tg.tensor), (pytorch, theirs, torch.tensor)):
            optimizer.zero_grad()
            loss(p, tensor(x), tensor(y)).backward()
            optimizer.step()
        scheduler.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("name", "slots"),
    [
        ("SGD", {"momentum": 0.9}),
        ("RMSprop", {"momentum": 0.9, "centered": True}),
        ("Adam", {"amsgrad": True}),
        ("Adagrad", {}),
        ("Adadelta", {}),
        ("Adafactor", {}),
        ("Adamax", {}),
        ("RAdam", {}),
        ("Rprop", {}),
    ],
)
def test_states_have_pytorchs_names_and_values(name, slots):
    torch = pytest.importorskip("torch")
    ours, theirs = tg.ones(3, dtype="float64", requires_grad=True), torch.ones(3, dtype=torch.float64)
    mine, pytorch = getattr(optim, name)([ours], lr=0.1, **slots), getattr(torch.optim, name)([theirs], lr=0.1, **slots)
    for seed in range(3):
        g = np.random.default_rng(seed).standard_normal(3)
        ours.grad, theirs.grad = tg.tensor(g), torch.tensor(g)
        mine.step()
        pytorch.step()
    state = {key: value for key, value in pytorch.state[theirs].items() if key != "step"}
    assert mine.state[ours].keys() - {"step"} == state.keys()
    for key, value in state.items():
        np.testing.assert_allclose(mine.state[ours][key], value.numpy(), rtol=1e-12, err_msg=key)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize(
    "options", [{}, {"max_iter": 1}, {"lr": 0.5, "max_iter": 7, "history_size": 3}, {"max_iter": 30, "max_eval": 9}]
)
def test_lbfgs(search, options):
    """On a function with a curved valley, Rosenbrock's in six dimensions, and on a network."""
    torch = pytest.importorskip("torch")

    def valley(weights):
        (x,) = weights
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    weights, ((x, y), *_) = start("float64")
    start_of_valley = [np.array([-1.2, 1.0, 0.7, -0.3, 1.5, 0.2])]
    for values, function, data in ((start_of_valley, valley, ()), (weights, loss, (x, y))):
        libraries = []
        for library, make in ((tg, optim.LBFGS), (torch, torch.optim.LBFGS)):
            parameters = [library.tensor(v, requires_grad=True) for v in values]
            optimizer = make(parameters, line_search_fn=search, **({"lr": 1e-2} if not search else {}) | options)
            given = [library.tensor(v) for v in data]
            libraries.append((optimizer, parameters, given))
        for step in range(4):
            results = []
            for optimizer, parameters, given in libraries:

                def closure(optimizer=optimizer, parameters=parameters, given=given, function=function):
                    optimizer.zero_grad()
                    value = function(parameters, *given) if given else function(parameters)
                    value.backward()
                    return value

                results.append([optimizer.step(closure).item(), *[p.tolist() for p in parameters]])
            for one, other in zip(*results, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6, err_msg=f"step {step}")
