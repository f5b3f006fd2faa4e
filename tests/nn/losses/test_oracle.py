"""Losses beside PyTorch's on random calls: value, dtype, gradients, and second derivatives where PyTorch has them."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def shape_of(rng, most=3):
    return tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, most + 1)))


def signs(rng, shape):
    return rng.choice([-1.0, 1.0], shape)


def elementwise(rng, **options):
    shape = shape_of(rng)
    return [rng.standard_normal(shape) * 2, rng.standard_normal(shape) * 2], [], options


def smooth_l1_loss(rng):
    return elementwise(rng, beta=float(rng.choice([1.0, 0.0, 0.7])))


def huber_loss(rng):
    floats, others, options = elementwise(rng, delta=float(rng.choice([1.0, 0.7])))
    return floats, others, options | ({"weight": rng.random(floats[0].shape)} if rng.random() < 0.5 else {})


def mse_loss(rng):
    floats, others, options = elementwise(rng)
    return floats, others, options | ({"weight": rng.random(floats[0].shape)} if rng.random() < 0.5 else {})


def kl_div(rng):
    shape, log_target = shape_of(rng), bool(rng.random() < 0.5)
    target = rng.standard_normal(shape) if log_target else rng.uniform(0.1, 1, shape)
    return [rng.standard_normal(shape), target], [], {"log_target": log_target}


def poisson_nll_loss(rng):
    shape, log_input = shape_of(rng), bool(rng.random() < 0.5)
    x = rng.standard_normal(shape) if log_input else rng.uniform(0.1, 3, shape)
    options = {"log_input": log_input, "full": bool(rng.random() < 0.5), "eps": float(rng.choice([1e-8, 1e-3]))}
    return [x, rng.uniform(0, 5, shape)], [], options


def gaussian_nll_loss(rng):
    shape = tuple(int(n) for n in rng.integers(2, 4, rng.integers(1, 4)))
    forms = [shape, shape[:-1], (*shape[:-1], 1), (1, *shape[1:])]
    var = rng.uniform(0, 2, forms[rng.integers(0, 4)])
    options = {"full": bool(rng.random() < 0.5), "eps": float(rng.choice([1e-6, 0.5]))}
    return [rng.standard_normal(shape), rng.standard_normal(shape), var], [], options


def margin_ranking_loss(rng):
    shape = shape_of(rng)
    x, y = rng.standard_normal(shape), rng.standard_normal((1,) * len(shape) if rng.random() < 0.3 else shape)
    return [x, y], [signs(rng, shape)], {"margin": float(rng.choice([0.0, 0.6]))}


def hinge_embedding_loss(rng):
    shape = shape_of(rng)
    target = signs(rng, shape[1:] if rng.random() < 0.3 else shape)
    return [rng.standard_normal(shape)], [target], {"margin": float(rng.choice([1.0, 0.6]))}


def soft_margin_loss(rng):
    shape = shape_of(rng)
    return [rng.standard_normal(shape) * 3], [rng.standard_normal(shape)], {}


def triplet(rng):
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 4)))
    return [rng.standard_normal(shape) for _ in range(3)], [], {"margin": 1.1, "swap": bool(rng.random() < 0.5)}


def triplet_margin_loss(rng):
    floats, others, options = triplet(rng)
    p = float(rng.choice([2.0, 1.0, math.inf, 3.0, 1.5]))
    return floats, others, options | {"p": p, "eps": float(rng.choice([1e-6, 1e-2]))}


def triplet_margin_with_distance_loss(rng):
    return triplet(rng)


def cosine_embedding_loss(rng):
    shape = (*(int(n) for n in rng.integers(1, 5, rng.integers(0, 2))), 4)  # in few dimensions the digits cancel
    floats = [rng.standard_normal(shape), rng.standard_normal(shape)]
    return floats, [signs(rng, shape[:-1])], {"margin": float(rng.choice([0.0, 0.3]))}


def multi_margin_loss(rng):
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 3)))
    options = {"p": int(rng.integers(1, 3)), "margin": float(rng.choice([1.0, 0.4]))}
    options |= {"weight": rng.random(shape[-1])} if rng.random() < 0.5 else {}
    return [rng.standard_normal(shape)], [rng.integers(0, shape[-1], shape[:-1])], options


def multilabel_margin_loss(rng):
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 3)))
    return [rng.standard_normal(shape)], [rng.integers(-1, shape[-1], shape)], {}


def multilabel_soft_margin_loss(rng):
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 4)))
    options = {"weight": rng.random(shape[-1])} if rng.random() < 0.5 else {}
    return [rng.standard_normal(shape) * 2, rng.random(shape)], [], options


def ctc_loss(rng):
    steps, count, classes, size = rng.integers(1, 7), rng.integers(1, 4), rng.integers(2, 5), rng.integers(1, 4)
    blank = int(rng.integers(0, classes))
    target = rng.integers(0, classes - 1, (count, size))
    target = target + (target >= blank)
    lengths, sizes = rng.integers(1, steps + 1, count), rng.integers(0, size + 1, count)
    options = {"blank": blank, "zero_infinity": True}
    x = rng.standard_normal((steps, count, classes))
    if rng.random() < 0.2:
        return [x[:, 0]], [target[0, : sizes[0]], lengths[0], sizes[0]], options
    if rng.random() < 0.4:
        target = np.concatenate([row[:k] for row, k in zip(target, sizes, strict=True)])
    return [x], [target, lengths, sizes], options


LOSSES = [
    smooth_l1_loss, huber_loss, mse_loss, kl_div, poisson_nll_loss, gaussian_nll_loss, margin_ranking_loss,
    hinge_embedding_loss, soft_margin_loss, triplet_margin_loss, triplet_margin_with_distance_loss,
    cosine_embedding_loss, multi_margin_loss, multilabel_margin_loss, multilabel_soft_margin_loss, ctc_loss,
]  # fmt: skip
ONCE = {"multi_margin_loss", "multilabel_margin_loss", "ctc_loss"}
"""Losses that PyTorch differentiates once."""


def called(library, functional, name, floats, others, options, grad):
    """Value and gradients of a loss, and the gradients of a random sum of these."""
    inputs = [library.tensor(x, requires_grad=True) for x in floats]
    passed = [library.tensor(x) for x in others]
    options = {k: library.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    first = [library.log_softmax(inputs[0], -1)] if name == "ctc_loss" else inputs
    z = getattr(functional, name)(*first, *passed, **options)
    upstream = library.tensor(np.random.default_rng(1).standard_normal(tuple(z.shape)).astype(floats[0].dtype))
    gradients = grad(z, inputs, upstream, create_graph=name not in ONCE)
    found = [z, *gradients]
    if name not in ONCE:
        total = sum((g * library.tensor(weights_like(g))).sum() for g in gradients)
        if total.requires_grad:
            second = grad(total, inputs, allow_unused=True)
            found += [x * 0 if g is None else g for x, g in zip(inputs, second, strict=True)]
    return found


def weights_like(g):
    return np.random.default_rng(2).standard_normal(tuple(g.shape)).astype(str(g.dtype).removeprefix("torch."))


@pytest.mark.seeds(6)
@pytest.mark.parametrize("make", LOSSES, ids=lambda make: make.__name__)
def test_random_calls(make, seed, torch):
    rng, name = np.random.default_rng([seed, 7]), make.__name__
    floats, others, options = make(rng)
    dtype = rng.choice(["float32", "float64"])
    floats, others = [x.astype(dtype) for x in floats], [x.astype(dtype) if x.dtype.kind == "f" else x for x in others]
    options = {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    options["reduction"] = str(rng.choice(["mean", "sum", "none", *(["batchmean"] if name == "kl_div" else [])]))
    ours = called(tg, nn.functional, name, floats, others, options, tg.grad)
    theirs = called(torch, torch.nn.functional, name, floats, others, options, torch.autograd.grad)
    for k, (g, e) in enumerate(zip(ours, theirs, strict=False)):
        expected = e.numpy(force=True)
        assert g.shape == expected.shape and g.dtype == expected.dtype, k
        scale = np.abs(expected).max(initial=1.0)
        tolerance = (1e-10 if dtype == "float64" else 3e-5) * scale
        np.testing.assert_allclose(g.data, expected, rtol=0, atol=tolerance, err_msg=f"{k}: {options}")


MODULES = {
    "smooth_l1_loss": "SmoothL1Loss", "huber_loss": "HuberLoss", "mse_loss": "MSELoss", "kl_div": "KLDivLoss",
    "poisson_nll_loss": "PoissonNLLLoss", "gaussian_nll_loss": "GaussianNLLLoss",
    "margin_ranking_loss": "MarginRankingLoss", "hinge_embedding_loss": "HingeEmbeddingLoss",
    "soft_margin_loss": "SoftMarginLoss", "triplet_margin_loss": "TripletMarginLoss",
    "triplet_margin_with_distance_loss": "TripletMarginWithDistanceLoss",
    "cosine_embedding_loss": "CosineEmbeddingLoss", "multi_margin_loss": "MultiMarginLoss",
    "multilabel_margin_loss": "MultiLabelMarginLoss", "multilabel_soft_margin_loss": "MultiLabelSoftMarginLoss",
    "ctc_loss": "CTCLoss",
}  # fmt: skip


@pytest.mark.parametrize("make", LOSSES, ids=lambda make: make.__name__)
def test_modules_call_the_functions(make, torch):
    rng, name = np.random.default_rng(5), make.__name__
    floats, others, options = make(rng)
    options["reduction"] = "sum"
    if name in ("mse_loss", "huber_loss"):
        options.pop("weight", None)  # these modules have none, here as there
    arrays = [tg.tensor(x) for x in (*floats, *others)]
    layer = getattr(nn, MODULES[name])(**options)
    np.testing.assert_array_equal(layer(*arrays).data, getattr(nn.functional, name)(*arrays, **options).data)
    given = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    assert list(layer.state_dict()) == list(getattr(torch.nn, MODULES[name])(**given).state_dict())


@pytest.mark.parametrize("make", LOSSES, ids=lambda make: make.__name__)
def test_signatures_are_pytorchs(make, torch):
    import inspect

    name = make.__name__
    for ours, theirs in (
        (getattr(nn.functional, name), getattr(torch.nn.functional, name)),
        (getattr(nn, MODULES[name]), getattr(torch.nn, MODULES[name])),
    ):
        mine, pytorch = (
            [(p.name, p.kind, p.default) for p in inspect.signature(f).parameters.values()] for f in (ours, theirs)
        )
        assert mine == pytorch
