"""Progress of training: bars on a terminal and in a notebook, a line per epoch elsewhere, or nothing."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.training.history import Record, as_text
from tensorgrad.system.console import is_terminal, printable, say
from tensorgrad.system.notebook import in_notebook


class Silent:
    """Reports nothing; subclasses report progress."""

    def epoch_begins(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        """Epoch `epoch` of `epochs` begins, or resumes after `done` of its `batches`."""

    def step(self, size: int, means: Record) -> None:
        """A step over `size` images is done; `means` are the means over the epoch so far."""

    def epoch_ends(self, record: Record) -> None:
        """The epoch's record is complete, validation included."""

    def say(self, text: str) -> None:
        """Print another message."""

    def close(self) -> None:
        """Training has ended or failed."""


class Lines(Silent):
    """One plain line per epoch on standard output."""

    def epoch_begins(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        """Start the clock."""
        self._title = f"epoch {epoch}/{epochs}"
        self._images, self._start, self._seconds = 0, time.perf_counter(), 0.0

    def step(self, size: int, means: Record) -> None:
        """Count the images."""
        self._images += size
        self._seconds = time.perf_counter() - self._start

    def epoch_ends(self, record: Record) -> None:
        """Print the epoch."""
        say(f"{self._title}: {as_text(record)}, {self._rate()}")

    def say(self, text: str) -> None:
        """Print it."""
        say(text)

    def _rate(self) -> str:
        return f"{self._images / self._seconds:,.0f} images/s" if self._seconds else "no images"


class Bar(Lines):
    """A tqdm bar for the running epoch on standard error; the line of `Lines` replaces it when the epoch ends."""

    _bar: Any = None

    def epoch_begins(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        """Draw an empty bar."""
        super().epoch_begins(epoch, epochs, batches, done)
        self._bar = _bar(self._title, batches, done)

    def step(self, size: int, means: Record) -> None:
        """Move the bar."""
        super().step(size, means)
        _note(self._bar, f"{as_text(means)}, {self._rate()}")
        self._bar.update()

    def epoch_ends(self, record: Record) -> None:
        """Replace the bar by the line of the epoch."""
        self.close()
        super().epoch_ends(record)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class WholeBar(Silent):
    """One tqdm bar for all epochs on standard error, removed at the end."""

    _bar: Any = None

    def epoch_begins(self, epoch: int, epochs: int, batches: int | None, done: int) -> None:
        """Draw the bar in the first epoch."""
        if self._bar is None:
            self._bar = _bar("training", epochs, epoch - 1)

    def epoch_ends(self, record: Record) -> None:
        """Move it."""
        _note(self._bar, as_text(record))
        self._bar.update()

    def say(self, text: str) -> None:
        """Print it."""
        say(text)

    def close(self) -> None:
        """Remove it."""
        if self._bar is not None:
            self._bar.close()


def _bar(title: str, total: int | None, done: int) -> Any:
    if in_notebook():
        from tqdm.auto import tqdm

        return tqdm(total=total, initial=done, desc=title, leave=False)
    from tqdm import tqdm

    layout = "{desc} |{bar:12}| {n_fmt}/{total_fmt}{postfix} [{remaining}]"
    size = shutil.get_terminal_size()  # tqdm shows nothing on a terminal that doesn't report its size
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        bar_format=layout if total else "{desc} {n_fmt}{postfix}",
        ncols=size.columns,
        nrows=size.lines,
        leave=False,
        file=sys.stderr,
    )


def _note(bar: Any, text: str) -> None:
    bar.set_postfix_str(printable(text, sys.stderr), refresh=False)


def reporter(progress: bool | str) -> Silent:
    """The reporter for `progress`, see `fit`, on this terminal. Raises ArgumentError for a str other than "bar"."""
    if isinstance(progress, str) and progress != "bar":
        problem = f'progress must be True, False or "bar", got {progress!r}'
        raise ArgumentError(restate("fit", problem, progress=progress))
    shows_bars = in_notebook() or is_terminal(sys.stderr)
    if not progress or (progress == "bar" and not shows_bars):
        return Silent()
    if progress == "bar":
        return WholeBar()
    return Bar() if shows_bars else Lines()
