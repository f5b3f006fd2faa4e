"""A worker: a library in a process of its own, which does what it is told, one line of JSON after another.

    python -m benchmarks.protocol LIBRARY THREADS     answers requests from standard input until that ends
    python -m benchmarks.protocol LIBRARY THREADS first-step     answers once, from a fresh process

Nothing but the standard library is imported before the clock starts.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from statistics import median
from typing import Any

from benchmarks import workloads
from benchmarks.workers import PEERS, Unsupported

LEAST = 3
"""Calls that a turn has at least, if they end in so many times its length."""
WARM = 6
"""Calls before the first turn, at least: tensorgrad's compiled functions replay at full speed from the sixth on."""


def main() -> None:
    name, threads, *once = sys.argv[1:]
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not come between the replies
    if once:
        print(json.dumps({"first-step": first_step}[once[0]](name, int(threads))), file=replies, flush=True)
        return
    worker = Worker(name, int(threads))
    peer = PEERS[name]
    print(json.dumps({"version": version(peer.distribution or peer.package)}), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=replies, flush=True)


class Worker:
    """The library, and the call that it has prepared."""

    def __init__(self, name: str, threads: int) -> None:
        self.library = load(name, threads)
        self.call: Callable[[], Any] | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request; `{"skip": reason}` where the library can't."""
        do = {
            "prepare": self.prepare,
            "turn": self.turn,
            "peak": lambda: {"peak": self.library.peak()},
            "memory": lambda: {"memory": peak_memory()},
        }
        try:
            return do[request.pop("do")](**request)
        except Unsupported as lack:
            return {"skip": str(lack)}
        except Exception as error:  # whatever a library raises, the others go on
            self.call = None
            return {"skip": f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]}

    def prepare(self, kind: str, params: dict[str, Any], seconds: float, longest: float) -> dict[str, Any]:
        """Build a case and warm it up for so long.

        `number` is what the second call returned: of a training step, the loss after the first update. Where something
        is dropped at random it is computed without, so that it can be compared.
        """
        self.call = None  # its memory is free for what comes
        build, params = getattr(self.library, kind), tuples(params)
        alike = workloads.alike(params)
        call = build(**alike)
        call()  # compiles, allocates
        number = self.library.number(call())
        start = time.perf_counter()
        call()  # the second may have compiled too
        if (once := time.perf_counter() - start) > longest:
            return {"skip": f"one call takes {once:.1f} s"}
        if alike != params:
            del call
            call = build(**params)
        for _ in range(WARM):
            call()
        measure(call, seconds, least=1)
        self.call = call
        return {"number": number}

    def turn(self, seconds: float) -> dict[str, Any]:
        """The median of some calls, and how many pages of memory each of them touched for the first time."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        times = measure(self.call, seconds, LEAST)
        faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / len(times)
        return {"median": median(times), "count": len(times), "faults": faults}


def tuples(value: Any) -> Any:
    """What JSON has made lists of, as tuples again."""
    if isinstance(value, list):
        return tuple(map(tuples, value))
    return {name: tuples(part) for name, part in value.items()} if isinstance(value, dict) else value


def measure(call: Callable[[], Any], seconds: float, least: int) -> list[float]:
    """Call again and again, for so long and so often at least, unless that takes too long. How long each took."""
    times: list[float] = []
    now = start = time.perf_counter()
    while now - start < seconds or (len(times) < least and now - start < LEAST * seconds):
        call()
        before, now = now, time.perf_counter()
        times.append(now - before)
    return times


def load(name: str, threads: int | None = None) -> Any:
    """The library, told how many threads to take, if that is given."""
    module, _, cls = PEERS[name].place.partition(":")
    library = getattr(import_module(f"benchmarks.workers.{module}"), cls)()
    if threads:
        library.use_threads(threads)
    return library


# ------------------------------------------------------------------------------------------- once, in a fresh process


def first_step(name: str, threads: int) -> dict[str, float]:
    """Seconds from the start of the import to its end, and to the end of LeNet-5's first training step."""
    case = workloads.step("LeNet-5", workloads.BATCH)
    start = time.perf_counter()
    import_module(PEERS[name].package)
    imported = time.perf_counter()
    load(name, threads).step(**case.params)()
    return {"import": imported - start, "first step": time.perf_counter() - start}


def peak_memory() -> float:
    """MiB that this process held at most, resident."""
    try:
        # Linux counts the peak of the process that started this one into ru_maxrss.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
