"""How neural networks learn: a small network of sigmoids reads digits, and a CNN reads them beside it.

    python examples/lesson5_digits.py --data DIR

DIR holds the four files of MNIST (28×28 pixels, 60,000 digits to learn from); without it the environment variable
TENSORGRAD_DATA names the folder, and where there is none, Optdigits is read (8×8, 3,823 digits, inside the package).
The network is 784 → 16 → 16 → 10, its cost the squared error, and gradient descent does the rest.

Writes to the folder `out`:

- `lesson5_activations.png`: the ten activations for five digits, before and after training.
- `lesson5_training.png`: how many test digits are read right, over the seconds of training.
- `lesson5_weights.png`: the weights of the first layer as pictures: they look random, not like edges.
- `lesson5_mistakes.png`: the mistakes that the CNN is surest of.
- `lesson5_surface.png`: the cost over two directions, with two descents into two valleys.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataFileError, DataLoader, Dataset, MissingPackageError, Subset, mnist, optdigits


def digits(folder: Path | None, limit: int | None) -> tuple[Dataset, Dataset, int]:
    """The digits to learn from, those to be tested on, and how many to take at a time."""
    try:
        train, test = (mnist(folder, train=part, download=False) for part in (True, False))
        name, batch_size = "MNIST", 32
    except (DataFileError, MissingPackageError):
        if folder is not None:
            raise
        train, test = optdigits(train=True), optdigits(train=False)
        name, batch_size = "Optdigits, for no MNIST is at hand", 8
    if limit:
        train, test = Subset(train, range(limit)), Subset(test, range(limit))
    print(f"{name}: {len(train):,} digits to learn from, {len(test):,} to be tested on.\n")
    return train, test, batch_size


def sigmoid_network(pixels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(),  # (N, 1, 28, 28) -> (N, 784)
        *(nn.Linear(pixels, 16), nn.Sigmoid()),
        *(nn.Linear(16, 16), nn.Sigmoid()),
        *(nn.Linear(16, 10), nn.Sigmoid()),  # -> ten activations, (N, 10)
    )


def squared_error(activations: tg.Tensor, labels: tg.Tensor) -> tg.Tensor:
    """Σ (aᵢ − yᵢ)² over an example's ten activations, yᵢ being 1 for its digit and else 0; the mean over examples."""
    return (activations - tg.one_hot(labels, 10)).square().sum(1).mean()


def cnn(size: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),  # (N, 1, 28, 28) -> (N, 16, 14, 14)
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),  # -> (N, 32, 7, 7)
        *(nn.Flatten(), nn.Linear(32 * (size // 4) ** 2, 64), nn.ReLU()),  # -> (N, 1568) -> (N, 64)
        nn.Linear(64, 10),
    )


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder with MNIST's four IDX files")
    parser.add_argument("--epochs", type=int, default=10, help="of the sigmoid network")
    parser.add_argument("--cnn-epochs", type=int, default=5)
    parser.add_argument("--limit", type=int, help="use so many digits only")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tg.manual_seed(0)
    train, test, batch_size = digits(options.data, options.limit)
    tested = DataLoader(test, batch_size=500)
    size = train[0][0].shape[-1]

    model, other = sigmoid_network(size * size), sigmoid_network(size * size)
    print(f"The network {size * size} → 16 → 16 → 10 has {count(model):,} weights and biases.")
    images, labels = (tg.tensor(array) for array in test.batch(range(min(2000, len(test)))))
    mess = nn.predict(model, images[:5])
    print(f"Before training it answers a {labels[0].item()} with {mess[0].numpy().round(2)}: a mess.\n")
    look_at_gradient(model, images, labels)

    print(f"Gradient descent, on {batch_size} digits at a time:")
    history, path = descend(model, DataLoader(train, batch_size, shuffle=True), tested, options.epochs)
    print("\nThe same network from another random start:")
    _, other_path = descend(other, DataLoader(train, batch_size, shuffle=True), tested, options.epochs)
    print("\nA CNN on the same digits:")
    rival = cnn(size)
    rival_history = train_cnn(rival, DataLoader(train, 2 * batch_size, shuffle=True), tested, options.cnn_epochs)

    print()
    for name, network, course in (("sigmoid network", model, history), ("CNN", rival, rival_history)):
        right = course["validation_accuracy"][-1]
        print(f"{name}: {count(network):,} parameters, {right:.2%} of the test digits right, {course.seconds:.0f} s")

    training = tg.viz.compare({"sigmoid network": history, "CNN": rival_history}, "validation_accuracy", x="seconds")
    training.set_title("Test digits read right, over the time of training")
    # Weights beyond ±1 are drawn as ±1, so that the small ones are seen too.
    weights = tg.viz.weight_pictures(model[1].weight.clip(-1, 1), (size, size))
    weights.set_title("What the 16 hidden neurons of the first layer look for")
    wrong = tg.viz.mistakes(images, labels, nn.predict(rival, images))
    figures = {
        "activations": draw_activations(images[:5], labels[:5], mess, nn.predict(model, images[:5])),
        "training": training.figure,
        "weights": weights.figure,
        "mistakes": wrong.figure,
        "surface": draw_surface(model, path, other_path, train),
    }
    for name, figure in figures.items():
        figure.savefig(options.out / f"lesson5_{name}.png", dpi=150)
    print(f"wrote the pictures {options.out}/lesson5_*.png")
    print("Look at the weights: patches and noise, hardly the edges and loops that one might have hoped for.")


def look_at_gradient(model: nn.Module, images: tg.Tensor, labels: tg.Tensor) -> None:
    """∇C, the vector of every partial derivative: how much the cost answers to each weight and bias."""
    cost = squared_error(model(images), labels)
    cost.backward()
    gradient = tg.cat([parameter.grad.flatten() for parameter in model.parameters()]).numpy()
    ratio = abs(gradient).max() / np.median(abs(gradient))
    print(
        f"The cost is {cost.item():.3f}, and its gradient ∇C a vector of {len(gradient):,} numbers, one per parameter;"
    )
    print(f"the last five are {', '.join(f'{slope:.4f}' for slope in gradient[-5:])}.")
    print(f"To its most important parameter the cost answers {ratio:,.0f} times as strongly as to a middling one.\n")
    model.zero_grad()


def descend(
    model: nn.Module, batches: DataLoader, tested: DataLoader, epochs: int
) -> tuple[nn.History, tg.viz.DescentPath]:
    """Gradient descent on the squared error, and the path that it took."""
    path = tg.viz.DescentPath(model)
    path.record()
    history = nn.fit(
        model,
        batches,
        loss=squared_error,
        optimizer=nn.optim.SGD(model.parameters(), nn.optim.cosine(3.0, steps=epochs * len(batches))),
        epochs=epochs,
        validation=tested,
        on_step_end=lambda step: path.record() if step["step"] % 50 == 0 else None,
    )
    path.record()
    return history, path


def train_cnn(model: nn.Module, batches: DataLoader, tested: DataLoader, epochs: int) -> nn.History:
    adam = nn.optim.Adam(model.parameters(), nn.optim.cosine(3e-3, steps=epochs * len(batches)))
    return nn.fit(model, batches, loss=nn.cross_entropy, optimizer=adam, epochs=epochs, validation=tested)


def draw_activations(images: tg.Tensor, labels: tg.Tensor, before: tg.Tensor, after: tg.Tensor) -> plt.Figure:
    figure, grid = plt.subplots(3, len(labels), figsize=(11, 5.5), layout="constrained", sharey="row")
    for digit, label, mess, answer, column in zip(images, labels, before, after, grid.T, strict=True):
        column[0].imshow(digit[0], cmap="gray_r")
        column[0].set(xticks=[], yticks=[])
        for ax, activations, color in ((column[1], mess, "#B5B5B5"), (column[2], answer, "#0072B2")):
            ax.bar(range(10), activations, color=color)
            ax.bar(label.item(), activations[label], color="#009E73")
            ax.set(ylim=(0, 1), xticks=range(10))
    grid[1, 0].set_ylabel("before training")
    grid[2, 0].set_ylabel("after training")
    figure.suptitle("Five test digits and the network's ten activations; green is the one that should be 1")
    return figure


def draw_surface(model: nn.Module, path: tg.viz.DescentPath, other: tg.viz.DescentPath, train: Dataset) -> plt.Figure:
    """The cost over the plane through the ends of two descents and the middle of their starts."""
    images, labels = (tg.tensor(array) for array in train.batch(range(min(2000, len(train)))))
    end, other_end = path.points[-1], other.points[-1]
    start = (path.points[0] + other.points[0]) / 2
    # From (0, 0), the one end, to (1, 0), the other; the starts are near (½, 1).
    directions = np.array([other_end - end, start - (end + other_end) / 2])
    span = ((-0.5, 1.5), (-0.5, 1.3))
    ax = tg.viz.cost_surface(lambda: squared_error(model(images), labels), model, path, directions, span)
    ax.figure.suptitle("The cost surface: two random starts, two descents, two valleys")
    # Where the other descent lies on this plane: (T, P) · (P, 2) -> (T, 2)
    shadow = (other.points - end) @ np.linalg.pinv(directions)
    ax.plot(*shadow.T, color="#E69F00", linewidth=1.6, marker="o", markersize=2.6, label="the other descent")
    ax.plot(*shadow[-1], "*", color="white", markeredgecolor="#222222", markersize=16)
    ax.legend(loc="upper right")
    ax.set(xlabel="from the one end to the other", ylabel="back towards the starts")
    return ax.figure


if __name__ == "__main__":
    main()
