"""Reductions along axes, the places of extremes, running sums."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.arrays.dtypes import is_float
from tensorgrad.onnx.table import Host, Ints, op


def _sum(x: Any, axes: Any, keep: bool) -> Any:
    return tg.sum(x, axes, keep, dtype=x.dtype)


def _mean(x: Any, axes: Any, keep: bool) -> Any:
    return (
        x.mean(axes, keep)
        if is_float(x.dtype)
        else _sum(x, axes, keep) // (x.numel() // max(_sum(x, axes, keep).numel(), 1))
    )


def _product(x: Any, axes: Any, keep: bool) -> Any:
    return tg.prod(x, axes, keep, dtype=x.dtype)


def _extreme(largest: bool) -> Callable[[Any, Any, bool], Any]:
    def extreme(x: Any, axes: Any, keep: bool) -> Any:
        reduced = range(x.ndim) if axes is None else axes
        if any(x.shape[a] == 0 for a in reduced):  # the extreme of nothing
            shape = [1 if a in {r % x.ndim for r in reduced} else n for a, n in enumerate(x.shape)]
            limits = _limits(x.dtype)
            empty = tg.full(shape, limits[0] if largest else limits[1], dtype=x.dtype)
            return empty if keep else empty.squeeze(tuple(reduced))
        return (tg.amax if largest else tg.amin)(x, axes, keep)

    return extreme


def _limits(dtype: np.dtype) -> tuple[Any, Any]:
    if dtype == np.bool_:
        return False, True
    return (-np.inf, np.inf) if is_float(dtype) else (np.iinfo(dtype).min, np.iinfo(dtype).max)


REDUCTIONS: dict[str, Callable[[Any, Any, bool], Any]] = {
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceProd": _product,
    "ReduceMax": _extreme(True),
    "ReduceMin": _extreme(False),
    "ReduceL1": lambda x, axes, keep: _sum(tg.abs(x), axes, keep),
    "ReduceL2": lambda x, axes, keep: tg.sqrt(_sum(x * x, axes, keep)).to(x.dtype),
    "ReduceSumSquare": lambda x, axes, keep: _sum(x * x, axes, keep),
    "ReduceLogSum": lambda x, axes, keep: tg.log(_sum(x, axes, keep)).to(x.dtype),
    "ReduceLogSumExp": lambda x, axes, keep: tg.logsumexp(x, axes, keep).to(x.dtype),
}


def _enter(name: str, function: Callable[[Any, Any, bool], Any]) -> None:
    @op(name)
    def by_attribute(x, *, axes: Ints | None = None, keepdims: int = 1):
        return function(x, axes, bool(keepdims))

    @op(name, since=13 if name == "ReduceSum" else 18)
    def by_input(x, axes: Host | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0):
        given = () if axes is None else tuple(axes.reshape(-1).tolist())
        if not given and noop_with_empty_axes:
            return _of_each(name, function, x)
        return function(x, given or None, bool(keepdims))


def _of_each(name: str, function: Callable[[Any, Any, bool], Any], x: Any) -> Any:
    """Over no axis: what the reduction makes of single numbers."""
    return function(x.unsqueeze(-1), (-1,), False)


for _name, _function in REDUCTIONS.items():
    _enter(_name, _function)


def _enter_arg(name: str, function: Callable[..., Any]) -> None:
    @op(name)
    def handler(x, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0):
        if select_last_index:
            found = function(x.flip(axis), axis, keepdim=bool(keepdims))
            return x.shape[axis] - 1 - found
        return function(x, axis, keepdim=bool(keepdims))


for _name, _function in {"ArgMax": tg.argmax, "ArgMin": tg.argmin}.items():
    _enter_arg(_name, _function)


def _running(function: Callable[..., Any], start: float, x: Any, axis: Host, reverse: int, exclusive: int) -> Any:
    along = int(axis.reshape(()))
    if reverse:
        x = x.flip(along)
    if exclusive:  # one place later, beginning with the neutral element
        first = tg.full_like(x.narrow(along, 0, min(1, x.shape[along])), start)
        x = tg.cat([first, x.narrow(along, 0, max(x.shape[along] - 1, 0))], along)
    z = function(x, along, dtype=x.dtype).to(x.dtype)
    return z.flip(along) if reverse else z


@op("CumSum")
def cumsum(x, axis: Host, *, reverse: int = 0, exclusive: int = 0):
    return _running(tg.cumsum, 0, x, axis, reverse, exclusive)


@op("CumProd")
def cumprod(x, axis: Host, *, reverse: int = 0, exclusive: int = 0):
    return _running(tg.cumprod, 1, x, axis, reverse, exclusive)
