"""Where Tensors meet NumPy: which op answers to which ufunc and function, and DLPack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.engine import Variable, is_grad_enabled, wrap
from tensorgrad.errors import GraphError, restate
from tensorgrad.ops import arithmetic, comparison, linear, operands, reductions, shapes, transcendental as functions

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
    np.isnan: comparison.isnan,
    np.isfinite: comparison.isfinite,
    np.matmul: linear.matmul,
}

FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: reductions.sum,
    np.mean: reductions.mean,
    np.var: reductions.var,
    np.std: reductions.std,
    np.max: reductions.max,
    np.min: reductions.min,
    np.prod: reductions.prod,
    np.cumsum: reductions.cumsum,
    np.argmax: reductions.argmax,
    np.argmin: reductions.argmin,
    np.all: reductions.all,
    np.any: reductions.any,
    np.clip: arithmetic.clip,
    np.where: arithmetic.where,
    np.reshape: shapes.reshape,
    np.transpose: shapes.transpose,
    np.swapaxes: shapes.swapaxes,
    np.squeeze: shapes.squeeze,
    np.expand_dims: shapes.unsqueeze,
    np.broadcast_to: shapes.broadcast_to,
    np.flip: shapes.flip,
    np.concatenate: shapes.concatenate,
    np.stack: shapes.stack,
    np.einsum: linear.einsum,
    np.copy: shapes.clone,
}

# What only looks at values: no gradient is lost by answering on arrays.
PREDICATES = {
    np.allclose,
    np.array_equal,
    np.isclose,
    np.shape,
    np.ndim,
    np.size,
    np.shares_memory,
    np.may_share_memory,
    np.array_repr,
    np.array_str,
    np.array2string,
    np.result_type,
    np.can_cast,
}


def ufunc(function: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    """`np.sin(t)`: the op where we have one; else NumPy's own result as a tensor, if no gradient would get lost.

    Raises GraphError where one would.
    """
    ours = UFUNCS.get(function)
    if method == "__call__" and ours is not None and not kwargs:
        return ours(*inputs)
    if method == "reduce" and function is np.add:
        return reductions.sum(inputs[0], kwargs.get("axis", 0), kwargs.get("keepdims", False))
    name = function.__name__ if method == "__call__" else f"{function.__name__}.{method}"
    _refuse_to_lose_gradients(f"np.{name}", [*inputs, *kwargs.get("out", ())])
    if any(isinstance(x, Variable) for x in kwargs.get("out", ())):
        raise GraphError(restate(f"np.{name}", "a tensor can't be the `out` of NumPy", fix="assign: t[...] = result"))
    result = getattr(function, method)(*[_array(x) for x in inputs], **kwargs)
    # NumPy turns 0-d results into scalars
    return wrap(np.asarray(result)) if isinstance(result, (np.ndarray, np.generic)) and "out" not in kwargs else result


def function(called: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """`np.mean(t)`: the op where we have one; else NumPy's own result on the arrays, if no gradient would get lost.

    Raises GraphError where one would.
    """
    ours = FUNCTIONS.get(called)
    if ours is not None:
        return ours(*args, **kwargs)
    if called not in PREDICATES:
        _refuse_to_lose_gradients(f"np.{called.__name__}", [*args, *kwargs.values()])
    return called(*[_array(x) for x in args], **{name: _array(x) for name, x in kwargs.items()})


def _array(x: Any) -> Any:
    if isinstance(x, Variable):
        return x._data
    return type(x)(_array(item) for item in x) if type(x) in (list, tuple) else x


def _tensors(x: Any) -> list[Variable]:
    if isinstance(x, Variable):
        return [x]
    return [t for item in x for t in _tensors(item)] if isinstance(x, (list, tuple)) else []


def _refuse_to_lose_gradients(call: str, arguments: list) -> None:
    if is_grad_enabled() and any(t._requires_grad for t in _tensors(arguments)):
        given = {f"arguments[{k}]": x for k, x in enumerate(arguments)}
        fix = "use a tensorgrad op, or say that no gradient is wanted: np.f(t.detach()), or with tg.no_grad()"
        raise GraphError(restate(call, "there is no gradient rule for this function", fix=fix, **given))


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of an ndarray.

    >>> import numpy as np, tensorgrad as tg
    >>> a = np.zeros(2); t = tg.from_numpy(a); a[0] = 1; t
    tensor([1., 0.], dtype=float64)
    """
    return operands.as_tensor(np.asarray(array))


def from_dlpack(exporter: Any) -> Tensor:
    """A tensor that shares the memory of another library's CPU tensor (PyTorch, JAX, …), through DLPack.

    >>> import numpy as np, tensorgrad as tg
    >>> tg.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    return operands.as_tensor(np.from_dlpack(exporter))
