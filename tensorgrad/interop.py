"""Where Tensors meet NumPy: which op answers to which ufunc and function, and DLPack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import as_array
from tensorgrad.autograd.engine import Variable, observers, tell, wrap
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, restate, restated
from tensorgrad.numpy_functions import FUNCTIONS, UFUNC_METHODS
from tensorgrad.ops import assignment, linear, operands
from tensorgrad.ops.elementwise import arithmetic, comparison, transcendental as functions

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
    np.equal: comparison.equal,
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
}


def ufunc(function: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    """`np.sin(t)`: the op where we have one; else NumPy's own result as a tensor, if no gradient would get lost.

    `out=t` and `np.add.at(t, index, v)` change a tensor in place, as `t[...] = v` does.

    Raises GraphError where one would, and where NumPy alone would write into a tensor.
    """
    ours = UFUNCS.get(function) if method == "__call__" and not kwargs else UFUNC_METHODS.get((function, method))
    name = function.__name__ if method == "__call__" else f"{function.__name__}.{method}"
    if _tensors(kwargs.get("out", ())) or (method == "at" and isinstance(inputs[0], Variable)):
        return _in_place(name, function, method, inputs, kwargs)
    if ours is not None:
        if out := kwargs.get("out"):
            kwargs = {**kwargs, "out": out[0]}
        return ours(*inputs, **kwargs)
    if method == "at" and any(map(operands.loses_gradient, inputs)):  # NumPy writes even into what is read-only
        raise _lost(f"np.{name}", inputs)
    result = _on_arrays(f"np.{name}", getattr(function, method), inputs, kwargs)
    if kwargs.get("out") is not None:
        return result
    return tuple(map(_wrapped, result)) if isinstance(result, tuple) else _wrapped(result)


def _in_place(name: str, function: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    """A ufunc that writes into a tensor: by an op of ours, or not at all."""
    ours, out = UFUNCS.get(function), kwargs.get("out", ())
    if method == "__call__" and ours is not None and kwargs.keys() == {"out"} and isinstance(out[0], Variable):
        return assignment.update(out[0], f"np.{name} with out=", ours, *inputs)
    if method == "at" and function in (np.add, np.subtract) and not kwargs:
        return assignment.accumulate_at(f"np.{name}", ours, *inputs)
    fix = "assign: t[...] = result"
    raise GraphError(
        restate(f"np.{name}", "NumPy can't write into a tensor here", fix=fix, tensor=out[0] if out else inputs[0])
    )


def function(called: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """`np.mean(t)`: the answer in `numpy_functions`; else NumPy's own on the arrays, if no gradient would get lost.

    Raises GraphError where one would, and for a tensor that NumPy should write into.
    """
    ours = FUNCTIONS.get(called)
    return ours(*args, **kwargs) if ours is not None else _on_arrays(f"np.{called.__name__}", called, args, kwargs)


def _on_arrays(call: str, function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """NumPy's own result on the values.

    No gradient is lost by it where none flows to an argument, and where the result holds no floats: positions, counts,
    truth values, words. NumPy sees the tensors' memory read-only, for what it wrote there would go unseen; where a
    gradient could get lost it may write nowhere.
    """
    tensors = _tensors([*args, *kwargs.values()])
    flowing = any(operands.loses_gradient(t) for t in tensors)
    if observers():
        for t in tensors:
            tell("bypassed", call, t)
    values = [_read_only(x, flowing) for x in args], {name: _read_only(x, flowing) for name, x in kwargs.items()}
    try:
        with restated(call, **_named(args)):
            result = function(*values[0], **values[1])
    except ArgumentError as error:
        if "read-only" not in str(error.__cause__):
            raise
        raise _lost(call, args) if flowing else _writes(call, args) from None
    if flowing and _holds_floats(result):
        raise _lost(call, args)
    return result


def _lost(call: str, args: tuple) -> GraphError:
    problem = "tensorgrad has no gradient rule for it, and NumPy would lose the gradient"
    fix = "use a tensorgrad op, or say that no gradient is wanted: t.detach(), t.numpy(), or with tg.no_grad()"
    return GraphError(restate(call, problem, fix=fix, **_named(args)))


def _writes(call: str, args: tuple) -> GraphError:
    fix = "assign: t[index] = values"
    return GraphError(restate(call, "it would write into a tensor unseen", fix=fix, **_named(args)))


def _named(args: tuple) -> dict[str, Any]:
    return {f"arguments[{k}]": x for k, x in enumerate(args)}


def _read_only(x: Any, arrays_too: bool) -> Any:
    """`x` with read-only arrays in place of the tensors in it, and of its arrays if these too."""
    if type(x) in (list, tuple):
        return type(x)(_read_only(item, arrays_too) for item in x)
    if not isinstance(x, Variable) and not (arrays_too and isinstance(x, np.ndarray)):
        return x
    view = (x._data if isinstance(x, Variable) else x).view()
    view.flags.writeable = False
    return view


def _holds_floats(x: Any) -> bool:
    """Whether a gradient could have been meant for something in `x`: what isn't known counts."""
    if isinstance(x, (list, tuple)):
        return any(_holds_floats(item) for item in x)
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

    Several tensors around one array each have a history of their own. A change in place through one of them is seen by
    the others, as a constant; backward raises GraphError where it needs the values of before. What is written into the
    array itself goes unseen.

    >>> import numpy as np, tensorgrad as tg
    >>> a = np.zeros(2); t = tg.from_numpy(a); a[0] = 1; t
    tensor([1., 0.], dtype=float64)
    """
    return operands.as_tensor(as_array(array))


def from_dlpack(exporter: Any) -> Tensor:
    """A tensor that shares the memory of another library's CPU tensor (PyTorch, JAX, …), through DLPack.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    if not hasattr(exporter, "__dlpack__"):
        raise DTypeError(restate("from_dlpack", "it has no __dlpack__ to export its memory by", exporter=exporter))
    try:
        return operands.as_tensor(np.from_dlpack(exporter))
    except BufferError as error:
        raise DTypeError(restate("from_dlpack", str(error), exporter=exporter)) from error
