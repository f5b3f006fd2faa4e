"""A LeNet trained beside PyTorch's, and weights that travel between the two by file."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import optim
from tensorgrad.storage import load, save

pytestmark = pytest.mark.oracle


def lenet(nn):
    """LeNet-5 for 12×12 images, in the language that both libraries speak."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 16),
        nn.Tanh(),
        nn.Linear(16, 5),
    )


def pair(torch):
    """The same network twice, with the same weights in float64."""
    tg.manual_seed(0)
    ours, theirs = lenet(nn).to("float64"), lenet(torch.nn).double()
    theirs.load_state_dict({name: torch.tensor(t.data) for name, t in ours.state_dict().items()})
    return ours, theirs


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
        ("RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True, "eps": 1e-4}),
        ("Adam", {"lr": 0.01, "amsgrad": True, "eps": 1e-6}),
        ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-6}),
    ],
)
def test_twenty_steps_of_lenet(name, options):
    torch = pytest.importorskip("torch")
    ours, theirs = pair(torch)
    rng = np.random.default_rng(1)
    batches = [(rng.standard_normal((6, 1, 12, 12)), rng.integers(0, 5, 6)) for _ in range(20)]

    optimizer = getattr(torch.optim, name)(theirs.parameters(), **options)
    losses, norms = [], []
    for x, y in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.5).item())
        optimizer.step()
        losses.append(loss.item())
    assert max(norms) > 1.5 > min(norms)

    optimizer = getattr(optim, name)(ours.parameters(), **options)
    history = nn.fit(ours, batches, loss=nn.cross_entropy, optimizer=optimizer, epochs=1, clip_norm=1.5, progress=False)
    np.testing.assert_allclose([r["loss"] for r in history.steps], losses, rtol=1e-8)
    for (key, p), q in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(p.data, q.numpy(), rtol=1e-6, atol=1e-9, err_msg=key)


def test_weights_travel_both_ways(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    path = tmp_path / "lenet.safetensors"
    ours, theirs = lenet(nn).eval(), lenet(torch.nn).eval()
    x = np.random.default_rng(2).standard_normal((3, 1, 12, 12)).astype(np.float32)

    save(ours.state_dict(), path)
    assert "matched" in str(theirs.load_state_dict(load_file(path)))
    with torch.no_grad():
        np.testing.assert_allclose(ours(x).data, theirs(torch.tensor(x)).numpy(), rtol=1e-5, atol=1e-6)

    theirs = lenet(torch.nn).eval()
    save_file(theirs.state_dict(), path)
    assert "matched" in str(ours.load_state_dict(load(path)))
    with torch.no_grad():
        np.testing.assert_allclose(ours(x).data, theirs(torch.tensor(x)).numpy(), rtol=1e-5, atol=1e-6)
