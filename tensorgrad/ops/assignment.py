"""In-place changes: `t[index] = v`, `t += v`, NumPy's `out=t`.

One rule, recording or not: the memory is written, so every tensor that shares it (views, `detach()`, other names) has
the new values. The values are the same in both modes, since the same statements compute them.

While recording, the change is an op too. Let `whole` be the tensor that all others are views of. When t changes to z,
the new whole is the old one with z in place of t, and each view becomes a part of the new whole, so gradients through
all of them are right. Old values that the backward pass needs are copied before they are overwritten.

A change that is ambiguous, or that would lose a gradient, is refused before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd import modes
from tensorgrad.autograd.engine import apply, constant
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.autograd.node import node_of
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.places import Place, is_same_place, overlaps_itself
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.autograd.versions import Aliases, begin_version, sharers
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, restate
from tensorgrad.formulas.symbolic import words
from tensorgrad.ops.indexing import SetItem, fitting, fitting_value, scattered
from tensorgrad.ops.operands import Index, TensorLike, as_tensor, astype
from tensorgrad.ops.selection.masks import masked_fill

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__: list[str] = []


class ReadPart(Op):
    """z = a part of x, such as a view of it."""

    symbol, formula = "part", lambda x: words("part of", x)
    derivatives = (lambda grad: words(grad, "in the part, 0 elsewhere"),)
    aliases = True
    place: Place

    def forward(self, x):
        return self.place.read(x)

    def backward_x(self, grad):
        return apply(EmbedPart, grad, place=self.place)


class WritePart(Op):
    """z = x, with v in the place of a part."""

    symbol, formula = "part =", lambda x, z, v: words(x, ", part of", z, "=", v)
    derivatives = (lambda grad: words(grad, ", 0 in the part"), lambda grad: words("part of", grad))
    place: Place

    def forward(self, x, v):
        return self.place.replaced(x, v)

    def backward_x(self, grad):
        return apply(WritePart, grad, constant(np.zeros(self.place.shape, grad.dtype)), place=self.place)

    def backward_v(self, grad):
        return apply(ReadPart, grad, place=self.place)


class EmbedPart(Op):
    """z = 0, with x in the place of a part: the adjoint of reading it."""

    symbol, formula = "part +=", lambda x, z: words("0, part of", z, "+=", x)
    derivatives = (lambda grad: words("part of", grad),)
    place: Place

    def forward(self, x):
        return self.place.embedded(x)

    def backward_x(self, grad):
        return apply(ReadPart, grad, place=self.place)


def assign(t: Tensor, index: Index, value: TensorLike) -> None:
    """`t[index] = value` writes the memory, recorded or not, with NumPy's casting and broadcasting.

    All tensors that share the memory change: views (`v = t[1:]`), other names, `t.detach()`. If recorded, gradients
    are those of the new values, through each of these tensors. `t += v` and the other operators in place do the same.

    Raises:
        RangeError: an index out of range.
        ShapeError: a value that doesn't broadcast to `t[index]`.
        DTypeError: an index or a value of a wrong dtype.
        ArgumentError: read-only memory, or a tensor whose elements overlap in memory (`broadcast_to`).
        GraphError: while recording, t is a leaf that requires a gradient, or a view of one; or a gradient would be
            lost, since t was detached from another tensor in the same memory.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> h = x * 1.0
    >>> v = h[1:]
    >>> v *= 5.0
    >>> h.sum().backward()
    >>> h.tolist(), x.grad
    ([1.0, 10.0, 15.0], tensor([1., 5., 5.]))
    """
    mask = _mask_of(t, index)
    if mask is not None and np.ndim(getattr(value, "_data", value)) == 0:  # how many it selects doesn't matter
        update(t, "setitem", masked_fill, t, mask, fitting_value("setitem", t, index, value))
        return
    index, value, place = fitting("setitem", t, index, value)
    if isinstance(place, np.ndarray) and _is_already_there(t, place, value):
        return  # the end of `t[k] += v`, which Python executes as `t[k] = t[k].__iadd__(v)`
    _check("setitem", t, value)
    z = _result(SetItem, (t, value), like=t, index=index)
    _write(t, index, value._data, z)


def _mask_of(t: Tensor, index: Any) -> Tensor | None:
    """The index, if it is one tensor of bools for the first axes of t or all of them, so that it broadcasts with t."""
    if not isinstance(index, Variable) or index._data.dtype != np.bool_ or not index._data.ndim:
        return None
    mask: Any = index
    axes = mask.ndim
    return mask.reshape(mask.shape + (1,) * (t.ndim - axes)) if mask.shape == t.shape[:axes] else None


def update(t: Tensor, call: str, function: Callable[..., Tensor], *operands: TensorLike) -> Tensor:
    """t = function(*operands), in the memory of t.

    Raises:
        ShapeError: the result has another shape than t, or a dtype that can't be cast to that of t.
        ArgumentError, GraphError: as `_check` does.
    """
    operands = tuple([as_tensor(x) if isinstance(x, (list, tuple)) else x for x in operands])
    given: dict[str, Any] = {f"operands[{k}]": x for k, x in enumerate(operands) if x is not t}
    _check(call, t, *operands)
    z = function(*operands)
    if z.shape != t.shape or not np.can_cast(z.dtype, t.dtype, "same_kind"):
        problem = f"the result must have shape {t.shape} and cast to {t.dtype}, got {z.shape} {z.dtype}"
        raise ShapeError(restate(call, problem, tensor=t, **given))
    value = z if z.dtype == t.dtype else astype(z, t.dtype)
    result: Variable = value
    if t._requires_grad and not value._requires_grad:  # by an op without gradients, or `out=t`: t becomes a constant
        result = _result(SetItem, (t, value), like=t, index=(...,))
    _write(t, ..., value._data, result)
    return t


def accumulate_at(call: str, function: Callable[..., Tensor], t: Tensor, index: Any, value: TensorLike) -> None:
    """NumPy's `ufunc.at` for add and subtract, in the memory of t: values at repeated indices accumulate.

    Raises as `assign` does.
    """
    index, value, place = fitting(call, t, index, value)
    update(t, call, lambda x, v: function(x, scattered(v, index, x, place)), t, value)


def _is_already_there(t: Variable, place: np.ndarray, value: Variable) -> bool:
    """Whether the value is a view of exactly this place, with the same history."""
    same_history = value is t or (t._aliases is not None and value._aliases is t._aliases)
    return same_history and is_same_place(place, value._data)


def _check(call: str, t: Variable, *values: Any) -> None:
    """Refuse a change that is ambiguous or would lose a gradient.

    Raises:
        DTypeError: t isn't a tensor.
        ArgumentError: read-only memory, or elements that overlap in memory, as after broadcasting.
        GraphError: while recording, t is a leaf that requires a gradient, a view of one, or a view made under
            `no_grad`; or another tensor with a separate history shares the memory, and its gradient would be lost.
    """
    if not isinstance(t, Variable):
        raise DTypeError(restate(call, f"only a tensor can change in place, got {type(t).__name__}"))
    if overlaps_itself(t._data):
        problem, fix = "elements of the tensor overlap in memory, as after broadcasting", "change a copy: t.clone()"
        raise ArgumentError(restate(call, problem, fix=fix, tensor=t))
    if not t._data.flags.writeable:
        raise ArgumentError(restate(call, "the memory is read-only", fix="write into t.clone()", tensor=t))
    if not is_grad_enabled():
        return
    own, above = _histories(t)
    if any(tensor._requires_grad and _leaf_below(tensor) for tensor in own):
        fix = "change it under `with tg.no_grad():`, or change a copy: t = t.clone()"
        problem = "a leaf that requires a gradient can't change in place while recording, nor can a view of it"
        raise GraphError(restate(call, problem, fix=fix, tensor=t))
    recorded = any(isinstance(x, Variable) and x._requires_grad for x in (t, *values))
    if recorded and above:
        problem = "another tensor shares the memory, and its gradient would be lost"
        fix = "change a copy: t.detach().clone()"
        raise GraphError(restate(call, problem, fix=fix, tensor=t, other=above[0]))
    cut_off = t._aliases is not None and not t._aliases.explicit
    if cut_off and any(tensor._requires_grad for tensor in above):
        problem = "this view was made under no_grad, so its change can't be recorded"
        fix = "make the view outside no_grad, or change it under no_grad, or change t.detach()"
        raise GraphError(restate(call, problem, fix=fix, tensor=t))


def _leaf_below(tensor: Variable) -> bool:
    """Whether a tensor that requires a gradient is a leaf, or a view of one."""
    return tensor._node is None or (tensor._aliases is not None and tensor._aliases.node is None)


def _histories(t: Variable) -> tuple[list[Variable], list[Variable]]:
    """The tensors in t's memory: those that share t's history, and those whose gradient would miss the change."""
    own, above = [], []
    history = t._aliases
    for tensor in sharers(t):
        other = tensor._aliases
        if tensor is t or other is history:
            own.append(tensor)
        elif other is None or history is None or not other.comes_from(history):
            above.append(tensor)
    return own, above


def _result(op_class: type[Op], inputs: tuple[Variable, ...], like: Variable, **params: Any) -> Variable:
    """The output of the op, for the graph; its values are those that will be written into the memory of `like`.

    Observers need the values separately, so they are computed if there are observers.
    """
    if modes.observers():
        return apply(op_class, *inputs, **params)
    needs = tuple(x._requires_grad for x in inputs)
    recorded = is_grad_enabled() and any(needs)
    return wrap(like._data, recorded, node_of(op_class.of(**params), inputs, like, needs) if recorded else None)


def _write(t: Variable, index: Any, value: np.ndarray, z: Variable) -> None:
    """t[index] = value; z is the new t as the output of an op on the old t."""
    recorded, aliases = z._requires_grad, t._aliases
    whole, views = z, []
    observers = modes.observers()
    for observer in observers:
        observer.overwrite_started(t)
    if aliases is not None and (recorded or observers):
        before = wrap(aliases.array, aliases.node is not None, aliases.node)
        for observer in observers:
            observer.overwrite_started(before)
        whole = _whole_with(before, t, z)
        views = list(_views(t, aliases, whole))
        others = [tensor for tensor in sharers(t) if tensor._aliases is not aliases]
        for observer in observers:
            observer.tensor_assigned(before, whole)
            for tensor in others:
                observer.engine_bypassed("assignment in place of memory that a detached tensor shares", tensor)
    value = value.copy() if np.may_share_memory(value, t._data) else value
    if begin_version(t, keep=recorded):
        for observer in observers:
            observer.engine_bypassed("assignment in place over values that backward needs", t)
    now = [(t, z), *views]
    for observer in observers:
        for tensor, variable in now:
            observer.tensor_assigned(tensor, variable)
    t._data[index] = value
    if recorded:
        for tensor, variable in now:
            _follow(tensor, variable)
        if aliases is not None:
            aliases.node = whole._node


def _whole_with(before: Variable, t: Variable, z: Variable) -> Variable:
    """The tensor that all others are views of, with z in place of t."""
    place = Place.of(t._data, before._data)
    return z if place.is_whole else _result(WritePart, (before, z), like=before, place=place)


def _views(t: Variable, aliases: Aliases, whole: Variable) -> Iterator[tuple[Variable, Variable]]:
    """The other tensors that share t's history, each with its new value as a part of the new whole."""
    for tensor in sharers(t):
        if tensor is not t and tensor._aliases is aliases:
            place = Place.of(tensor._data, aliases.array)
            yield tensor, _result(ReadPart, (whole,), like=tensor, place=place)


def _follow(tensor: Variable, now: Variable) -> None:
    """Give the tensor the history of `now`. Hooks stay with the old values; `retain_grad` applies to the new ones."""
    old, new = tensor._node, now._node
    tensor._node, tensor._requires_grad = new, True
    if old is not None and new is not None and old.retained is not None and old.retained() is tensor:
        old.retained, new.retained = None, old.retained
