"""Drawn animals: cats and others, for those who have no photographs at hand.

    python examples/drawn_animals.py

Writes to the folder `out`:

- `drawn_animals.png`: a sheet of them.

Each picture is a head with two eyes and a nose, near the middle, dark or light, before a background in any colour, with
noise. A cat has pointed ears and whiskers, another animal round ears, long ones or none. So neither colour nor place
tells what it is. These are drawings: a network that knows them knows no cats.
"""

from pathlib import Path

import numpy as np

FINER = 2  # each pixel is the mean of 2 × 2 finer ones


def drawn_animals(count: int, size: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 3, size, size) uint8 and labels (N,), 1 for a cat; picture k is the same whatever the count."""
    generators = [np.random.default_rng([seed, k]) for k in range(count)]
    labels = np.array([int(rng.random() < 0.6) for rng in generators])
    pictures = [_animal(rng, size, bool(cat)) for rng, cat in zip(generators, labels, strict=True)]
    return np.stack(pictures), labels


def _animal(rng: np.random.Generator, size: int, cat: bool) -> np.ndarray:
    side = FINER * size
    # The unit is the head's radius, the origin its middle; rows first.
    y, x = np.mgrid[:side, :side] / side * 5.0 - 2.5
    turn, scale = rng.uniform(-0.15, 0.15), rng.uniform(0.75, 0.95)
    y, x = y + rng.uniform(-0.4, 0.1), x + rng.uniform(-0.3, 0.3)
    y, x = (np.cos(turn) * y - np.sin(turn) * x) * scale, (np.sin(turn) * y + np.cos(turn) * x) * scale

    picture = np.ones((side, side, 3)) * rng.uniform(0.35, 0.7, 3) + 0.05 * (y[..., None] * rng.uniform(-1, 1, 3))
    fur = rng.choice([0.15, 0.85]) + rng.uniform(-0.1, 0.1, 3)  # dark or light
    inner = np.array([0.75, 0.5, 0.5])
    ears = "pointed" if cat else rng.choice(["round", "long", "none"])
    for sign in (-1, 1):
        paint(picture, _ear(y, sign * x, ears, 1.0), fur)
        paint(picture, _ear(y, sign * x, ears, 0.55), inner)
    paint(picture, x**2 / rng.uniform(0.9, 1.2) + y**2 / rng.uniform(0.75, 1.0) < 1, fur)
    for sign in (-1, 1):
        paint(picture, ((sign * x - 0.42) / 0.2) ** 2 + ((y + 0.2) / 0.14) ** 2 < 1, np.array([0.9, 0.9, 0.6]))
        paint(picture, ((sign * x - 0.42) / 0.07) ** 2 + ((y + 0.2) / 0.13) ** 2 < 1, np.zeros(3))
    paint(picture, (abs(x) < 0.16 - (y - 0.2)) & (y > 0.2) & (y < 0.36), inner * 0.6)
    if cat:
        for slope in (-0.25, 0.0, 0.25):
            along = (abs(x) > 0.3) & (abs(x) < 1.35)
            paint(picture, along & (abs(y - 0.45 - slope * (abs(x) - 0.3)) < 0.035), np.full(3, rng.uniform(0.7, 1.0)))
    picture += rng.normal(0, 0.06, picture.shape)
    # (2H, 2W, 3) -> (H, 2, W, 2, 3) -> (H, W, 3) -> (3, H, W)
    small = picture.reshape(size, FINER, size, FINER, 3).mean((1, 3))
    return (255 * small.clip(0, 1)).astype(np.uint8).transpose(2, 0, 1)


def _ear(y: np.ndarray, x: np.ndarray, kind: str, part: float) -> np.ndarray:
    """The pixels of an ear on the right, or of its inner part."""
    if kind == "pointed":  # a triangle that stands on the head
        height = (y + 1.45) / 0.85  # 0 at the tip, 1 at the head
        return (height > 1 - part) & (height < 1.1) & (abs(x - 0.62) < 0.36 * part * (height - 1 + part) / part)
    if kind == "round":
        return (x - 0.75) ** 2 + (y + 0.8) ** 2 < (0.38 * part) ** 2
    if kind == "long":
        return ((x - 0.45) / (0.2 * part)) ** 2 + ((y + 1.3) / (0.75 * part)) ** 2 < 1
    return np.zeros_like(x, bool)


def paint(picture: np.ndarray, where: np.ndarray, color: np.ndarray) -> None:
    picture[where] = color


def main() -> None:
    import matplotlib.pyplot as plt

    pictures, labels = drawn_animals(24)
    figure, grid = plt.subplots(3, 8, figsize=(11, 4.6), layout="constrained")
    for ax, picture, label in zip(grid.flat, pictures, labels, strict=True):
        ax.imshow(picture.transpose(1, 2, 0))
        ax.set_title("cat" if label else "other", fontsize=9)
        ax.set_axis_off()
    Path("out").mkdir(exist_ok=True)
    figure.savefig("out/drawn_animals.png", dpi=100)
    print("wrote out/drawn_animals.png")


if __name__ == "__main__":
    main()
