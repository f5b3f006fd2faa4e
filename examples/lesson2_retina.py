"""Diabetic retinopathy, yes or no: a CNN of three layers learns it from images of the retina, and shows where it looks.

    python examples/lesson2_retina.py                         synthetic images, drawn by synthetic_fundus.py
    python examples/lesson2_retina.py --data DIR --size 128   photographs, as APTOS 2019 or EyePACS hand them out

Layer by layer, filters Φ, Ψ and Ω make feature maps M, L and G of an image; weights W make one score of them. Labels
are +1 for unhealthy and −1 for healthy. What is minimised, by stochastic gradient descent, is the empirical risk: the
mean binary cross-entropy over the images, E(Φ, Ψ, Ω, W) = (1/N) Σ ln(1 + exp(−labelₙ · scoreₙ)).

The network is then tried on images that it has never seen.

Writes to the folder `out`:

- `retina_roc.png`: the loss while it learns, and the ROC curve on the new images.
- `retina_where.png`: where Grad-CAM and the gradient of the input see disease, and where it is.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from synthetic_fundus import synthetic_fundus

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataFileError, DataLoader, TensorDataset, TransformDataset, fundus

# A value of Ω's maps stands for 4 × 4 pixels and doesn't say where in them: up to √8 from the middle.
NEAR = 3  # pixels


class RetinaNet(nn.Module):
    """(N, 3, H, W) -> a score for each image, above 0 for unhealthy."""

    def __init__(self, size: int) -> None:
        self.Φ = nn.Conv2d(3, 16, 3, padding=1)
        self.Ψ = nn.Conv2d(16, 24, 3, padding=1)
        self.Ω = nn.Conv2d(24, 32, 1)  # 1 × 1: combines what Ψ found at a place, and leaves it in its place
        self.found = nn.ReLU()  # a layer with a name, for Grad-CAM to ask for
        self.dropout = nn.Dropout(0.5)
        self.W = nn.Linear(32 * (size // 8) ** 2, 1)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        # (N, 3, H, W) -> (N, 16, H/2, W/2)
        M = tg.max_pool2d(self.Φ(x).relu(), 2)
        # -> (N, 24, H/4, W/4)
        L = tg.max_pool2d(self.Ψ(M).relu(), 2)
        # -> (N, 32, H/8, W/8)
        G = tg.max_pool2d(self.found(self.Ω(L)), 2)
        # -> (N, 32 · H/8 · W/8) -> (N, 1) -> (N,)
        return self.W(self.dropout(G.flatten(1))).reshape(-1)


# --------------------------------------------------------------------------------------------------------------- images


class Retinas(NamedTuple):
    """Images (N, 3, H, W) uint8, labels (N,) of ±1, whose eyes they are (N,), and where the lesions are (N, H, W)."""

    kind: str
    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    lesions: np.ndarray | None = None

    def __getitem__(self, which: np.ndarray) -> "Retinas":
        parts = (part[which] if isinstance(part, np.ndarray) else part for part in self)
        return Retinas(*parts)


def drawn(count: int, size: int, seed: int) -> Retinas:
    images, labels, lesions = synthetic_fundus(count, size, seed)
    return Retinas("synthetic fundus images", images, labels, np.arange(count), lesions)


def photographed(folder: Path, size: int) -> Retinas:
    photographs = fundus(folder, size)
    print(photographs.report, "\n")
    images, grades = photographs.arrays
    # EyePACS has both eyes of a patient, 10_left and 10_right: they must not be torn apart.
    patients = np.array([name.removesuffix("_left").removesuffix("_right") for name in photographs.files])
    return Retinas("fundus photographs", images, np.where(grades > 0, 1, -1), patients)


def split(retinas: Retinas, held_out: float, seed: int) -> tuple[Retinas, Retinas]:
    """Images to learn from, and those of other patients to be tried on."""
    everyone = np.unique(retinas.patients)
    others = np.random.default_rng(seed).permutation(everyone)[: round(held_out * len(everyone))]
    unseen = np.isin(retinas.patients, others)
    train, test = retinas[~unseen], retinas[unseen]
    for part, which in ((train, "to learn from"), (test, "held out")):
        sick = int((part.labels == 1).sum())
        print(f"{len(part.labels):,} {part.kind} {which}: {sick:,} unhealthy, {len(part.labels) - sick:,} healthy")
        if not 0 < sick < len(part.labels):
            sys.exit("It takes healthy and unhealthy images to learn to tell them apart, and to see whether it worked.")
    return train, test


def local_contrast(images: np.ndarray) -> np.ndarray:
    """Each pixel less the mean of the 9 × 9 around it, ten times enlarged: exposure and skin tone go, spots stay.

    After Ben Graham's winning entry of the Kaggle competition, 2015. (N, 3, H, W) uint8 -> float32.
    """
    x = images.astype(np.float32) / 255
    around = tg.avg_pool2d(x, 9, stride=1, padding=4, count_include_pad=False)
    return 10 * (x - around.data)


class AnyWayUp:
    """Turns and mirrors each picture at random, anew in each epoch: a lesion is one whichever way is up."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mirrored = (image[:, :, :: self.rng.choice([-1, 1])] for image in images)
        return np.stack([np.rot90(image, self.rng.integers(4), (1, 2)) for image in mirrored]), labels


# ------------------------------------------------------------------------------------------------------------- training


def train_classifier(model: RetinaNet, retinas: Retinas, epochs: int, lr: float, seed: int) -> nn.History:
    pictures = TensorDataset(local_contrast(retinas.images), retinas.labels)
    loader = DataLoader(TransformDataset(pictures, AnyWayUp(seed)), 32, shuffle=True, generator=seed)
    schedule = nn.optim.warm_up(nn.optim.cosine(lr, steps=epochs * len(loader)), steps=len(loader))
    sgd = nn.optim.SGD(model.parameters(), schedule, momentum=0.9, nesterov=True, weight_decay=1e-4)
    return nn.fit(
        model,
        loader,
        loss=nn.soft_margin_loss,  # ln(1 + exp(−label · score)), stable for any score
        optimizer=sgd,
        epochs=epochs,
        metrics={"accuracy": accuracy},
    )


def accuracy(score: tg.Tensor, label: tg.Tensor) -> float:
    return ((score.data > 0) == (label.data > 0)).mean()


# -------------------------------------------------------------------------------------------------- what has it learned


def report(labels: np.ndarray, scores: np.ndarray) -> float:
    sick, called_sick = labels == 1, scores > 0
    area = tg.viz.roc(labels, scores).auc
    print(f"accuracy     {(sick == called_sick).mean():6.1%}")
    print(f"sensitivity  {called_sick[sick].mean():6.1%}  of the unhealthy images are found")
    print(f"specificity  {(~called_sick[~sick]).mean():6.1%}  of the healthy images are called healthy")
    print(f"AUC          {area:6.4f}  is the chance that an unhealthy image scores above a healthy one")
    return area


def distances(lesions: np.ndarray) -> np.ndarray:
    """How far each pixel is from the nearest lesion, in pixels: (H, W) bool -> (H, W)."""
    pixels = np.argwhere(np.ones_like(lesions))
    # (H · W, 1, 2) − (lesion pixels, 2) -> (H · W, lesion pixels) -> (H · W,)
    return np.hypot(*np.moveaxis(pixels[:, None] - np.argwhere(lesions), -1, 0)).min(1).reshape(lesions.shape)


def hits(retinas: Retinas, maps: np.ndarray) -> tuple[float, float]:
    """In what share of the images the hottest point of the map is near a lesion; and blindly chosen points would be."""
    near = np.array([distances(mask) <= NEAR for mask in retinas.lesions])
    hottest = [here.flat[heat.argmax()] for here, heat in zip(near, maps, strict=True)]
    inside = retinas.images.max(1) > 16
    return float(np.mean(hottest)), float(near[inside].mean())


def explain(model: RetinaNet, sick: Retinas, out: Path) -> float | None:
    """Show where the decision for `sick`, unhealthy images that were found, came from."""
    x = local_contrast(sick.images)
    maps = {"Grad-CAM": tg.viz.grad_cam(model, x, "found"), "input gradient": tg.viz.input_gradient(model, x)}
    draw_where(sick, maps, out)
    if sick.lesions is None:
        return None
    for name, heat in maps.items():
        share, blind = hits(sick, heat)
        print(f"{name}: within {NEAR} pixels of a lesion is the hottest point of {share:.0%} of the images")
    print(
        f"(a point chosen blindly: {blind:.0%}; the images are the {len(sick.labels)} unhealthy ones that were found)"
    )
    return hits(sick, maps["Grad-CAM"])[0]


def draw_roc(retinas: Retinas, scores: np.ndarray, history: nn.History, out: Path) -> None:
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    figure.suptitle(f"Healthy or not: {len(scores)} held-out {retinas.kind}")
    learning, curve = figure.subplots(1, 2)
    tg.viz.curves(history, ax=learning)
    tg.viz.roc_curve(retinas.labels, scores, ax=curve)
    save(figure, out / "retina_roc.png")


def draw_where(sick: Retinas, maps: dict[str, np.ndarray], out: Path) -> None:
    count = min(6, len(sick.labels))
    figure = Figure(figsize=(2 * count + 0.6, 6.6), layout="constrained")
    known = "" if sick.lesions is None else f"; white: within {NEAR} pixels of a planted lesion; +: the hottest point"
    figure.suptitle(f"Where the network sees disease, in {sick.kind}{known}")
    rows = figure.subplots(1 + len(maps), count, squeeze=False)
    for ax in rows.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    rows[0, 0].set_ylabel("image")
    for k in range(count):
        # (3, H, W) -> (H, W, 3)
        picture = sick.images[k].transpose(1, 2, 0)
        rows[0, k].imshow(picture)
        for row, (name, heat) in zip(rows[1:], maps.items(), strict=True):
            row[0].set_ylabel(name)
            row[k].imshow(picture.mean(2), cmap="gray", vmax=350)
            row[k].imshow(heat[k], cmap="inferno", alpha=(heat[k] / heat[k].max()) ** 0.5)
            if sick.lesions is not None:
                row[k].contour(distances(sick.lesions[k]) <= NEAR, [0.5], colors="white", linewidths=0.7)
            hottest = np.unravel_index(heat[k].argmax(), heat[k].shape)
            row[k].plot(*hottest[::-1], "+", color="#56B4E9", markersize=10, markeredgewidth=2)
    save(figure, out / "retina_where.png")


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


def main(arguments: list[str] | None = None) -> dict[str, float | None]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder of photographs with train.csv or trainLabels.csv")
    parser.add_argument("--images", type=int, default=1000, help="how many synthetic ones to draw")
    parser.add_argument("--size", type=int, default=64, help="pixels of a side, a multiple of 8")
    parser.add_argument("--held-out", type=float, default=0.3, help="the share of patients to be tried on")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--lr", type=float, default=0.05, help="the learning rate at the start of its cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args(arguments)
    if options.size < 8 or options.size % 8:
        parser.error(f"--size {options.size} is no multiple of 8, and three poolings halve it three times")

    try:
        retinas = (
            photographed(options.data, options.size)
            if options.data
            else drawn(options.images, options.size, options.seed)
        )
    except DataFileError as error:
        sys.exit(str(error))
    train, test = split(retinas, options.held_out, options.seed)

    tg.manual_seed(options.seed)
    model = RetinaNet(options.size)
    print(nn.summary(model, (32, 3, options.size, options.size)), "\n")
    history = train_classifier(model, train, options.epochs, options.lr, options.seed)

    print(f"\nTried on {len(test.labels):,} {test.kind} that it has never seen:")
    scores = nn.predict(model, local_contrast(test.images)).numpy()
    area = report(test.labels, scores)
    draw_roc(test, scores, history, options.out)
    found = (test.labels == 1) & (scores > 0)
    share = explain(model, test[found], options.out) if found.any() else None
    return {"auc": area, "grad_cam_hits": share, "seconds": history.seconds}


if __name__ == "__main__":
    main()
