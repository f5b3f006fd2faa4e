"""Sequences of several lengths in one batch: padded, or packed step by step without the padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.autograd.engine import constant
from tensorgrad.creation.filled import full
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.ops.joining import concatenate, stack
from tensorgrad.ops.operands import TensorLike, as_tensor, values
from tensorgrad.tensor import Tensor


class PackedSequence(NamedTuple):
    """Sequences packed step by step: the first elements of all, then the second elements, and so on.

    Attributes:
        data: the elements, `(total, ...)`.
        batch_sizes: how many sequences have an element at each step, integers, never increasing.
        sorted_indices: the numbers of the sequences in decreasing length; None if they came so.
        unsorted_indices: where each sequence lies among the sorted ones.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


def pad_sequence(
    sequences: Sequence[TensorLike],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences `(Lᵢ, ...)` stacked to `(T, B, ...)`, with T the largest length; shorter ones are padded.

    Args:
        sequences: the sequences, equal in all axes but the first.
        batch_first: give `(B, T, ...)`.
        padding_value: what the padding holds.
        padding_side: "right" pads at the ends, "left" at the beginnings.

    Raises:
        ArgumentError: no sequence, or another side.
        ShapeError: sequences that differ in other axes.

    >>> import tensorgrad as tg
    >>> tg.nn.utils.rnn.pad_sequence([tg.tensor([1, 2]), tg.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    call, given = "pad_sequence", [as_tensor(x) for x in sequences]
    if not given:
        raise ArgumentError(restate(call, "sequences must hold at least one tensor"))
    if padding_side not in ("left", "right"):
        raise ArgumentError(restate(call, f'padding_side must be "left" or "right", got {padding_side!r}'))
    rest = given[0].shape[1:]
    for x in given:
        if not x.ndim or x.shape[1:] != rest:
            problem = f"sequences must be equal in all axes but the first, got {given[0].shape} and {x.shape}"
            raise ShapeError(restate(call, problem))
    longest = max(x.shape[0] for x in given)
    padded = []
    for x in given:
        padding = full((longest - x.shape[0], *rest), padding_value, dtype=x.dtype)
        parts = [x, padding] if padding_side == "right" else [padding, x]
        padded.append(concatenate(parts, 0) if padding.shape[0] else x)
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: TensorLike, lengths: TensorLike, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch, each of its own length.

    >>> import tensorgrad as tg
    >>> tg.nn.utils.rnn.unpad_sequence(tg.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    x = as_tensor(padded_sequences)
    rows = [x[k] if batch_first else x[:, k] for k in range(x.shape[0 if batch_first else 1])]
    return [row[: int(length)] for row, length in zip(rows, values(lengths), strict=True)]


def pack_padded_sequence(
    input: TensorLike, lengths: TensorLike, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """A padded batch `(T, B, ...)` packed without its padding.

    Args:
        input: the batch; `(B, T, ...)` with `batch_first`.
        lengths: the length of each sequence, in [1, T].
        batch_first: the batch is the first axis.
        enforce_sorted: require that the lengths never increase; otherwise the sequences are sorted.

    Raises:
        ArgumentError: lengths outside [1, T], or that increase under `enforce_sorted`.
        ShapeError: another number of lengths than B.

    >>> import tensorgrad as tg
    >>> packed = tg.nn.utils.rnn.pack_padded_sequence(tg.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """
    call, x = "pack_padded_sequence", as_tensor(input)
    sizes = np.asarray(values(lengths), np.int64)
    x = x.swapaxes(0, 1) if batch_first else x
    if sizes.shape != x.shape[1:2]:
        problem = f"lengths must be one for each of the {x.shape[1]} sequences, got {sizes.shape}"
        raise ShapeError(restate(call, problem, input=x, lengths=sizes))
    if not len(sizes) or sizes.min() < 1 or sizes.max() > x.shape[0]:
        problem = f"lengths must be in [1, {x.shape[0]}]"
        raise ArgumentError(restate(call, problem, input=x, lengths=sizes))
    order = None
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        sizes, x = sizes[order], x[:, order]
    elif (np.diff(sizes) > 0).any():
        fix = "pass enforce_sorted=False"
        raise ArgumentError(restate(call, "lengths must never increase", fix=fix, input=x, lengths=sizes))
    steps = [int((sizes > t).sum()) for t in range(int(sizes[0]))]
    data = concatenate([x[t, :size] for t, size in enumerate(steps)], 0)
    indices = (None, None) if order is None else (constant(order), constant(np.argsort(order)))
    return PackedSequence(data, constant(np.array(steps)), *indices)


def pack_sequence(sequences: Sequence[TensorLike], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences `(Lᵢ, ...)` packed; see `pack_padded_sequence`.

    >>> import tensorgrad as tg
    >>> tg.nn.utils.rnn.pack_sequence([tg.tensor([1, 2]), tg.tensor([3])]).data
    tensor([1, 3, 2])
    """
    given = [as_tensor(x) for x in sequences]
    lengths = constant(np.array([x.shape[0] for x in given]))
    return pack_padded_sequence(pad_sequence(given), lengths, enforce_sorted=enforce_sorted)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded batch `(T, B, ...)` of packed sequences, and their lengths.

    Args:
        sequence: the packed sequences.
        batch_first: give `(B, T, ...)`.
        padding_value: what the padding holds.
        total_length: pad to this length.

    Raises:
        ArgumentError: a `total_length` below the largest length.

    >>> import tensorgrad as tg
    >>> rnn = tg.nn.utils.rnn
    >>> rnn.pad_packed_sequence(rnn.pack_sequence([tg.tensor([1, 2]), tg.tensor([3])]), batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    steps = step_sizes(sequence)
    count, data = steps[0], sequence.data
    length = len(steps) if total_length is None else total_length
    if length < len(steps):
        problem = f"total_length must be at least {len(steps)}, got {total_length}"
        raise ArgumentError(restate("pad_packed_sequence", problem, total_length=total_length))
    rows, start = [], 0
    for size in [*steps, *[0] * (length - len(steps))]:
        row = data[start : start + size]
        padding = full((count - size, *data.shape[1:]), padding_value, dtype=data.dtype)
        rows.append(concatenate([row, padding], 0) if size < count else row)
        start += size
    padded = stack(rows, 0)
    lengths = np.array([sum(size > k for size in steps) for k in range(count)])
    if sequence.unsorted_indices is not None:
        order = values(sequence.unsorted_indices)
        padded, lengths = padded[:, order], lengths[order]
    return padded.swapaxes(0, 1) if batch_first else padded, constant(lengths)


def step_sizes(sequence: PackedSequence) -> list[int]:
    """How many sequences have an element at each step."""
    sizes: Any = values(sequence.batch_sizes)
    return [int(size) for size in sizes]
