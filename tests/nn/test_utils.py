"""nn.utils: computed weights and parameters as a vector, beside PyTorch's."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn

CALLS = ["weight_norm(m)", "weight_norm(m, dim=None)", "weight_norm(m, dim=1)", "spectral_norm(m)"]
CALLS += ["spectral_norm(m, n_power_iterations=3, dim=1)"]
TEXTS = [("Linear(4, 3)", (5, 4)), ("Conv2d(2, 3, 3)", (2, 2, 5, 5))]


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "shape"), TEXTS, ids=["Linear", "Conv2d"])
@pytest.mark.parametrize("call", CALLS)
def test_computed_weights_are_pytorchs(text, shape, call):
    torch = pytest.importorskip("torch")
    ours = eval(f"lib.{call}", {"lib": nn.utils, "m": eval(f"nn.{text}")})
    theirs = eval(f"lib.{call}", {"lib": torch.nn.utils, "m": eval(f"torch.nn.{text}", {"torch": torch})})
    assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    rng = np.random.default_rng(0)
    for training in (True, True, False):
        ours.train(training), theirs.train(training)
        ours.zero_grad(), theirs.zero_grad()
        x = rng.standard_normal(shape).astype("f")
        z, t = ours(tg.tensor(x)), theirs(torch.tensor(x))
        np.testing.assert_allclose(z.numpy(), t.detach().numpy(), atol=1e-5)
        z.square().sum().backward(), t.square().sum().backward()
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-4)
        for b, c in zip(ours.buffers(), theirs.buffers(), strict=True):
            np.testing.assert_allclose(b.numpy(), c.numpy(), atol=1e-5)
    before = ours(tg.tensor(x)).numpy()
    remove = nn.utils.remove_weight_norm if "weight_norm" in call else nn.utils.remove_spectral_norm
    plain = remove(ours)
    assert sorted(name for name, _ in plain.named_parameters()) == ["bias", "weight"] and not list(plain.buffers())
    np.testing.assert_allclose(plain(tg.tensor(x)).numpy(), before, atol=1e-6)
    with pytest.raises(tg.ArgumentError, match="has no"):
        remove(plain)


def test_what_computed_weights_refuse():
    with pytest.raises(tg.ArgumentError, match="no parameter 'weights'; its parameters are weight, bias"):
        nn.utils.weight_norm(nn.Linear(2, 2), "weights")
    with pytest.raises(tg.ArgumentError, match="at least 1, got 0"):
        nn.utils.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)


def test_parameters_as_a_vector():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    vector = nn.utils.parameters_to_vector(net.parameters())
    assert vector.shape == (15,) and vector.requires_grad
    nn.utils.vector_to_parameters(vector * 0 + 2, net.parameters())
    assert all((p.data == 2).all() for p in net.parameters())
    with pytest.raises(tg.ShapeError, match=r"\(15,\).*got \(3,\)"):
        nn.utils.vector_to_parameters(tg.ones(3), net.parameters())
    with pytest.raises(tg.ArgumentError, match="at least one"):
        nn.utils.parameters_to_vector([])
