"""Delay Ctrl-C until the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether Ctrl-C was pressed."""

    requested = False


@contextmanager
def deferred() -> Iterator[Interrupt]:
    """Within, the first Ctrl-C only sets `requested`, so that the step is finished; a second one stops at once.

    No effect if the program handles Ctrl-C itself or ignores it, as under nohup, or outside the main thread.
    """
    interrupt = Interrupt()
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return

    def remember(signum: int, frame: FrameType | None) -> None:
        interrupt.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, remember)
    try:
        yield interrupt
    finally:
        if signal.getsignal(signal.SIGINT) is remember:  # unless another handler was set meanwhile
            signal.signal(signal.SIGINT, signal.default_int_handler)
