"""The op of connectionist temporal classification: the probability of a sequence under all its alignments.

A path through the states 0 … 2S, which stand for blank, label 1, blank, label 2, … blank, emits one class per time
step. From a state it stays, moves on by one, or skips a blank between two labels that differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tensorgrad.autograd.backward_pass import gradients
from tensorgrad.autograd.engine import apply, constant, host_call
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import wrap
from tensorgrad.formulas.symbolic import function, words
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.joining import concatenate
from tensorgrad.ops.operands import Stack, quiet, widened
from tensorgrad.ops.reductions import logsumexp

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

IMPOSSIBLE = -1e30
"""The logarithm of 0 where it is differentiated: −∞ would give NaN."""


class States(NamedTuple):
    """The states of all paths of a batch, L = 2S + 1."""

    classes: np.ndarray
    """What each state emits, `(N, L)`."""
    skips: np.ndarray
    """Whether a path may come to a state from two states before, `(N, L)`."""


def states_of(targets: np.ndarray, blank: int) -> States:
    """The states for targets `(N, S)`.

    >>> states_of(np.array([[3, 3]]), 0).classes.tolist()
    [[0, 3, 0, 3, 0]]
    """
    classes = np.full((len(targets), 2 * targets.shape[1] + 1), blank)
    classes[:, 1::2] = targets
    skips = np.zeros(classes.shape, bool)
    skips[:, 2:] = (classes[:, 2:] != blank) & (classes[:, 2:] != classes[:, :-2])
    return States(classes, skips)


class CTC(Op):
    """z = −ln Σ Πₜ e^x[t, pathₜ] per sequence, the sum over all paths that spell the target."""

    symbol, formula = "CTC", lambda x, targets: -function("ln")(words("P(", targets, "|", x, ")"))
    derivatives = (lambda x: words("−P(path of the target is at class c at time t)"), "", "", "")
    blank: int
    zero_infinity: bool = False
    """Whether the loss of a target that no path spells is 0, and has no gradient."""

    @quiet
    @widened
    def forward(self, x, targets, lengths, target_lengths):
        states = states_of(targets, self.blank)
        emitted = np.take_along_axis(x.astype(np.float64), states.classes[None], 2)
        forth = _forth(emitted, states)
        losses = -_last(forth, lengths, target_lengths)
        dropped = np.isinf(losses) & self.zero_infinity
        back = _back(emitted, states, lengths, target_lengths)
        occupied = np.where(dropped[:, None], -np.inf, forth + back + losses[:, None])
        self.residuals = _occupancy(occupied, states, x)
        return np.where(dropped, 0, losses).astype(x.dtype)

    def backward_x(self, grad, x, targets, lengths, target_lengths, residuals):
        if not is_grad_enabled():
            return apply(CTCGradient, grad, occupancy=residuals)
        # Differentiable, for second derivatives.
        losses = _by_ops(x, targets, lengths, target_lengths, self.blank)
        losses = where(losses > -IMPOSSIBLE / 2, 0.0, losses)
        return gradients([losses], [x], [grad], create_graph=True, leaf_hooks=False, ends=True)[0]


class CTCGradient(Op):
    """z[t, n, c] = −g[n] · P(path n is at class c at time t), for a backward pass that isn't recorded."""

    symbol, formula = "CTCᵀ", lambda g: -g * words("P(path is at c at time t)")
    occupancy: np.ndarray

    @widened
    def forward(self, g):
        # (N,) -> (N, 1), to broadcast to (T, N, C)
        return -g[:, None] * self.occupancy.astype(g.dtype, copy=False)


def ctc(
    x: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor, blank: int, zero_infinity: bool = False
) -> Tensor:
    """The losses `(N,)` of log-probabilities x `(T, N, C)` for targets `(N, S)`; all lengths `(N,)`.

    ∞ where no path spells the target, or with `zero_infinity` 0.

    >>> import tensorgrad as tg
    >>> x = tg.log_softmax(tg.zeros(2, 1, 2))
    >>> ctc(x, tg.tensor([[1]]), tg.tensor([2]), tg.tensor([1]), blank=0)  # of 4 paths 3 spell it: 01, 10, 11
    tensor([0.2877])
    """
    return apply(CTC, x, targets, lengths, target_lengths, blank=blank, zero_infinity=zero_infinity)


def _forth(emitted: np.ndarray, states: States) -> np.ndarray:
    """ln P(at state s at time t, having emitted all up to t), `(T, N, L)`."""
    found = np.full(emitted.shape, -np.inf)
    found[:1, :, :2] = emitted[:1, :, :2]
    for t in range(1, len(emitted)):
        before, now = found[t - 1], found[t]
        now[...] = before
        now[:, 1:] = np.logaddexp(now[:, 1:], before[:, :-1])
        now[:, 2:] = np.where(states.skips[:, 2:], np.logaddexp(now[:, 2:], before[:, :-2]), now[:, 2:])
        now += emitted[t]
    return found


def _back(emitted: np.ndarray, states: States, lengths: np.ndarray, target_lengths: np.ndarray) -> np.ndarray:
    """ln P(emitting all after t, from state s at time t), `(T, N, L)`; −∞ after a sequence's end."""
    found = np.full(emitted.shape, -np.inf)
    place, sequences = np.arange(emitted.shape[2]), np.arange(emitted.shape[1])
    # A path ends at the last blank or at the last label.
    ends = (place <= 2 * target_lengths[:, None]) & (place >= 2 * target_lengths[:, None] - 1)
    some = lengths > 0
    found[lengths[some] - 1, sequences[some]] = np.where(ends, 0, -np.inf)[some]
    for t in range(len(emitted) - 2, -1, -1):
        after, now = found[t + 1] + emitted[t + 1], found[t + 1] + emitted[t + 1]
        now[:, :-1] = np.logaddexp(now[:, :-1], after[:, 1:])
        now[:, :-2] = np.where(states.skips[:, 2:], np.logaddexp(now[:, :-2], after[:, 2:]), now[:, :-2])
        found[t] = np.where((t < lengths - 1)[:, None], now, found[t])
    return found


def _last(forth: np.ndarray, lengths: np.ndarray, target_lengths: np.ndarray) -> np.ndarray:
    """ln P(target) per sequence: the paths that end at the last blank, and those that end at the last label."""
    sequences = np.arange(forth.shape[1])
    if not len(forth):
        return np.where(target_lengths > 0, -np.inf, 0.0)
    ends = forth[np.maximum(lengths, 1) - 1, sequences]
    label = np.where(target_lengths > 0, ends[sequences, np.maximum(2 * target_lengths - 1, 0)], -np.inf)
    found = np.logaddexp(ends[sequences, 2 * target_lengths], label)
    return np.where(lengths > 0, found, np.where(target_lengths > 0, -np.inf, 0.0))


def _occupancy(logarithms: np.ndarray, states: States, like: np.ndarray) -> np.ndarray:
    """The probability that a path is at class c at time t, from that of its states: `(T, N, L)` -> `(T, N, C)`."""
    times, sequences, classes = like.shape
    flat = np.arange(times * sequences).reshape(times, sequences, 1) * classes + states.classes
    summed = np.bincount(flat.ravel(), np.exp(logarithms).ravel(), minlength=like.size)
    return summed.reshape(like.shape).astype(like.dtype)


def _masks(
    targets: np.ndarray, lengths: np.ndarray, target_lengths: np.ndarray, times: int, blank: int
) -> tuple[np.ndarray, ...]:
    """What `_by_ops` chooses by: the classes of states, which may be skipped to, which come first and last, which times
    lie within a sequence.
    """
    states, place = states_of(targets, blank), np.arange(2 * targets.shape[1] + 1)
    starts = np.broadcast_to(place < 2, states.classes.shape)
    ends = (place <= 2 * target_lengths[:, None]) & (place >= 2 * target_lengths[:, None] - 1)
    within = np.arange(times)[:, None, None] < lengths[:, None]
    return states.classes, states.skips, starts, ends, within


def _by_ops(x: Tensor, targets: Tensor, lengths: Tensor, target_lengths: Tensor, blank: int) -> Tensor:
    """The losses, by ops that can be differentiated twice."""
    found = host_call(_masks, targets._data, lengths._data, target_lengths._data, x.shape[0], blank)
    classes, skips, starts, ends, within = map(wrap, found)
    count, width = classes.shape
    emitted = x[:, np.arange(count)[:, None], classes]
    never = constant(np.full((count, 2), IMPOSSIBLE, x.dtype))
    now = where(starts, emitted[0], IMPOSSIBLE)
    for t in range(1, x.shape[0]):
        padded = concatenate([never, now], 1)
        skipped = where(skips, padded[:, :width], IMPOSSIBLE)
        moved = logsumexp(apply(Stack, now, padded[:, 1 : width + 1], skipped, axis=0), 0) + emitted[t]
        now = where(within[t], moved, now)
    return -logsumexp(where(ends, now, IMPOSSIBLE), 1)
