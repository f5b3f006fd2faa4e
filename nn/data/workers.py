"""Worker processes that compute batches ahead of the training loop.

On Linux the workers are forked: the dataset needn't be pickled, its memory is shared until it is written, and scripts
need no `if __name__ == "__main__"`. tensorgrad makes that safe: a fork waits for the locks of its kernels, and a child
forked after threads were launched runs its kernels on one thread. Elsewhere they are spawned, as Python advises there.
Threads would be no choice: a `worker_init_fn` that seeds `numpy.random`, or changes the dataset, would change the
caller's.

Each worker has a pipe of its own. It answers its tasks in order, and batch k belongs to worker k mod n; so the batches
come in order, and no queue is shared with a worker that dies.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import pickle
import queue
import random
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, TensorgradError, restate
from tensorgrad.nn.data.fetch import Fetcher, StreamFetcher, item_name


class WorkerError(TensorgradError, RuntimeError):
    """A worker of a DataLoader that died, or gave no batch in time."""


@dataclass(frozen=True)
class WorkerInfo:
    """What `get_worker_info` tells: the worker's number, how many there are, its seed and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker of a `DataLoader`, its `id`, `num_workers`, `seed` and `dataset`; elsewhere None.

    >>> get_worker_info() is None
    True
    """
    return _info


@dataclass
class Job:
    """What the workers of a loader share. Spawned workers get it pickled.

    Args:
        dataset: the dataset.
        collate_fn: as in the loader.
        batched: whether items are collated into batches.
        streams: whether the dataset is an `IterableDataset`.
        drop_last: as in the loader, for streams.
        worker_init_fn: called with the worker's number before its first batch.
        count: the number of workers.
    """

    dataset: Any
    collate_fn: Callable[[Any], Any] | None
    batched: bool
    streams: bool
    drop_last: bool
    worker_init_fn: Callable[[int], None] | None
    count: int

    def fetcher(self, progress: Callable[[int], None]) -> Fetcher | StreamFetcher:
        """What computes the batches of one epoch."""
        if self.streams:
            return StreamFetcher(self.dataset, self.collate_fn, self.drop_last)
        return Fetcher(self.dataset, self.collate_fn, self.batched, progress)


class _Worker:
    """The parent's view of one worker: its process, its pipe, and the tasks it hasn't answered."""

    def __init__(self, context: Any, job: Job, number: int, earlier: Sequence[_Worker], seed: int) -> None:
        self.number, self.dataset = number, job.dataset
        self.pipe, theirs = context.Pipe()
        self.place = context.RawValue("q", -1)  # where in its batch the worker is reading
        self.tasks: deque[Any] = deque()
        inherited = [self.pipe, *(worker.pipe for worker in earlier)] if context.get_start_method() == "fork" else []
        arguments = (job, number, seed, theirs, self.place, inherited)
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        with warnings.catch_warnings():
            # Python warns of forks in programs with threads: ours are safe, see above.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            self.process.start()
        theirs.close()

    def send(self, message: Any) -> None:
        """Send a message; a worker that died is found when its answer is awaited."""
        with suppress(OSError):
            self.pipe.send(message)

    def answer(self, timeout: float) -> tuple[int, str, Any]:
        """The next answer `(epoch, kind, value)`. Raises WorkerError if none comes in `timeout` seconds, 0 for ever."""
        ready = multiprocessing.connection.wait([self.pipe, self.process.sentinel], timeout or None)
        if not ready:
            problem = f"worker {self.number} gave no batch within timeout = {timeout:g} seconds, {self._reading()}"
            raise WorkerError(restate("DataLoader", problem, fix="pass a longer timeout, or 0 for none"))
        # A worker that ended may have sent its answer before.
        if self.pipe in ready or self.pipe.poll():
            with suppress(EOFError, OSError):
                return pickle.loads(self.pipe.recv_bytes())
        self.process.join()
        problem = f"worker {self.number} died, {_reason(self.process.exitcode)}, {self._reading()}"
        fix = "read that item with num_workers=0 to see what happens"
        raise WorkerError(restate("DataLoader", problem, fix=fix))

    def _reading(self) -> str:
        task = self.tasks[0] if self.tasks else None
        if task is None or (isinstance(task, int) and self.place.value < 0):
            return "while it read the stream"
        if not isinstance(task, list | tuple | np.ndarray):
            return f"while it read {item_name(self.dataset, task)}"
        if 0 <= self.place.value < len(task):
            index = task[self.place.value]
            index = int(index) if isinstance(index, np.integer) else index
            return f"while it read {item_name(self.dataset, index)}"
        return f"while it read the batch of items {np.asarray(task)[:20].tolist()}"


class Workers:
    """The workers of a loader.

    Args:
        job: what they share.
        context: a start method of `multiprocessing` or a context; None for the platform's best.
        prefetch: the number of batches that each worker is ahead.
        timeout: the seconds to wait for a batch; 0 for ever.
        seed: worker i seeds `random` and `numpy.random` with seed + i.

    Raises:
        ArgumentError: a dataset, collate_fn or worker_init_fn that can't be sent to a spawned process.
    """

    def __init__(self, job: Job, context: Any, prefetch: int, timeout: float, seed: int) -> None:
        if context is None:
            context = "fork" if sys.platform == "linux" else "spawn"
        context = multiprocessing.get_context(context) if isinstance(context, str) else context
        self._prefetch, self._timeout, self._epoch = prefetch, timeout, 0
        self._workers: list[_Worker] = []
        try:
            for number in range(job.count):
                self._workers.append(_Worker(context, job, number, self._workers, seed))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            self.close()
            problem = f"the dataset can't be sent to a worker process: {error}"
            fix = "define its classes and functions at the top level of a module, or pass num_workers=0"
            raise ArgumentError(restate("DataLoader", problem, fix=fix, dataset=job.dataset)) from error

    def batches(self, tasks: Iterator[tuple[Any, Any]]) -> Iterator[Any]:
        """The batches of `(task, seed)` pairs, in order. What a former epoch left behind is thrown away."""
        self._epoch += 1
        for worker in self._workers:
            worker.send(("epoch", self._epoch))
        alive, waiting = deque(self._workers), deque[_Worker]()
        while True:
            while alive and len(waiting) < self._prefetch * len(self._workers):
                task = next(tasks, None)
                if task is None:
                    break
                worker = alive[0]
                alive.rotate(-1)
                worker.send(("task", self._epoch, *task))
                worker.tasks.append(task[0])
                waiting.append(worker)
            if not waiting:
                return
            worker = waiting.popleft()
            kind, value = self._await(worker)
            if kind == "batch":
                yield value
            elif kind == "error":
                raise value
            elif worker in alive:  # its stream has ended
                alive.remove(worker)

    def _await(self, worker: _Worker) -> tuple[str, Any]:
        while True:
            epoch, kind, value = worker.answer(self._timeout)
            worker.tasks.popleft()
            if epoch == self._epoch:
                return kind, value

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.send(None)
            worker.pipe.close()
        limit = time.monotonic() + 1
        for worker in self._workers:
            worker.process.join(max(0.0, limit - time.monotonic()))
            if worker.process.is_alive():  # in the midst of an item
                worker.process.terminate()
                worker.process.join(1)
                worker.process.kill()
                worker.process.join()
        self._workers = []


def _reason(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


# ------------------------------------------------------------------------------------------------------- in the worker


def _work(job: Job, number: int, seed: int, pipe: Any, place: Any, inherited: Sequence[Any]) -> None:
    """A worker's life: answer tasks until the pipe closes."""
    global _info
    for other in inherited:  # otherwise the pipe of a parent that died would stay open
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    _one_thread()
    random.seed(seed + number)
    np.random.seed((seed + number) % (1 << 32))
    _info = WorkerInfo(number, job.count, seed + number, job.dataset)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, inbox), daemon=True).start()

    def progress(at: int) -> None:
        place.value = at

    failure: BaseException | None = None
    try:
        if job.worker_init_fn is not None:
            job.worker_init_fn(number)
    except Exception as error:
        failure = error
    fetcher: Any = None
    while (message := inbox.get()) is not None:
        kind, epoch, *task = message
        if kind == "epoch":
            fetcher = None
            continue
        progress(-1)
        try:
            if failure is not None:
                raise failure
            fetcher = fetcher or job.fetcher(progress)
            answer = (epoch, "batch", fetcher(*task))
        except Exception as error:
            if job.streams and isinstance(error, StopIteration):
                answer = (epoch, "end", None)
            else:
                answer = (epoch, "error", _sendable(error, number))
        with suppress(BrokenPipeError, ConnectionResetError):
            pipe.send_bytes(_pickled(answer, number))


def _receive(pipe: Any, inbox: queue.SimpleQueue[Any]) -> None:
    """Take tasks off the pipe at once: parent and worker must never both wait for the other to read."""
    try:
        while (message := pipe.recv()) is not None:
            inbox.put(message)
    except (EOFError, OSError):
        pass
    inbox.put(None)


def _pickled(answer: tuple[int, str, Any], number: int) -> bytes:
    try:
        return pickle.dumps(answer, protocol=5)
    except Exception as error:
        error.add_note("DataLoader: a worker's batches must be picklable")
        return pickle.dumps((answer[0], "error", _sendable(error, number)), protocol=5)


def _sendable(error: Exception, number: int) -> Exception:
    """The error with the worker's traceback as a note; as a WorkerError if it can't be pickled."""
    text = "".join(traceback.format_exception(error))
    error.add_note(f"DataLoader: in worker {number}, whose traceback is\n{text}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return WorkerError(restate("DataLoader", f"worker {number} raised {type(error).__name__}\n{text}"))
    return error


def _one_thread() -> None:
    """Run kernels on one thread: the workers share the cores already."""
    if "numba" not in sys.modules:
        os.environ["NUMBA_NUM_THREADS"] = "1"  # read when numba is imported
    dispatch = sys.modules.get("tensorgrad.kernels.jit.dispatch")
    if dispatch is not None:
        dispatch.set_num_threads(1)
