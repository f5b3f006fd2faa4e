"""Distributions against PyTorch's: densities, entropies, divergences and their gradients; draws by their moments."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.distributions import Bernoulli, Categorical, Independent, Normal, Uniform, kl_divergence

RNG = np.random.default_rng(7)
A, B = RNG.standard_normal((2, 3)), RNG.uniform(0.2, 2.0, (2, 3))
P = RNG.uniform(0.05, 0.95, (2, 3))
VALUES = RNG.standard_normal((4, 2, 3))
CLASSES = RNG.integers(0, 3, (4, 2))
MADE = {
    "Normal": (lambda d, a, b: d.Normal(a, b), (A, B), VALUES),
    "a normal of a number": (lambda d, a: d.Normal(a, 0.7), (A,), VALUES),
    "Uniform": (lambda d, a, b: d.Uniform(a - 1, a + b), (A, B), A + 0.1),
    "Bernoulli": (lambda d, p: d.Bernoulli(p), (P,), CLASSES[0, :, None] > 0),
    "Bernoulli of logits": (lambda d, a: d.Bernoulli(logits=a), (A,), CLASSES[0, :, None] > 1),
    "Categorical": (lambda d, p: d.Categorical(p), (P,), CLASSES),
    "Categorical of logits": (lambda d, a: d.Categorical(logits=a), (A,), CLASSES[0]),
    "Independent": (lambda d, a, b: d.Independent(d.Normal(a, b), 1), (A, B), VALUES),
}


def results(package, make, arrays, values):
    """Shapes, the log-density and the entropy, and the parameters' gradients under random upstream ones."""
    xs = [package.tensor(x, requires_grad=True) for x in arrays]
    made, rng = make(package.distributions, *xs), np.random.default_rng(3)
    values = package.tensor(np.broadcast_to(values, values.shape).astype(float))
    scores = [made.log_prob(values), made.entropy()]
    sum((z * package.tensor(rng.standard_normal(tuple(z.shape)))).sum() for z in scores).backward()
    return [np.asarray(z.detach()) for z in scores] + [np.asarray(x.grad) for x in xs], made


@pytest.mark.oracle
@pytest.mark.parametrize("name", MADE)
def test_densities_entropies_and_gradients_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    make, arrays, values = MADE[name]
    if name.startswith("Bernoulli"):
        values = np.broadcast_to(values, (2, 3))
    (found, ours), (expected, theirs) = results(tg, make, arrays, values), results(torch, make, arrays, values)
    assert (ours.batch_shape, ours.event_shape) == (tuple(theirs.batch_shape), tuple(theirs.event_shape))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    assert ours.sample((0,)).shape == (0, *ours.batch_shape, *ours.event_shape)
    for sizes in ((), (5,), (2, 4)):
        assert ours.sample(sizes).shape == tuple(theirs.sample(sizes).shape) and not ours.sample().requires_grad


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["Normal", "Bernoulli", "Categorical", "Categorical of logits", "Independent"])
def test_divergences_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    make, arrays, _ = MADE[name]
    upstream = np.random.default_rng(1).standard_normal((2, 3))

    def found(package):
        xs = [package.tensor(x, requires_grad=True) for x in (*arrays, *(x[::-1].copy() for x in arrays))]
        p, q = make(package.distributions, *xs[: len(arrays)]), make(package.distributions, *xs[len(arrays) :])
        z = package.distributions.kl_divergence(p, q)
        (z * package.tensor(upstream if z.ndim == 2 else upstream[:, 0])).sum().backward()
        return [np.asarray(z.detach()), *(np.asarray(x.grad) for x in xs)]

    for a, b in zip(found(tg), found(torch), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    with pytest.raises(tg.ArgumentError, match="of one kind"):
        kl_divergence(Normal(0.0, 1.0), Uniform(0.0, 1.0))


def test_draws_have_the_moments_and_gradients_of_their_distribution():
    tg.manual_seed(0)
    loc, scale = tg.tensor([1.0, -2.0], requires_grad=True), tg.tensor([0.5, 2.0], requires_grad=True)
    draws = Normal(loc, scale).rsample((40_000,))
    np.testing.assert_allclose(draws.detach().mean(0), [1.0, -2.0], atol=0.05)
    np.testing.assert_allclose(draws.detach().std(0), [0.5, 2.0], rtol=0.02)
    draws.sum().backward()
    noise = (draws.detach() - loc.detach()) / scale.detach()
    np.testing.assert_allclose(loc.grad, [40_000, 40_000])
    np.testing.assert_allclose(scale.grad, noise.sum(0), rtol=1e-3, atol=0.1)
    classes = Categorical(tg.tensor([[1.0, 3.0], [9.0, 1.0]])).sample((20_000,))
    np.testing.assert_allclose(classes.float().mean(0), [0.75, 0.1], atol=0.02)
    np.testing.assert_allclose(Bernoulli(tg.tensor([0.2])).sample((20_000,)).mean(), 0.2, atol=0.02)
    uniform = Uniform(tg.tensor([2.0]), 6.0)
    assert uniform.mean.item() == 4.0 and 2.0 <= uniform.sample((1000,)).min().item() < 2.1


def test_misuses_of_distributions():
    with pytest.raises(tg.RangeError, match="scale must be > 0"):
        Normal(0.0, tg.tensor([1.0, 0.0]))
    with pytest.raises(tg.RangeError, match="low must be < high"):
        Uniform(1.0, 1.0)
    with pytest.raises(tg.ArgumentError, match="exactly one of probs and logits"):
        Categorical()
    with pytest.raises(tg.ArgumentError, match=r"must be in \[0, 1\], got 2"):
        Independent(Normal(tg.zeros(2), 1.0), 2)
    with pytest.raises(NotImplementedError, match="Categorical has no rsample"):
        Categorical(tg.ones(2)).rsample()
