"""One case after the other: all libraries prepare it, then take turns; what counts is the median over their turns."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from benchmarks.cases import Case
from benchmarks.processes import Process, WorkerError


@dataclass
class Result:
    """What came of one case: per library the seconds of each turn, or why there are none."""

    case: Case
    turns: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    firsts: dict[str, float] = field(default_factory=dict)

    def seconds(self, library: str) -> float | None:
        """The median over the turns, None where there are none."""
        turns = self.turns.get(library)
        return statistics.median(turns) if turns else None

    def ratio(self, peer: str, ours: str = "tensorgrad") -> float | None:
        """The peer's time over ours: above 1, ours is the faster."""
        theirs, mine = self.seconds(peer), self.seconds(ours)
        return None if theirs is None or mine is None else theirs / mine

    def disagreements(self, tolerance: float = 1e-3) -> list[str]:
        """Libraries whose first loss isn't ours: they would be measured at other work."""
        mine = self.firsts.get("tensorgrad")
        return [n for n, v in self.firsts.items() if mine is not None and not math.isclose(v, mine, rel_tol=tolerance)]

    def as_dict(self) -> dict[str, Any]:
        """For the report in JSON."""
        medians = {library: self.seconds(library) for library in self.turns}
        return {
            **self.case.as_dict(),
            "medians": medians,
            "turns": self.turns,
            "failures": self.failures,
            "first_losses": self.firsts,
        }


def measure(cases: Iterable[Case], workers: dict[str, Process], rounds: int, seconds: float) -> list[Result]:
    """All cases on all workers that live, `rounds` turns each, of so many seconds."""
    shown = tqdm(list(cases), unit="case", disable=not sys.stderr.isatty())
    return [_measured(Result(case), workers, rounds, seconds) for case in shown]


def _measured(result: Result, workers: dict[str, Process], rounds: int, seconds: float) -> Result:
    case = result.case
    for name, worker in workers.items():
        if not worker.alive:
            continue
        try:
            first = worker.ask(do="prepare", kind=case.kind, options=case.options)["first"]
        except WorkerError as error:
            result.failures[name] = str(error)
            continue
        result.turns[name] = []
        if first is not None:
            result.firsts[name] = first
    for _ in range(rounds):
        for name in list(result.turns):
            try:
                result.turns[name].append(workers[name].ask(do="time", seconds=seconds)["median"])
            except WorkerError as error:
                result.failures[name] = str(error)
                del result.turns[name]
    return result
