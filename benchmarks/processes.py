"""Workers as seen from the run: started with the same threads, asked one at a time, stopped while they wait."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

TIMEOUT = 120.0
"""Seconds that one answer may take."""


class WorkerError(Exception):
    """A worker died, took too long, or said that it can't."""


class Process:
    """A worker. Between two questions it is stopped, so that no thread pool of its own spins beside the others."""

    def __init__(self, library: str, environment: dict[str, str], timeout: float = TIMEOUT) -> None:
        self.library, self.timeout = library, timeout
        command = [sys.executable, "-m", "benchmarks.worker", library]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, env=environment, **pipes)
        try:
            self.version = self._read()["version"]
            self._signal("SIGSTOP")
        except BaseException:
            self.close()
            raise

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request. Raises WorkerError."""
        self._signal("SIGCONT")
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._read()
        except BrokenPipeError:
            raise WorkerError(self._death()) from None
        self._signal("SIGSTOP")
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it, however it is."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()

    def _read(self) -> dict[str, Any]:
        output, line, end = self._process.stdout, b"", time.monotonic() + self.timeout
        while not line.endswith(b"\n"):
            if not select.select([output], [], [], max(0.0, end - time.monotonic()))[0]:
                self.close()
                raise WorkerError(f"no answer within {self.timeout:g} s")
            piece = os.read(output.fileno(), 65536)
            if not piece:
                raise WorkerError(self._death())
            line += piece
        return json.loads(line)

    def _death(self) -> str:
        return f"the process ended with status {self._process.wait()}"

    def _signal(self, name: str) -> None:
        if hasattr(signal, name) and self.alive:
            self._process.send_signal(getattr(signal, name))


def environment(threads: int) -> dict[str, str]:
    """This process's own, with the same number of threads for every library."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")
    return os.environ | dict.fromkeys(names, count) | {"JAX_PLATFORMS": "cpu", "CPU": "1", "TQDM_DISABLE": "1"}
