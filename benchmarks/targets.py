"""What tensorgrad is held to, as data: ratios are PyTorch's median time over tensorgrad's, above 1 is faster.

Steps of the first three networks count with `tg.compile` where that is the faster way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.workers import MAIN, OURS, REPLAYED
from benchmarks.workloads import CASES, CONVOLUTIONS, SHAPE_PARTS, Case, conv_name

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
    where: Callable[[Results], str | None] = lambda results: None
    """Of several figures the one that `measure` returns, in words."""

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


def geometric_mean(keys: Sequence[str], peer: str = MAIN, ours: str = OURS) -> Callable[[Results], float | None]:
    """The geometric mean of ratios; None unless all of them were measured."""

    def measure(results: Results) -> float | None:
        complete = all(results.ratio(key, peer, ours) for key in keys)
        return results.mean(keys, peer, ours) if complete else None

    return measure


def each(name: str, goal: float, cases: Sequence[Case], peer: str = MAIN, ours: str = OURS) -> Target:
    """The least of the cases' ratios, of those that were measured, must reach the goal."""

    def least(results: Results) -> tuple[float | None, str | None]:
        ratios = [(ratio, case.name) for case in cases if (ratio := results.ratio(case.key, peer, ours))]
        return min(ratios, default=(None, None))

    return Target(f"{name}, each", goal, "×", lambda r: least(r)[0], where=lambda r: least(r)[1])


def mean(name: str, goal: float, cases: Sequence[Case], peer: str = MAIN, ours: str = OURS) -> Target:
    keys = [case.key for case in cases]
    return Target(f"{name}, geometric mean", goal, "×", geometric_mean(keys, peer, ours))


def startup(library: str, what: str) -> Callable[[Results], float | None]:
    return lambda results: results.startup.get(library, {}).get(what)


def slowest_page(what: str) -> Callable[[Results], float | None]:
    """The longest time of the pages that were measured."""
    return lambda results: max((found[what] for found in results.pages.values() if what in found), default=None)


def memory_ratio(results: Results) -> float | None:
    ours, theirs = (results.memory(LARGEST, name) for name in (OURS, MAIN))
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
LARGEST = "steps: MNIST CNN, batch 256"
TRAINED, ANSWERED = ([case for case in CASES[section]() if case.counts] for section in ("steps", "inference"))
WIDE = [shape for shape in CONVOLUTIONS if min(shape[:2]) >= 32]

TARGETS = (
    *(
        Target(f"training {network}, batch {batch}", goal, "×", best_ratio(f"steps: {network}, batch {batch}"))
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
    each("training compiled over eager", 1.5, TRAINED, ours=REPLAYED),
    mean("training compiled over eager", 2.3, TRAINED, ours=REPLAYED),
    each("training op by op over eager", 1.0, TRAINED),
    mean("training op by op over eager", 1.4, TRAINED),
    # A compiled step does what the step does, and less.
    each("training compiled over op by op", 0.97, TRAINED, peer=OURS, ours=REPLAYED),
    each("training compiled over eager with kept memory", 1.2, TRAINED, "kept", REPLAYED),
    mean("training compiled over eager with kept memory", 1.8, TRAINED, "kept", REPLAYED),
    mean("training compiled over bf16", 0.95, TRAINED, "bf16", REPLAYED),
    each("inference compiled over ONNX Runtime", 0.7, ANSWERED, "onnx", REPLAYED),
    mean("inference compiled over ONNX Runtime", 1.0, ANSWERED, "onnx", REPLAYED),
    each("inference compiled over eager", 2.0, ANSWERED, ours=REPLAYED),
    *(
        goal(f"other convolutions {part}", ratio, [case for case in CASES["convolutions"]() if case.part == part])
        for part in SHAPE_PARTS
        for goal, ratio in ((each, 1.0), (mean, 1.5))
    ),
    Target("inference LeNet-5, batch 1", 4, "×", best_ratio("inference: LeNet-5, batch 1")),
    Target("inference MNIST CNN, batch 1", 2, "×", best_ratio("inference: MNIST CNN, batch 1")),
    Target("peak memory, MNIST CNN, batch 256", 1, "×", memory_ratio),
    Target(
        "page faults per step, MNIST CNN, batch 256",
        FEW_FAULTS,
        "",
        lambda results: results.faults(LARGEST, OURS),
        at_most=True,
    ),
    Target("first step, warm cache", 1.5, "s", startup(OURS, "first step"), at_most=True),
    Target("first step, warm cache, beside PyTorch", 1, "×", startup_ratio),
    Target("a large graph's SVG", 10, "s", slowest_page("svg"), at_most=True),
    Target("a large graph's page, until it is ready", 3, "s", slowest_page("ready"), at_most=True),
    Target("a large graph's page, per key", 0.05, "s", slowest_page("key"), at_most=True),
    Target("first step, empty cache", 20, "s", startup(OURS, "empty cache"), at_most=True),
)
