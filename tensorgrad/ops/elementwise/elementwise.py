"""Elementwise ops: each states its formula and its derivative once, as plain Python functions.

Everything else follows from these functions. Run on symbols, they give the text and the LaTeX of drawings and
explanations; compiled over vectors, the kernels for values and gradients; run on Tensors, the rule that higher
derivatives need; run on NumPy arrays, the reference.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeAlias, TypeVar, cast

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import KERNEL_FLOATS
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.autograd.op import OUTPUT, Op, Rule
from tensorgrad.autograd.variable import Variable
from tensorgrad.formulas.expression import Applied, Call, Expression, Symbol, expression
from tensorgrad.formulas.loops import LOOPS, ON_ARRAYS, Loop
from tensorgrad.formulas.notation import Equation
from tensorgrad.formulas.programs import program, times
from tensorgrad.formulas.symbolic import on_symbols, parameters_of
from tensorgrad.ops.operands import TensorLike, flag, floating, pair, quiet, widened

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
Unary: TypeAlias = Callable[[TensorLike], "Tensor"]
Binary: TypeAlias = Callable[[TensorLike, TensorLike], "Tensor"]

ON_TENSORS: dict[str, Callable[..., Any]] = {}
"""The public functions by name: what a formula's functions are when it is run on Tensors."""

EXACT = frozenset(
    (np.negative, np.abs, np.sign, np.floor, np.ceil, np.maximum, np.minimum, np.where, np.isnan, np.isfinite)
)
"""Functions of NumPy that never warn."""

ONE = 1
IMPORT = ">>> import tensorgrad as tg"
_undescribed: list[tuple[type[Elementwise], Any, str]] = []


def _describe(op: type[Elementwise], target: Any, prose: str) -> None:
    """Write a docstring: what the formula and the derivatives say, the prose, and an example with its import.

    One that names a function further down in the file waits until that is defined.
    """
    _undescribed.append((op, target, prose))
    for waiting in list(_undescribed):
        op, target, prose = waiting
        with suppress(NameError):
            said = [op.statement(), *(op.derivative_for(k) for k in range(len(op.derivatives)))]
            if IMPORT not in prose:
                prose = prose.replace(">>> ", f"{IMPORT}\n>>> ", 1)
            target.__doc__ = f"{'; '.join(str(line) for line in said if line)}.\n\n{prose}".strip()
            _undescribed.remove(waiting)


class Elementwise(Op):
    """z = f(x, y, …; parameters), element by element.

    A subclass states

    - `symbol` and `formula`, a function of its inputs and parameters. It calls other elementwise functions; where it
      has several steps they are compiled into one loop;
    - `derivative` for the only input, or `derivatives` for each: functions of what they want of the inputs, the result
      z and the parameters. Where singular points need more care than the mathematics, a rule `backward_x` as in `Op`
      is taken to compute, and the derivative is what is shown;
    - `numpy`, where NumPy has the function itself: then `formula` only says how it is written, by default by its name.
      Where a formula would lose digits, `numpy` computes it on arrays, and `kernels.simd.functions` has it for loops;
    - parameters as annotations, `beta: float`, or with defaults.
    """

    formula: ClassVar[Any] = None
    derivative: ClassVar[Any] = None
    derivatives: ClassVar[tuple[Any, ...]] = ()
    numpy: ClassVar[Any] = None
    compiled: ClassVar[bool] = False
    parameters: ClassVar[tuple[str, ...]] = ()
    prose: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        own = cls.__dict__
        for name in ("formula", "derivative", "numpy"):
            if inspect.isfunction(own.get(name)):
                setattr(cls, name, staticmethod(own[name]))
        cls.prose = inspect.cleandoc(own.get("__doc__") or "")
        cls.parameters = tuple(own.get("__annotations__", ()))
        cls.compiled = own.get("compiled", not isinstance(cls.numpy, np.ufunc))
        if cls.derivative:
            cls.derivatives = (cls.derivative,)
        if cls.forward is Op.forward:
            cls.forward = _compiled if cls.compiled else _by_numpy(cls.numpy)  # type: ignore[method-assign]
        super().__init_subclass__()
        if not cls.formula:
            cls.formula = staticmethod(lambda *xs: Applied(cls.name, xs))
        if cls.numpy:
            ON_ARRAYS[cls.name] = cls.numpy
        if cls.forward is _compiled:
            LOOPS[cls.name] = cache(lambda: Loop(cls.name, cls.meaning(), cls.inputs, cls.parameters))
        _describe(cls, cls, cls.prose)

    @classmethod
    def _read_inputs(cls) -> None:
        if not cls.formula and cls.numpy is None:  # an abstract class
            return super()._read_inputs()
        names = parameters_of(cls.formula) if cls.formula else ("x", "y")[: cls.numpy.nin]
        cls.variadic = False
        cls.inputs = tuple(name for name in names if name not in cls.parameters)

    @classmethod
    @cache
    def statement(cls) -> Expression:
        """`z = f(x)`."""
        return Equation(Symbol("z"), expression(cls.formula(*map(Symbol, (*cls.inputs, *cls.parameters)))))

    @classmethod
    def call(cls, *operands: Any) -> Expression:
        """The function within another formula: as it is written there, and what it is made of."""
        given = tuple(map(expression, operands))
        given += cls._defaults()[len(given) - len(cls.inputs) :] if cls.parameters else ()
        stated, own_name = expression(cls.formula(*given)), cls.compiled and not isinstance(cls.numpy, np.ufunc)
        shown = given[: len(cls.inputs)] if cls._defaults() == given[len(cls.inputs) :] else given
        return Call(cls.name, given, Applied(cls.symbol, shown) if own_name else stated, stated)

    @classmethod
    def meaning(cls) -> Expression:
        """The function of its symbols."""
        return cls.call(*map(Symbol, (*cls.inputs, *cls.parameters)))

    @classmethod
    def _defaults(cls) -> tuple[Expression, ...]:
        return tuple(expression(getattr(cls, name)) for name in cls.parameters if hasattr(cls, name))

    @classmethod
    def _read_rule(cls, input_name: str) -> Rule | None:
        position = cls.inputs.index(input_name)
        if hasattr(cls, f"backward_{input_name}") or not any(cls.derivatives[position : position + 1]):
            return super()._read_rule(input_name)
        sources = {name: k for k, name in enumerate(cls.inputs)} | {"z": OUTPUT}
        names = parameters_of(cls.derivatives[position])
        wants = tuple(name for name in names if name in sources)
        return Rule(cls._backward(position, wants), tuple(sources[name] for name in wants))

    @classmethod
    def _backward(cls, position: int, wants: tuple[str, ...]) -> Callable[..., Tensor]:
        """The rule: one pass of a kernel, or where it is recorded ops that can be differentiated in turn."""
        name = f"{cls.name} gradient" + (f" for {cls.inputs[position]}" if len(cls.inputs) > 1 else "")
        arrays = ("grad", *wants)

        @cache
        def loop() -> Loop:
            derivative = on_symbols(cls.derivatives[position])
            return Loop(name, times(Symbol("grad"), derivative), arrays, cls.parameters)

        @cache
        def recorded() -> Callable[..., Tensor]:
            return program(loop().meaning, (*arrays, *cls.parameters), ON_TENSORS)

        def backward(self: Elementwise, grad: Tensor, *kept: Tensor) -> Tensor:
            if cls.compiled and not is_grad_enabled():
                return apply(Gradient, grad, *kept, loop=name, parameters=self.values)
            return recorded()(grad, *kept, *self.values) if cls.parameters else recorded()(grad, *kept)

        if cls.compiled:
            LOOPS[name] = loop
        return backward

    @property
    def values(self) -> tuple[float, ...]:
        """The values of its parameters."""
        return tuple([getattr(self, name) for name in self.parameters])


@widened
def _compiled(self: Elementwise, *arrays: np.ndarray) -> np.ndarray:
    return kernels.loops.compute(self.name, *arrays, parameters=self.values)


def _by_numpy(function: Callable[..., Any]) -> Any:
    """A forward that calls the function on the arrays, and nothing between: it has no parameters."""
    return staticmethod(function if function in EXACT else quiet(function))


def unary(op: type[Elementwise], convert: Unary = floating) -> Unary:
    """The public function of an op with one input; `convert` makes it a tensor of a dtype that the op takes."""

    def function(input: Any) -> Any:
        if isinstance(input, Variable) and input._data.dtype in KERNEL_FLOATS:  # the usual case: no `convert`
            return apply(op, input)
        return op.call(input) if isinstance(input, Expression) else apply(op, convert(input))

    return _published(op, function)


def binary(op: type[Elementwise], convert: Callable[[TensorLike, TensorLike], tuple[Tensor, Tensor]] = pair) -> Binary:
    """The public function of an op with two inputs; `convert` makes them tensors of one dtype."""
    any_dtype = convert is pair  # which leaves two tensors of one dtype as they are

    def function(input: Any, other: Any) -> Any:
        if isinstance(input, Variable) and isinstance(other, Variable):  # the usual case, which needs no `convert`
            dtype = input._data.dtype
            if dtype is other._data.dtype and (any_dtype or dtype in KERNEL_FLOATS):
                return apply(op, input, other)
        symbolic = isinstance(input, Expression) or isinstance(other, Expression)
        return op.call(input, other) if symbolic else apply(op, *convert(input, other))

    return _published(op, function)


def _has_signature(signature: F) -> Callable[[Callable[P, Any]], Callable[P, F]]:
    """Tell type checkers what a maker of functions returns: one with this signature."""
    return lambda maker: maker


def _inplace(input: TensorLike, inplace: bool = False) -> Tensor: ...  # type: ignore[empty-body]


def _alpha(input: TensorLike, other: TensorLike, *, alpha: TensorLike = 1) -> Tensor: ...  # type: ignore[empty-body]


@_has_signature(_inplace)
def activation(op: type[Elementwise], convert: Unary = floating) -> Any:
    """`unary` with PyTorch's argument `inplace`, which is accepted and changes nothing: the result is a new tensor."""
    plain = unary(op, convert)

    def function(input: Any, inplace: bool = False) -> Any:
        if inplace is not False and inplace is not True:
            flag(op.name, "inplace", inplace)
        return plain(input)

    said = "`inplace` is accepted; the input isn't overwritten."
    return _published(op, function, op.prose.replace("\n\n>>> ", f"\n\n{said}\n\n>>> ", 1))


@_has_signature(_alpha)
def scaled(op: type[Elementwise], times: Binary) -> Any:
    """`binary` with PyTorch's argument `alpha`, a factor for the second input, applied by `times`."""
    plain = binary(op)

    def function(input: Any, other: Any, *, alpha: Any = 1) -> Any:
        return plain(input, other if alpha is ONE else times(other, alpha))

    return _published(op, function)


def in_formulas(op: type[Elementwise]) -> Callable[[F], F]:
    """Let a public function that is written by hand be called in formulas too."""

    def decorate(function: F) -> F:
        @wraps(function)
        def called(*operands: Any, **keywords: Any) -> Any:
            symbolic = any([isinstance(x, Expression) for x in operands])
            return op.call(*operands, *keywords.values()) if symbolic else function(*operands, **keywords)

        ON_TENSORS[op.name] = called
        _describe(op, called, inspect.cleandoc(function.__doc__ or ""))
        return cast(F, called)

    return decorate


def _published(op: type[Elementwise], function: Callable, prose: str = "") -> Callable:
    function.__name__ = function.__qualname__ = op.name
    function.__module__ = op.__module__
    ON_TENSORS[op.name] = function
    _describe(op, function, prose or op.prose)
    return function


class Gradient(Op):
    """z = g · f′, in one pass, for a backward pass that isn't differentiated in turn; ys are what f′ is made of."""

    symbol, formula = "⊙ f′", "z = g · f′"
    loop: str
    parameters: tuple[float, ...]

    @widened
    def forward(self, g, *ys):
        return kernels.loops.compute(self.loop, g, *ys, parameters=self.parameters)
