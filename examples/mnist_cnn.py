"""Train a LeNet-5 on MNIST: 60,000 digits to learn from, 10,000 to be tested on.

    python examples/mnist_cnn.py --data DIR --epochs 2

DIR holds the four IDX files; the environment variable TENSORGRAD_DATA may name it, too. With --download they are
downloaded once. Where there are none, the digits inside the package (Optdigits, 8×8) are enlarged to 28×28. With
--checkpoint FILE the training goes on where it was stopped.

The network is that of LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition,
1998, with ReLU and max pooling, as it is built today.
"""

import argparse
from pathlib import Path

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad import nn
from tensorgrad.nn.data import DataFileError, DataLoader, Dataset, MissingPackageError, TensorDataset, mnist, optdigits


def digits(folder: Path | None, download: bool) -> list[Dataset]:
    """The digits to learn from, and those to be tested on: (N, 1, 28, 28)."""
    try:
        return [mnist(folder, train=part, normalize=True, download=download) for part in (True, False)]
    except (DataFileError, MissingPackageError):
        if folder is not None or download:
            raise
    print("MNIST is not at hand (--data DIR, or --download): Optdigits, enlarged.")
    return [enlarged(optdigits(part)) for part in (True, False)]


def enlarged(small: TensorDataset) -> TensorDataset:
    images, labels = small.arrays
    # (N, 1, 8, 8) -> (N, 1, 24, 24) -> (N, 1, 28, 28)
    images = F.pad(F.interpolate(tg.tensor(images), scale_factor=3, mode="bilinear"), (2, 2, 2, 2))
    return TensorDataset((images.numpy() - 0.3) / 0.35, labels)


def lenet5() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),  # (N, 1, 28, 28) -> (N, 6, 28, 28)
        nn.ReLU(),
        nn.MaxPool2d(2),  # -> (N, 6, 14, 14)
        nn.Conv2d(6, 16, 5),  # -> (N, 16, 10, 10)
        nn.ReLU(),
        nn.MaxPool2d(2),  # -> (N, 16, 5, 5)
        nn.Flatten(),  # -> (N, 400)
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder with MNIST's four IDX files")
    parser.add_argument("--download", action="store_true", help="download MNIST, once")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3, help="the learning rate at the start of its cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", type=Path, help="save here after each epoch, and go on from here")
    options = parser.parse_args()

    tg.manual_seed(options.seed)
    learned, tested = digits(options.data, options.download)
    train = DataLoader(learned, options.batch_size, shuffle=True, generator=options.seed)
    test = DataLoader(tested, 500)
    model = lenet5()
    print(nn.summary(model, (options.batch_size, 1, 28, 28)), "\n")

    adam = nn.optim.Adam(model.parameters(), nn.optim.cosine(options.lr, steps=options.epochs * len(train)))
    history = nn.fit(
        model,
        train,
        loss=nn.cross_entropy,
        optimizer=adam,
        epochs=options.epochs,
        validation=test,
        compile=True,
        checkpoint=options.checkpoint,
        resume=options.checkpoint is not None,
    )
    accuracy = history.epochs[-1]["validation_accuracy"]
    print(f"\naccuracy on the {len(test.dataset):,} test images: {accuracy:.2%}, training took {history.seconds:.1f} s")


if __name__ == "__main__":
    main()
