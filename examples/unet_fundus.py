"""A U-Net finds lesions: which pixels of a retina are sick, learned from drawn retinas.

    python examples/unet_fundus.py

The left side of the U halves the picture twice and sees more and more of it, the right side doubles it again by
transposed convolutions; skips bring the fine detail across (Ronneberger, Fischer and Brox, U-Net, MICCAI 2015). Two
in a hundred pixels are sick at most, so that cross-entropy alone would learn to say "healthy": the Dice loss is
added, which asks for overlap.

Writes to the folder `out`:

- `unet_lesions.png`: retinas that the network hasn't seen, their lesions, and what it marks.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from synthetic_fundus import synthetic_fundus

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn, optim


def block(c_in: int, c_out: int) -> nn.Sequential:
    """Two convolutions, each normalized and rectified."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
        nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
    )  # fmt: skip


class UNet(nn.Module):
    """(N, 3, H, W) -> (N, H, W): a logit for each pixel. H and W are multiples of 4."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = block(3, width), block(width, 2 * width), block(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.right2 = block(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.right1 = block(2 * width, width)
        self.classify = nn.Conv2d(width, 1, 1)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        fine = self.down1(x)  # (N, w, H, W)
        middle = self.down2(F.max_pool2d(fine, 2))  # (N, 2w, H/2, W/2)
        coarse = self.bottom(F.max_pool2d(middle, 2))  # (N, 4w, H/4, W/4)
        up = self.right2(tg.cat([self.up2(coarse), middle], dim=1))  # (N, 2w, H/2, W/2)
        up = self.right1(tg.cat([self.up1(up), fine], dim=1))  # (N, w, H, W)
        return self.classify(up).squeeze(1)


def loss_of(logits: tg.Tensor, lesions: tg.Tensor) -> tg.Tensor:
    """Cross-entropy of the pixels, plus 1 − Dice: 2 · |A ∩ B| / (|A| + |B|) of what is marked and what is sick."""
    p = logits.sigmoid()
    dice = (2 * (p * lesions).sum() + 1) / (p.sum() + lesions.sum() + 1)
    return F.binary_cross_entropy_with_logits(logits, lesions) + 1 - dice


def prepared(count: int, size: int, seed: int) -> tuple[tg.Tensor, tg.Tensor]:
    """Pictures (N, 3, H, W) around 0, and lesions (N, H, W) of 0 and 1."""
    fundus = synthetic_fundus(count, size, seed)
    return tg.tensor(fundus.images / np.float32(128) - 1), tg.tensor(fundus.lesions.astype(np.float32))


def draw(x: tg.Tensor, lesions: tg.Tensor, marked: tg.Tensor, path: Path) -> None:
    """Pictures above, their lesions in the middle, what the network marks below."""
    figure, axes = plt.subplots(3, len(x), figsize=(1.7 * len(x), 5.4), layout="constrained", squeeze=False)
    for k in range(len(x)):
        axes[0, k].imshow(np.clip((x[k].numpy().transpose(1, 2, 0) + 1) / 2, 0, 1))
        axes[1, k].imshow(lesions[k].numpy(), cmap="gray", vmin=0, vmax=1)
        axes[2, k].imshow(marked[k].numpy(), cmap="magma", vmin=0, vmax=1)
    for row, title in zip(axes, ("retina", "lesions", "marked"), strict=True):
        row[0].set_ylabel(title)
        for axis in row:
            axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=110)
    print("wrote", path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--images", type=int, default=256, help="how many retinas to learn from")
    parser.add_argument("--size", type=int, default=64, help="height and width, a multiple of 4")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    tg.manual_seed(0)
    x, lesions = prepared(options.images, options.size, seed=0)
    test_x, test_lesions = prepared(64, options.size, seed=1)
    net = UNet()
    adam = optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(1, options.epochs + 1):
        order, losses = tg.randperm(len(x)), []
        for k in range(0, len(x), 16):
            chosen = order[k : k + 16]
            adam.zero_grad()
            loss = loss_of(net(x[chosen]), lesions[chosen])
            loss.backward()
            adam.step()
            losses.append(loss.item())
        print(f"epoch {epoch:2}: loss {np.mean(losses):.3f}", flush=True)

    net.eval()
    with tg.no_grad():
        p = net(test_x).sigmoid()
    hit = ((p > 0.5) & (test_lesions > 0.5)).sum().item()
    dice = 2 * hit / ((p > 0.5).sum().item() + test_lesions.sum().item())
    print(f"Dice on {len(test_x)} retinas that it hasn't seen: {dice:.2f}")
    sick = np.flatnonzero(test_lesions.numpy().sum((1, 2)) > 0)[:6]
    draw(test_x[sick], test_lesions[sick], p[sick], options.out / "unet_lesions.png")


if __name__ == "__main__":
    main()
