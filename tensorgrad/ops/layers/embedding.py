"""Embeddings: rows of a table by their numbers, and sums, means and maxima of bags of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.autograd.engine import apply, constant, guard, host_call
from tensorgrad.autograd.modes import no_grad, observers
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, RangeError, ShapeError, restate
from tensorgrad.formulas.symbolic import equation, words
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.layout.indices import as_index
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating, number, quiet
from tensorgrad.ops.row_sums import rows_added
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["embedding"]


class Embedding(Op):
    """z_i = the row k_i of w."""

    symbol, formula = "embedding", lambda z, w, k, i: equation(z[i], words(w, "at the row", k[i]))
    derivatives = (lambda grad: words(grad, "added to its row"),)

    def forward(self, w, k):
        self.residuals = len(w)
        return w[k]

    def backward_w(self, grad, k, residuals):
        return apply(RowSums, grad, k, rows=residuals)


class RowSums(Op):
    """z_r = Σ g_i over all i with k_i = r: the gradient of an embedding, and the sums of bags."""

    symbol, formula = "Σ rows", lambda g: words("Σ of", g, "for each row")
    derivatives = (lambda grad: words(grad, "at its row"),)
    rows: int

    @quiet
    def forward(self, g, k):
        shape = g.shape[k.ndim :]
        sums = rows_added(g.reshape(1, k.size, math.prod(shape)), k.reshape(-1), self.rows)
        return sums.reshape(self.rows, *shape)

    def backward_g(self, grad, k):
        return apply(Embedding, grad, k)


class RowWeights(Op):
    """z_i = what the gradient of element i counts: 0 for padding, 1 over the number of its equals, or 1."""

    symbol, formula = "weights", lambda k: words("weights of", k)
    padding: int | None
    counted: bool
    dtype: np.dtype

    def forward(self, k):
        z = np.ones(k.shape, self.dtype)
        if self.counted and k.size:
            _, where_, counts = np.unique(k, return_inverse=True, return_counts=True)
            z /= counts[where_.reshape(k.shape)].astype(self.dtype)
        if self.padding is not None:
            z[k == self.padding] = 0
        return z


class WeighedEmbedding(Embedding):
    """z_i = the row k_i of w, whose gradient is weighed: none for padding, or divided by how often a row occurs."""

    symbol = "embedding"
    padding: int | None
    counted: bool

    def forward(self, w, k):
        self.residuals = len(w)
        return w[k]

    def backward_w(self, grad, k, residuals):
        weights = apply(RowWeights, k, padding=self.padding, counted=self.counted, dtype=grad.dtype)
        return apply(RowSums, grad * weights.reshape(*k.shape, 1), k, rows=residuals)


@numpy_spellings
def embedding(
    input: TensorLike,
    weight: TensorLike,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` whose numbers are in `input`: `(...)` -> `(..., D)`.

    Args:
        input: row numbers, integers of any shape.
        weight: the table `(rows, D)`.
        padding_idx: the number of a row that gets no gradient; counted from the end if negative.
        max_norm: rescale, in place, each row in `input` whose norm is larger to this norm, before they are read.
        norm_type: p of that norm.
        scale_grad_by_freq: divide the gradient of a row by the number of its occurrences in `input`.
        sparse: only False: gradients are dense.

    Raises:
        DTypeError: an input that doesn't hold integers.
        RangeError: a row number outside [0, rows).
        ShapeError: a weight that isn't a matrix.
        ArgumentError: a `padding_idx` out of range, or `sparse=True`.

    >>> import tensorgrad as tg
    >>> table = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.embedding(tg.tensor([1, 0, 1]), table)
    tensor([[3., 4.],
            [1., 2.],
            [3., 4.]])
    """
    call = "embedding"
    k, w = row_numbers(call, input, weight)
    padding = check_padding(call, padding_idx, w.shape[0])
    refuse_sparse(call, sparse)
    if max_norm is not None:
        _renorm(w, k, number(call, "max_norm", max_norm), number(call, "norm_type", norm_type))
    scale_grad_by_freq = flag(call, "scale_grad_by_freq", scale_grad_by_freq)
    if padding is None and not scale_grad_by_freq:
        return apply(Embedding, w, k)
    return apply(WeighedEmbedding, w, k, padding=padding, counted=scale_grad_by_freq)


@numpy_spellings
def embedding_bag(
    input: TensorLike,
    weight: TensorLike,
    offsets: TensorLike | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: TensorLike | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of rows of `weight` for each bag of row numbers: `(B, L)` -> `(B, D)`.

    Args:
        input: row numbers `(B, L)`, B bags of L; or `(n,)`, bags of any sizes one after the other.
        weight: the table `(rows, D)`.
        offsets: for an input `(n,)` where each bag begins, `(B,)`; the first is 0.
        max_norm: as in `embedding`.
        norm_type: as in `embedding`.
        scale_grad_by_freq: as in `embedding`; not with mode "max".
        mode: "sum", "mean" or "max". An empty bag gives 0.
        sparse: only False: gradients are dense.
        per_sample_weights: a factor for each row number, of the shape of `input`; only with mode "sum".
        include_last_offset: `offsets` has one entry more, n.
        padding_idx: the number of a row that counts in no bag.

    Raises:
        ArgumentError: another mode, options that don't go together, or offsets that don't begin with 0 or decrease.
        ShapeError: an input with other axes, or offsets where bags are rows.
        DTypeError, RangeError: as in `embedding`.

    >>> import tensorgrad as tg
    >>> table = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.nn.functional.embedding_bag(tg.tensor([1, 0, 1]), table, tg.tensor([0, 2]))
    tensor([[2., 3.],
            [3., 4.]])
    """
    call = "embedding_bag"
    k, w = row_numbers(call, input, weight)
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(restate(call, f'mode must be "sum", "mean" or "max", got {mode!r}', mode=mode))
    if per_sample_weights is not None and mode != "sum":
        raise ArgumentError(restate(call, 'per_sample_weights need mode="sum"', mode=mode))
    if flag(call, "scale_grad_by_freq", scale_grad_by_freq) and mode == "max":
        raise ArgumentError(restate(call, 'scale_grad_by_freq needs mode="sum" or "mean"', mode=mode))
    padding = check_padding(call, padding_idx, w.shape[0])
    bags, count = _bags(call, k, offsets, flag(call, "include_last_offset", include_last_offset))
    factors = None if per_sample_weights is None else floating(per_sample_weights)
    if factors is not None and factors.shape != k.shape:
        problem = f"per_sample_weights must have the input's shape {k.shape}, got {factors.shape}"
        raise ShapeError(restate(call, problem, input=k, per_sample_weights=factors))
    k = k.reshape(-1)
    rows = embedding(k, w, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    kept = apply(RowWeights, k, padding=padding, counted=False, dtype=w.dtype)
    if mode == "max":
        winners, filled = host_call(_winners, rows._data, k._data, bags._data, count, padding)
        columns = constant(np.arange(w.shape[1]))
        return where(as_tensor(filled), w[as_tensor(winners), columns], 0.0)
    factor = (kept if factors is None else kept * factors.reshape(-1)).reshape(-1, 1)
    sums = apply(RowSums, rows * factor, bags, rows=count)
    if mode == "sum":
        return sums
    sizes = as_tensor(host_call(_sizes, kept._data, bags._data, count))
    return sums / sizes


# ------------------------------------------------------------------------------------------------------------ arguments


def row_numbers(call: str, input: TensorLike, weight: TensorLike) -> tuple[Tensor, Tensor]:
    """Row numbers and the table, checked."""
    k, w = as_index(input), floating(weight)
    if k.dtype.kind not in "iu":
        fix = "convert it first: x.astype('int64')"
        raise DTypeError(restate(call, f"input must hold integers, got {k.dtype}", fix=fix, input=k, weight=w))
    if w.ndim != 2:
        raise ShapeError(restate(call, f"weight must be a matrix (rows, D), got {w.shape}", input=k, weight=w))
    if not guard(_are_rows, k._data, w.shape[0]):
        problem = f"input must hold row numbers in [0, {w.shape[0]})"
        raise RangeError(restate(call, problem, input=k, weight=w))
    return k, w


def check_padding(call: str, padding_idx: int | None, rows: int) -> int | None:
    """The number of the padding row, not negative."""
    if padding_idx is None:
        return None
    k = int(number(call, "padding_idx", padding_idx))
    if not -rows <= k < rows:
        problem = f"padding_idx must be in [{-rows}, {rows}), got {k}"
        raise ArgumentError(restate(call, problem, padding_idx=padding_idx))
    return k % rows


def refuse_sparse(call: str, sparse: bool) -> None:
    """Raise ArgumentError for `sparse=True`."""
    if flag(call, "sparse", sparse):
        raise ArgumentError(restate(call, "sparse must be False: gradients are dense", sparse=sparse))


def _are_rows(k: np.ndarray, rows: int) -> bool:
    return not k.size or (k.min() >= 0 and k.max() < rows)


def _bags(call: str, k: Tensor, offsets: TensorLike | None, include_last_offset: bool) -> tuple[Tensor, int]:
    """The number of each element's bag, `(n,)`, and how many bags there are."""
    if k.ndim == 2 and offsets is None:
        return constant(np.repeat(np.arange(k.shape[0]), k.shape[1])), k.shape[0]
    if k.ndim != 1 or offsets is None:
        problem = f"input must be (B, L) without offsets, or (n,) with offsets, got {k.shape}"
        raise ShapeError(restate(call, problem, input=k, offsets=offsets))
    starts = as_index(offsets)
    if starts.ndim != 1 or starts.dtype.kind not in "iu":
        raise ShapeError(restate(call, "offsets must be integers (B,)", input=k, offsets=starts))
    if not guard(_are_offsets, starts._data, k.shape[0], include_last_offset):
        problem = f"offsets must begin with 0 and never decrease, up to {k.shape[0]}"
        raise ArgumentError(restate(call, problem, input=k, offsets=starts))
    bags = as_tensor(host_call(_numbered, starts._data, k.shape[0], include_last_offset))
    return bags, starts.shape[0] - include_last_offset


def _are_offsets(starts: np.ndarray, size: int, last: bool) -> bool:
    steps = np.diff(starts)
    return bool(starts.size > last and starts[0] == 0 and (steps >= 0).all() and starts[-1] <= size)


def _numbered(starts: np.ndarray, size: int, last: bool) -> np.ndarray:
    ends = starts[1:] if last else np.append(starts[1:], size)
    return np.repeat(np.arange(len(ends)), ends - starts[: len(ends)])


def _sizes(kept: np.ndarray, bags: np.ndarray, count: int) -> np.ndarray:
    """The number of elements in each bag that count, at least 1: `(B, 1)`."""
    sizes = np.bincount(bags, kept, minlength=count)[:, None]
    return np.maximum(sizes, 1).astype(kept.dtype)


def _winners(rows: np.ndarray, k: np.ndarray, bags: np.ndarray, count: int, padding: int | None) -> tuple:
    """Which row has the maximum, for each bag and column, and whether the bag has any: `(B, D)`, `(B, 1)`."""
    winners = np.zeros((count, rows.shape[1]), np.int64)
    filled = np.zeros((count, 1), np.bool_)
    for bag in range(count):
        members = np.flatnonzero((bags == bag) & (k != (-1 if padding is None else padding)))
        if members.size:
            winners[bag] = k[members[rows[members].argmax(0)]]
            filled[bag] = True
    return winners, filled


def _renorm(w: Tensor, k: Tensor, max_norm: float, norm_type: float) -> None:
    """Rescale the rows of w whose norm is above the bound, in place."""
    if not isinstance(w, Variable):
        return
    for observer in observers():
        observer.engine_bypassed("embedding with max_norm", w)
    with no_grad():
        rows = np.unique(host_call(np.array, k._data))
        norms = np.linalg.norm(host_call(np.array, w._data)[rows], norm_type, axis=1)
        for row, norm in zip(rows, norms, strict=True):
            if norm > max_norm:
                w[int(row)] = w[int(row)] * (max_norm / (float(norm) + 1e-7))
