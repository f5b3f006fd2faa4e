"""Errors that restate the call: op, problem, arguments with shapes and dtypes, expected values, fix.

Each class also derives from the built-in error that users of NumPy and PyTorch catch.
"""

import difflib
import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tensorgrad.system.console import printable


class TensorgradError(Exception):
    """The base class of the errors that tensorgrad raises."""

    repeatable = True
    """Whether a call that raised it may be made again, by which a compiled function finds the function's own error."""

    def __str__(self) -> str:
        return printable(super().__str__())


class ShapeError(TensorgradError, ValueError):
    """Shapes or sizes that don't match."""


class ArgumentError(TensorgradError, ValueError):
    """An argument whose value is outside what the call accepts."""


class OutOfMemoryError(ArgumentError, MemoryError):
    """An array of the given sizes doesn't fit into memory."""


class DTypeError(TensorgradError, TypeError):
    """An argument of a dtype or type that the call doesn't accept."""


class RangeError(TensorgradError, IndexError):
    """An index or a class label outside its range."""


class GraphError(TensorgradError, RuntimeError):
    """The recorded graph can't give a gradient: no graph, a freed one, a value changed in place, a lost gradient."""


class MissingPackageError(TensorgradError, ImportError):
    """A package that a call needs isn't installed; it belongs to one of the extras."""


class UnknownNameError(TensorgradError, AttributeError):
    """A name that isn't there; the message says what to use instead.

    Args:
        where: what lacks the name.
        name: the name.
        advice: what to use, if that is known.
        known: the names that are there, among which the message looks for one that is spelled alike.
    """

    def __init__(self, where: str, name: str, advice: str | None, known: Iterable[str]) -> None:
        super().__init__(f"{where} has no {name!r}")
        self._unknown, self._advice = name, advice
        self._known: Iterable[str] = known

    def __str__(self) -> str:
        # Libraries probe for attributes and drop the error: names are compared only where somebody reads it.
        fix = self._advice
        if fix is None and self._known:
            self._known = list(self._known)
            alike = difflib.get_close_matches(self._unknown, self._known, n=1, cutoff=0.7)
            fix = f"did you mean {alike[0]!r}?" if alike else None
        return super().__str__() + ("" if fix is None else f"\n  fix: {fix}")


# NumPy's AxisError is both an IndexError and a ValueError: the first match counts.
RESTATED = {IndexError: RangeError, ValueError: ArgumentError, TypeError: DTypeError}
RESTATED |= {OverflowError: ArgumentError, MemoryError: OutOfMemoryError}


@contextmanager
def restated(op: str, **arguments: Any) -> Iterator[None]:
    """Within, raise errors of NumPy as a TensorgradError that restates the call.

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
    """A short description of an argument: `(8, 3, 28, 28) float32` for arrays and tensors, else a short repr.

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
    """The text of an error, complete enough for a bug report: the problem, then the arguments of the call.

    Args:
        op: the name of the op or function.
        problem: the condition violated, with the name of the argument.
        expected: what the call accepts, if `problem` doesn't say it.
        fix: how to change the call.
        arguments: the arguments, by name.

    >>> import numpy as np
    >>> print(restate("relu", "x must be numeric", expected="a float array", fix="pass numbers", x=np.zeros(3)))
    relu: x must be numeric
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


def require(call: str, package: str, distribution: str = "", extra: str = "data") -> ModuleType:
    """Import a package of an extra, or raise `MissingPackageError` with the command that installs it.

    Args:
        call: the call, for errors.
        package: the name to import.
        distribution: the name for pip, if it is another.
        extra: the extra of tensorgrad-engine that has it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        fix = f"pip install {distribution or package}, or all of the extra: pip install 'tensorgrad-engine[{extra}]'"
        raise MissingPackageError(restate(call, f"the package {package} isn't installed ({error})", fix=fix)) from None
