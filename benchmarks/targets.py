"""What we hold ourselves to, as data, and whether a run got there. Ratios: PyTorch's time over ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.cases import CONVOLUTIONS, PARTS
from benchmarks.rounds import Result

STEPS = {
    ("LeNet-5", 1): 3.0,
    ("LeNet-5", 8): 3.0,
    ("LeNet-5", 64): 4.0,
    ("LeNet-5", 256): 4.0,
    ("MNIST CNN", 1): 2.0,
    ("MNIST CNN", 8): 2.0,
    ("MNIST CNN", 64): 2.2,
    ("MNIST CNN", 256): 2.2,
    ("small VGG", 64): 1.4,
}
INFERENCE = {("LeNet-5", 1): 4.0, ("MNIST CNN", 1): 2.0}
EACH, MEAN = 1.0, 1.6
PEAK = {"forward": 0.70, "input gradient": 0.60, "weight gradient": 0.60}
MANY_CHANNELS = 32


@dataclass(frozen=True)
class Verdict:
    """One target: what was asked, what was found (None: not measured), and whether it is reached."""

    name: str
    goal: float
    found: float | None
    unit: str = "×"
    at_most: bool = False

    @property
    def reached(self) -> bool | None:
        """None where nothing was measured."""
        if self.found is None:
            return None
        return self.found <= self.goal if self.at_most else self.found >= self.goal


def verdicts(results: list[Result], peak: float | None, fresh: dict[str, Any]) -> list[Verdict]:
    """All targets against a run. `peak` in GFLOP/s of all threads; `fresh` as `__main__` collects it."""
    return [*_networks(results), *_convolutions(results, peak), *_processes(fresh)]


def _networks(results: list[Result]) -> Iterator[Verdict]:
    for kind, goals in (("step", STEPS), ("inference", INFERENCE)):
        found = {(r.case.options["net"], r.case.options["batch"]): r for r in results if r.case.kind == kind}
        for (net, batch), goal in goals.items():
            result = found.get((net, batch))
            yield Verdict(f"{kind}: {net}, batch {batch}", goal, result and result.ratio("pytorch"))


def _convolutions(results: list[Result], peak: float | None) -> Iterator[Verdict]:
    found = [r for r in results if r.case.kind == "conv"]
    for part, label in ((PARTS[0], "forward"), (PARTS[3], "forward and gradients")):
        ratios = [r.ratio("pytorch") for r in found if r.case.options["part"] == part]
        known = [ratio for ratio in ratios if ratio is not None]
        complete = known if len(known) == len(CONVOLUTIONS) else []
        yield Verdict(f"convolution {label}: the slowest", EACH, min(complete, default=None))
        yield Verdict(f"convolution {label}: geometric mean", MEAN, _or_none(geometric_mean, complete))
    for part, goal in PEAK.items():
        chosen = [r for r in found if r.case.options["part"] == part and _many_channels(r)]
        shares = [share(r, peak) for r in chosen]
        lowest = min((s for s in shares if s is not None), default=None)
        yield Verdict(f"convolution {part}, 32 channels and more: least share of the peak", goal, lowest, "")


def _processes(fresh: dict[str, Any]) -> Iterator[Verdict]:
    ours, theirs = fresh.get("memory", {}).get("tensorgrad"), fresh.get("memory", {}).get("pytorch")
    yield Verdict("peak memory over PyTorch's", 1.0, ours and theirs and ours["peak"] / theirs["peak"], at_most=True)
    yield Verdict("page faults per step", 10, ours and ours["faults"], "", at_most=True)
    ours, theirs = fresh.get("startup", {}).get("tensorgrad"), fresh.get("startup", {}).get("pytorch")
    yield Verdict("first step, kernels cached", 1.5, ours and ours["first_step"], " s", at_most=True)
    relative = ours and theirs and ours["first_step"] / theirs["first_step"]
    yield Verdict("first step over PyTorch's", 1.0, relative, at_most=True)
    cold = fresh.get("startup", {}).get("tensorgrad, empty cache")
    yield Verdict("first step, empty cache", 20.0, cold and cold["first_step"], " s", at_most=True)


def share(result: Result, peak: float | None) -> float | None:
    """The fraction of the peak that our time means."""
    seconds = result.seconds("tensorgrad")
    return None if not peak or not seconds else result.case.flops / seconds / 1e9 / peak


def geometric_mean(values: list[float]) -> float:
    """(Π values)^(1/n)."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _many_channels(result: Result) -> bool:
    return min(result.case.options["filters"][:2]) >= MANY_CHANNELS


def _or_none(function: Callable, values: list[float]) -> float | None:
    return function(values) if values else None
