"""`explain(loss, wrt=w)`: the chain rule for one tensor, or one element of it, in words, formulas and numbers."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ArgumentError, DTypeError, RangeError, restate
from tensorgrad.viz.explain.author import Options, write
from tensorgrad.viz.explain.computation import computation
from tensorgrad.viz.explain.explanation import Explanation
from tensorgrad.viz.explain.subject import Subject
from tensorgrad.viz.record.collect import MAX_OPS, variables_of

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor
    from tensorgrad.viz.record.trace import Trace


def explain(
    loss: Tensor | Trace,
    wrt: Tensor,
    index: int | Sequence[int] | None = None,
    cost: Callable[[], Any] | None = None,
    names: Mapping[str, Any] | None = None,
    check: bool = True,
    max_paths: int = 4,
    max_terms: int = 6,
    max_ops: int = MAX_OPS,
) -> Explanation:
    r"""Explain the gradient of `wrt`: ∂L/∂w = Σ over the paths from w to L of Π of the local derivatives.

    Every path is counted, the largest are written out: with symbols, then with numbers. For one element of a layer's
    weight or input, the last step is expanded into the numbers that were summed: pixels and output gradients of a
    convolution, examples of a batch, windows of a pooling. The result is compared with `wrt.grad`, if there is one, and
    with a central difference of the whole computation, run again in float64.

    Args:
        loss: a scalar whose graph is alive: before `backward()`, or after `backward(retain_graph=True)`; or the trace
            of a computation that ended in one, freed or not.
        wrt: the tensor w: a parameter, an input that requires a gradient, or any step in between.
        index: of one element, `(k, c, i, j)`; negative ones count from the end. None for the whole tensor.
        cost: a function without arguments that computes the loss again from the current `wrt`, to be used for the
            central difference instead of the recorded ops. `wrt` is changed while it runs, and restored.
        names: tensors by name, such as `dict(model.named_parameters())`; else `.name` or the caller's variables.
        check: whether to check the gradient.
        max_paths: how many paths to write out: the largest; of more than 100, those with the fewest steps.
        max_terms: how many terms of an element's sum to write out: the largest.
        max_ops: the largest graph to explain.

    Raises:
        DTypeError: `loss` is neither a tensor nor a trace, `wrt` isn't a tensor, or `index` isn't integers.
        GraphError: nothing was recorded, the graph was freed, the traced computation failed, or no gradient flows.
        ArgumentError: the loss isn't a scalar, `max_paths` or `max_terms` is below 1, or there are too many ops.
        RangeError: `index` is outside of `wrt`.

    >>> import tensorgrad as tg
    >>> a, b = tg.tensor(2.0, requires_grad=True), tg.tensor(-3.0, requires_grad=True)
    >>> explanation = tg.viz.explain((a * b + a) * a, wrt=b)
    >>> explanation
    <Explanation of ∂L/∂b: 1 path>
    >>> print("\n".join(explanation.text(width=80).splitlines()[10:17]))
    Backward: one path leads from b to the loss
    ───────────────────────────────────────────
      b → × → + → × → L
      ∂L/∂b = ∂L/∂u₂ · ∂u₂/∂u₁ · ∂u₁/∂b
            = a · 1 · a
            = 2 × 1 × 2
            = 4
    """
    variables = variables_of(sys._getframe(1))
    for limit, value in {"max_paths": max_paths, "max_terms": max_terms}.items():
        if value < 1:
            raise ArgumentError(restate("explain", f"{limit} must be at least 1, got {value}"))
    if cost is not None and not callable(cost):
        fix = "pass a function without arguments: cost=lambda: loss_of(model(x), y)"
        raise DTypeError(restate("explain", "cost must be a function", fix=fix, cost=cost))
    behind = computation(loss, names, variables, max_ops)
    behind.key_of(wrt)
    element = None if index is None else _checked_index(index, wrt)
    return write(Subject(behind, wrt, element), Options(cost, check, max_paths, max_terms))


def _checked_index(index: Any, wrt: Tensor) -> tuple[int, ...]:
    shape = wrt._data.shape
    try:
        numbers = tuple(operator.index(k) for k in (index if isinstance(index, Sequence) else (index,)))
    except TypeError:
        problem = f"index must be an integer per axis, such as (0, 1), got {index!r}"
        raise DTypeError(restate("explain", problem, wrt=wrt)) from None
    if len(numbers) != len(shape):
        problem = f"index must have {len(shape)} integers, one per axis, got {len(numbers)}"
        raise RangeError(restate("explain", problem, index=index, wrt=wrt))
    if not all(-n <= k < n for k, n in zip(numbers, shape, strict=True)):
        raise RangeError(restate("explain", f"index must be within {shape}, got {index!r}", wrt=wrt))
    return tuple(k % n for k, n in zip(numbers, shape, strict=True))
