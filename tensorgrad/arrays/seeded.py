"""The random generators of `with tg.seeded(...)` blocks, and which of them a call draws from."""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
from types import FrameType

import numpy as np

_SUSPENDS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_BY_WITH = {
    contextlib._GeneratorContextManager.__enter__.__code__,
    contextlib._AsyncGeneratorContextManager.__aenter__.__code__,
}
"""The code that enters a `@contextmanager` for a `with`."""


class Block:
    """One `with tg.seeded(seed)` that is open.

    Args:
        generator: whose numbers are drawn in the block.
        seed: its seed.
        frame: the function that entered the block.
    """

    __slots__ = ("_chain", "generator", "seed")

    def __init__(self, generator: np.random.Generator, seed: int, frame: FrameType | None) -> None:
        self.generator, self.seed = generator, seed
        # The calls whose block it is: a function that returns with the block open, as a @contextmanager does and who
        # enters an ExitStack, leaves it to its caller. One that yields otherwise doesn't: between its steps it sleeps.
        self._chain: list[FrameType] = []
        while frame is not None:
            self._chain.append(frame)
            if frame.f_code.co_flags & _SUSPENDS and not _entered_by_with(frame):
                break
            frame = frame.f_back

    def owner(self, running: dict[FrameType, int]) -> int | None:
        """How far out the call runs whose block it is; None while that is suspended."""
        return next((running[frame] for frame in self._chain if frame in running), None)


class Blocks(threading.local):
    """The open blocks of this thread, in the order in which they were entered."""

    def __init__(self) -> None:
        self.opened: list[Block] = []

    def current(self) -> Block | None:
        """The block that the running code is in: of the innermost call that has one, the last.

        Where all are suspended, the last that was entered: a fixture of pytest yields to a test that shall be seeded.
        """
        if len(self.opened) < 2:
            return next(iter(self.opened), None)
        running, frame = dict[FrameType, int](), sys._getframe()
        while frame is not None:
            running[frame] = len(running)
            frame = frame.f_back  # type: ignore[assignment]
        # A copy, made in one go: what allocates here may collect a forgotten generator, which closes its block.
        opened = [*self.opened]
        inside = [(-far, k) for k, block in enumerate(opened) if (far := block.owner(running)) is not None]
        if inside:
            return opened[max(inside)[1]]
        return opened[-1] if opened else None


def _entered_by_with(frame: FrameType) -> bool:
    return frame.f_back is not None and frame.f_back.f_code in _BY_WITH
