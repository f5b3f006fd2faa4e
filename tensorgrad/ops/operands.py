"""What users pass to an op, as tensors of the dtypes the op takes, and as numbers.

Two functions stand for the rule that no gradient is lost in silence: whatever becomes a tensor comes through
`as_tensor`, which stacks lists that hold tensors, and whatever an op takes as a plain number comes through `number`,
which refuses a tensor that requires a gradient.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from numbers import Real
from types import EllipsisType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, SupportsIndex, TypeAlias

import numpy as np

from tensorgrad.arrays.dtypes import (
    FLOATS,
    KERNEL_FLOATS,
    SCALARS,
    DTypeLike,
    as_array,
    as_dtype,
    check_device,
    check_dtype,
    default_float,
    is_float,
    promote,
)
from tensorgrad.arrays.quiet import quiet
from tensorgrad.autograd import engine, modes, variable
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.autograd.versions import note_array
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, describe, restate
from tensorgrad.formulas.symbolic import fenced, words

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["as_tensor", "astype"]


class HoldsArray(Protocol):
    """A Tensor, an ndarray, a number of NumPy's, or another library's array that NumPy can read."""

    def __array__(self) -> np.ndarray:
        """Its values."""


# A str is a sequence of strs, and no number: a Sequence of anything would let it pass.
TensorLike: TypeAlias = HoldsArray | float | Sequence[float] | list[Any] | tuple[Any, ...]
"""A Tensor, an ndarray, a number, or a nested list of numbers and tensors."""

Index: TypeAlias = (
    SupportsIndex | slice | EllipsisType | HoldsArray | Sequence[int] | list[Any] | tuple[Any, ...] | None
)
"""What stands between the brackets of `t[index]`, as in NumPy."""


HALF = "e"
"""NumPy's character for float16, which is compared in a third of the time of a dtype and a type."""


def widened(forward: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A forward whose float16 arrays come as float32, and whose result is rounded back: half precision is for storage.

    Sums and products in half precision would lose digits, or run out of its range, on the way.
    """

    @quiet
    def in_float32(self: Any, *arrays: np.ndarray) -> np.ndarray:
        wide = [x.astype(np.float32) if x.dtype == np.float16 else x for x in arrays]
        return forward(self, *wide).astype(np.float16)

    @wraps(forward)
    def wide(self: Any, *arrays: np.ndarray) -> np.ndarray:
        return in_float32(self, *arrays) if arrays[0].dtype.char == HALF else forward(self, *arrays)

    return wide


P = ParamSpec("P")


def rounded_once(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """A function made of ops, whose float16 tensors come as float32, and whose result is rounded back: as `widened`."""

    @wraps(function)
    def wide(*arguments: P.args, **keywords: P.kwargs) -> Tensor:
        given = [*arguments, *keywords.values()]
        if {x._data.dtype.char for x in given if isinstance(x, Variable) and is_float(x._data.dtype)} != {HALF}:
            return function(*arguments, **keywords)
        found: Any = [_in_float32(x) for x in arguments]
        named: Any = {name: _in_float32(x) for name, x in keywords.items()}
        return astype(function(*found, **named), np.float16)

    return wide


def _in_float32(x: Any) -> Any:
    return astype(x, np.float32) if isinstance(x, Variable) and x._data.dtype.char == HALF else x  # type: ignore[arg-type]


class Cast(Op):
    """Between float dtypes."""

    symbol, formula = "cast", lambda x: x
    derivatives = (lambda: 1,)
    dtype: np.dtype

    @quiet
    def forward(self, x):
        self.residuals = x.dtype
        return x.astype(self.dtype)

    def backward_x(self, grad, residuals):
        return grad.astype(residuals)


class Convert(Op):
    """To an integer dtype or bool, or from one: no gradient flows."""

    symbol, formula = "convert", lambda x: x
    dtype: np.dtype

    @quiet
    def forward(self, x):
        return x.astype(self.dtype)


class Stack(Op):
    """z = the inputs, side by side along a new axis."""

    symbol, formula = "stack", lambda xs: words(fenced("[", xs, "]"), "along a new axis")
    derivatives = (lambda grad: words("its part of", grad),)
    axis: int

    def forward(self, *xs):
        return np.stack(xs, self.axis)

    def backward_xs(self, grad, i):
        return grad[(slice(None),) * self.axis + (i,)]


def astype(x: TensorLike, dtype: DTypeLike) -> Tensor:
    """`x` in another dtype: NumPy's conversion rules; gradients flow between float dtypes. Always a new tensor.

    Raises DTypeError for complex numbers, text and objects.

    >>> import tensorgrad as tg
    >>> tg.astype(tg.tensor([1.7, -1.7]), "int32")
    tensor([ 1, -1], dtype=int32)
    """
    x, dtype = as_tensor(x), as_dtype("astype", dtype).newbyteorder("=")
    check_dtype("astype", dtype, x=x)
    return apply(Cast if is_float(dtype) and is_float(x._data.dtype) else Convert, x, dtype=dtype)


def as_tensor(data: TensorLike, dtype: DTypeLike = None, device: object = None) -> Tensor:
    """`data` itself if it is a tensor, else a tensor around it; memory is shared where it can be.

    Args:
        data: a tensor, an array, a number, or nested lists of these.
        dtype: convert to this dtype, if `data` has another.
        device: "cpu", the only one.

    Lists and tuples that hold tensors, nested ones too, are stacked: gradients flow to every tensor inside. Raises
    DTypeError for what holds no numbers, ArgumentError for lists of uneven lengths, ShapeError for tensors of
    different shapes.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.as_tensor(np.arange(3.0))
    tensor([0., 1., 2.], dtype=float64)
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> tg.as_tensor([w[0] * 2, 3.0]).sum().backward()
    >>> w.grad
    tensor([2., 0.])
    """
    if dtype is not None or device is not None:
        check_device("as_tensor", device)
        if dtype is not None and isinstance(data, (int, float, list, tuple)) and not holds_tensors(data):
            dtype = as_dtype("as_tensor", dtype)
            if dtype.kind == "f":  # of the numbers themselves, which float32 would round
                return engine.constant(as_array(data, dtype))
        x = as_tensor(data)
        return x if dtype is None or x._data.dtype == as_dtype("as_tensor", dtype) else astype(x, dtype)
    if isinstance(data, Variable):
        return data  # type: ignore[return-value]
    if holds_tensors(data):
        return apply(Stack, *in_one_dtype(data), axis=0)
    array = as_array(data)
    if not isinstance(data, np.ndarray):
        return engine.constant(array)
    tensor = variable.wrap(array)
    note_array(tensor)
    return tensor


NUMBERS = frozenset((int, float, bool))
RANK = {"b": 0, "u": 1, "i": 1, "f": 2}
"""The order of the kinds of dtypes: bools, integers, floats."""

DEEPEST = 64
"""The most axes of a NumPy array: what is nested deeper becomes no tensor anyway, a list that holds itself included."""


def holds_tensors(x: Any, depth: int = 0) -> bool:
    """Whether `x` is a list or tuple with a tensor somewhere inside."""
    if not isinstance(x, (list, tuple)) or depth > DEEPEST or NUMBERS.issuperset(map(type, x)):
        return False
    return any([isinstance(item, Variable) or holds_tensors(item, depth + 1) for item in x])


def in_one_dtype(items: Any) -> list[Tensor]:
    """The items as tensors of the one dtype that all of them promote to; Python scalars never widen it."""
    items = [x if isinstance(x, SCALARS) else as_tensor(x) for x in items]
    widest: Any = next((x for x in items if isinstance(x, Variable)), None)
    if widest is None:
        widest = as_tensor(items)
    for x in items:
        widest = pair(widest, x)[0]
    return [pair(x, widest)[0] for x in items]


# ------------------------------------------------------------------------------------------------- gradients, numbers


def loses_gradient(x: Any) -> bool:
    """Whether a gradient would be lost if the values of `x` were read: a tensor, or a list that holds some."""
    if isinstance(x, Variable):
        return x._requires_grad and modes.is_grad_enabled()
    return holds_tensors(x) and any([loses_gradient(item) for item in x])


def are_sizes(*arguments: Any) -> bool:
    """Whether the arguments of a type of tensors are sizes, `Tensor(2, 3)`: integers, and nothing else."""
    return all(isinstance(n, int) and not isinstance(n, bool) for n in arguments)


def detached(call: str, data: Any) -> Any:
    """`data` for a new leaf: tensors and lists that hold them without history, anything else as it is.

    Warns where a gradient is cut off.
    """
    if not isinstance(data, Variable) and not holds_tensors(data):
        return data
    if loses_gradient(data):
        one = isinstance(data, Variable)
        fix = "t.clone() or t.astype(dtype) keeps it" if one else "tg.stack([...]) keeps it"
        problem = f"a new leaf is made of the values of {'a tensor' if one else 'tensors'} that a gradient flows to"
        fix += "; t.detach() says that no gradient is wanted"
        warnings.warn(restate(call, problem + ", and cuts it off", fix=fix), UserWarning, stacklevel=3)
    with modes.no_grad():
        tensor = as_tensor(data)
    return tensor.detach() if tensor._requires_grad else tensor


def values(x: TensorLike) -> np.ndarray:
    """The values of `x` as an array, to score, draw or store: for results that nobody differentiates."""
    with modes.no_grad():
        return np.asarray(x)


def number(call: str, name: str, value: Any, fix: str = "pass a number: t.item() says that no gradient is wanted"):
    """`value` as a plain number, for a parameter that nothing is differentiated in.

    Raises:
        GraphError: a tensor that requires a gradient. ShapeError: several elements. DTypeError: no number at all.

    >>> number("dropout", "p", 0.5), number("dropout", "p", np.array(0.5))
    (0.5, 0.5)
    """
    if type(value) in NUMBERS:
        return value
    given: dict[str, Any] = {name: value}
    if isinstance(value, Variable):
        if loses_gradient(value):
            raise GraphError(restate(call, f"no gradient can flow to {name}", fix=fix, **given))
        tensor: Any = value
        return tensor.item()
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf":
        if value.size != 1:
            raise ShapeError(restate(call, f"{name} must be one number", **given))
        return value.item()
    if isinstance(value, Real):
        return float(value)
    raise DTypeError(restate(call, f"{name} must be a number, got {type(value).__name__}", **given))


def flag(call: str, name: str, value: Any, fix: str = "") -> bool:
    """`value` as a bool. Raises ArgumentError for anything else, such as a second axis in its place.

    Ops that run in each step of training ask `value is True or value is False` first, which saves them the call.

    >>> flag("sort", "descending", np.bool_(True))
    True
    """
    if value is True or value is False:
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    fix = "pass several axes as one tuple, dim=(0, 1)" if name == "keepdim" else fix
    raise ArgumentError(restate(call, f"{name} must be True or False, got {describe(value)}", fix=fix))


def number_or_tensor(call: str, name: str, value: Any, x: Tensor) -> float | Tensor:
    """A parameter that an op is differentiated in: a number as a float, anything else as a tensor in the dtype of x."""
    if isinstance(value, (Variable, list, tuple)) or getattr(value, "ndim", False):
        value = as_tensor(value)
        return value if value._data.dtype == x._data.dtype else astype(value, x._data.dtype)
    return float(number(call, name, value))


# ---------------------------------------------------------------------------------------------------------- one dtype


def floating(x: Any) -> Tensor:
    """`x` as a tensor of a float dtype: integers and bools become float32."""
    if not isinstance(x, Variable):
        x = as_tensor(x)
    return x if x._data.dtype in FLOATS else astype(x, default_float())


def alike(x: TensorLike, y: TensorLike, z: TensorLike | None = None) -> bool:
    """Whether x, y, and z if given, are tensors of one dtype that kernels take: the usual case, nothing to convert."""
    if not (isinstance(x, Variable) and isinstance(y, Variable)):
        return False
    dtype = x._data.dtype
    both = y._data.dtype is dtype and dtype in KERNEL_FLOATS
    return both if z is None else both and isinstance(z, Variable) and z._data.dtype is dtype


def for_kernel(op: str, x: Any) -> Tensor:
    """`x` as a tensor that kernels take: float32 or float64. Raises DTypeError for float16."""
    if isinstance(x, Variable) and x._data.dtype in KERNEL_FLOATS:
        return x  # type: ignore[return-value]
    x = floating(x)
    if x._data.dtype == np.float16:
        fix = "convert it first: x.astype('float32')"
        raise DTypeError(restate(op, "no kernel for float16", expected="float32 or float64", fix=fix, x=x))
    return x


def pair(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Two operands in one dtype. Python scalars take the dtype of the other operand and never widen it."""
    if isinstance(x, Variable) and isinstance(y, Variable) and x._data.dtype is y._data.dtype:
        return x, y  # type: ignore[return-value]
    if not isinstance(x, Variable):
        x = _scalar(x, y) if isinstance(x, SCALARS) else as_tensor(x)
    if not isinstance(y, Variable):
        y = _scalar(y, x) if isinstance(y, SCALARS) else as_tensor(y)
    dx, dy = x._data.dtype, y._data.dtype
    if dx == dy:
        return x, y
    # As in PyTorch, a tensor without axes widens others only to another kind: never float32 to float64.
    if not x._data.ndim and y._data.ndim and RANK[dx.kind] <= RANK[dy.kind]:
        dtype = dy
    elif not y._data.ndim and x._data.ndim and RANK[dy.kind] <= RANK[dx.kind]:
        dtype = dx
    else:
        dtype = promote(dx, dy)
    return (x if dx == dtype else astype(x, dtype)), (y if dy == dtype else astype(y, dtype))


def floating_pair(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Two operands in one float dtype."""
    x, y = pair(x, y)
    return (x, y) if x._data.dtype in FLOATS else (floating(x), floating(y))


def _scalar(value: Any, other: Any) -> Tensor:
    dtype = getattr(other, "dtype", None)
    if dtype is None:
        return as_tensor(value)
    # NumPy's weak scalars, widened to ours: a float beside integers is float32.
    if not is_float(dtype) and isinstance(value, (float, np.floating)):
        dtype = default_float()
    elif dtype == np.bool_ and not isinstance(value, (bool, np.bool_)):
        dtype = np.dtype(np.int64)
    try:
        return engine.constant(np.asarray(value, dtype))
    except OverflowError:
        fix = f"convert the tensor first, t.astype('int64'), for what {dtype} can't hold"
        problem = f"{value} is outside the range of {dtype}"
        raise ArgumentError(restate("a number beside a tensor", problem, fix=fix, tensor=other)) from None
