"""Ctrl-C that waits for the end of the step."""

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
    """Inside, the first Ctrl-C only sets `requested`, so that no step is torn; a second one stops at once.

    Where Ctrl-C means something else already, is ignored, as under nohup, or arrives in another thread, this changes
    nothing.
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
        if signal.getsignal(signal.SIGINT) is remember:  # not what someone has set meanwhile
            signal.signal(signal.SIGINT, signal.default_int_handler)
