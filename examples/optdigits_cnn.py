"""Train a small CNN on 3,823 real handwritten digits, then draw the chain rule at work in it.

    python examples/optdigits_cnn.py

The digits lie inside the package; two cores need some seconds.

Writes to the folder `out`:

- `training.png`: the course of the training.
- `backprop.svg`: the graph of the trained network's loss, in the compact view.
- `backprop.html`: a page that walks through it with the arrow keys, with the local rule of every step.
- `weights.safetensors`: the trained weights.
"""

import argparse
from pathlib import Path

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, optdigits


class DigitNet(nn.Module):
    """Three convolutions, each normalised and rectified, and a linear classifier: (N, 1, 8, 8) -> (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(64)
        self.dropout = nn.Dropout(0.5)
        self.classify = nn.Linear(256, 10)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        # (N, 1, 8, 8) -> (N, 16, 8, 8)
        x = self.norm1(self.conv1(x)).relu()
        # -> (N, 32, 8, 8) -> (N, 32, 4, 4)
        x = tg.max_pool2d(self.norm2(self.conv2(x)).relu(), 2)
        # -> (N, 64, 4, 4) -> (N, 64, 2, 2)
        x = tg.max_pool2d(self.norm3(self.conv3(x)).relu(), 2)
        # -> (N, 256) -> (N, 10)
        return self.classify(self.dropout(x.flatten(1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.05, help="the learning rate at the start of its cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()

    tg.manual_seed(options.seed)
    train = DataLoader(optdigits(train=True), options.batch_size, shuffle=True, generator=options.seed)
    test = DataLoader(optdigits(train=False), 256)
    model = DigitNet()
    print(nn.summary(model, (options.batch_size, 1, 8, 8)), "\n")

    schedule = nn.optim.warm_up(nn.optim.cosine(options.lr, steps=options.epochs * len(train)), steps=len(train))
    sgd = nn.optim.SGD(model.parameters(), schedule, momentum=0.9, nesterov=True, weight_decay=5e-4)
    history = nn.fit(
        model, train, loss=nn.cross_entropy, optimizer=sgd, epochs=options.epochs, validation=test, seed=options.seed
    )

    final = nn.evaluate(model, test, nn.cross_entropy)
    print(f"\naccuracy on the 1,797 test images: {final['accuracy']:.2%}, training took {history.seconds:.1f} s")
    for path in draw(model, train, history, options.out):
        print(f"wrote {path}")


def draw(model: nn.Module, train: DataLoader, history: nn.History, out: Path) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    images, labels = next(iter(train))
    images.name, labels.name = "images", "labels"
    with tg.viz.trace() as step:
        nn.cross_entropy(model(images), labels).backward()
    drawing = tg.viz.graph(step)
    weights = out / "weights.safetensors"
    tg.save(model.state_dict(), weights)
    return [
        tg.viz.graph(step, compact=True).save(out / "backprop.svg"),
        drawing.save(out / "backprop.html"),
        tg.viz.save_training_figure(history, out / "training.png"),
        weights,
    ]


if __name__ == "__main__":
    main()
