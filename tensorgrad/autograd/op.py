"""What an operation is: one class that holds its forward, its gradient rules, and the formulas a drawing needs."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tensorgrad.formulas.expression import Expression
from tensorgrad.formulas.symbolic import Formula, derivative_of, statement_of

OUTPUT, RESIDUALS, POSITION, ALL_INPUTS = -1, -2, -3, -4
"""What a gradient rule can ask for besides an input: see `Op`."""


class Rule(NamedTuple):
    """The gradient rule for one input: the method, and the values it asks for by the names of its parameters."""

    backward: Callable[..., Any]
    wants: tuple[int, ...]


class Op:
    """One operation `z = f(x, y, …)` with a single output.

    A subclass states, side by side:

    - `symbol`, and as functions of symbols `formula`, and in `derivatives` the local derivative for each input, for
      drawings and explanations: see `formulas.symbolic`;
    - `forward(self, x, y)`: ndarrays in, one ndarray out;
    - one rule per differentiable input, named after it: `backward_x(self, grad, ...)` returns the gradient of the loss
      for `x`, given `grad`, the gradient for `z`. Rules speak Tensors, so they can be differentiated in turn.
      Broadcasting is undone by the engine.

    The parameters of a rule after `grad` say what the graph must keep for it: the name of an input, `z` for the output,
    or `residuals`, whatever `forward` left in `self.residuals`. Nothing else is kept. The rule of a variadic input
    (`forward(self, *xs)`, `backward_xs`) may also ask for `i`, the position of the input, and for `xs`, all of them.

    An op that finds the gradients for all inputs at once has, in place of rules, `backward_together(self, grad,
    residuals, positions, last)`, which gives `(position, gradient)` for each of the positions; `last` says that nobody
    will ask for them again.

    Keyword arguments of the call become attributes: `apply(Sum, x, axis=(0,))` runs with `self.axis == (0,)`; class
    attributes give the defaults.
    """

    symbol: ClassVar[str] = ""
    formula: ClassVar[Formula] = ""
    derivatives: ClassVar[tuple[Formula, ...]] = ()
    name: ClassVar[str] = "op"
    differentiable: ClassVar[bool] = False
    aliases: ClassVar[bool] = False
    """True where the output may share memory with the first input: reshape, transpose, slices."""
    repeatable: ClassVar[bool] = True
    """False where `forward` has a part in what other processes do: a compiled function runs it once in each call."""

    inputs: ClassVar[tuple[str, ...]] = ()
    variadic: ClassVar[bool] = False
    rules: ClassVar[tuple[Rule | None, ...]] = ()
    together: ClassVar[bool] = False
    always_kept: ClassVar[tuple[int, ...] | None] = None
    """What backward needs, if that is the same whichever inputs require a gradient; else None."""
    known: ClassVar[dict[tuple[bool, ...], tuple[int, ...]]] = {}
    """What `kept` has found so far."""

    shared: ClassVar["Op | None"] = None
    """The one application of an op without parameters whose forward is a static method: it can leave nothing behind."""

    residuals: Any = None

    @classmethod
    def of(cls, **params: Any) -> "Op":
        """An application of the op with these parameters. (`apply` makes its own, without this call.)"""
        op = cls()
        op.__dict__ = params
        return op

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in cls.__dict__:
            cls.name = "".join("_" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("_")
        if inspect.isfunction(cls.__dict__.get("formula")):
            cls.formula = staticmethod(cls.__dict__["formula"])
        cls._read_inputs()
        cls.rules = tuple(cls._read_rule(name) for name in cls.inputs)
        cls.together = hasattr(cls, "backward_together")
        cls.differentiable = cls.together or any(cls.rules)
        cls.known = {}
        cls.always_kept = None
        cls.shared = cls() if cls._is_static() else None
        if not inspect.ismethod(cls.kept):  # an op that finds out for each application
            return
        alone = [tuple(k == position for k in range(len(cls.inputs))) for position in range(len(cls.inputs))]
        kept = {cls.kept(needs) for needs in alone}
        cls.always_kept = kept.pop() if len(kept) == 1 and (kept == {()} or not cls.variadic) else None

    @classmethod
    def _is_static(cls) -> bool:
        return isinstance(inspect.getattr_static(cls, "forward"), staticmethod)

    @classmethod
    def _read_inputs(cls) -> None:
        code = inspect.unwrap(cls.forward).__code__
        cls.variadic = bool(code.co_flags & inspect.CO_VARARGS)
        first = 0 if cls._is_static() else 1  # after self
        cls.inputs = code.co_varnames[first : code.co_argcount + cls.variadic]

    @classmethod
    def _read_rule(cls, input_name: str) -> Rule | None:
        method = getattr(cls, f"backward_{input_name}", None)
        if method is None:
            return None
        sources = {name: k for k, name in enumerate(cls.inputs)} | {"z": OUTPUT, "residuals": RESIDUALS}
        if cls.variadic:
            sources |= {"i": POSITION, cls.inputs[-1]: ALL_INPUTS}
        code = method.__code__
        return Rule(method, tuple(sources[name] for name in code.co_varnames[2 : code.co_argcount]))

    @classmethod
    def kept(cls, needs: tuple[bool, ...]) -> tuple[int, ...]:
        """What backward needs if the inputs in `needs` require a gradient: positions of inputs, and OUTPUT for z."""
        kept = cls.known.get(needs)
        if kept is None:
            rules = [cls.rule(position) for position, needed in enumerate(needs) if needed]
            sources = {k for rule in rules if rule is not None for k in rule.wants}
            inputs = range(len(needs)) if ALL_INPUTS in sources else sorted(k for k in sources if k >= 0)
            kept = cls.known[needs] = (*inputs, OUTPUT) if OUTPUT in sources else tuple(inputs)
        return kept

    @classmethod
    def rule(cls, position: int) -> Rule | None:
        """The gradient rule of the input at `position`; every variadic input follows the last rule."""
        return cls.rules[min(position, len(cls.rules) - 1)]

    @classmethod
    def input_name(cls, position: int) -> str:
        """The name of the input at `position` in `forward`: `x`, or `xs[2]` for a variadic one."""
        last = len(cls.inputs) - 1
        return f"{cls.inputs[last]}[{position - last}]" if cls.variadic and position >= last else cls.inputs[position]

    @classmethod
    @cache
    def statement(cls) -> Expression:
        """The op's formula as an expression: `z = x · y`."""
        return statement_of(cls.formula, cls.inputs)

    @classmethod
    @cache
    def derivative_for(cls, position: int) -> Expression | None:
        """The derivative for the input at `position` as the op states it: the expression `∂z/∂x = y`, or None."""
        position = min(position, len(cls.inputs) - 1)
        stated = cls.derivatives[position] if position < len(cls.derivatives) else ""
        return derivative_of(stated, cls.inputs, position, cls.variadic)

    @property
    def params(self) -> dict[str, Any]:
        """The keyword arguments this op was applied with."""
        return {k: v for k, v in self.__dict__.items() if k != "residuals"}

    @property
    def keywords(self) -> dict[str, Any]:
        """The keyword arguments with which `apply` applies it again; `params` are for readers."""
        return self.params

    def forward(self, *arrays: np.ndarray) -> np.ndarray:
        """Compute the output array from the input arrays."""
        raise TypeError(f"{type(self).__name__} has no forward: an Op must define forward(self, x, ...)")

    def forward_again(self, *arrays: np.ndarray) -> np.ndarray:
        """`forward` at other inputs, for finite differences; an op that froze some of x in its parameters redoes it."""
        return self.forward(*arrays)
