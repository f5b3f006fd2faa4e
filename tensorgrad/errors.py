"""Errors that restate the call: op, arguments with shapes and dtypes, what was expected, how to fix it.

Each class also derives from the built-in error that NumPy and PyTorch users already catch.
"""

from tensorgrad.console import printable


class TensorgradError(Exception):
    """The base of every error that tensorgrad raises on purpose."""

    def __str__(self) -> str:
        return printable(super().__str__())


class ShapeError(TensorgradError, ValueError):
    """Shapes or sizes that don't fit together."""


class ArgumentError(TensorgradError, ValueError):
    """An argument whose value is outside what the call accepts."""


class DTypeError(TensorgradError, TypeError):
    """An argument of a dtype or type that the call can't take."""


class RangeError(TensorgradError, IndexError):
    """An index or a class label outside its range."""


class GraphError(TensorgradError, RuntimeError):
    """A request that the recorded graph can't answer: no graph, freed, changed in place, a wrong seed."""


def describe(value: object) -> str:
    """One argument in a word or two: `(8, 3, 28, 28) float32` for arrays and tensors, else a short repr.

    >>> import numpy as np
    >>> describe(np.zeros((2, 3), np.float32)), describe(1.5)
    ('(2, 3) float32', '1.5')
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
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
