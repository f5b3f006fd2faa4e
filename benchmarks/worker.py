"""A process that measures for one library: `python -m benchmarks.worker LIBRARY` speaks JSON lines.

Requests: {"do": "prepare", "kind": ..., "options": ...}, {"do": "time", "seconds": ...}, {"do": "peak"}. Each is
answered by one line, with an "error" where it failed.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Answer requests until the input ends."""
    # Answers go to the pipe that was standard output; whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    library = importlib.import_module(f"benchmarks.libraries.{sys.argv[1]}")
    Worker(library, lambda answer: print(json.dumps(answer), file=answers, flush=True)).serve(sys.stdin)


class Worker:
    """What is prepared, and how it is timed."""

    def __init__(self, library: Any, answer: Callable[[dict], None]) -> None:
        self.library, self.answer = library, answer
        self.call: Callable[[], Any] | None = None
        answer({"version": library.version()})

    def serve(self, lines: Any) -> None:
        """One answer per line."""
        for line in lines:
            request = json.loads(line)
            try:
                self.answer(getattr(self, request.pop("do"))(**request))
            except Exception as error:
                self.answer({"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]})

    def prepare(self, kind: str, options: dict[str, Any]) -> dict[str, Any]:
        """Build a case and run it a few times. A training step's first loss shows that all libraries do one thing."""
        self.call = None  # lets go of the last case first
        self.call = self.library.prepare(kind, {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
        first = self.call()
        for _ in range(3):
            self.call()
        return {"first": first if isinstance(first, float) else None}

    def time(self, seconds: float) -> dict[str, Any]:
        """Repeat for so long, three times at least: the median time of a call, in seconds."""
        times, end = [], time.perf_counter() + seconds
        while len(times) < 3 or time.perf_counter() < end:
            start = time.perf_counter()
            self.call()
            times.append(time.perf_counter() - start)
        return {"median": statistics.median(times), "count": len(times)}

    def peak(self) -> dict[str, Any]:
        """GFLOP/s of one core's multiply-adds on registers alone, float32."""
        from tensorgrad.kernels.simd import fma_peak

        return {"gflops": fma_peak("float32", 0.3)}


if __name__ == "__main__":
    main()
