"""In-place changes: `t[index] = v`, `t += v`, NumPy's `out=t`.

One rule, recording or not: the memory is written, so every tensor that shares it (views, `detach()`, other names) sees
the new values. Values can't differ between the two modes, for they come from the same statements.

While recording, the change is an op too. Let `whole` be the tensor of which all others are views. After t has changed
to z, the whole is `whole with z in t's place`, and each view is read anew out of that, so gradients are right through
all of them. What backward needs of the old values is copied before they are overwritten.

A change is refused, before anything is written, where it has no one meaning or where a gradient would get lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd import engine
from tensorgrad.autograd.engine import Node, Variable, apply, constant, is_grad_enabled, wrap
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.versions import Place, begin_version, is_same_place, overlaps_itself, sharers
from tensorgrad.errors import ArgumentError, GraphError, ShapeError, restate
from tensorgrad.ops.indexing import SetItem, fitting, scattered
from tensorgrad.ops.operands import TensorLike, as_tensor, astype

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__: list[str] = []


class ReadPart(Op):
    """z = a part of x, such as a view of it."""

    symbol, formula = "part", "z = part of x"
    derivatives = ("∂L/∂x = ∂L/∂z in the part, 0 elsewhere",)
    aliases = True
    place: Place

    def forward(self, x):
        return self.place.read(x)

    def backward_x(self, grad):
        return apply(EmbedPart, grad, place=self.place)


class WritePart(Op):
    """z = x, with v in the place of a part."""

    symbol, formula = "part =", "z = x, part of z = v"
    derivatives = ("∂L/∂x = ∂L/∂z, 0 in the part", "∂L/∂v = part of ∂L/∂z")
    place: Place

    def forward(self, x, v):
        return self.place.replaced(x, v)

    def backward_x(self, grad):
        return apply(WritePart, grad, constant(np.zeros(self.place.shape, grad.dtype)), place=self.place)

    def backward_v(self, grad):
        return apply(ReadPart, grad, place=self.place)


class EmbedPart(Op):
    """z = 0, with x in the place of a part: the adjoint of reading it."""

    symbol, formula = "part +=", "z = 0, part of z += x"
    derivatives = ("∂L/∂x = part of ∂L/∂z",)
    place: Place

    def forward(self, x):
        return self.place.embedded(x)

    def backward_x(self, grad):
        return apply(ReadPart, grad, place=self.place)


def assign(t: Tensor, index: Any, value: TensorLike) -> None:
    """t[index] = value, in the memory of t; NumPy's casting and broadcasting.

    Raises:
        RangeError, ShapeError, DTypeError: an index outside of t, a value that doesn't fit or isn't numbers.
        ArgumentError, GraphError: as `_check` does.
    """
    index, value, place = fitting("setitem", t, index, value)
    if isinstance(place, np.ndarray) and _is_already_there(t, place, value):
        return  # the end of `t[k] += v`, which Python makes `t[k] = t[k].__iadd__(v)`
    _check("setitem", t, value)
    z = _result(SetItem, (t, value), like=t, index=index)
    _write(t, index, value._data, z)


def update(t: Tensor, call: str, function: Callable[..., Tensor], *operands: TensorLike) -> Tensor:
    """t = function(*operands), in the memory of t, if the result has its shape and a dtype of its kind.

    Raises ShapeError where it hasn't, and as `_check` does.
    """
    operands = tuple([as_tensor(x) if isinstance(x, (list, tuple)) else x for x in operands])
    given = {f"operands[{k}]": x for k, x in enumerate(operands) if x is not t}
    _check(call, t, *operands)
    z = function(*operands)
    if z.shape != t.shape or not np.can_cast(z.dtype, t.dtype, "same_kind"):
        expected = f"a result of shape {t.shape} that fits {t.dtype}"
        problem = f"the result would be {z.shape} {z.dtype}"
        raise ShapeError(restate(call, problem, expected=expected, tensor=t, **given))
    value = z = z if z.dtype == t.dtype else astype(z, t.dtype)
    if t._requires_grad and not z._requires_grad:  # by an op without gradients, or `out=t`: t becomes a constant
        z = _result(SetItem, (t, value), like=t, index=(...,))
    _write(t, ..., value._data, z)
    return t


def accumulate_at(call: str, function: Callable[..., Tensor], t: Tensor, index: Any, value: TensorLike) -> None:
    """NumPy's `ufunc.at` for sums and differences, in the memory of t: places named twice get both values.

    Raises as `assign` does.
    """
    index, value, place = fitting(call, t, index, value)
    update(t, call, lambda x, v: function(x, scattered(v, index, x, place)), t, value)


def _is_already_there(t: Variable, place: np.ndarray, value: Variable) -> bool:
    """Whether the value is a view of just this place, with the history that is read there."""
    same_history = value is t or (t._aliases is not None and value._aliases is t._aliases)
    return same_history and is_same_place(place, value._data)


def _check(call: str, t: Variable, *values: Any) -> None:
    """Refuse what has no one meaning, and what would lose a gradient.

    Raises:
        ArgumentError: read-only memory, or several elements at one place, as after broadcasting.
        GraphError: while recording, a leaf that requires a gradient or a view of one; a view made under `no_grad`, or
            a gradient that would flow into memory of which another tensor has a history of its own.
    """
    if overlaps_itself(t._data):
        problem, fix = "several of its elements lie at one place, as after broadcasting", "change a copy: t.clone()"
        raise ArgumentError(restate(call, problem, fix=fix, tensor=t))
    if not t._data.flags.writeable:
        raise ArgumentError(restate(call, "the memory is read-only", fix="write into t.clone()", tensor=t))
    if not is_grad_enabled():
        return
    own, above = _histories(t)
    if any(tensor._requires_grad and _leaf_below(tensor) for tensor in own):
        fix = "change it under `with tg.no_grad():`, or change a copy: t = t.clone()"
        problem = "a leaf that requires grad can't change while it is recorded, nor can a view of it"
        raise GraphError(restate(call, problem, fix=fix, tensor=t))
    recorded = any(isinstance(x, Variable) and x._requires_grad for x in (t, *values))
    if recorded and above:
        problem = "a gradient would flow into memory that another tensor shares, which would not know of it"
        fix = "change a copy: t.detach().clone()"
        raise GraphError(restate(call, problem, fix=fix, tensor=t, other=above[0]))
    cut_off = t._aliases is not None and not t._aliases.explicit
    if cut_off and any(tensor._requires_grad for tensor in above):
        problem = "this view was made under no_grad, so a change of it can't be recorded"
        fix = "make the view outside of no_grad, change it inside, or change t.detach()"
        raise GraphError(restate(call, problem, fix=fix, tensor=t))


def _leaf_below(tensor: Variable) -> bool:
    """Whether a tensor that requires a gradient is a leaf, or a view of one."""
    return tensor._node is None or (tensor._aliases is not None and tensor._aliases.node is None)


def _histories(t: Variable) -> tuple[list[Variable], list[Variable]]:
    """The tensors of t's memory: those that share its history, and those that would not see a gradient in it."""
    own, above = [], []
    for tensor in sharers(t):
        if tensor is t or tensor._aliases is t._aliases:
            own.append(tensor)
        elif not tensor._aliases.comes_from(t._aliases):
            above.append(tensor)
    return own, above


def _result(op_class: type[Op], inputs: tuple[Variable, ...], like: Variable, **params: Any) -> Variable:
    """What the op gives, to be recorded: its values are on their way into the memory of `like`.

    Only if somebody observes are they computed aside, too.
    """
    if engine.observers():
        return apply(op_class, *inputs, **params)
    needs = tuple(x._requires_grad for x in inputs)
    recorded = is_grad_enabled() and any(needs)
    op = op_class(**params)
    op.needs = needs
    return wrap(like._data, recorded, Node(op, inputs, like) if recorded else None)


def _write(t: Variable, index: Any, value: np.ndarray, z: Variable) -> None:
    """t[index] = value; z is t as an op gives it from the old t."""
    recorded, aliases = z._requires_grad, t._aliases
    whole, views = z, []
    engine.tell("overwritten", t)
    if aliases is not None and (recorded or engine.observers()):
        before = wrap(aliases.array, aliases.node is not None, aliases.node)
        engine.tell("overwritten", before)
        whole = _whole_with(before, t, z)
        views = list(_views(t, whole))
        engine.tell("assigned", before, whole)
        for tensor in sharers(t):
            if tensor._aliases is not aliases:
                engine.tell("bypassed", "assignment in place of memory that a detached tensor shares", tensor)
    value = value.copy() if np.may_share_memory(value, t._data) else value
    if begin_version(t, keep=recorded):
        engine.tell("bypassed", "assignment in place over values that backward needs", t)
    now = [(t, z), *views]
    for tensor, variable in now:
        engine.tell("assigned", tensor, variable)
    t._data[index] = value
    if recorded:
        for tensor, variable in now:
            _follow(tensor, variable)
        if aliases is not None:
            aliases.node = whole._node


def _whole_with(before: Variable, t: Variable, z: Variable) -> Variable:
    """The tensor of which all others are views, with z in the place of t."""
    place = Place.of(t._data, before._data)
    return z if place.is_whole else _result(WritePart, (before, z), like=before, place=place)


def _views(t: Variable, whole: Variable) -> Iterator[tuple[Variable, Variable]]:
    """The other tensors that share t's history, each with what it is as a part of the new whole."""
    for tensor in sharers(t):
        if tensor is not t and tensor._aliases is t._aliases:
            place = Place.of(tensor._data, t._aliases.array)
            yield tensor, _result(ReadPart, (whole,), like=tensor, place=place)


def _follow(tensor: Variable, now: Variable) -> None:
    """The tensor's history is that of `now` from here on. Hooks stay with the old values, `retain_grad` moves on."""
    old, tensor._node, tensor._requires_grad = tensor._node, now._node, True
    if old is not None and old.retained is not None and old.retained() is tensor:
        old.retained, now._node.retained = None, old.retained
