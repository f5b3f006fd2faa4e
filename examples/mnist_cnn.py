"""Train a LeNet-5 on MNIST: 60,000 digits to learn from, 10,000 to be tested on.

    python examples/mnist_cnn.py --data DIR --epochs 2

DIR holds the four IDX files. Without --data the environment variable TENSORGRAD_DATA names the folder, and without
that the files are downloaded once. With --checkpoint FILE the training goes on where it was stopped.

The network is that of LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition,
1998, with ReLU and max pooling, as it is built today.
"""

import argparse
from pathlib import Path

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, mnist


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
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-3, help="the learning rate at the start of its cosine")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", type=Path, help="save here after each epoch, and go on from here")
    options = parser.parse_args()

    tg.manual_seed(options.seed)
    train = DataLoader(
        mnist(options.data, train=True, normalize=True), options.batch_size, shuffle=True, generator=options.seed
    )
    test = DataLoader(mnist(options.data, train=False, normalize=True), 500)
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
