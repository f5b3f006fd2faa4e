"""Tensors in NumPy's ufuncs and functions, and DLPack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import numpy_algebra as _more  # noqa: F401  its functions register themselves
from tensorgrad.arrays.dtypes import as_array
from tensorgrad.autograd.engine import Variable, observers, wrap
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate, restated
from tensorgrad.numpy_functions import FUNCTIONS, UFUNC_METHODS
from tensorgrad.ops import assignment, linear, operands
from tensorgrad.ops.elementwise import (
    angles,
    arithmetic,
    closeness,
    comparison,
    floating,
    logarithms,
    rounding,
    transcendental as functions,
)

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

UFUNCS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: arithmetic.add,
    np.subtract: arithmetic.subtract,
    np.multiply: arithmetic.multiply,
    np.divide: arithmetic.divide,
    np.floor_divide: arithmetic.floor_divide,
    np.remainder: arithmetic.remainder,
    np.power: arithmetic.pow,
    np.negative: arithmetic.negative,
    np.absolute: arithmetic.abs,
    np.sign: arithmetic.sign,
    np.floor: arithmetic.floor,
    np.ceil: arithmetic.ceil,
    np.rint: arithmetic.round,
    np.maximum: arithmetic.maximum,
    np.minimum: arithmetic.minimum,
    np.square: arithmetic.square,
    np.exp: functions.exp,
    np.expm1: functions.expm1,
    np.log: functions.log,
    np.log1p: functions.log1p,
    np.log2: functions.log2,
    np.log10: logarithms.log10,
    np.exp2: logarithms.exp2,
    np.logaddexp: logarithms.logaddexp,
    np.logaddexp2: logarithms.logaddexp2,
    np.trunc: rounding.trunc,
    np.hypot: angles.hypot,
    np.arctan2: angles.atan2,
    np.isinf: closeness.isinf,
    np.logical_xor: closeness.logical_xor,
    np.sqrt: functions.sqrt,
    np.reciprocal: functions.reciprocal,
    np.sin: functions.sin,
    np.cos: functions.cos,
    np.tan: functions.tan,
    np.arcsin: functions.arcsin,
    np.arccos: functions.arccos,
    np.arctan: functions.arctan,
    np.sinh: functions.sinh,
    np.cosh: functions.cosh,
    np.tanh: functions.tanh,
    np.arcsinh: functions.arcsinh,
    np.arccosh: functions.arccosh,
    np.arctanh: functions.arctanh,
    np.equal: comparison.eq,
    np.not_equal: comparison.not_equal,
    np.less: comparison.less,
    np.less_equal: comparison.less_equal,
    np.greater: comparison.greater,
    np.greater_equal: comparison.greater_equal,
    np.logical_not: comparison.logical_not,
    np.logical_and: comparison.logical_and,
    np.logical_or: comparison.logical_or,
    np.bitwise_and: comparison.bitwise_and,
    np.bitwise_or: comparison.bitwise_or,
    np.bitwise_xor: comparison.bitwise_xor,
    np.invert: comparison.bitwise_not,
    np.isnan: comparison.isnan,
    np.isfinite: comparison.isfinite,
    np.matmul: linear.matmul,
    np.fmod: floating.fmod,
    np.fmax: floating.fmax,
    np.fmin: floating.fmin,
    np.copysign: floating.copysign,
    np.heaviside: floating.heaviside,
    np.signbit: floating.signbit,
    np.float_power: floating.float_power,
    **dict.fromkeys((np.deg2rad, np.radians), floating.deg2rad),
    **dict.fromkeys((np.rad2deg, np.degrees), floating.rad2deg),
}


def ufunc(function: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    """`np.sin(t)`: the op, if tensorgrad has it; else NumPy's result as a tensor, unless a gradient would be lost.

    `out=t` and `np.add.at(t, index, v)` change a tensor in place, as `t[...] = v` does.

    Raises GraphError if a gradient would be lost, or if NumPy would write into a tensor.
    """
    ours = UFUNCS.get(function) if method == "__call__" and not kwargs else UFUNC_METHODS.get((function, method))
    name = function.__name__ if method == "__call__" else f"{function.__name__}.{method}"
    if _tensors(kwargs.get("out", ())) or (method == "at" and isinstance(inputs[0], Variable)):
        return _in_place(name, function, method, inputs, kwargs)
    if ours is not None:
        if out := kwargs.get("out"):
            kwargs = {**kwargs, "out": out[0]}
        return ours(*inputs, **kwargs)
    if method == "at" and any(map(operands.loses_gradient, inputs)):  # NumPy writes even into read-only arrays
        raise _lost(f"np.{name}", inputs)
    result = _on_arrays(f"np.{name}", getattr(function, method), inputs, kwargs)
    if kwargs.get("out") is not None:
        return result
    return tuple(map(_wrapped, result)) if isinstance(result, tuple) else _wrapped(result)


def _in_place(name: str, function: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    """A ufunc that writes into a tensor: by an op of tensorgrad. Raises GraphError if there is none."""
    ours, out = UFUNCS.get(function), kwargs.get("out", ())
    into_tensor = bool(out) and isinstance(out[0], Variable)
    if method == "__call__" and ours is not None and kwargs.keys() == {"out"} and into_tensor:
        return assignment.update(out[0], f"np.{name} with out=", ours, *inputs)
    if method == "at" and function in (np.add, np.subtract) and not kwargs:
        return assignment.accumulate_at(f"np.{name}", UFUNCS[function], *inputs)
    fix = "assign: t[...] = result"
    raise GraphError(
        restate(f"np.{name}", "NumPy can't write into a tensor", fix=fix, tensor=out[0] if out else inputs[0])
    )


def function(called: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """`np.mean(t)`: the function in `numpy_functions`; else NumPy's result, unless a gradient would be lost.

    Raises GraphError if a gradient would be lost, or if NumPy would write into a tensor; NumPy's errors as ours.
    """
    ours, call = FUNCTIONS.get(called), f"np.{called.__name__}"
    if ours is None:
        return _on_arrays(call, called, args, kwargs)
    with restated(call, **_named(args), **kwargs):  # what an argument can't be converted to is said as elsewhere
        return ours(*args, **kwargs)


def _on_arrays(call: str, function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """NumPy's result on the values.

    No gradient is lost if no argument requires one, or if the result has no floats: positions, counts, bools, text.
    NumPy gets the tensors' memory read-only, since the engine wouldn't notice a write; if an argument requires a
    gradient, all arrays are read-only.
    """
    tensors = _tensors([*args, *kwargs.values()])
    flowing = any(operands.loses_gradient(t) for t in tensors)
    for observer in observers():
        for t in tensors:
            observer.engine_bypassed(call, t)
    values = [_read_only(x, flowing) for x in args], {name: _read_only(x, flowing) for name, x in kwargs.items()}
    try:
        with restated(call, **_named(args)):
            result = function(*values[0], **values[1])
    except ArgumentError as error:
        if "read-only" not in str(error.__cause__):
            raise
        raise _lost(call, args) if flowing else _writes(call, args) from None
    if flowing and _has_floats(result):
        raise _lost(call, args)
    return result


def _lost(call: str, args: tuple) -> GraphError:
    problem = "tensorgrad has no gradient rule for it, and NumPy would lose the gradient"
    fix = "use a tensorgrad op; or drop the gradient with t.detach(), t.numpy() or tg.no_grad()"
    return GraphError(restate(call, problem, fix=fix, **_named(args)))


def _writes(call: str, args: tuple) -> GraphError:
    fix = "assign: t[index] = values"
    return GraphError(restate(call, "NumPy would write into a tensor unnoticed", fix=fix, **_named(args)))


def _named(args: tuple) -> dict[str, Any]:
    return {f"arguments[{k}]": x for k, x in enumerate(args)}


def _read_only(x: Any, arrays_too: bool) -> Any:
    """`x` with read-only arrays instead of the tensors in it, and with `arrays_too` instead of its arrays."""
    if type(x) in (list, tuple):
        return type(x)(_read_only(item, arrays_too) for item in x)
    if not isinstance(x, Variable) and not (arrays_too and isinstance(x, np.ndarray)):
        return x
    view = (x._data if isinstance(x, Variable) else x).view()
    view.flags.writeable = False
    return view


def _has_floats(x: Any) -> bool:
    """Whether something in `x` could have a gradient: floats, and objects of unknown type."""
    if isinstance(x, (list, tuple)):
        return any(_has_floats(item) for item in x)
    if isinstance(x, (np.ndarray, np.generic)):
        return x.dtype.kind not in "biuUSM"
    return not isinstance(x, (bool, int, str, type, np.dtype, type(None)))


def _wrapped(x: Any) -> Any:
    # NumPy turns 0-d results into scalars
    return wrap(np.asarray(x)) if isinstance(x, (np.ndarray, np.generic)) else x


def _tensors(x: Any) -> list[Variable]:
    if isinstance(x, Variable):
        return [x]
    return [t for item in x for t in _tensors(item)] if isinstance(x, (list, tuple)) else []


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of an ndarray.

    Several tensors around one array each have a history of their own. If one of them is changed in place, the others
    have the new values, as constants; `backward()` raises GraphError where it needs the old ones. The engine doesn't
    notice what is written into the array itself.

    >>> import numpy as np, tensorgrad as tg
    >>> a = np.zeros(2); t = tg.from_numpy(a); a[0] = 1; t
    tensor([1., 0.], dtype=float64)
    """
    return operands.as_tensor(as_array(array))


def from_dlpack(exporter: Any) -> Tensor:
    """A tensor that shares the memory of another library's CPU tensor (PyTorch, JAX, …), through DLPack.

    Args:
        exporter: an array or tensor with the method `__dlpack__`.

    Raises:
        DTypeError: an object without that method.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    if not hasattr(exporter, "__dlpack__"):
        raise DTypeError(restate("from_dlpack", "exporter must have the method __dlpack__", exporter=exporter))
    try:
        return operands.as_tensor(np.from_dlpack(exporter))
    except BufferError as error:
        raise DTypeError(restate("from_dlpack", str(error), exporter=exporter)) from error
