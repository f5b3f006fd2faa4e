"""Why convolutions: shared weights, sparse connections, and what they buy when a picture is moved.

    python examples/lesson4_sharing.py

Every count is read off real layers and their gradients. Then two networks learn digits that stand in the middle of a
canvas (Optdigits, inside the package), and are shown digits that stand elsewhere.

Writes to the folder `out`:

- `lesson4_sharing.png`: nine weights, and the connections between pixels and outputs that carry them.
- `lesson4_translation.png`: a digit and its feature maps, moved; and how well two networks read moved digits.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset, optdigits

SHIFTS = range(-4, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tg.manual_seed(0)

    count_parameters()
    print("wrote", show_connections(options.out / "lesson4_sharing.png"), "\n")
    print("wrote", move_digits(options.epochs, options.out / "lesson4_translation.png"))


def count_parameters() -> None:
    image = tg.rand(1, 3, 32, 32)
    maps = nn.Conv2d(3, 6, kernel_size=5)(image)
    dense = nn.Linear(image.numel(), maps.numel(), bias=False)
    print(f"A 32×32×3 image has {image.numel():,} numbers; six 5×5 filters turn it into {maps.numel():,}.")
    print(f"A fully connected layer between them needs {parameters(dense):,} weights,")
    print(f"six filters of one channel {parameters(nn.Conv2d(1, 6, 5))} parameters, biases included,")
    print(f"and six filters of three channels {parameters(nn.Conv2d(3, 6, 5))}.\n")


def parameters(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters())


def show_connections(path: Path) -> Path:
    """A convolution is a fully connected layer most of whose weights are 0, and the others repeated."""
    image, weight = tg.rand(1, 6, 6), tg.rand(1, 1, 3, 3) + 0.5
    # How each output answers to each pixel, and to each weight: (16, 36) and (16, 9).
    by_pixel = tg.jacobian(lambda x: tg.conv2d(x, weight).flatten(), image).reshape(16, 36).numpy()
    by_weight = tg.jacobian(lambda w: tg.conv2d(image, w).flatten(), weight).reshape(16, 9).numpy()

    seen, used = np.count_nonzero(by_pixel, axis=1), np.count_nonzero(by_weight, axis=0)
    missing, different = by_pixel.size - seen.sum(), len(np.unique(by_pixel[by_pixel != 0]))
    print("A 3×3 filter on a 6×6 image, by its gradients:")
    print(
        f"each of the {len(seen)} outputs depends on {seen.min()} of the {by_pixel.shape[1]} pixels and on no other, so"
    )
    print(f"{missing} of {by_pixel.size} connections are missing (sparsity);")
    print(f"each of the {len(used)} weights is used by {used.min()} outputs (sharing), so the {seen.sum()} connections")
    print(f"that are there carry {different} different numbers.")

    # Which of the nine weights each connection carries; 0 for none.
    carried = (by_pixel[:, :, None] == weight.numpy().ravel()) @ np.arange(1, 10)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), width_ratios=[1, 3], layout="constrained")
    colors = plt.get_cmap("viridis", 9)
    left.imshow(np.arange(1, 10).reshape(3, 3), cmap=colors)
    for k in range(9):
        left.text(k % 3, k // 3, f"w{k + 1}", ha="center", va="center", color="white" if k < 5 else "black")
    left.set(title="Nine weights …", xticks=[], yticks=[])
    right.imshow(np.where(carried, carried, np.nan), cmap=colors)
    right.set(title="… carry every connection from 36 pixels to 16 outputs", xlabel="pixel", ylabel="output")
    figure.savefig(path, dpi=150)
    return path


def cnn() -> nn.Sequential:
    """Convolutions, and a pooling over the whole map: it asks whether a shape is there, not where."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU()),  # (N, 1, 16, 16) -> (N, 8, 16, 16)
        *(nn.Conv2d(8, 24, 5, padding=2), nn.ReLU()),  # -> (N, 24, 16, 16)
        *(nn.MaxPool2d(16), nn.Flatten(), nn.Linear(24, 10)),  # -> (N, 24, 1, 1) -> (N, 10)
    )


def fully_connected() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10))


def canvases(train: bool) -> TensorDataset:
    """The 8×8 digits in the middle of 16×16 pixels."""
    images, labels = optdigits(train).arrays
    return TensorDataset(np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4))), labels)


def moved(images: np.ndarray, columns: int) -> np.ndarray:
    return np.roll(images, columns, axis=3)


def move_digits(epochs: int, path: Path) -> Path:
    images, labels = canvases(train=False).arrays
    scores, models = {}, {"CNN": cnn(), "fully connected network": fully_connected()}
    for name, model in models.items():
        print(f"{name}:")
        train = DataLoader(canvases(train=True), batch_size=32, shuffle=True)
        adam = nn.optim.Adam(model.parameters(), nn.optim.cosine(4e-3, steps=epochs * len(train)))
        nn.fit(model, train, loss=nn.cross_entropy, optimizer=adam, epochs=epochs)
        scores[name] = [nn.accuracy(nn.predict(model, moved(images, columns)), labels) for columns in SHIFTS]
        print(
            f"{scores[name][SHIFTS.index(0)]:.1%} of the test digits are read right where they were learned, "
            f"{scores[name][-1]:.1%} of them {SHIFTS[-1]} pixels to the right.\n"
        )

    first = models["CNN"][0]
    with tg.no_grad():
        maps, maps_of_moved = first(images[:1]).numpy(), first(moved(images[:1], 4)).numpy()
    same = np.allclose(moved(maps, 4)[..., 4:], maps_of_moved[..., 4:], atol=1e-5)
    print(f"Feature maps of a moved digit are the moved feature maps of the digit: {same}.")
    bias = first.bias.numpy()[:, None, None]  # where there is no ink, a map is its bias
    return draw_translation(images[:1], maps - bias, maps_of_moved - bias, scores, path)


def draw_translation(image: np.ndarray, maps: np.ndarray, maps_of_moved: np.ndarray, scores: dict, path: Path) -> Path:
    figure = plt.figure(figsize=(13, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[2, 1])
    left.suptitle(
        "A digit and three of its feature maps, blue −, white 0, orange +; below, all of it 4 pixels to the right"
    )
    blue_or_orange, span = LinearSegmentedColormap.from_list("sign", ["#0072B2", "white", "#D55E00"]), abs(maps).max()
    grid = left.subplots(2, 4)
    for row, picture, found in zip(grid, (image, moved(image, 4)), (maps, maps_of_moved), strict=True):
        row[0].imshow(picture[0, 0], cmap="gray_r")
        for ax, feature in zip(row[1:], found[0], strict=False):
            ax.imshow(feature, cmap=blue_or_orange, vmin=-span, vmax=span)
        for ax in row:
            ax.set(xticks=[], yticks=[])
    right.suptitle("Test digits read right")
    ax = right.subplots()
    for (name, accuracies), color, height in zip(scores.items(), ("#0072B2", "#D55E00"), (92, 8), strict=True):
        ax.plot(SHIFTS, [100 * accuracy for accuracy in accuracies], "o-", color=color)
        ax.text(-4, height, name, color=color, va="top")
    ax.set(xlabel="moved by, in pixels", ylabel="%", ylim=(0, 100))
    figure.savefig(path, dpi=150)
    return path


if __name__ == "__main__":
    main()
