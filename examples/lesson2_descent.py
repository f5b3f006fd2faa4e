"""Gradient descent: into which valley it goes, and why a few images at a time are enough to get there.

    python examples/lesson2_descent.py

Writes to the folder `out`:

- `descent_valleys.png`: a curve with two valleys, and descents from three starts.
- `descent_sgd.png`: full-batch against stochastic gradient descent, on the retina network of lesson2_retina.py with
  synthetic images.
"""

import argparse
from functools import partial
from pathlib import Path

from lesson2_retina import RetinaNet, Retinas, drawn, local_contrast, save
from matplotlib.figure import Figure

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset

GOAL = 0.2  # the empirical risk that both kinds of descent are to reach
RATE = 0.1  # the learning rate α of both


# ---------------------------------------------------------------------------------------------- one weight, two valleys


def risk(theta: tg.Tensor) -> tg.Tensor:
    """A curve with a deep valley on the left, a flatter one on the right and a hill between them."""
    return theta**4 / 4 - theta**2 + theta / 4 + 1.5


def descend(start: float, steps: int = 60, lr: float = 0.05) -> list[float]:
    """All the θ that gradient descent comes through: θ ← θ − α · dE/dθ."""
    theta = tg.tensor(start, requires_grad=True, name="θ")
    descent = nn.optim.SGD([theta], lr)
    path = [start]
    for _ in range(steps):
        descent.zero_grad()
        risk(theta).backward()
        descent.step()
        path.append(theta.item())
    return path


def draw_valleys(out: Path) -> list[float]:
    """Descend from three starts, draw them, and return where they end."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    figure.suptitle("Gradient descent follows the slope down to the nearest minimum")
    ends = []
    for start, ax in zip((-2.0, -0.15, 0.5), figure.subplots(1, 3, sharey=True), strict=True):
        path = descend(start)
        theta = tg.tensor(start, requires_grad=True, name="θ")
        (slope,) = tg.grad(risk(theta), theta)
        tg.viz.cost_curve(partial(risk, theta), theta, low=-2.2, high=2.2, tangents=[start], descent=path, ax=ax)
        way = "falls: go right" if slope.item() < 0 else "rises: go left"
        ax.set_title(f"at θ = {start:g} the curve {way}".replace("-", "−"), fontsize=11)
        print(f"From θ = {start:5.2f}, where the slope is {slope.item():5.2f}, to θ = {path[-1]:5.2f}, ", end="")
        print(f"where E = {risk(tg.tensor(path[-1])).item():.2f}")
        ends.append(path[-1])
    save(figure, out / "descent_valleys.png")
    return ends


# ------------------------------------------------------------------------------------------------ all images, or a few


def train(retinas: Retinas, batch_size: int, epochs: int, size: int) -> tuple[RetinaNet, nn.History]:
    """Plain gradient descent, from the same first weights, until the mean risk of an epoch is below the goal."""
    tg.manual_seed(0)
    model = RetinaNet(size)
    model.dropout.p = 0.0  # the same risk in each step, but for the choice of images
    images = TensorDataset(local_contrast(retinas.images), retinas.labels)

    history = nn.fit(
        model,
        DataLoader(images, batch_size, shuffle=True, generator=0),
        loss=nn.soft_margin_loss,
        optimizer=nn.optim.SGD(model.parameters(), RATE),
        epochs=epochs,
        on_epoch_end=lambda record: record["loss"] < GOAL,
        progress="bar",
    )
    return model, history


def compare_descents(
    retinas: Retinas, unseen: Retinas, few: int, patience: int, size: int, out: Path
) -> dict[str, nn.History]:
    runs = {}
    for name, batch_size in ((f"SGD, {few} images a step", few), ("full batch", len(retinas.labels))):
        # The full batch makes one step where SGD makes many, so it gets as many epochs more.
        model, runs[name] = train(retinas, batch_size, patience * batch_size // few, size)
        history = runs[name]
        auc = tg.viz.roc(unseen.labels, nn.predict(model, local_contrast(unseen.images))).auc
        print(f"{name}: risk {history['loss'][-1]:.2f} after {len(history.steps):,} steps, ", end="")
        print(f"{history.images:,} images and {history.seconds:.1f} s; AUC {auc:.2f} on unseen images", flush=True)
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    figure.suptitle(f"The same network, the same {len(retinas.labels)} synthetic fundus images, the same learning rate")
    for ax, x in zip(figure.subplots(1, 2), ("images", "seconds"), strict=True):
        tg.viz.compare(runs, "loss", x, ax=ax)
        ax.set(ylim=(0, 1.5), title=f"empirical risk against {'images seen' if x == 'images' else 'time'}")
    save(figure, out / "descent_sgd.png")
    return runs


def main(arguments: list[str] | None = None) -> tuple[list[float], dict[str, nn.History]]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=200, help="synthetic images to learn from")
    parser.add_argument("--size", type=int, default=64, help="pixels of a side, a multiple of 8")
    parser.add_argument("--batch-size", type=int, default=20, help="images in a step of stochastic gradient descent")
    parser.add_argument("--epochs", type=int, default=60, help="of SGD, at most; the full batch makes as many steps")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args(arguments)

    ends = draw_valleys(options.out)
    print("Two starts on either side of one valley end in the same minimum, the third in the other valley.\n")

    retinas, unseen = drawn(options.images, options.size, seed=1), drawn(200, options.size, seed=2)
    runs = compare_descents(retinas, unseen, options.batch_size, options.epochs, options.size, options.out)
    return ends, runs


if __name__ == "__main__":
    main()
