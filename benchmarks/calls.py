"""Python calls per op, counted: what the engine costs before a kernel runs, without a clock.

    python benchmarks/calls.py            the table
    python benchmarks/calls.py OP         the functions that an op calls, most often first

Everything has run before it is counted, so that compiled kernels, plans and checked windows are there. The script uses
nothing but public names; to count an older checkout, run it with PYTHONPATH set to that folder.
"""

import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import tensorgrad as tg

if find_spec("tensorgrad.nn") is None:  # older checkouts keep nn beside the package
    tg.__path__.append(str(Path(tg.__file__).parent.parent))

from tensorgrad import nn

WARM = 3
"""Runs before the one that is counted."""

Work = Callable[[], object]


def count(work: Work, prepare: Work | None = None) -> Counter[str]:
    """The Python functions that `work` calls, and how often. `prepare` runs before it, uncounted."""
    calls: Counter[str] = Counter()

    def heard(frame, event: str, _: object) -> None:
        if event == "call":
            calls[f"{Path(frame.f_code.co_filename).name}: {frame.f_code.co_qualname}"] += 1

    for run in range(WARM + 1):
        if prepare is not None:
            prepare()
        if run == WARM:
            sys.setprofile(heard)
        try:
            work()
        finally:
            sys.setprofile(None)
    name = f"{Path(__file__).name}: "
    return Counter({key: calls[key] for key in calls if not key.startswith(name)})


class Backward:
    """The backward pass of a function: `prepare` computes its output and forgets old gradients."""

    def __init__(self, forward: Callable[[], tg.Tensor], *leaves: tg.Tensor) -> None:
        self.forward, self.leaves = forward, leaves
        self.output = forward()
        self.upstream = tg.tensor(np.ones(self.output.shape, np.float32))

    def prepare(self) -> None:
        """The forward pass."""
        for leaf in self.leaves:
            leaf.grad = None
        self.output = self.forward()

    def work(self) -> None:
        """The backward pass."""
        self.output.backward(self.upstream)


def leaf(*shape: int) -> tg.Tensor:
    """A tensor of random numbers that wants a gradient."""
    return tg.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32), requires_grad=True)


def lenet_step() -> Work:
    """One training step of LeNet-5: forward, cross entropy, backward, SGD, batch 8."""
    layers = (
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )
    model, rng = nn.Sequential(*layers), np.random.default_rng(0)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.01)
    x, y = tg.tensor(rng.standard_normal((8, 1, 28, 28)).astype(np.float32)), tg.tensor(rng.integers(0, 10, 8))

    def step() -> None:
        optimizer.zero_grad()
        nn.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def cases() -> dict[str, Callable[[], Counter[str]]]:
    """Per row of the table, what counts it."""
    x, y, w, b = leaf(8, 8), leaf(8, 8), leaf(8, 8), leaf(8)
    images, filters, biases = leaf(8, 3, 12, 12), leaf(4, 3, 3, 3), leaf(4)
    functions: dict[str, tuple[Any, ...]] = {
        "add (8, 8)": (lambda: x + y, x, y),
        "relu (8, 8)": (lambda: tg.relu(x), x),
        "linear (8, 8)": (lambda: tg.linear(x, w, b), x, w, b),
        "conv2d": (lambda: tg.conv2d(images, filters, biases), images, filters, biases),
        "max_pool2d": (lambda: tg.max_pool2d(images, 2), images),
        "avg_pool2d": (lambda: tg.avg_pool2d(images, 2), images),
    }
    rows: dict[str, Callable[[], Counter[str]]] = {}
    for name, (forward, *leaves) in functions.items():
        back = Backward(forward, *leaves)
        rows[f"{name}, forward"] = partial(count, forward)
        rows[f"{name}, backward"] = partial(count, back.work, back.prepare)
    rows["LeNet-5 step, batch 8"] = lambda: count(lenet_step())
    return rows


def main() -> None:
    """Print the table, or one op's functions."""
    rows = cases()
    if len(sys.argv) > 1:
        for function, calls in rows[sys.argv[1]]().most_common():
            print(f"{calls:6}  {function}")
        return
    for name, row in rows.items():
        print(f"{row().total():6}  {name}")


if __name__ == "__main__":
    main()
