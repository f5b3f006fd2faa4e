"""What tensorgrad is held to, as data: ratios are PyTorch's median time over tensorgrad's, above 1 is faster.

Steps count with `tg.compile` where that is the faster way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log

from benchmarks.results import Results
from benchmarks.workers import MAIN, OURS
from benchmarks.workloads import CONVOLUTIONS, conv_name

FEW_FAULTS = 16
"""Page faults per step that count as next to none: PyTorch has thousands."""


@dataclass(frozen=True)
class Target:
    """A goal: the measured figure must be at least, or at most, so much."""

    name: str
    goal: float
    unit: str
    measure: Callable[[Results], float | None]
    at_most: bool = False

    def verdict(self, results: Results) -> tuple[float | None, bool | None]:
        """The figure, and whether it meets the goal; None where it wasn't measured."""
        measured = self.measure(results)
        if measured is None:
            return None, None
        return measured, measured <= self.goal if self.at_most else measured >= self.goal


def ratio(key: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(key)


def best_ratio(key: str) -> Callable[[Results], float | None]:
    return lambda results: results.best_ratio(key)


def share(key: str) -> Callable[[Results], float | None]:
    return lambda results: results.share(key)


def geometric_mean(keys: list[str]) -> Callable[[Results], float | None]:
    def measure(results: Results) -> float | None:
        ratios = [results.ratio(key) for key in keys]
        return None if None in ratios else exp(sum(map(log, ratios)) / len(ratios))

    return measure


def startup(library: str, what: str) -> Callable[[Results], float | None]:
    return lambda results: results.startup.get(library, {}).get(what)


def memory(what: str) -> Callable[[Results], float | None]:
    return lambda results: results.memory.get(OURS, {}).get(what)


def memory_ratio(results: Results) -> float | None:
    ours, theirs = (results.memory.get(name, {}).get("peak") for name in (OURS, MAIN))
    return theirs / ours if ours and theirs else None


def startup_ratio(results: Results) -> float | None:
    ours, theirs = (results.startup.get(name, {}).get("first step") for name in (OURS, MAIN))
    return theirs / ours if ours and theirs else None


def conv_key(shape: tuple, part: str) -> str:
    c, k, side, size, _ = shape
    return f"kernels: {conv_name(c, k, side, size)}, {part}"


STEPS = {
    "LeNet-5": {1: 3, 8: 3, 64: 4, 256: 4},
    "MNIST CNN": {1: 2, 8: 2, 64: 2.2, 256: 2.2},
    "small VGG": {64: 1.4},
}
WIDE = [shape for shape in CONVOLUTIONS if min(shape[:2]) >= 32]

TARGETS = (
    *(
        Target(
            f"training {network}, batch {batch}", goal, "×", best_ratio(f"steps: {network}, training, batch {batch}")
        )
        for network, goals in STEPS.items()
        for batch, goal in goals.items()
    ),
    *(
        Target(f"{conv_key(shape, part)[9:]}", 1, "×", ratio(conv_key(shape, part)))
        for part in ("forward", "with both")
        for shape in CONVOLUTIONS
    ),
    *(
        Target(
            f"convolution {part}, geometric mean", 1.6, "×", geometric_mean([conv_key(s, part) for s in CONVOLUTIONS])
        )
        for part in ("forward", "with both")
    ),
    *(
        Target(f"share of peak, {conv_key(shape, part)[9:]}", goal, "%", share(conv_key(shape, part)))
        for part, goal in (("forward", 0.7), ("input gradient", 0.6), ("weight gradient", 0.6))
        for shape in WIDE
    ),
    Target("inference LeNet-5, batch 1", 4, "×", best_ratio("steps: LeNet-5, inference, batch 1")),
    Target("inference MNIST CNN, batch 1", 2, "×", best_ratio("steps: MNIST CNN, inference, batch 1")),
    Target("peak memory, MNIST CNN, batch 256", 1, "×", memory_ratio),
    Target("page faults per training step", FEW_FAULTS, "", memory("faults"), at_most=True),
    Target("first step, warm cache", 1.5, "s", startup(OURS, "first step"), at_most=True),
    Target("first step, warm cache, beside PyTorch", 1, "×", startup_ratio),
    Target("first step, empty cache", 20, "s", startup(OURS, "empty cache"), at_most=True),
)
