"""One pattern for every model: choose how to predict, choose a loss, minimise it over the training data.

    python examples/lesson1_one_pattern.py

The same three lines serve linear regression, logistic regression, a two-layer network and a CNN, with and without a
regularizer. The first learns from points around a line, the others from real handwritten digits (Optdigits, inside the
package).

Writes to the folder `out`:

- `lesson1_one_pattern.png`: the line that linear regression learned, and the weights of logistic regression as a
  picture.
"""

import argparse
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset, optdigits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--regularizer", type=float, default=1e-3, help="λ in: mean loss + λ · Σ w²")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    tg.manual_seed(0)

    def minimise(predict: nn.Module, loss: Callable, train: TensorDataset, test: TensorDataset) -> nn.Module:
        """Train it without a regularizer and, from the same start, with one; return the former."""
        held = deepcopy(predict)
        for model, regularizer in ((predict, 0.0), (held, options.regularizer)):
            descend(model, loss, train, regularizer, options.epochs)
            print(f"  λ = {regularizer:<5g}", describe(model, loss, train, test))
        return predict

    print("Linear regression")
    predict = nn.Linear(1, 1)
    loss = nn.mse_loss
    line = minimise(predict, loss, points(200, seed=0), points(1000, seed=1))

    print("Logistic regression: is this digit an 8?")
    predict = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    loss = nn.binary_cross_entropy_with_logits  # the negative log likelihood of a yes or no
    eight = minimise(predict, loss, eights(train=True), eights(train=False))

    print("Two-layer network: which digit is this?")
    predict = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    loss = nn.cross_entropy  # the negative log likelihood of one of ten
    minimise(predict, loss, optdigits(train=True), optdigits(train=False))

    print("CNN: which digit is this?")
    predict = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),  # (N, 1, 8, 8) -> (N, 8, 4, 4)
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),  # -> (N, 16, 2, 2)
        *(nn.Flatten(), nn.Linear(64, 10)),  # -> (N, 64) -> (N, 10)
    )
    loss = nn.cross_entropy
    minimise(predict, loss, optdigits(train=True), optdigits(train=False))

    x, y = points(200, seed=0).arrays
    slope, intercept = np.polyfit(x[:, 0], y[:, 0], 1)
    print(f"\nGradient descent found the line y = {line.weight.item():.3f} x {line.bias.item():+.3f};")
    print(f"least squares, solved exactly:  y = {slope:.3f} x {intercept:+.3f}.")
    draw(line, eight, options.out / "lesson1_one_pattern.png")


def descend(model: nn.Module, loss: Callable, train: TensorDataset, regularizer: float, epochs: int) -> None:
    """Gradient descent with momentum on mean loss + λ · Σ w², whose gradient is that of the loss + 2λ · w."""
    batches = DataLoader(train, batch_size=32, shuffle=True, generator=0)
    rate = nn.optim.cosine(0.05, steps=epochs * len(batches))
    sgd = nn.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=2 * regularizer)
    nn.fit(model, batches, loss=loss, optimizer=sgd, epochs=epochs, progress="bar")


def points(count: int, seed: int) -> TensorDataset:
    """Points around the line y = 3x − 1."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (count, 1))
    y = 3 * x - 1 + 0.4 * rng.standard_normal((count, 1))
    return TensorDataset(x.astype("float32"), y.astype("float32"))


def eights(train: bool) -> TensorDataset:
    """Digits with the label 1 for an 8 and 0 for any other."""
    images, labels = optdigits(train).arrays
    return TensorDataset(images, (labels[:, None] == 8).astype("float32"))


def describe(model: nn.Module, loss: Callable, train: TensorDataset, test: TensorDataset) -> str:
    squares = sum(w.square().sum().item() for w in model.parameters())
    losses = [loss(nn.predict(model, inputs), targets).item() for inputs, targets in (train.arrays, test.arrays)]
    text = f"Σ w² = {squares:5.1f}, loss {losses[0]:.4f} on the training data, {losses[1]:.4f} on new data"
    if loss is nn.mse_loss:
        return text
    images, labels = test.arrays
    outputs = nn.predict(model, images).numpy()
    answers = outputs > 0 if outputs.shape[1] == 1 else outputs.argmax(1)
    return f"{text}, {np.mean(answers == labels):.1%} right"


def draw(line: nn.Module, eight: nn.Module, path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
    x, y = points(200, seed=0).arrays
    ends = tg.tensor([[-1.0], [1.0]])
    left.plot(x, y, "o", color="#B5B5B5", markersize=4, label="the training data")
    left.plot(ends.numpy(), nn.predict(line, ends).numpy(), color="#0072B2", linewidth=2, label="the line it learned")
    left.set(title="Linear regression", xlabel="x", ylabel="y", xticks=[-1, -0.5, 0, 0.5, 1])
    left.legend(frameon=False)

    weights = eight[1].weight.numpy().reshape(8, 8)
    span = abs(weights).max()
    blue_or_orange = LinearSegmentedColormap.from_list("sign", ["#0072B2", "white", "#D55E00"])
    picture = right.imshow(weights, cmap=blue_or_orange, vmin=-span, vmax=span)
    right.set(
        title="Logistic regression: ink that speaks\nfor an 8 (orange) and against it (blue)", xticks=[], yticks=[]
    )
    figure.colorbar(picture, ax=right, label="weight of the pixel")

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
