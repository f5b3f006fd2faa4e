"""What was measured, and the figures that follow from it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import exp, log
from statistics import median
from typing import Any

from benchmarks.workers import MAIN, OURS, REPLAYED
from benchmarks.workloads import Case


@dataclass
class Cell:
    """One library at one case: seconds per call in each round, or why there are none."""

    rounds: list[float] = field(default_factory=list)
    number: float | None = None
    skipped: str = ""
    memory: float | None = None
    """MiB that its process held at most, where that had nothing else to do."""
    faults: list[float] = field(default_factory=list)
    """Page faults per call in each round."""
    preparing: float = 0.0
    """Seconds to build the case, compile and warm up."""

    @property
    def seconds(self) -> float | None:
        return median(self.rounds) if self.rounds else None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"median": self.seconds}


@dataclass
class Results:
    """All that a run found out."""

    threads: int
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    cells: dict[Case, dict[str, Cell]] = field(default_factory=dict)
    startup: dict[str, dict[str, float]] = field(default_factory=dict)
    pages: dict[str, dict[str, float]] = field(default_factory=dict)
    """By graph what its page costs."""
    absent: list[str] = field(default_factory=list)
    """Libraries that were asked for and aren't installed."""
    core_peak: float | None = None
    """GFLOP/s of one core, multiply-adds on registers."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """What went another way than planned, and where."""

    def note(self, what: str, where: str) -> None:
        self.notes.setdefault(what, []).append(where)

    @property
    def peak(self) -> float | None:
        """GFLOP/s of all threads."""
        return self.core_peak * self.threads if self.core_peak else None

    def seconds(self, key: str, library: str) -> float | None:
        """The median of a cell; None where it wasn't measured."""
        cell = self.cell(key, library)
        return cell.seconds if cell else None

    def ratio(self, key: str, peer: str = MAIN, ours: str = OURS) -> float | None:
        """How many times as long the peer takes as tensorgrad."""
        mine, theirs = self.seconds(key, ours), self.seconds(key, peer)
        return theirs / mine if mine and theirs else None

    def cell(self, key: str, library: str) -> Cell | None:
        for case, cells in self.cells.items():
            if case.key == key:
                return cells.get(library)
        return None

    def memory(self, key: str, library: str) -> float | None:
        """MiB at the peak."""
        cell = self.cell(key, library)
        return cell.memory if cell else None

    def faults(self, key: str, library: str) -> float | None:
        """Page faults per call, the median of the rounds."""
        cell = self.cell(key, library)
        return median(cell.faults) if cell and cell.faults else None

    def best_ratio(self, key: str) -> float | None:
        """How many times as long PyTorch takes as the faster of tensorgrad op by op and its compiled function."""
        ratios = [ratio for ours in (OURS, REPLAYED) if (ratio := self.ratio(key, ours=ours))]
        return max(ratios, default=None)

    def rate(self, case: Case) -> float | None:
        """tensorgrad's GFLOP/s of direct arithmetic."""
        ours = self.seconds(case.key, OURS)
        return case.flops / ours / 1e9 if ours and case.flops else None

    def share(self, key: str) -> float | None:
        """tensorgrad's part of the peak of all threads."""
        case = next((case for case in self.cells if case.key == key), None)
        rate = self.rate(case) if case else None
        return rate / self.peak if rate and self.peak else None

    def mean(self, keys: Iterable[str], peer: str = MAIN, ours: str = OURS) -> float | None:
        """The geometric mean of ratios; of those that were measured."""
        ratios = [ratio for key in keys if (ratio := self.ratio(key, peer, ours))]
        return exp(sum(map(log, ratios)) / len(ratios)) if ratios else None

    def as_json(self) -> dict[str, Any]:
        cells = [
            {"section": case.section, "name": case.name, "part": case.part, "flops": case.flops}
            | {"repeats": case.repeats, "libraries": {name: cell.as_json() for name, cell in found.items()}}
            for case, found in self.cells.items()
        ]
        return {
            "machine": self.machine,
            "threads": self.threads,
            "versions": self.versions,
            "fma_peak_gflops_per_core": self.core_peak,
            "cells": cells,
            "startup": self.startup,
            "pages": self.pages,
            "not_installed": self.absent,
            "notes": self.notes,
        }
