"""Synthetic fundus images: drawn retinas, healthy ones and sick ones, for those who have no photographs at hand.

    python examples/synthetic_fundus.py

Writes to the folder `out`:

- `synthetic_fundus.png`: a sheet of them: healthy ones, sick ones, and the same with their lesions outlined.

Every retina has an optic disc, a darker fovea, vessels that branch out from the disc, uneven light, smudges of pigment
and noise; skin tone and exposure differ from image to image. A sick one also has what diabetic retinopathy leaves:

- microaneurysms, red dots of little more than a pixel: the first sign, and in a third of the sick images the only one;
- haemorrhages, red blots: in the second and the last third;
- hard exudates, clusters of small yellow specks: in the last third.

Red lesions have the very colour of the vessels and yellow ones nearly that of the disc, so that colour alone doesn't
tell; together they cover between 0.2 and 4 percent of the image. These are drawings: what a network learns from them
says nothing about patients.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

FINER = 2  # each pixel is the mean of 2 × 2 finer ones
BLOOD = np.array([0.62, 0.34, 0.36])  # the share of red, green and blue that blood lets through
EXUDATE = np.array([0.93, 0.80, 0.42])
DISC = np.array([0.98, 0.84, 0.55])


class Fundus(NamedTuple):
    """Images (N, 3, H, W) uint8; labels (N,) int64, +1 for unhealthy, −1 for healthy; lesions (N, H, W) bool."""

    images: np.ndarray
    labels: np.ndarray
    lesions: np.ndarray


def synthetic_fundus(count: int, size: int = 64, seed: int = 0) -> Fundus:
    """Retinas, each sick with probability ½; image k is the same whatever the count."""
    retinas = [_retina(np.random.default_rng([seed, k]), size) for k in range(count)]
    return Fundus(*(np.stack(part) for part in zip(*retinas, strict=True)))


def _retina(rng: np.random.Generator, size: int) -> tuple[np.ndarray, int, np.ndarray]:
    n = size * FINER
    # The field of view reaches from −1 to 1; y points down.
    y, x = np.mgrid[:n, :n] * (2 / n) + (1 / n - 1)
    inside = np.hypot(x, y) < 0.96
    side = rng.choice([-1, 1])  # of the disc: a right or a left eye
    disc_x, disc_y = side * rng.uniform(0.48, 0.62), rng.uniform(-0.1, 0.1)
    from_disc = np.hypot(x - disc_x, (y - disc_y) * rng.uniform(0.85, 0.95))
    vessels = _vessels(rng, n, (disc_x, disc_y), side)

    image = _background(rng, x, y, (disc_x - side * rng.uniform(0.6, 0.7), disc_y + 0.05))
    disc, cup = _soft(from_disc, 0.15, 0.03), _soft(from_disc, 0.07, 0.04)
    image = _blend(image, DISC * rng.uniform(0.8, 0.95), 0.85 * disc)
    image = _blend(image, DISC, 0.6 * cup)
    image *= 1 - vessels[..., None] * (1 - BLOOD)

    label = int(rng.choice([-1, 1]))
    lesions = np.zeros((n, n))
    if label == 1:
        free = (np.hypot(x, y) < 0.86) & (from_disc > 0.24) & (vessels < 0.15)
        blood, exudates = _lesions(rng, x, y, free)
        image *= 1 - blood[..., None] * (1 - BLOOD)
        image = _blend(image, EXUDATE * rng.uniform(0.85, 1.0), exudates)
        lesions = np.maximum(blood, exudates)

    light = rng.uniform(0.75, 1.15) * (1 - 0.25 * np.hypot(x, y) ** 2 + rng.uniform(-0.12, 0.12) * x)
    image *= light[..., None] * inside[..., None]
    # (n, n, 3) -> (size, size, 3) -> (3, size, size)
    small = _mean_of_blocks(image)
    small += rng.normal(0, 0.012, small.shape)
    pixels = (small.clip(0, 1) * 255).round().astype(np.uint8).transpose(2, 0, 1)
    return pixels, label, _mean_of_blocks(lesions) > 0.1


def _background(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, fovea: tuple[float, float]) -> np.ndarray:
    """The retina behind the vessels (n, n, 3): a skin tone, a dark fovea, mottling, and a few smudges of pigment."""
    tone = rng.uniform(0.8, 1.15) * np.array([0.78, 0.40, 0.20]) * rng.uniform([0.95, 0.8, 0.6], [1.0, 1.15, 1.3])
    shade = 1 - 0.3 * np.exp(-((x - fovea[0]) ** 2 + (y - fovea[1]) ** 2) / 0.03)
    for _ in range(6):
        kx, ky = rng.normal(0, 6, 2)
        shade += 0.015 * np.sin(kx * x + ky * y + rng.uniform(0, 2 * np.pi))
    for _ in range(rng.integers(0, 5)):
        cx, cy = rng.uniform(-0.8, 0.8, 2)
        shade -= 0.13 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(0.01, 0.03))
    return shade[..., None] * tone


def _vessels(rng: np.random.Generator, n: int, disc: tuple[float, float], side: int) -> np.ndarray:
    """How much vessel there is in each pixel (n, n), 0 to 1: four arcades that leave the disc, and their branches."""
    points = []
    # An arcade: where it starts, its direction, how it bends around the fovea, its width, its length.
    stems = [
        (*disc, np.pi / 2 + side * away + rng.normal(0, 0.15), side * bend * rng.uniform(0.7, 1.2), 0.024, 1.5)
        for away, bend in ((0.3, 1.1), (-0.7, -0.4))
    ]
    stems += [(px, py, -direction, -bend, width, length) for px, py, direction, bend, width, length in stems]
    step = 1 / n
    while stems:
        px, py, direction, bend, width, length = stems.pop()
        walked = np.arange(0, length, step)
        (low, high), (p, q) = rng.normal(0, (0.25, 0.12)), rng.uniform(0, 2 * np.pi, 2)
        wiggle = low * (np.sin(4 * walked + p) - np.sin(p)) + high * (np.sin(13 * walked + q) - np.sin(q))
        heading = direction + bend * walked + wiggle
        xs, ys = px + np.cumsum(np.cos(heading)) * step, py + np.cumsum(np.sin(heading)) * step
        points.append(np.stack([xs, ys, width * (1 - 0.6 * walked / length)]))
        for k in np.flatnonzero(rng.random(len(walked)) < 3.2 * step) if length > 0.4 else ():
            fork = rng.choice([-1, 1]) * rng.uniform(0.4, 0.9)
            stems.append((xs[k], ys[k], heading[k] + fork, 0.0, 0.6 * width, 0.5 * (length - walked[k])))
    return _paint(np.concatenate(points, axis=1), n)


def _paint(points: np.ndarray, n: int) -> np.ndarray:
    """Dots (3, P), each an x, a y and a radius, as coverage (n, n)."""
    reach = np.arange(-3, 4)
    column, row = ((points[:2] + 1) * n / 2).astype(int)
    # (P,) -> (P, 7, 7): the pixels around each dot
    rows, columns = row[:, None, None] + reach[:, None], column[:, None, None] + reach
    dx, dy = ((2 * index + 1) / n - 1 - points[k, :, None, None] for k, index in enumerate((columns, rows)))
    cover = _soft(np.hypot(dx, dy), points[2, :, None, None], 1 / n)
    canvas = np.zeros((n, n))
    seen = (cover > 0) & (rows >= 0) & (rows < n) & (columns >= 0) & (columns < n)
    np.maximum.at(canvas.ravel(), (rows * n + columns)[seen], cover[seen])
    return canvas


def _lesions(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much blood and how much exudate lies in each pixel, (n, n) each, where the retina is `free`."""
    places = np.argwhere(free)

    def spot(near: tuple[float, float] | None, low: float, high: float, longer: float) -> np.ndarray:
        """An ellipse of a radius between low and high, and up to `longer` times that, somewhere or near a place."""
        row, column = places[rng.integers(len(places))]
        cx, cy = (x[row, column], y[row, column]) if near is None else np.add(near, rng.normal(0, 0.07, 2))
        turn, radius, stretch = rng.uniform(0, np.pi), rng.uniform(low, high), rng.uniform(1, longer)
        along = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        across = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        return _soft(np.hypot(along / stretch, across), radius, 0.012)

    severity = rng.integers(3)
    blood, exudates = np.zeros_like(x), np.zeros_like(x)
    for _ in range(rng.integers(2, 8)):  # microaneurysms, some of them faint
        blood = np.maximum(blood, rng.uniform(0.5, 1) * spot(None, 0.018, 0.026, 1.2))
    for _ in range(rng.integers(2, 5) if severity >= 1 else 0):  # haemorrhages
        blood = np.maximum(blood, spot(None, 0.035, 0.06, 1.8))
    for _ in range(rng.integers(1, 4) if severity == 2 else 0):
        row, column = places[rng.integers(len(places))]
        for _ in range(rng.integers(4, 9)):
            exudates = np.maximum(exudates, spot((x[row, column], y[row, column]), 0.015, 0.03, 1.4))
    return blood, exudates * free


def _soft(distance: np.ndarray, radius: float | np.ndarray, edge: float) -> np.ndarray:
    """1 inside the radius, 0 outside, and half on it, over an edge of that width."""
    return ((radius - distance) / edge + 0.5).clip(0, 1)


def _blend(image: np.ndarray, color: np.ndarray, share: np.ndarray) -> np.ndarray:
    return image + (color - image) * share[..., None]


def _mean_of_blocks(fine: np.ndarray) -> np.ndarray:
    """(n, n, ...) -> (n / FINER, n / FINER, ...)"""
    size = len(fine) // FINER
    return fine.reshape(size, FINER, size, FINER, *fine.shape[2:]).mean((1, 3))


def main() -> None:
    from matplotlib.figure import Figure

    images, labels, lesions = synthetic_fundus(30)
    healthy, sick = np.flatnonzero(labels == -1)[:6], np.flatnonzero(labels == 1)[:6]
    figure = Figure(figsize=(12, 6.6), layout="constrained")
    figure.suptitle("Synthetic fundus images: healthy, unhealthy, and the unhealthy ones with their lesions outlined")
    for k, (ax, which) in enumerate(zip(figure.subplots(3, 6).flat, [*healthy, *sick, *sick], strict=True)):
        # (3, H, W) -> (H, W, 3)
        ax.imshow(images[which].transpose(1, 2, 0))
        if k >= 12:
            ax.contour(lesions[which], [0.5], colors="white", linewidths=0.6)
        ax.set_axis_off()
    path = Path("out/synthetic_fundus.png")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
