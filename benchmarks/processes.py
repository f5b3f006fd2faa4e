"""Workers as seen from the driver: started, asked, waited for so long, held still, ended."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Died(Exception):
    """The worker ended, or had to be ended; the reason is the message."""


def environment(threads: int) -> dict[str, str]:
    """What tells each library how many threads to take, and to stay on the CPU; all else stays as they have it."""
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
    return os.environ | dict.fromkeys(names, str(threads)) | {"JAX_PLATFORMS": "cpu", "DEV": "CPU"}


def confine(threads: int) -> None:
    """Keep this process, and those it starts, on so many cores: for libraries that count cores and ask nobody."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command(name: str, threads: int, *once: str) -> list[str]:
    """What starts a worker: see `protocol`."""
    return [sys.executable, "-m", "benchmarks.protocol", name, str(threads), *once]


class Process:
    """A worker's process. It stands still (SIGSTOP) whenever it isn't asked anything.

    A library's idle threads may spin for a while, waiting for the next parallel region: on two cores that would halve
    what the others measure.
    """

    def __init__(self, command: list[str], threads: int, env: dict[str, str] | None = None) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._buffer = b""
        # A group of its own, so that the workers of a library are held and ended with it.
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(threads) | (env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            process_group=0,
        )

    def ask(self, limit: float, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its reply. Raises Died where there is none within `limit` seconds."""
        self._signal(signal.SIGCONT)
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        return self.reply(limit)

    def reply(self, limit: float) -> dict[str, Any]:
        """The next line that the worker says. Raises Died."""
        end = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(end - time.monotonic(), 0)):
                    self.stop()
                    raise Died(f"no answer within {limit:g} s")
                if not (data := os.read(self._process.stdout.fileno(), 1 << 16)):
                    raise self._died()
                self._buffer += data
        self._signal(signal.SIGSTOP)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def stop(self) -> None:
        """End it, whatever it does."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._errors):
            file.close()

    def _died(self) -> Died:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "nothing said")
        self.stop()
        return Died(f"ended with code {code}: {said[:200]}")

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it ended by itself; the next reading says so
            os.killpg(self._process.pid, number)
