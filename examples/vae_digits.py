"""A variational autoencoder: handwritten digits on a map of two numbers, and digits that nobody wrote.

    python examples/vae_digits.py

The encoder turns a digit into a normal distribution over two numbers z, the decoder turns z back into a picture. A
sample z = μ + σ · ε, ε ~ N(0, 1), lets gradients through to μ and σ: the reparametrization trick (Kingma and Welling,
Auto-Encoding Variational Bayes, ICLR 2014).

Writes to the folder `out`:

- `vae_map.png`: where the encoder puts each digit, beside what the decoder draws across the map.
- `vae_backprop.svg`: the graph of one loss, in the compact view: no gradient flows back to ε.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn, optim
from tensorgrad.nn.data import optdigits


class VAE(nn.Module):
    """64 pixels -> μ and ln σ² of two numbers -> 64 pixels."""

    def __init__(self, hidden: int = 128) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.mu, self.log_var = nn.Linear(hidden, 2), nn.Linear(hidden, 2)
        self.decoder = nn.Sequential(
            nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 64)
        )

    def encode(self, x: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        h = self.encoder(x)
        return self.mu(h), self.log_var(h)

    def forward(self, x: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor, tg.Tensor]:
        mu, log_var = self.encode(x)
        z = mu + (0.5 * log_var).exp() * tg.randn_like(mu)
        return self.decoder(z), mu, log_var


def loss_of(model: VAE, x: tg.Tensor) -> tg.Tensor:
    """How badly the pictures come back, and how far the distributions are from N(0, 1): the negative ELBO per digit."""
    logits, mu, log_var = model(x)
    picture = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    divergence = -0.5 * (1 + log_var - mu.square() - log_var.exp()).sum()
    return (picture + divergence) / len(x)


def draw_map(model: VAE, x: tg.Tensor, labels: np.ndarray, path: Path, side: int = 15) -> None:
    """The codes of real digits, and the pictures that the decoder makes of a grid of codes."""
    with tg.no_grad():
        codes = model.encode(x)[0].numpy()
        axis = np.linspace(-2.2, 2.2, side, dtype=np.float32)
        grid = np.stack(np.meshgrid(axis, axis[::-1]), -1).reshape(-1, 2)
        drawn = model.decoder(tg.tensor(grid)).sigmoid().numpy()
    # (side², 64) -> (side, side, 8, 8) -> framed (side, side, 10, 10) -> (side, 10, side, 10) -> one picture
    framed = np.pad(drawn.reshape(side, side, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    sheet = framed.transpose(0, 2, 1, 3).reshape(side * 10, side * 10)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2), layout="constrained")
    for digit in range(10):
        here = codes[labels == digit]
        left.scatter(*here.T, s=5, color=f"C{digit}", label=str(digit))
    left.set(title="where the encoder puts real digits", xlabel="z₁", ylabel="z₂")
    left.set(aspect="equal", xlim=(-4, 4), ylim=(-4, 4))
    left.legend(loc="upper left", ncols=2, markerscale=2, fontsize="small")
    right.imshow(sheet, cmap="gray_r", extent=(-2.2, 2.2, -2.2, 2.2))
    right.set(title="what the decoder draws there", xlabel="z₁", ylabel="z₂")
    figure.savefig(path, dpi=120)
    print("wrote", path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    tg.manual_seed(0)
    images, labels = optdigits(train=True).batch(range(3823))
    x = tg.tensor(images).flatten(1)
    x = (x - x.min()) / (x.max() - x.min())  # pixels from 0 to 1
    model = VAE()
    adam = optim.Adam(model.parameters(), lr=2e-3)

    @tg.compile
    def step(batch: tg.Tensor) -> tg.Tensor:
        adam.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        adam.step()
        return loss

    for epoch in range(1, options.epochs + 1):
        order = tg.randperm(len(x))
        losses = [step(x[order[k : k + 64]]).item() for k in range(0, len(x) - 63, 64)]
        if epoch in (1, 2, 5) or epoch % 10 == 0:
            print(f"epoch {epoch:3}: {np.mean(losses):.2f} nats per digit")

    draw_map(model, x, labels, options.out / "vae_map.png")
    print("wrote", tg.viz.graph(loss_of(model, x[:1]), compact=True).save(options.out / "vae_backprop.svg"))


if __name__ == "__main__":
    main()
