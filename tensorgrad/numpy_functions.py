"""NumPy's functions on tensors: `np.mean(t)` and others, implemented with tensorgrad's ops.

Every function here has the signature of the NumPy function that it implements, so that each argument, by position or by
name, has NumPy's meaning. Options that tensors don't support, such as `out`, raise an error that names them; only
options about NumPy's internals are ignored.
"""

from __future__ import annotations

import builtins
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.arrays.dtypes import as_dtype, is_float
from tensorgrad.autograd.engine import Variable, apply
from tensorgrad.autograd.op import Op
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, restate, restated
from tensorgrad.ops import indexing, joining, linear, reductions, shapes
from tensorgrad.ops.axes import normalize_axes, normalize_axis
from tensorgrad.ops.elementwise import arithmetic
from tensorgrad.ops.images import padding
from tensorgrad.ops.operands import TensorLike, as_tensor, astype, floating, loses_gradient, number
from tensorgrad.ops.reduce import dispersion, extremes

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""The implementation for tensors by NumPy function."""

_unset: Any = np._NoValue


def answers(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the implementation of these functions of NumPy."""

    def register(ours: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS.update(dict.fromkeys(functions, ours))
        return ours

    return register


def refuse(call: str, **options: Any) -> None:
    """Raise for options that tensors don't support, if they are given: GraphError for `out`, else ArgumentError."""
    for name, value in options.items():
        if value is None or value is _unset:
            continue
        if name == "out":
            raise GraphError(restate(call, "the result can't be written into `out`", fix="assign it: t[...] = result"))
        raise ArgumentError(restate(call, f"the option {name} isn't supported for tensors", **{name: value}))


def _given(value: Any, default: Any) -> Any:
    return default if value is _unset else value


def _cast(x: TensorLike, dtype: Any) -> Tensor:
    return as_tensor(x) if dtype is None or dtype is _unset else astype(x, dtype)


def _cast_to_float(call: str, x: TensorLike, dtype: Any) -> Tensor:
    if dtype is not None and not is_float(as_dtype(call, dtype)):
        raise DTypeError(restate(call, "dtype must be a float dtype", dtype=dtype))
    return _cast(x, dtype)


# ---------------------------------------------------------------------------------------------------------- reductions


def _masked(call: str, x: Tensor, where: Any, neutral: float | None) -> Tensor:
    """x with the neutral element where `where` is False; x itself if there is no mask."""
    if where is _unset or where is True:
        return x
    if neutral is None:
        problem = "where needs initial, since this reduction has no neutral element"
        raise ArgumentError(restate(call, problem, fix="pass initial, the value of masked elements", x=x))
    return arithmetic.where(where, x, neutral)


def _over(op: type[Op], call: str, x: Tensor, axis: Any, keepdims: Any, **more: Any) -> Tensor:
    """A reduction over NumPy's axes: an empty tuple names none."""
    return apply(op, x, axis=normalize_axes(call, x, axis), keepdims=bool(_given(keepdims, False)), **more)


@answers(np.sum)
def sum(a, axis=None, dtype=None, out=None, keepdims=_unset, initial=_unset, where=_unset):
    """`np.sum`."""
    refuse("np.sum", out=out)
    x = _masked("np.sum", _cast(a, dtype), where, 0)
    z = _over(reductions.Sum, "np.sum", x, axis, keepdims)
    return _in_dtype(z if initial is _unset else z + initial, dtype)


@answers(np.prod)
def prod(a, axis=None, dtype=None, out=None, keepdims=_unset, initial=_unset, where=_unset):
    """`np.prod`."""
    refuse("np.prod", out=out)
    x = _masked("np.prod", _cast(a, dtype), where, 1)
    z = _over(reductions.Prod, "np.prod", x, axis, keepdims)
    return _in_dtype(z if initial is _unset else z * initial, dtype)


def _in_dtype(z: Tensor, dtype: Any) -> Tensor:
    """`z` in the requested dtype: narrow integers are summed in int64."""
    return z if dtype is None or z.dtype == as_dtype("dtype", dtype) else astype(z, dtype)


@answers(np.max, np.amax)
def max(a, axis=None, out=None, keepdims=_unset, initial=_unset, where=_unset):
    """`np.max`."""
    return _extreme("np.max", extremes.Max, arithmetic.maximum, a, axis, out, keepdims, initial, where)


@answers(np.min, np.amin)
def min(a, axis=None, out=None, keepdims=_unset, initial=_unset, where=_unset):
    """`np.min`."""
    return _extreme("np.min", extremes.Min, arithmetic.minimum, a, axis, out, keepdims, initial, where)


def _extreme(call, op, of_two, a, axis, out, keepdims, initial, where):
    refuse(call, out=out)
    x = _masked(call, as_tensor(a), where, None if initial is _unset else initial)
    if initial is _unset:
        return _over(op, call, x, axis, keepdims)
    axes = normalize_axes(call, x, axis)
    if 0 in [x.shape[k] for k in axes]:
        kept = _over(reductions.Sum, call, x, axes, keepdims)  # zeros of the right shape: the sum of no elements
        return arithmetic.add(kept.astype(x.dtype), initial)
    return of_two(_over(op, call, x, axes, keepdims), initial)


@answers(np.mean)
def mean(a, axis=None, dtype=None, out=None, keepdims=_unset, *, where=_unset):
    """`np.mean`."""
    refuse("np.mean", out=out)
    x = floating(_cast_to_float("np.mean", a, dtype))
    if where is _unset or where is True:
        return _over(reductions.Mean, "np.mean", x, axis, keepdims)
    counts = sum(arithmetic.where(where, np.ones(x.shape, np.int64), 0), axis, keepdims=keepdims)
    return sum(_masked("np.mean", x, where, 0), axis, keepdims=keepdims) / counts


@answers(np.var)
def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_unset, *, where=_unset, mean=_unset, correction=_unset):
    """`np.var`."""
    return _variance_or_deviation(
        "np.var", dispersion.Var, a, axis, dtype, out, ddof, keepdims, where, mean, correction
    )


@answers(np.std)
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=_unset, *, where=_unset, mean=_unset, correction=_unset):
    """`np.std`."""
    return _variance_or_deviation(
        "np.std", dispersion.Std, a, axis, dtype, out, ddof, keepdims, where, mean, correction
    )


def _variance_or_deviation(call, op, a, axis, dtype, out, ddof, keepdims, where, mean, correction):
    refuse(call, out=out, where=None if where is True else where, mean=mean)
    if correction is not _unset and ddof != 0:
        raise ArgumentError(restate(call, "pass either ddof or correction", ddof=ddof, correction=correction))
    ddof = number(call, "ddof", _given(correction, ddof))
    return _over(op, call, floating(_cast_to_float(call, a, dtype)), axis, keepdims, ddof=ddof)


@answers(np.all)
def all(a, axis=None, out=None, keepdims=_unset, *, where=_unset):
    """`np.all`."""
    refuse("np.all", out=out)
    x = _masked("np.all", as_tensor(a) != 0, where, True)
    return _over(reductions.All, "np.all", x, axis, keepdims)


@answers(np.any)
def any(a, axis=None, out=None, keepdims=_unset, *, where=_unset):
    """`np.any`."""
    refuse("np.any", out=out)
    x = _masked("np.any", as_tensor(a) != 0, where, False)
    return _over(reductions.Any, "np.any", x, axis, keepdims)


@answers(np.argmax)
def argmax(a, axis=None, out=None, *, keepdims=_unset):
    """`np.argmax`."""
    return _position("argmax", a, axis, out, keepdims)


@answers(np.argmin)
def argmin(a, axis=None, out=None, *, keepdims=_unset):
    """`np.argmin`."""
    return _position("argmin", a, axis, out, keepdims)


def _position(name, a, axis, out, keepdims):
    refuse(f"np.{name}", out=out)
    x, keepdims = as_tensor(a), bool(_given(keepdims, False))
    return getattr(extremes, name)(x, axis, keepdims)


@answers(np.cumsum)
def cumsum(a, axis=None, dtype=None, out=None):
    """`np.cumsum`: of the flattened tensor by default."""
    refuse("np.cumsum", out=out)
    x = _cast(a, dtype)
    x, axis = (x.reshape(-1), 0) if axis is None or not x.ndim else (x, axis)
    return _in_dtype(reductions.cumsum(x, axis), dtype)


def accumulate_sum(a, axis=0, dtype=None, out=None):
    """`np.add.accumulate`: along one axis; None is accepted for a tensor with one axis."""
    x = as_tensor(a)
    axis = 0 if axis is None and x.ndim == 1 else axis
    return cumsum(x, normalize_axis("np.add.accumulate", x, axis), dtype, out)


def _reduction(whole: Callable[..., Any]) -> Callable[..., Any]:
    """`ufunc.reduce`, implemented by a reduction of whole tensors; along the first axis by default."""
    known = inspect.signature(whole).parameters

    def reduce(a, axis=0, dtype=None, out=None, keepdims=False, initial=_unset, where=_unset):
        given = {"dtype": dtype, "initial": _unset if initial is None else initial}
        given = {name: value for name, value in given.items() if value is not None and value is not _unset}
        refuse(f"np.{whole.__name__}", **{name: value for name, value in given.items() if name not in known})
        return whole(a, axis=axis, out=out, keepdims=keepdims, where=where, **given)

    return reduce


UFUNC_METHODS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {
    (np.add, "reduce"): _reduction(sum),
    (np.multiply, "reduce"): _reduction(prod),
    (np.maximum, "reduce"): _reduction(max),
    (np.minimum, "reduce"): _reduction(min),
    (np.logical_and, "reduce"): _reduction(all),
    (np.logical_or, "reduce"): _reduction(any),
    (np.add, "accumulate"): accumulate_sum,
}
"""The implementation for tensors by ufunc and method."""


# --------------------------------------------------------------------------------------------------------- elementwise


@answers(np.clip)
def clip(a, a_min=_unset, a_max=_unset, out=None, *, min=_unset, max=_unset, **options):
    """`np.clip`."""
    refuse("np.clip", out=out, **options)
    given = {"a_min": a_min, "a_max": a_max, "min": min, "max": max}
    given = {name: value for name, value in given.items() if value is not _unset}
    if not {*given} <= {"min", "max"} and {*given} != {"a_min", "a_max"}:
        problem = "the bounds must be a_min and a_max together, or one or both of min and max"
        raise ArgumentError(restate("np.clip", problem, a=a, **given))
    low, high = (given.get(f"a_{name}", given.get(name)) for name in ("min", "max"))
    return shapes.clone(a) if low is None and high is None else arithmetic.clip(a, low, high)


@answers(np.where)
def where(condition, x=_unset, y=_unset, /):
    """`np.where`; with the condition alone, the positions where it is true."""
    if x is _unset and y is _unset:
        return np.nonzero(as_tensor(condition)._data)
    return arithmetic.where(condition, x, y)


@answers(np.round, np.around)
def round(a, decimals=0, out=None):
    """`np.round`."""
    refuse("np.round", out=out)
    return arithmetic.round(a, decimals=decimals)


# -------------------------------------------------------------------------------------------------------------- shapes


@answers(np.shape)
def shape(a):
    """`np.shape`."""
    return as_tensor(a).shape


@answers(np.ndim)
def ndim(a):
    """`np.ndim`."""
    return as_tensor(a).ndim


@answers(np.size)
def size(a, axis=None):
    """`np.size`."""
    return np.size(as_tensor(a)._data, axis)


def _ordered(call: str, order: str, usual: str = "CK") -> bool:
    """Whether the elements are read in Fortran order."""
    if order == "F":
        return True
    if order not in tuple(usual):
        raise ArgumentError(restate(call, f"order must be 'C' or 'F', got {order!r}", order=order))
    return False


@answers(np.reshape)
def reshape(a, /, shape, order="C", *, copy=None):
    """`np.reshape`."""
    x, sizes = as_tensor(a), shapes.as_shape((shape,))
    by_columns = _ordered("np.reshape", order, "C")
    z = x.T.reshape(sizes[::-1]).T if by_columns else x.reshape(sizes)
    if copy is False and x._data.size and not np.shares_memory(z._data, x._data):
        problem = "copy=False, but this shape needs a copy"
        raise ArgumentError(restate("np.reshape", problem, fix="omit copy", x=x, shape=shape))
    return z.clone() if copy else z


@answers(np.ravel)
def ravel(a, order="C"):
    """`np.ravel`."""
    return reshape(a, -1, order)


@answers(np.transpose)
def transpose(a, axes=None):
    """`np.transpose`."""
    return shapes.reverse_axes(a) if axes is None else shapes.permute(a, axes)


@answers(np.swapaxes)
def swapaxes(a, axis1, axis2):
    """`np.swapaxes`."""
    return shapes.swapaxes(a, axis1, axis2)


@answers(np.moveaxis)
def moveaxis(a, source, destination):
    """`np.moveaxis`."""
    return shapes.movedim(a, source, destination)


@answers(np.squeeze)
def squeeze(a, axis=None):
    """`np.squeeze`."""
    x = as_tensor(a)
    if axis is not None and builtins.any(x.shape[k] != 1 for k in normalize_axes("np.squeeze", x, axis) if x.ndim):
        raise ShapeError(restate("np.squeeze", "the axes to squeeze must have length 1", a=x, axis=axis))
    return shapes.squeeze(x, axis)


@answers(np.expand_dims)
def expand_dims(a, axis):
    """`np.expand_dims`."""
    return shapes.unsqueeze(a, axis)


@answers(np.broadcast_to)
def broadcast_to(array, shape, subok=False):
    """`np.broadcast_to`."""
    return shapes.broadcast_to(array, shape)


@answers(np.flip)
def flip(m, axis=None):
    """`np.flip`."""
    x = as_tensor(m)
    return apply(shapes.Flip, x, axis=normalize_axes("np.flip", x, axis))


@answers(np.copy)
def copy(a, order="K", subok=False):
    """`np.copy`."""
    if _ordered("np.copy", order, "CKA"):
        return shapes.clone(as_tensor(a).T).T
    return shapes.clone(a)


@answers(np.concatenate)
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """`np.concatenate`."""
    if axis is None:
        arrays, axis = [as_tensor(x).reshape(-1) for x in arrays], 0
    return _joined("np.concatenate", joining.cat(arrays, axis), out, dtype, casting)


@answers(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """`np.stack`."""
    return _joined("np.stack", joining.stack(arrays, axis), out, dtype, casting)


@answers(np.vstack)
def vstack(tup, *, dtype=None, casting="same_kind"):
    """`np.vstack`: along the first axis, vectors as rows."""
    rows = [x if x.ndim > 1 else x.reshape(1, -1) for x in map(as_tensor, tup)]
    return _joined("np.vstack", joining.cat(rows), None, dtype, casting)


@answers(np.hstack)
def hstack(tup, *, dtype=None, casting="same_kind"):
    """`np.hstack`: along the second axis, or the only one."""
    parts = [x if x.ndim else x.reshape(1) for x in map(as_tensor, tup)]
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return _joined("np.hstack", joining.cat(parts, axis), None, dtype, casting)


def _joined(call, z, out, dtype, casting):
    refuse(call, out=out)
    if dtype is not None and not np.can_cast(z.dtype, as_dtype(call, dtype), casting):
        problem = f"casting {casting!r} doesn't allow {z.dtype} to become {dtype}"
        raise DTypeError(restate(call, problem, tensors=z, dtype=dtype, casting=casting))
    return _in_dtype(z, dtype)


@answers(np.pad)
def pad(array, pad_width, mode="constant", **options):
    """`np.pad`."""
    value = options.pop("constant_values", 0) if mode == "constant" else 0
    if mode == "reflect" and options.get("reflect_type") == "even":
        del options["reflect_type"]
    refuse("np.pad", **options)
    if mode not in ("constant", "reflect", "symmetric", "edge", "wrap") or isinstance(pad_width, dict):
        expected = "mode 'constant', 'reflect', 'symmetric', 'edge' or 'wrap', and widths that aren't a dict"
        problem = "the mode or a dict of widths isn't supported"
        raise ArgumentError(restate("np.pad", problem, expected=expected, mode=mode))
    x = as_tensor(array)
    try:
        frame = [(operator.index(a), operator.index(b)) for a, b in np.broadcast_to(pad_width, (x.ndim, 2))]
    except (ValueError, TypeError):
        frame = [(-1, -1)]
    if builtins.any(a < 0 or b < 0 for a, b in frame):
        problem = f"pad_width must be an int ≥ 0, a pair, or {x.ndim} pairs"
        raise ArgumentError(restate("np.pad", problem, array=x, pad_width=pad_width))
    if mode == "constant":
        return padding.pad(x, [width for pair in reversed(frame) for width in pair], value=value)
    for axis, widths in enumerate(frame):
        if widths != (0, 0):
            # The source of each padded element: indexing with repeats, whose gradients accumulate.
            with restated("np.pad", array=x, pad_width=pad_width):
                places = np.pad(np.arange(x.shape[axis]), widths, mode)
            x = x[(slice(None),) * axis + (places,)]
    return x


@answers(np.split)
def split(ary, indices_or_sections, axis=0):
    """`np.split`: into equal parts, or before the given indices."""
    return _split("np.split", ary, indices_or_sections, axis, even=True)


@answers(np.array_split)
def array_split(ary, indices_or_sections, axis=0):
    """`np.array_split`: the first parts may be longer by 1."""
    return _split("np.array_split", ary, indices_or_sections, axis, even=False)


def _split(call, ary, indices_or_sections, axis, even):
    x = as_tensor(ary)
    if not x.ndim:
        raise ShapeError(restate(call, "a scalar can't be split", ary=x))
    axis = normalize_axis(call, x, axis)
    n = x.shape[axis]
    if hasattr(indices_or_sections, "__index__") and not np.ndim(indices_or_sections):
        parts = operator.index(indices_or_sections)
        if parts < 1 or (even and n % parts):
            problem = "the number of parts must be ≥ 1" + (f" and divide {n}, the size of the axis" if even else "")
            raise ArgumentError(restate(call, problem, ary=x, sections=parts))
        ends = np.cumsum([n // parts + (k < n % parts) for k in range(parts)]).tolist()
        starts = [0, *ends[:-1]]
    else:
        cuts = [operator.index(k) for k in np.asarray(indices_or_sections, int)]
        starts, ends = [0, *cuts], [*cuts, n]
    lead = (slice(None),) * axis
    return [x[(*lead, slice(start, end))] for start, end in zip(starts, ends, strict=True)]


@answers(np.zeros_like)
def zeros_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.zeros_like`."""
    return _like("np.zeros_like", a, 0, dtype, order, shape, device)


@answers(np.ones_like)
def ones_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.ones_like`."""
    return _like("np.ones_like", a, 1, dtype, order, shape, device)


@answers(np.empty_like)
def empty_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.empty_like`, filled with zeros."""
    return _like("np.empty_like", a, 0, dtype, order, shape, device)


@answers(np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """`np.full_like`; a gradient flows to `fill_value` if it requires one."""
    return _like("np.full_like", a, fill_value, dtype, order, shape, device)


def _like(call, a, value, dtype, order, shape, device):
    refuse(call, device=None if device == "cpu" else device)
    x = as_tensor(a)
    sizes = x.shape if shape is None else shapes.as_shape((shape,))
    kind = as_dtype(call, x.dtype if dtype is None else dtype)
    if loses_gradient(value) and not is_float(kind):
        problem = f"{kind} has no gradients, so the gradient of the value would be lost"
        raise GraphError(restate(call, problem, fix="pass a float dtype, or t.detach()", a=x))
    z = _cast(value, kind)
    z = shapes.clone(shapes.broadcast_to(z, sizes))
    return z.T.clone().T if _ordered(call, order, "CKA") else z


# ------------------------------------------------------------------------------------------------ products, reading


@answers(np.einsum)
def einsum(*operands, out=None, optimize=False, dtype=None, order="K", casting="safe"):
    """`np.einsum`, in both forms: subscripts as text, or a list of axes after each operand and one for the result."""
    refuse("np.einsum", out=out)
    subscripts, *xs = operands if isinstance(operands[0], str) else linear.as_equation("np.einsum", operands)
    return _in_dtype(linear.einsum(subscripts, *[_cast(x, dtype) for x in xs]), dtype)


@answers(np.dot)
def dot(a, b, out=None):
    """`np.dot`: over the last axis of a and the last but one of b."""
    refuse("np.dot", out=out)
    x, y = as_tensor(a), as_tensor(b)
    if not x.ndim or not y.ndim:
        return x * y
    return linear.matmul(x, y) if y.ndim <= 2 else tensordot(x, y, ([-1], [-2]))


@answers(np.inner)
def inner(a, b, /):
    """`np.inner`: over the last axis of both."""
    x, y = as_tensor(a), as_tensor(b)
    return tensordot(x, y, ([-1], [-1])) if x.ndim and y.ndim else x * y


@answers(np.outer)
def outer(a, b, out=None):
    """`np.outer`: of both flattened."""
    refuse("np.outer", out=out)
    return as_tensor(a).reshape(-1, 1) * as_tensor(b).reshape(-1)


@answers(np.vdot)
def vdot(a, b, /):
    """`np.vdot`: of both flattened."""
    return linear.matmul(as_tensor(a).reshape(-1), as_tensor(b).reshape(-1))


@answers(np.tensordot)
def tensordot(a, b, axes=2):
    """`np.tensordot`: over the last axes of a and the first of b, or over those listed."""
    x, y = as_tensor(a), as_tensor(b)
    if isinstance(axes, Sequence) and len(axes) != 2:
        raise ArgumentError(restate("np.tensordot", "axes must be an int or two lists of ints", a=x, b=y, axes=axes))
    if not isinstance(axes, Sequence):
        (count,) = shapes.as_shape((axes,))
        axes = range(-count, 0), range(count)
    left, right = axes
    left, right = [
        [normalize_axis("np.tensordot", t, k, "axes") for k in (of if isinstance(of, Sequence) else [of])]
        for t, of in ((x, left), (y, right))
    ]
    if [x.shape[k] for k in left] != [y.shape[k] for k in right]:
        raise ShapeError(restate("np.tensordot", "the axes to sum over must have equal sizes", a=x, b=y, axes=axes))
    free, kept = ([k for k in range(t.ndim) if k not in summed] for t, summed in ((x, left), (y, right)))
    free, kept = list(free), list(kept)
    count = int(np.prod([x.shape[k] for k in left], dtype=int))
    rows = x.permute((*free, *left)).reshape(int(np.prod([x.shape[k] for k in free], dtype=int)), count)
    columns = y.permute((*right, *kept)).reshape(count, int(np.prod([y.shape[k] for k in kept], dtype=int)))
    return linear.matmul(rows, columns).reshape((*[x.shape[k] for k in free], *[y.shape[k] for k in kept]))


@answers(np.take)
def take(a, indices, axis=None, out=None, mode="raise"):
    """`np.take`."""
    refuse("np.take", out=out, mode=None if mode == "raise" else mode)
    x = as_tensor(a)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, normalize_axis("np.take", x, axis))
    k = indices if isinstance(indices, (Variable, np.ndarray)) else np.asarray(indices)
    k = k.astype(np.int64) if k.dtype.kind == "b" else k  # positions, never a mask
    return indexing.getitem(x, (slice(None),) * axis + (k,))


@answers(np.take_along_axis)
def take_along_axis(arr, indices, axis=-1):
    """`np.take_along_axis`."""
    x, k = as_tensor(arr), as_tensor(indices)
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = normalize_axis("np.take_along_axis", x, axis)
    return indexing.along("np.take_along_axis", x, axis, _beside(x, k, axis))


def _beside(x: Tensor, k: Tensor, axis: int) -> Tensor:
    """The indices broadcast to the sizes of x outside the axis."""
    if k.ndim != x.ndim or not x.ndim:
        return k
    return k.broadcast_to((*x.shape[:axis], k.shape[axis], *x.shape[axis + 1 :]))
