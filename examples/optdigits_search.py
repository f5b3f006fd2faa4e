"""Search the settings of a CNN with scikit-learn: a pipeline with a grid search on 3,823 handwritten digits.

    python examples/optdigits_search.py

Each of four settings is trained on a third of the training digits and scored on the others; the best one is trained on
all of them and scored on 1,797 digits that the search never saw.

Needs scikit-learn: `pip install 'tensorgrad-engine[sklearn]'`.
"""

import argparse
import time

from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tensorgrad import nn
from tensorgrad.nn.data import optdigits
from tensorgrad.sklearn import NeuralClassifier


def cnn(channels: int, classes: int, width: int = 16, dropout: float = 0.0) -> nn.Module:
    """Three convolutions and a linear classifier: (N, channels, 8, 8) -> (N, classes)."""

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *block(channels, width),  # (N, width, 8, 8)
        *block(width, 2 * width),
        nn.MaxPool2d(2),  # (N, 2 width, 4, 4)
        *block(2 * width, 4 * width),
        nn.MaxPool2d(2),  # (N, 4 width, 2, 2)
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(16 * width, classes),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=1, help="how many trainings at once, in processes")
    options = parser.parse_args()

    # Rows of 64 numbers, as scikit-learn has them; the pipeline makes images of them.
    train, test = optdigits(train=True)[:], optdigits(train=False)[:]
    (x, y), (x_test, y_test) = ((images.reshape(-1, 64), labels) for images, labels in (train, test))
    net = NeuralClassifier(cnn, lr=3e-3, epochs=options.epochs, compile=True, random_state=0)
    images = FunctionTransformer(lambda rows: rows.reshape(-1, 1, 8, 8))
    pipeline = Pipeline([("images", images), ("net", net)])
    grid = {"net__module__width": [8, 16], "net__module__dropout": [0.0, 0.5]}
    folds = ShuffleSplit(1, train_size=1 / 3, random_state=0)

    start = time.perf_counter()
    search = GridSearchCV(pipeline, grid, cv=folds, n_jobs=options.jobs).fit(x, y)
    seconds = time.perf_counter() - start
    for setting, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        print(", ".join(f"{name.rpartition('__')[2]} {value}" for name, value in setting.items()), f"-> {score:.2%}")
    print(f"\nthe best, trained on all 3,823 digits, reads {search.score(x_test, y_test):.2%} of the 1,797 test digits")
    print(f"the search took {seconds:.1f} s")


if __name__ == "__main__":
    main()
