"""A tensor's operators: `x + y` is `tg.add(x, y)`, and `x += y` writes the sum into the memory of x."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tensorgrad.ops import assignment, indexing, linear
from tensorgrad.ops.elementwise import arithmetic, comparison
from tensorgrad.ops.operands import TensorLike

if TYPE_CHECKING:
    from tensorgrad.tensor.tensor import Tensor


Unary = Callable[[Any], "Tensor"]
Binary = Callable[[Any, TensorLike], "Tensor"]


def reflected(function: Binary) -> Binary:
    """The operator for `other ∘ self`, of the function for `self ∘ other`."""

    def method(self: Any, other: TensorLike) -> Tensor:
        return function(other, self)

    return method


def in_place(name: str, function: Binary) -> Binary:
    """The operator that writes what `function` gives into the memory of its first operand."""

    def method(self: Any, other: TensorLike) -> Tensor:
        return assignment.update(self, name, function, self, other)

    return method


class Operators:
    """Operators that compute a new tensor."""

    __slots__ = ()

    __add__ = arithmetic.add
    __sub__ = arithmetic.subtract
    __mul__ = arithmetic.multiply
    __truediv__ = arithmetic.divide
    __floordiv__ = arithmetic.floor_divide
    __mod__ = arithmetic.remainder
    __pow__ = arithmetic.pow
    __matmul__ = linear.matmul
    __neg__: ClassVar[Unary] = arithmetic.negative
    __abs__ = arithmetic.abs
    __getitem__ = indexing.getitem

    __lt__ = comparison.less
    __le__ = comparison.less_equal
    __gt__ = comparison.greater
    __ge__ = comparison.greater_equal
    __and__ = comparison.bitwise_and
    __or__ = comparison.bitwise_or
    __xor__ = comparison.bitwise_xor
    __invert__ = comparison.bitwise_not

    __radd__: ClassVar[Binary] = reflected(arithmetic.add)
    __rsub__: ClassVar[Binary] = reflected(arithmetic.subtract)
    __rmul__: ClassVar[Binary] = reflected(arithmetic.multiply)
    __rtruediv__: ClassVar[Binary] = reflected(arithmetic.divide)
    __rfloordiv__: ClassVar[Binary] = reflected(arithmetic.floor_divide)
    __rmod__: ClassVar[Binary] = reflected(arithmetic.remainder)
    __rpow__: ClassVar[Binary] = reflected(arithmetic.pow)
    __rmatmul__: ClassVar[Binary] = reflected(linear.matmul)
    __rand__: ClassVar[Binary] = reflected(comparison.bitwise_and)
    __ror__: ClassVar[Binary] = reflected(comparison.bitwise_or)
    __rxor__: ClassVar[Binary] = reflected(comparison.bitwise_xor)

    def __pos__(self) -> Self:
        return self

    def __eq__(self: Any, other: Any) -> Tensor:  # type: ignore[override]
        return NotImplemented if other is None or isinstance(other, str) else comparison.eq(self, other)

    def __ne__(self: Any, other: Any) -> Tensor:  # type: ignore[override]
        return NotImplemented if other is None or isinstance(other, str) else comparison.not_equal(self, other)

    __hash__ = object.__hash__


class InPlaceOperators:
    """Operators that write into the memory of the tensor on their left."""

    __slots__ = ()

    __setitem__ = assignment.assign
    __iadd__: ClassVar[Binary] = in_place("add in place", arithmetic.add)
    __isub__: ClassVar[Binary] = in_place("subtract in place", arithmetic.subtract)
    __imul__: ClassVar[Binary] = in_place("multiply in place", arithmetic.multiply)
    __itruediv__: ClassVar[Binary] = in_place("divide in place", arithmetic.divide)
    __ifloordiv__: ClassVar[Binary] = in_place("floor_divide in place", arithmetic.floor_divide)
    __imod__: ClassVar[Binary] = in_place("remainder in place", arithmetic.remainder)
    __ipow__: ClassVar[Binary] = in_place("pow in place", arithmetic.pow)
    __imatmul__: ClassVar[Binary] = in_place("matmul in place", linear.matmul)
    __iand__: ClassVar[Binary] = in_place("& in place", operator.and_)
    __ior__: ClassVar[Binary] = in_place("| in place", operator.or_)
    __ixor__: ClassVar[Binary] = in_place("^ in place", operator.xor)
