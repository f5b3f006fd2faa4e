"""What an update rule does to an element, found by running it on symbols in place of arrays.

An optimizer states its rule once, as a Python function of arrays. Run on symbols, it notes its operations; its
hyper-parameters are numbers by then, and conditions on them are decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Program(NamedTuple):
    """An update rule for one step: what it does to an element, and the values of the numbers in it."""

    operations: tuple[str, ...]
    """Three entries for each: how it is written, and the names of two operands; the results are t0, t1, …"""
    results: tuple[str, ...]
    """The names of the new elements: of each slot, then of the weights."""
    numbers: np.ndarray
    """n0, n1, …, float64."""


FUNCTIONS = {
    np.sqrt: "np.sqrt({0})",
    np.exp: "np.exp({0})",
    np.log: "np.log({0})",
    np.tanh: "np.tanh({0})",
    np.sign: "np.sign({0})",
    np.absolute: "abs({0})",
    # NaN propagates, as in NumPy. Conditional expressions, which LLVM vectorises.
    np.maximum: "{0} if {0} >= {1} or {0} != {0} else {1}",
    np.minimum: "{0} if {0} <= {1} or {0} != {0} else {1}",
    # NumPy calls these functions where the left operand of an operator is a NumPy number.
    np.add: "{0} + {1}",
    np.subtract: "{0} - {1}",
    np.multiply: "{0} * {1}",
    np.divide: "{0} / {1}",
}
"""The functions that a rule may call, and how they are written for an element."""


def traced(rule: Callable[..., Any], slots: Sequence[str], step: int) -> Program:
    """What `rule(w, g, state)` does to an element. A step of an optimizer waits for this: text is made of it later.

    Args:
        rule: returns the new weights and puts the new arrays into `state`, a dict.
        slots: the names of the arrays in `state`.
        step: `state["step"]`.

    Raises:
        TypeError: the rule does something that isn't elementwise arithmetic, or changes an array in place.

    >>> traced(lambda w, g, state: w - 0.1 * g, (), 1)
    Program(operations=('{1} * {0}', 'g', 'n0', '{0} - {1}', 'w', 't0'), results=('t1',), numbers=array([0.1]))
    """
    operations, results, numbers = trace_of(rule, slots, step)
    return Program(operations, results, as_numbers(numbers))


def trace_of(rule: Callable[..., Any], slots: Sequence[str], step: Any) -> tuple[tuple, tuple, list[Any]]:
    """The operations of a rule, the names of its results, and the numbers in it."""
    trace = _Trace([], [])
    state: dict[str, Any] = {"step": step}
    for name, slot in zip(SLOTS, slots, strict=False):
        state[slot] = _symbol(name, trace)
    w = rule(_symbol("w", trace), _symbol("g", trace), state)
    if type(w) is not Symbol:
        raise TypeError(f"an update rule must return the new weights, got {w!r}")
    results = []
    for slot in slots:
        results.append(w.operand(state[slot]))
    return tuple(trace.operations), (*results, w.name), trace.numbers


def as_numbers(numbers: Sequence[Any]) -> np.ndarray:
    """The numbers of a rule as an array, float64. Raises TypeError if there are arrays among them."""
    array = np.array(numbers, np.float64)
    if array.ndim != 1:
        raise TypeError("an update rule that computes with arrays of its own can't be compiled")
    return array


class _Trace(NamedTuple):
    """The operations and numbers so far."""

    operations: list[str]
    numbers: list[Any]


# Made in advance: to write numbers into names takes longer than all else.
SLOTS, NUMBERS, RESULTS = ([f"{letter}{k}" for k in range(256)] for letter in "snt")


def _operator(template: str) -> Any:
    def method(self: Symbol, other: Any) -> Symbol:
        operations, numbers = self.trace
        if type(other) is Symbol:
            name = other.name
        else:
            name = NUMBERS[len(numbers)]
            numbers.append(other)
        # As _symbol, without the call.
        result = _new(Symbol)
        result.name, result.trace = RESULTS[len(operations) // 3], self.trace
        operations += template, self.name, name
        return result

    return method


def _refuse(*_: Any) -> Any:
    raise TypeError("an update rule that changes arrays in place or looks at their values can't be compiled")


class Symbol:
    """Stands for an element of an array while a rule is traced: each operation on it is noted."""

    __slots__ = ("name", "trace")
    name: str
    trace: _Trace

    __add__, __radd__ = _operator("{0} + {1}"), _operator("{1} + {0}")
    __sub__, __rsub__ = _operator("{0} - {1}"), _operator("{1} - {0}")
    __mul__, __rmul__ = _operator("{0} * {1}"), _operator("{1} * {0}")
    __truediv__, __rtruediv__ = _operator("{0} / {1}"), _operator("{1} / {0}")
    __iadd__ = __isub__ = __imul__ = __itruediv__ = __setitem__ = __bool__ = __float__ = __array__ = _refuse

    def __neg__(self) -> Symbol:
        return self.result("-{0}", self, self)

    def __abs__(self) -> Symbol:
        return self.result("abs({0})", self, self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Symbol:
        if ufunc not in FUNCTIONS or method != "__call__" or options:
            raise TypeError(f"np.{ufunc.__name__} isn't among what an update rule can be compiled from")
        return self.result(FUNCTIONS[ufunc], inputs[0], inputs[-1])

    def operand(self, value: Any) -> str:
        """The name of another element or of a number."""
        if type(value) is Symbol:
            return value.name
        self.trace.numbers.append(value)
        return NUMBERS[len(self.trace.numbers) - 1]

    def result(self, template: str, one: Any, other: Any) -> Symbol:
        """The result of an operation; one that takes a single operand gets it twice."""
        result = _symbol(RESULTS[len(self.trace.operations) // 3], self.trace)
        self.trace.operations.extend((template, self.operand(one), self.operand(other)))
        return result


_new = object.__new__


def _symbol(name: str, trace: _Trace) -> Symbol:
    """A symbol of that name. (A constructor would take twice as long.)"""
    symbol = _new(Symbol)
    symbol.name, symbol.trace = name, trace
    return symbol
