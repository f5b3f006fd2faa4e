"""Update rules that are traced once for many steps.

From one step of an optimizer to the next only the step count and the learning rate change. So a rule is traced with a
`Scalar` in place of each, which notes what the rule computes from it and how the rule's conditions turned out. The
numbers of a later step come from a function made of these notes; where a condition turns out otherwise, the rule is
traced anew.
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

    Then it need not be traced in every step. A rule that isn't decorated is.
    """
    update.pure = True  # type: ignore[attr-defined]
    return update


class Programs:
    """The programs of an optimizer's update rules: what `rules.traced` gives, in a fifth of the time."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Options, tuple[str, ...], _Steps | None]] = {}

    def __reduce__(self) -> tuple:
        return Programs, ()  # a copy of the optimizer traces by itself

    def find(
        self, place: Any, rule_of: Callable[[Options], Any], options: Options, slots: tuple[str, ...], step: int
    ) -> Program:
        """The program of the rule `rule_of(options)` for one step; raises TypeError as `rules.traced` does.

        Args:
            place: what the last step's program was found under: its options are expected to differ in `lr` only.
            rule_of: gives the rule `rule(w, g, state)` with options filled in; the rule is `pure`.
            options: all options by name, the learning rate `lr` among them.
            slots, step: as for `rules.traced`.
        """
        others = options.copy()
        lr = others.pop("lr")
        known = self._known.get(place)
        if known is None or known[0] != others or known[1] != slots:
            known = self._known[place] = others, slots, _Steps.of(rule_of, options, slots, step)
        steps = known[2]
        if steps is None:  # a rule that does with its numbers what scalars can't
            return traced(rule_of(options), slots, step)
        numbers = steps.numbers(step, lr)
        if numbers is None:
            del self._known[place]
            return self.find(place, rule_of, options, slots, step)
        return Program(steps.operations, steps.results, np.array(numbers, np.float64))


class _Steps:
    """The steps of a rule in which its conditions turn out the same.

    Attributes:
        operations, results: as in `Program`.
        numbers: a function of the step count and the learning rate that gives the numbers; None if a condition turns
            out otherwise.
    """

    def __init__(self, operations: tuple[str, ...], results: tuple[str, ...], numbers: Callable[..., Any]) -> None:
        self.operations, self.results, self.numbers = operations, results, numbers

    @classmethod
    def of(cls, rule_of: Callable[[Options], Any], options: Options, slots: Sequence[str], step: int) -> _Steps | None:
        """Trace the rule; None if it does with its numbers what scalars can't."""
        notes = _Notes()
        rule = rule_of(options | {"lr": Scalar(options["lr"], "lr", notes)})
        try:
            operations, results, numbers = trace_of(rule, slots, Scalar(step, "step", notes))
            texts = [notes.text(number) for number in numbers]
        except TypeError:
            return None
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
        """A scalar or a plain number, as it is written."""
        if type(number) is Scalar:
            return number.text
        if type(number) not in (int, float, bool):
            raise TypeError(f"a number of an update rule must be a Python number, got {number!r}")
        name = f"c{len(self.constants)}"
        self.constants[name] = number
        return name


def _operator(sign: str, function: Callable[[Any, Any], Any]) -> Any:
    def method(self: Scalar, other: Any) -> Any:
        if type(other) not in _OPERANDS:
            return NotImplemented
        value = function(self.value, other.value if type(other) is Scalar else other)
        return Scalar(value, f"({self.text} {sign} {self.notes.text(other)})", self.notes)

    return method


def _reflected(sign: str, function: Callable[[Any, Any], Any]) -> Any:
    def method(self: Scalar, other: Any) -> Any:
        if type(other) not in _OPERANDS:
            return NotImplemented
        return Scalar(function(other, self.value), f"({self.notes.text(other)} {sign} {self.text})", self.notes)

    return method


def _comparison(sign: str, function: Callable[[Any, Any], bool]) -> Any:
    def method(self: Scalar, other: Any) -> Any:
        if type(other) not in _OPERANDS:
            return NotImplemented
        found = function(self.value, other.value if type(other) is Scalar else other)
        self.notes.conditions.append(f"({self.text} {sign} {self.notes.text(other)}) is {found}")
        return found

    return method


def _refuse(*_: Any) -> Any:
    raise TypeError("a step count or a learning rate can't be converted while a rule is traced for many steps")


class Scalar:
    """Stands for a number that differs from step to step: what is computed from it is noted."""

    __slots__ = ("notes", "text", "value")
    __array_ufunc__ = None  # a number of NumPy's leaves the operation to this class

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
