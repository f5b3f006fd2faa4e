"""A spatial transformer: a network that learns to straighten a digit before it reads it.

    python examples/spatial_transformer.py

Digits are rotated, shrunk and moved. A small network looks at each and says how to look: six numbers, an affine map of
the sampling grid. Nobody tells it what upright means: the gradient of the classification error flows back through the
bilinear sampling into these six numbers (Jaderberg et al., Spatial Transformer Networks, NeurIPS 2015).

Writes to the folder `out`:

- `transformer.png`: digits as they come in, and as the classifier gets to see them.
"""

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn, optim
from tensorgrad.nn.data import optdigits

SIZE = 16


class Transformer(nn.Module):
    """(N, 1, 16, 16) -> logits (N, 10), and the straightened pictures on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(256, 32), nn.ReLU(),
        )  # fmt: skip
        self.theta = nn.Linear(32, 6)
        nn.init.zeros_(self.theta.weight)  # at first every digit is seen as it is
        self.theta.bias.data[:] = [1, 0, 0, 0, 1, 0]
        self.read = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(512, 10),
        )  # fmt: skip

    def straightened(self, x: tg.Tensor) -> tg.Tensor:
        # (N, 1, 16, 16) -> (N, 6) -> (N, 2, 3) -> grid (N, 16, 16, 2) -> (N, 1, 16, 16)
        theta = self.theta(self.look(x)).view(-1, 2, 3)
        return F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.read(self.straightened(x))


def distorted(x: tg.Tensor) -> tg.Tensor:
    """Each picture (N, 1, 8, 8) rotated by up to 60°, resized and moved, on a field of (N, 1, 16, 16)."""
    n = len(x)
    angle = (tg.rand(n) * 2 - 1) * (math.pi / 3)
    scale = tg.rand(n) * 0.5 + 1.3
    shift = (tg.rand(n, 2) * 2 - 1) * 0.35
    turn = tg.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(n, 2, 2) * scale.view(n, 1, 1)
    grid = F.affine_grid(tg.cat([turn, shift.unsqueeze(2)], dim=2), (n, 1, SIZE, SIZE), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def draw(net: Transformer, x: tg.Tensor, path: Path) -> None:
    """Pictures as they come in, above, and as the classifier sees them, below."""
    with tg.no_grad():
        seen = net.straightened(x)
    figure, axes = plt.subplots(2, len(x), figsize=(len(x), 2.3), layout="constrained")
    for k in range(len(x)):
        for row, picture in zip(axes, (x, seen), strict=True):
            row[k].imshow(picture[k, 0].numpy(), cmap="gray_r", vmin=0, vmax=1)
            row[k].set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("comes in")
    axes[1, 0].set_ylabel("is read")
    figure.savefig(path, dpi=120)
    print("wrote", path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    tg.manual_seed(0)
    images, labels = (tg.tensor(part) for part in optdigits(train=True).batch(range(3823)))
    test_images, test_labels = (tg.tensor(part) for part in optdigits(train=False).batch(range(1797)))
    low, high = images.min(), images.max()
    images, test_images = (images - low) / (high - low), (test_images - low) / (high - low)
    test = distorted(test_images)

    net = Transformer()
    adam = optim.Adam(net.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(adam, options.epochs)
    for epoch in range(1, options.epochs + 1):
        order = tg.randperm(len(images))
        for k in range(0, len(order) - 63, 64):
            chosen = order[k : k + 64]
            adam.zero_grad()
            F.cross_entropy(net(distorted(images[chosen])), labels[chosen]).backward()
            adam.step()
        schedule.step()
        if epoch in (1, 2, 3) or epoch % 5 == 0:
            with tg.no_grad():
                right = (net(test).argmax(1) == test_labels).float().mean().item()
            print(f"epoch {epoch:2}: {right:.1%} of the distorted test digits are read right", flush=True)

    first = [int(np.flatnonzero(test_labels.numpy() == digit)[0]) for digit in range(10)]
    draw(net, test[first], options.out / "transformer.png")


if __name__ == "__main__":
    main()
