"""Twenty steps of a small network beside PyTorch's, step by step, for each optimizer and its options."""

import math

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
def test_twenty_steps(name, options, dtype, tolerance):
    torch = pytest.importorskip("torch")
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
