"""Update rules that are traced once for many steps.

From one step of an optimizer to the next only the step count and the learning rate change. So a rule is traced once,
with a `Scalar` in place of each of the two. A scalar notes two things: which numbers the rule computes from it, as
Python expressions, and which conditions the rule tests, with their outcomes. From these notes a function is compiled
that gives the numbers of any other step, for example

    def numbers(step, lr):
        return (lr, (c0 ** step), ) if (step > c1) is True else None

It returns None for a step in which a condition has another outcome; then the rule is traced anew.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from tensorgrad.kernels.rules import Program, as_numbers, trace_of, traced

F = TypeVar("F", bound=Callable[..., Any])
Options = dict[str, Any]


def pure(update: F) -> F:
    """Decorator of an update rule that depends on its arguments alone: on no attribute and no variable elsewhere.

    Such a rule is traced once for many steps; one without the decorator is traced in each step.
    """
    update.pure = True  # type: ignore[attr-defined]
    return update


class Programs:
    """A cache of an optimizer's programs. To find one takes a fifth of the time of tracing it by `rules.traced`."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Options, tuple[str, ...], _Steps | None]] = {}

    def __reduce__(self) -> tuple:
        return Programs, ()  # a copy of the optimizer traces by itself

    def find(
        self, key: Any, rule_of: Callable[[Options], Any], options: Options, slots: tuple[str, ...], step: int
    ) -> Program:
        """The program of the rule `rule_of(options)` for one step; raises TypeError as `rules.traced` does.

        Args:
            key: hashable, the same in each step; a program of another step is used again if its options other than
                `lr`, and its slots, are the same.
            rule_of: gives the rule `rule(w, g, state)` with options filled in; the rule is `pure`.
            options: all options by name, the learning rate `lr` among them.
            slots, step: as for `rules.traced`.
        """
        others = options.copy()
        lr = others.pop("lr")
        known = self._known.get(key)
        if known is None or known[0] != others or known[1] != slots:
            known = self._known[key] = others, slots, _Steps.of(rule_of, options, slots, step)
        steps = known[2]
        if steps is None:  # the rule does something with its numbers that a Scalar can't, so each step is traced
            return traced(rule_of(options), slots, step)
        numbers = steps.numbers(step, lr)
        if numbers is None:
            del self._known[key]
            return self.find(key, rule_of, options, slots, step)
        return Program(steps.operations, steps.results, np.array(numbers, np.float64))


class _Steps:
    """The program of a rule for all steps in which its conditions have the same outcomes.

    Attributes:
        operations, results: as in `Program`.
        numbers: a function of the step count and the learning rate that gives the numbers; None if a condition has
            another outcome.
    """

    def __init__(self, operations: tuple[str, ...], results: tuple[str, ...], numbers: Callable[..., Any]) -> None:
        self.operations, self.results, self.numbers = operations, results, numbers

    @classmethod
    def of(cls, rule_of: Callable[[Options], Any], options: Options, slots: Sequence[str], step: int) -> _Steps | None:
        """Trace the rule; None if it does something with its numbers that a `Scalar` can't."""
        notes = _Notes()
        rule = rule_of(options | {"lr": Scalar(options["lr"], "lr", notes)})
        try:
            operations, results, numbers = trace_of(rule, slots, Scalar(step, "step", notes))
            texts = [notes.text(number) for number in numbers]
        except TypeError:
            return None
        # Checks only that they are numbers: raises TypeError for a rule with arrays of its own.
        as_numbers([number.value if type(number) is Scalar else number for number in numbers])
        conditions = " and ".join(notes.conditions) or "True"
        source = f"def numbers(step, lr):\n    return ({''.join(f'{x}, ' for x in texts)}) if {conditions} else None"
        exec(source, notes.constants)
        return cls(operations, results, notes.constants["numbers"])


class _Notes:
    """What a rule computed from scalars: its conditions as text, and the values of the constants in the text."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.constants: dict[str, Any] = {}

    def text(self, number: Any) -> str:
        """The Python expression of a scalar, or the name of a constant for a plain number."""
        if type(number) is Scalar:
            return number.text
        if type(number) not in (int, float, bool):
            raise TypeError(f"a number of an update rule must be a Python number, got {number!r}")
        name = f"c{len(self.constants)}"
        self.constants[name] = number
        return name


def _operator(sign: str, function: Callable[[Any, Any], Any]) -> Any:
    """The method for `scalar + other`, say: computes the value, and notes its expression."""

    def method(self: Scalar, other: Any) -> Any:
        if type(other) not in _OPERANDS:
            return NotImplemented
        value = function(self.value, other.value if type(other) is Scalar else other)
        return Scalar(value, f"({self.text} {sign} {self.notes.text(other)})", self.notes)

    return method


def _reflected(sign: str, function: Callable[[Any, Any], Any]) -> Any:
    """The method for `other + scalar`."""

    def method(self: Scalar, other: Any) -> Any:
        if type(other) not in _OPERANDS:
            return NotImplemented
        return Scalar(function(other, self.value), f"({self.notes.text(other)} {sign} {self.text})", self.notes)

    return method


def _comparison(sign: str, function: Callable[[Any, Any], bool]) -> Any:
    """The method for `scalar < other`: notes the condition with its outcome, and returns the outcome."""

    def method(self: Scalar, other: Any) -> Any:
        if type(other) not in _OPERANDS:
            return NotImplemented
        outcome = function(self.value, other.value if type(other) is Scalar else other)
        self.notes.conditions.append(f"({self.text} {sign} {self.notes.text(other)}) is {outcome}")
        return outcome

    return method


def _refuse(*_: Any) -> Any:
    raise TypeError("a step count or a learning rate can't be converted while a rule is traced for many steps")


class Scalar:
    """Stands for a number that differs from step to step, and notes what is computed from it.

    Attributes:
        value: the number in the step that is traced.
        text: the Python expression that gives it in any step.
        notes: the notes of the trace.
    """

    __slots__ = ("notes", "text", "value")
    __array_ufunc__ = None  # so that `np.float64(2) * scalar` calls __rmul__ below

    def __init__(self, value: Any, text: str, notes: _Notes) -> None:
        self.value, self.text, self.notes = value, text, notes

    __add__, __radd__ = _operator("+", operator.add), _reflected("+", operator.add)
    __sub__, __rsub__ = _operator("-", operator.sub), _reflected("-", operator.sub)
    __mul__, __rmul__ = _operator("*", operator.mul), _reflected("*", operator.mul)
    __truediv__, __rtruediv__ = _operator("/", operator.truediv), _reflected("/", operator.truediv)
    __floordiv__, __rfloordiv__ = _operator("//", operator.floordiv), _reflected("//", operator.floordiv)
    __mod__, __rmod__ = _operator("%", operator.mod), _reflected("%", operator.mod)
    __pow__, __rpow__ = _operator("**", operator.pow), _reflected("**", operator.pow)
    __lt__, __le__ = _comparison("<", operator.lt), _comparison("<=", operator.le)
    __gt__, __ge__ = _comparison(">", operator.gt), _comparison(">=", operator.ge)
    __eq__, __ne__ = _comparison("==", operator.eq), _comparison("!=", operator.ne)
    __hash__ = __float__ = __int__ = __index__ = __complex__ = __round__ = _refuse  # type: ignore[assignment]

    def __neg__(self) -> Scalar:
        return Scalar(-self.value, f"(-{self.text})", self.notes)

    def __bool__(self) -> bool:
        self.notes.conditions.append(f"bool({self.text}) is {bool(self.value)}")
        return bool(self.value)


_OPERANDS = frozenset((Scalar, int, float, bool))
