"""A cat detector from 209 photographs, as one would really train it: augmented, stopped early, tested once.

    python examples/lesson4_cats.py                   drawn animals, by drawn_animals.py
    python examples/lesson4_cats.py --data DIR        DIR holds the two files of the course, *_catvnoncat.h5
    python examples/lesson4_cats.py --pictures DIR    your own: a folder for each class, DIR/cat/1.jpg, DIR/dog/1.jpg, …

The environment variable TENSORGRAD_DATA may name the folder of the course's photographs, too; where there are none, as
many animals are drawn. Of the 209 pictures 42 are set aside for validation: they say which optimizer to take (gradient
descent, with momentum, RMSProp or Adam) and when to stop. The 50 test pictures are looked at last, and decide nothing.

Writes to the folder `out`:

- `cats_augmented.png`: one photograph, and what training sees of it.
- `cats_optimizers.png`: the loss by four optimizers, on the training and the validation photographs.
- `cats_mistakes.png`: the test photographs that are taken for what they aren't.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from drawn_animals import drawn_animals
from matplotlib.figure import Figure

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import (
    DataFileError,
    DataLoader,
    Dataset,
    MissingPackageError,
    Normalize,
    Subset,
    TensorDataset,
    TransformDataset,
    cats_arrays,
    image_folder,
)

SIZE = 32  # pixels of a side: enough to know a cat by, and quick
PATIENCE = 30  # epochs without a better validation loss before training ends

OPTIMIZERS: dict[str, Callable[[Iterable], nn.optim.Optimizer]] = {
    "gradient descent": lambda weights: nn.optim.SGD(weights, lr=0.01),
    "with momentum": lambda weights: nn.optim.SGD(weights, lr=0.002, momentum=0.9),
    "RMSProp": lambda weights: nn.optim.RMSprop(weights, lr=0.0005),
    "Adam": lambda weights: nn.optim.Adam(weights, lr=0.001),
}


def detector(classes: int) -> nn.Sequential:
    """(N, 3, 32, 32) -> one logit per class; softmax makes probabilities of them, inside the loss."""
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),  # -> (N, 16, 16, 16)
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),  # -> (N, 32, 8, 8)
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),  # -> (N, 64, 4, 4)
        nn.Flatten(),  # -> (N, 1024)
        nn.Dropout(0.5),
        nn.Linear(1024, classes),
    )


class Augment:
    """Each picture anew in each epoch: mirrored or not, shifted, brighter or darker, with more contrast or less."""

    def __init__(self, seed: int, shift: int = 4, light: float = 0.2) -> None:
        self.rng = np.random.default_rng(seed)
        self.shift = shift  # pixels at most; what comes in at the edge mirrors the picture
        self.light = light

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n, _, height, width = images.shape
        mirror = self.rng.random(n) < 0.5
        images = np.where(mirror[:, None, None, None], images[..., ::-1], images)
        s = self.shift
        larger = np.pad(images, ((0, 0), (0, 0), (s, s), (s, s)), mode="reflect")
        corners = self.rng.integers(0, 2 * s + 1, (n, 2))
        images = np.stack([im[:, y : y + height, x : x + width] for im, (y, x) in zip(larger, corners, strict=True)])
        contrast, light = self.rng.uniform(-self.light, self.light, (2, n, 1, 1, 1)).astype(images.dtype)
        return images * (1 + contrast) + 2 * light, labels


class EarlyStopping:
    """Ends training when the validation loss hasn't fallen for so many epochs; keeps the weights it was lowest with.

    Handed to `nn.fit` as `on_epoch_end`: it is called with the record of each epoch, and True means stop.
    """

    def __init__(self, model: nn.Module, patience: int) -> None:
        self.model, self.patience = model, patience
        self.lowest, self.epoch, self.weights = np.inf, 0, {}

    def __call__(self, record: dict) -> bool:
        if record["validation_loss"] < self.lowest:
            self.lowest, self.epoch = record["validation_loss"], record["epoch"]
            self.weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        return record["epoch"] - self.epoch >= self.patience

    def restore(self) -> None:
        self.model.load_state_dict(self.weights)


# ----------------------------------------------------------------------------------------------------------------- data


def cats(folder: Path | None) -> tuple[Dataset, Dataset]:
    """The course's photographs; as many drawn animals where no folder is given and none is at hand."""
    try:
        return of_arrays(cats_arrays(folder, part) for part in (True, False))
    except (DataFileError, MissingPackageError):
        if folder is not None:
            raise
    print("No photographs of cats are at hand (--data DIR), so these animals are drawn.")
    return of_arrays(drawn_animals(count, seed=seed) for count, seed in ((209, 0), (50, 1)))


def of_arrays(arrays: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[Dataset, Dataset]:
    parts = []
    for images, labels in arrays:
        # (N, 3, 64, 64) -> (N, 3, 32, 2, 32, 2) -> (N, 3, 32, 32): each pixel the mean of four
        small = images.reshape(len(images), 3, SIZE, 2, SIZE, 2).mean((3, 5)).astype(np.uint8)
        parts.append(TensorDataset(small, labels, classes=("other", "cat")))
    return parts[0], parts[1]


def own_pictures(folder: Path) -> tuple[Dataset, Dataset]:
    """One picture in five is set aside for the test."""
    pictures = image_folder(folder, SIZE)
    print(pictures.report)
    return split(pictures, pictures.arrays[1], 0.2, seed=0)


def split(dataset: Dataset, labels: np.ndarray, share: float, seed: int) -> tuple[Subset, Subset]:
    """The rest, and a random share of each class."""
    rng = np.random.default_rng(seed)
    members = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    held_out = np.concatenate([indices[: round(share * len(indices))] for indices in members])
    return Subset(dataset, np.setdiff1d(np.arange(len(labels)), held_out)), Subset(dataset, np.sort(held_out))


def labels_of(dataset: Dataset) -> np.ndarray:
    return dataset.batch(range(len(dataset)))[1]


def loaders(pictures: Dataset, seed: int) -> tuple[DataLoader, DataLoader]:
    """Batches to train on, augmented, and to validate on, as they are."""
    train, validation = split(pictures, labels_of(pictures), 0.2, seed)
    train = TransformDataset(TransformDataset(train, Normalize(0.5, 0.25)), Augment(seed))
    return DataLoader(train, 32, shuffle=True, generator=seed), for_testing(validation)


def for_testing(pictures: Dataset) -> DataLoader:
    return DataLoader(TransformDataset(pictures, Normalize(0.5, 0.25)), 256)


# ------------------------------------------------------------------------------------------------------------- training


def compare_optimizers(pictures: Dataset, epochs: int, seed: int) -> dict[str, nn.History]:
    """The same first weights, the same batches, another optimizer."""
    runs = {}
    for name, make in OPTIMIZERS.items():
        tg.manual_seed(seed)
        model = detector(len(pictures.classes))
        train, validation = loaders(pictures, seed)
        optimizer = make(model.parameters())
        runs[name] = nn.fit(
            model,
            train,
            loss=nn.cross_entropy,
            optimizer=optimizer,
            epochs=epochs,
            validation=validation,
            progress="bar",
        )
        last = runs[name].epochs[-1]
        figures = f"loss {last['loss']:.3f}, on the validation pictures {last['validation_loss']:.3f}"
        print(f"{name}: {figures} after {epochs} epochs, {runs[name].seconds:.0f} s", flush=True)
    return runs


def train_detector(pictures: Dataset, optimizer: str, epochs: int, seed: int) -> tuple[nn.Module, EarlyStopping]:
    tg.manual_seed(seed)
    model = detector(len(pictures.classes))
    train, validation = loaders(pictures, seed)
    stopping = EarlyStopping(model, PATIENCE)
    nn.fit(
        model,
        train,
        loss=nn.cross_entropy,
        optimizer=OPTIMIZERS[optimizer](model.parameters()),
        epochs=epochs,
        validation=validation,
        on_epoch_end=stopping,
        progress="bar",
    )
    stopping.restore()
    return model, stopping


# ------------------------------------------------------------------------------------------------------------- pictures


def draw_augmented(pictures: Dataset, out: Path) -> None:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    figure.suptitle("Augmentation: one picture, and what training sees of it (mirrored, shifted, lighter or darker)")
    images, labels = Normalize(0.5, 0.25)(*pictures.batch([np.flatnonzero(labels_of(pictures) == 1)[0]] * 14))
    images[1:] = Augment(seed=0)(images[1:], labels[1:])[0]
    for k, (ax, image) in enumerate(zip(figure.subplots(2, 7).flat, images, strict=True)):
        # (3, H, W) -> (H, W, 3)
        ax.imshow((image.transpose(1, 2, 0) * 0.25 + 0.5).clip(0, 1))
        ax.set_axis_off()
        ax.set_title("original" if k == 0 else "", fontsize=9)
    save(figure, out / "cats_augmented.png")


def draw_optimizers(runs: dict[str, nn.History], out: Path) -> None:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    tg.viz.compare(runs, "loss", ax=left)
    tg.viz.compare(runs, "validation_loss", ax=right)
    for ax in (left, right):
        ax.set(ylim=(0, 1.5))  # the first steps of some overshoot
    save(figure, out / "cats_optimizers.png")


def draw_mistakes(model: nn.Module, test: Dataset, out: Path) -> None:
    images, labels = test.batch(range(len(test)))
    ax = tg.viz.mistakes(images, labels, nn.predict(model, for_testing(test)), names=test.classes)
    save(ax.figure, out / "cats_mistakes.png")


def save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="the folder with the course's two .h5 files")
    parser.add_argument("--pictures", type=Path, help="a folder with a folder of pictures for each class")
    parser.add_argument("--compare-epochs", type=int, default=30, help="how long each optimizer is tried")
    parser.add_argument("--epochs", type=int, default=60, help="how long to train at most")
    parser.add_argument(
        "--seeds", type=int, default=3, help="how many detectors to train, from different first weights"
    )
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args(arguments)
    try:
        pictures, test = own_pictures(options.pictures) if options.pictures else cats(options.data)
    except DataFileError as error:
        sys.exit(f"{error}\n\nYour own pictures will do as well: --pictures DIR")
    print(f"{len(pictures)} pictures to learn from, {len(test)} to be tested on; classes: {', '.join(test.classes)}\n")
    draw_augmented(pictures, options.out)

    print("\nFour optimizers, from the same first weights, some seconds each:")
    runs = compare_optimizers(pictures, options.compare_epochs, seed=0)
    draw_optimizers(runs, options.out)
    best = min(runs, key=lambda name: min(runs[name]["validation_loss"]))
    print(f"The validation loss was lowest with {best}, so that is what the detector is trained with.\n")

    accuracies = []
    for seed in range(options.seeds):
        model, stopping = train_detector(pictures, best, options.epochs, seed)
        accuracies.append(nn.evaluate(model, for_testing(test))["accuracy"])
        place = f"lowest validation loss {stopping.lowest:.3f} in epoch {stopping.epoch}"
        print(f"seed {seed}: {place}; on the test pictures {accuracies[-1]:.0%} are right", flush=True)
        if seed == 0:
            draw_mistakes(model, test, options.out)
    most_common = np.bincount(labels_of(test)).max() / len(test)
    median = float(np.median(accuracies))
    print(f"\nMedian of {options.seeds}: {median:.0%} right. Always saying the same would give {most_common:.0%}.")
    return median


if __name__ == "__main__":
    main()
