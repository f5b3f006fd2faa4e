"""The loss of sequences whose alignment with the input isn't known."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.autograd.engine import guard, host_call
from tensorgrad.autograd.variable import wrap
from tensorgrad.errors import DTypeError, RangeError, ShapeError, restate
from tensorgrad.nn.losses.targets import check_reduction, reduced
from tensorgrad.ops.losses import ctc
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating, number
from tensorgrad.tensor import Tensor


def ctc_loss(
    log_probs: TensorLike,
    targets: TensorLike,
    input_lengths: TensorLike,
    target_lengths: TensorLike,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """−ln P(target | input), the probability summed over all alignments: connectionist temporal classification.

    An alignment emits one class per time step; repeated classes are merged, then blanks are dropped.

    Args:
        log_probs: log-probabilities of `log_softmax`, `(T, N, C)`, or `(T, C)` for one sequence. The gradient for
            them is the derivative itself; PyTorch's has e^log_probs added, which `log_softmax` cancels.
        targets: class indices other than `blank`, integers: `(N, S)` with anything after each sequence's end; or all
            sequences end to end, `(sum(target_lengths),)`.
        input_lengths: how many of the T steps belong to each sequence, integers `(N,)`, or `()` for one.
        target_lengths: the lengths of the targets, integers `(N,)`, or `()`.
        blank: the class that emits nothing.
        reduction: "mean" divides each loss by the length of its target, at least 1, and takes the mean; "sum"; "none".
        zero_infinity: 0 in place of ∞ where the input is too short for the target, and no gradient from it.

    Returns:
        A scalar; for "none" the losses `(N,)`, or `()` for one sequence.

    Raises:
        ShapeError: arguments whose shapes don't fit.
        DTypeError: targets or lengths that don't hold integers.
        RangeError: a class index outside [0, C), or a length that is negative or too large.
        ArgumentError: another reduction.

    Graves et al., Connectionist Temporal Classification, ICML 2006.

    >>> import tensorgrad as tg
    >>> x = tg.log_softmax(tg.zeros(2, 1, 2))  # of 4 alignments 3 spell "1": 01, 10, 11
    >>> tg.nn.functional.ctc_loss(x, tg.tensor([[1]]), tg.tensor([2]), tg.tensor([1]))
    tensor(0.2877)
    """
    call = "ctc_loss"
    check_reduction(call, reduction)
    zero_infinity = flag(call, "zero_infinity", zero_infinity)
    x = floating(log_probs)
    if x.ndim not in (2, 3) or not x.shape[-1]:
        raise ShapeError(restate(call, "log_probs must be (T, N, C) or (T, C)", log_probs=x))
    single = x.ndim == 2
    x = x.unsqueeze(1) if single else x
    blank = number(call, "blank", blank)
    if blank not in range(x.shape[2]):
        raise RangeError(restate(call, f"blank must be in [0, {x.shape[2]}), got {blank}", log_probs=x, blank=blank))
    lengths = _lengths(call, "input_lengths", input_lengths, x)
    target_lengths = _lengths(call, "target_lengths", target_lengths, x)
    labels = _as_rows(call, as_tensor(targets), target_lengths, x)
    if not guard(_are_lengths, lengths._data, x.shape[0]) or not guard(
        _are_lengths, target_lengths._data, labels.shape[1]
    ):
        problem = f"lengths must be in [0, {x.shape[0]}] for inputs, in [0, {labels.shape[1]}] for targets"
        given: dict[str, Any] = {"input_lengths": lengths, "target_lengths": target_lengths}
        raise RangeError(restate(call, problem, log_probs=x, targets=labels, **given))
    if not guard(_are_classes, labels._data, target_lengths._data, x.shape[2]):
        problem = f"class indices must be in [0, {x.shape[2]})"
        raise RangeError(restate(call, problem, log_probs=x, targets=labels))
    labels = wrap(host_call(_cleared, labels._data, target_lengths._data, blank))
    losses = ctc.ctc(x, labels, lengths, target_lengths, blank, zero_infinity)
    if reduction == "mean":
        losses = losses / tg.maximum(target_lengths, 1).astype(losses.dtype)
    return reduced(losses.reshape(()) if single else losses, reduction)


def _lengths(call: str, name: str, lengths: TensorLike, x: Tensor) -> Tensor:
    """The lengths of N sequences, `(N,)`."""
    found = as_tensor(lengths)
    given: dict[str, Any] = {"log_probs": x, name: found}
    if found.dtype.kind not in "iu":
        raise DTypeError(restate(call, f"{name} must hold integers, got {found.dtype}", **given))
    if found.shape != (x.shape[1],) and (found.shape != () or x.shape[1] != 1):
        raise ShapeError(restate(call, f"{name} must have one length per sequence", **given))
    return found.reshape(-1)


def _as_rows(call: str, targets: Tensor, lengths: Tensor, x: Tensor) -> Tensor:
    """The targets `(N, S)`."""
    given: dict[str, Any] = {"log_probs": x, "targets": targets, "target_lengths": lengths}
    if targets.dtype.kind not in "iu":
        raise DTypeError(restate(call, f"targets must hold class indices, integers, got {targets.dtype}", **given))
    if targets.ndim == 2 and targets.shape[0] == x.shape[1]:
        return targets
    if targets.ndim != 1:
        raise ShapeError(restate(call, "targets must be (N, S), or all sequences end to end in one axis", **given))
    longest = int(lengths._data.max(initial=0))
    if not guard(_fit, lengths._data, targets.shape[0], longest):
        raise ShapeError(restate(call, "targets must hold as many classes as target_lengths add up to", **given))
    return wrap(host_call(_split, targets._data, lengths._data, longest))


def _fit(lengths: np.ndarray, total: int, longest: int) -> bool:
    """Whether the sequences fill the targets, and the longest is the one that memory is made for."""
    return bool((lengths >= 0).all() and lengths.sum() == total and lengths.max(initial=0) == longest)


def _split(targets: np.ndarray, lengths: np.ndarray, longest: int) -> np.ndarray:
    """Sequences end to end as rows, with zeros after them."""
    rows = np.zeros((len(lengths), longest), targets.dtype)
    rows[np.arange(longest) < lengths[:, None]] = targets
    return rows


def _are_lengths(lengths: np.ndarray, largest: int) -> bool:
    return bool(((lengths >= 0) & (lengths <= largest)).all())


def _are_classes(targets: np.ndarray, lengths: np.ndarray, classes: int) -> bool:
    outside = (targets < 0) | (targets >= classes)
    return not (outside & (np.arange(targets.shape[1]) < lengths[:, None])).any()


def _cleared(targets: np.ndarray, lengths: np.ndarray, blank: int) -> np.ndarray:
    """The targets with blanks after each sequence's end, where anything may stand."""
    return np.where(np.arange(targets.shape[1]) < lengths[:, None], targets, blank).astype(np.int64)
