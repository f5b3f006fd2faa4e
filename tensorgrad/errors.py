"""Errors that restate the call: op, arguments with shapes and dtypes, what was expected, how to fix it.

Each class also derives from the built-in error that NumPy and PyTorch users already catch.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tensorgrad.system.console import printable


class TensorgradError(Exception):
    """The base of every error that tensorgrad raises on purpose."""

    def __str__(self) -> str:
        return printable(super().__str__())


class ShapeError(TensorgradError, ValueError):
    """Shapes or sizes that don't fit together."""


class ArgumentError(TensorgradError, ValueError):
    """An argument whose value is outside what the call accepts."""


class OutOfMemoryError(ArgumentError, MemoryError):
    """Sizes whose array doesn't fit into memory."""


class DTypeError(TensorgradError, TypeError):
    """An argument of a dtype or type that the call can't take."""


class RangeError(TensorgradError, IndexError):
    """An index or a class label outside its range."""


class GraphError(TensorgradError, RuntimeError):
    """A request that the recorded graph can't answer: no graph, freed, changed in place, a wrong seed."""


# An AxisError of NumPy is an IndexError and a ValueError: the first that fits counts.
RESTATED = {IndexError: RangeError, ValueError: ArgumentError, TypeError: DTypeError}
RESTATED |= {OverflowError: ArgumentError, MemoryError: OutOfMemoryError}


@contextmanager
def restated(op: str, **arguments: object) -> Iterator[None]:
    """Raise what NumPy refuses inside as an error of ours, with the call restated.

    >>> import numpy as np
    >>> with restated("zeros", shape=-1):
    ...     np.zeros(-1)
    Traceback (most recent call last):
    tensorgrad.errors.ArgumentError: zeros: negative dimensions are not allowed
      shape: -1
    """
    try:
        yield
    except TensorgradError:
        raise
    except tuple(RESTATED) as error:
        kind = next(ours for theirs, ours in RESTATED.items() if isinstance(error, theirs))
        raise kind(restate(op, str(error).replace("\n", " ") or "out of memory", **arguments)) from error


def describe(value: object) -> str:
    """One argument in a word or two: `(8, 3, 28, 28) float32` for arrays and tensors, else a short repr.

    >>> import numpy as np
    >>> describe(np.zeros((2, 3), np.float32)), describe(1.5)
    ('(2, 3) float32', '1.5')
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        name = getattr(value, "name", None)
        return f"{tuple(shape)} {dtype}" + (f" named {name!r}" if isinstance(name, str) else "")
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def restate(op: str, problem: str, *, expected: str = "", fix: str = "", **arguments: object) -> str:
    """The text of an error that is already the bug report: the problem first, then the call as it was made.

    >>> import numpy as np
    >>> print(restate("relu", "x holds text", expected="a float array", fix="pass numbers", x=np.zeros(3)))
    relu: x holds text
      x: (3,) float64
      expected: a float array
      fix: pass numbers
    """
    lines = [f"{op}: {problem}"]
    lines += [f"  {name}: {describe(value)}" for name, value in arguments.items()]
    if expected:
        lines.append(f"  expected: {expected}")
    if fix:
        lines.append(f"  fix: {fix}")
    return "\n".join(lines)
