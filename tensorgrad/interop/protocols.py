"""What NumPy calls when a tensor is among the arguments of a ufunc or function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.autograd.modes import observers
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.errors import ArgumentError, GraphError, restate, restated
from tensorgrad.interop.functions import FUNCTIONS
from tensorgrad.interop.ufuncs import UFUNC_METHODS, UFUNCS
from tensorgrad.ops import assignment, operands


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
    """`np.mean(t)`: the function in `interop.functions`; else NumPy's result, unless a gradient would be lost.

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
