"""Embedding and EmbeddingBag: tables of vectors that are looked up by number."""

from __future__ import annotations

from typing import Any, Self

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.autograd.modes import no_grad
from tensorgrad.errors import ShapeError, restate
from tensorgrad.nn import init
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter, new_parameter
from tensorgrad.ops.layers import embedding as ops
from tensorgrad.ops.operands import TensorLike, as_tensor
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple


class Table(Module):
    """The common base: a `weight` of one row per number, normally distributed at first, 0 for padding."""

    def _set_up(
        self, rows: int, columns: int, padding: int | None, weight: TensorLike | None, freeze: bool, *where: Any
    ) -> None:
        call = type(self).__name__
        (self.num_embeddings,) = as_tuple(rows, 1, op=call, name="num_embeddings", minimum=0)
        (self.embedding_dim,) = as_tuple(columns, 1, op=call, name="embedding_dim", minimum=0)
        self.padding_idx = ops.check_padding(call, padding, self.num_embeddings)
        if weight is None:
            self.weight = new_parameter(call, (self.num_embeddings, self.embedding_dim), *where)
            self.weight.requires_grad = not freeze
            self.reset_parameters()
            return
        given = as_tensor(weight)
        if given.shape != (self.num_embeddings, self.embedding_dim):
            problem = f"the weight must be ({self.num_embeddings}, {self.embedding_dim}), got {given.shape}"
            raise ShapeError(restate(call, problem, weight=given))
        self.weight = Parameter(given.detach(), not freeze)

    def reset_parameters(self) -> None:
        """Draw new values, normally distributed; the row of `padding_idx` becomes 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    @classmethod
    def _pretrained(cls, embeddings: TensorLike, freeze: bool, **options: Any) -> Self:
        table = as_tensor(embeddings)
        if table.ndim != 2:
            problem = f"embeddings must be a matrix (rows, D), got {table.shape}"
            raise ShapeError(restate(f"{cls.__name__}.from_pretrained", problem, embeddings=table))
        layer = cls(*table.shape, _weight=table, **options)  # type: ignore[call-arg]
        layer.weight.requires_grad = not freeze
        return layer

    def extra_repr(self) -> str:
        """The settings that aren't the defaults, as PyTorch shows them."""
        options: Any = vars(self)
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        parts += [f"{name}={options[name]}" for name in ("padding_idx", "max_norm") if options[name] is not None]
        parts += [f"norm_type={options['norm_type']}"] if options["norm_type"] != 2 else []
        parts += [f"scale_grad_by_freq={options['scale_grad_by_freq']}"] if options["scale_grad_by_freq"] else []
        return ", ".join(parts)


class Embedding(Table):
    """A table of vectors, looked up by number (`tg.embedding`): integers `(...)` -> `(..., embedding_dim)`.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the size of a row.
        padding_idx: the number of a row that starts at 0 and gets no gradient.
        max_norm: rescale rows whose norm is larger, in place, when they are looked up.
        norm_type: p of that norm.
        scale_grad_by_freq: divide the gradient of a row by the number of its occurrences in the batch.
        sparse: only False: gradients are dense.
        _weight: the initial table.
        _freeze: don't train the table.
        device: only the CPU.
        dtype: of the table, a float dtype.

    `weight` is `(num_embeddings, embedding_dim)`, normally distributed at first.

    Raises:
        RangeError: a number outside [0, num_embeddings).

    >>> import numpy as np, tensorgrad as tg
    >>> layer = tg.nn.Embedding(10, 3, padding_idx=0)
    >>> layer(tg.tensor([[1, 2], [0, 9]])).shape, layer
    ((2, 2, 3), Embedding(10, 3, padding_idx=0))
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: TensorLike | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        ops.refuse_sparse("Embedding", sparse)
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self._set_up(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: TensorLike,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """A layer with the given table `(rows, D)`, which isn't trained unless `freeze=False`."""
        options = {"padding_idx": padding_idx, "max_norm": max_norm, "norm_type": norm_type}
        return cls._pretrained(embeddings, freeze, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse, **options)

    def forward(self, input: TensorLike) -> Tensor:
        """The rows of the numbers."""
        options = (self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)
        return ops.embedding(input, self.weight, *options)


class EmbeddingBag(Table):
    """Sums, means or maxima of rows of a table (`F.embedding_bag`): integers `(B, L)` -> `(B, embedding_dim)`.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the size of a row.
        max_norm: rescale rows whose norm is larger, in place, when they are looked up.
        norm_type: p of that norm.
        scale_grad_by_freq: divide the gradient of a row by the number of its occurrences in the batch.
        mode: "sum", "mean" or "max".
        sparse: only False: gradients are dense.
        _weight: the initial table.
        include_last_offset: offsets have one entry more, the number of elements.
        padding_idx: the number of a row that counts in no bag.
        device: only the CPU.
        dtype: of the table, a float dtype.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.EmbeddingBag(10, 3, mode="sum")
    >>> layer(tg.tensor([1, 2, 4]), tg.tensor([0, 2])).shape, layer
    ((2, 3), EmbeddingBag(10, 3, mode='sum'))
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: TensorLike | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        ops.refuse_sparse("EmbeddingBag", sparse)
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.mode, self.include_last_offset = mode, include_last_offset
        self._set_up(num_embeddings, embedding_dim, padding_idx, _weight, False, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: TensorLike,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """A layer with the given table `(rows, D)`, which isn't trained unless `freeze=False`."""
        options = {"padding_idx": padding_idx, "max_norm": max_norm, "norm_type": norm_type, "mode": mode}
        options |= {"scale_grad_by_freq": scale_grad_by_freq, "include_last_offset": include_last_offset}
        return cls._pretrained(embeddings, freeze, sparse=sparse, **options)

    def forward(
        self, input: TensorLike, offsets: TensorLike | None = None, per_sample_weights: TensorLike | None = None
    ) -> Tensor:
        """The sum, mean or maximum of each bag."""
        norm = (self.max_norm, self.norm_type, self.scale_grad_by_freq)
        last = (per_sample_weights, self.include_last_offset, self.padding_idx)
        return ops.embedding_bag(input, self.weight, offsets, *norm, self.mode, False, *last)

    def extra_repr(self) -> str:
        """The settings that aren't the defaults, and the mode, as PyTorch shows them."""
        options: Any = vars(self)
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        parts += [f"max_norm={self.max_norm}"] if self.max_norm is not None else []
        parts += [f"norm_type={self.norm_type}"] if options["norm_type"] != 2 else []
        parts += [f"scale_grad_by_freq={self.scale_grad_by_freq}"] if self.scale_grad_by_freq else []
        parts += [f"mode={self.mode!r}"]
        return ", ".join(parts + ([f"padding_idx={self.padding_idx}"] if self.padding_idx is not None else []))
