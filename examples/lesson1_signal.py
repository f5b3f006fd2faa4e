"""A 1-D CNN on real 1-D signals: handwritten digits, seen only as the amount of ink in each column and each row.

    python examples/lesson1_signal.py

A scanner that can't see shapes measures how much ink lies in each of the 8 columns of a digit, and how much in each of
its 8 rows: two signals of 8 samples, known as projection profiles. They are computed from Optdigits, 5,620 real
handwritten digits inside the package. Can a CNN that slides along the signals still read the digit?

Writes to the folder `out`:

- `lesson1_signal.png`: the signals of twelve digits of each kind, and how many test digits are read right.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, TensorDataset, optdigits


def profiles(train: bool) -> np.ndarray:
    """The mean ink, 0 to 1, in the columns and the rows of each digit: (N, 2, 8)."""
    images, _ = optdigits(train).arrays
    # (N, 1, 8, 8) -> (N, 1, 8) down the columns, and (N, 1, 8) along the rows
    return np.concatenate([images.mean(2), images.mean(3)], axis=1)


def network(channels: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv1d(channels, 16, 3, padding=1), nn.ReLU()),  # (N, C, 8) -> (N, 16, 8)
        *(nn.Conv1d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2)),  # -> (N, 32, 4)
        *(nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()

    (_, labels), (_, new_labels) = optdigits(train=True).arrays, optdigits(train=False).arrays
    signals, new_signals = profiles(train=True), profiles(train=False)
    histories = {}
    for name, channels in {"columns only": slice(0, 1), "columns and rows": slice(0, 2)}.items():
        tg.manual_seed(0)
        train = DataLoader(TensorDataset(signals[:, channels], labels), 32, shuffle=True)
        test = DataLoader(TensorDataset(new_signals[:, channels], new_labels), 256)
        model = network(channels.stop)
        adam = nn.optim.Adam(model.parameters(), nn.optim.cosine(3e-3, steps=options.epochs * len(train)))
        histories[name] = nn.fit(
            model,
            train,
            loss=nn.cross_entropy,
            optimizer=adam,
            epochs=options.epochs,
            validation=test,
            progress="bar",
        )
        right = histories[name]["validation_accuracy"][-1]
        print(f"ink in the {name}: {right:.1%} of the 1,797 test digits are read right")
    print("Chance would be 10 %; a CNN that sees the images reaches 97 to 99 %.")
    draw(signals, labels, histories, options.out / "lesson1_signal.png")


def draw(signals: np.ndarray, labels: np.ndarray, histories: dict[str, nn.History], path: Path) -> None:
    figure = plt.figure(figsize=(12, 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[2, 1])
    left.suptitle("Ink in the columns (blue) and in the rows (orange) of twelve digits each")
    for digit, ax in enumerate(left.subplots(2, 5, sharex=True, sharey=True).flat):
        for columns, rows in signals[labels == digit][:12]:
            ax.plot(columns, color="#0072B2", linewidth=0.7, alpha=0.6)
            ax.plot(rows, color="#D55E00", linewidth=0.7, alpha=0.6)
        ax.set_title(digit, fontsize=10)
        ax.set(xticks=[], yticks=[])
    ax = tg.viz.compare(histories, "validation_accuracy", ax=right.subplots())
    ax.set(title="Test digits read right", ylabel="%", ylim=(0, 100))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
