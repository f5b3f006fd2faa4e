"""Attention of several heads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.creation.filled import zeros
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.nn import init
from tensorgrad.nn.layers.linear import Linear
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import new_parameter
from tensorgrad.ops.dropout import dropout
from tensorgrad.ops.joining import concatenate
from tensorgrad.ops.layers.attention import additive, scaled_dot_product_attention
from tensorgrad.ops.linear import linear, matmul
from tensorgrad.ops.operands import TensorLike, as_tensor, floating
from tensorgrad.ops.reductions import mean
from tensorgrad.ops.shapes import broadcast_to
from tensorgrad.ops.softmax import softmax
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple


class NonDynamicallyQuantizableLinear(Linear):
    """Linear, under the name that PyTorch shows for the last layer of its attention."""


class MultiheadAttention(Module):
    """Attention of several heads: each head attends with projections of its own; their results are projected together.

    Vaswani et al., Attention Is All You Need, NeurIPS 2017.

    Args:
        embed_dim: E, the size of queries and results.
        num_heads: the number of heads, a divisor of E.
        dropout: in training, the probability of dropping a weight.
        bias: whether the projections have biases.
        add_bias_kv: learned biases as one more key and value.
        add_zero_attn: zeros as one more key and value.
        kdim: the size of keys, by default E.
        vdim: the size of values, by default E.
        batch_first: inputs and results are `(N, L, E)` instead of `(L, N, E)`.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    Raises:
        ArgumentError: a number of heads that doesn't divide E.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = tg.randn(4, 5, 8)
    >>> z, weights = layer(x, x, x)
    >>> z.shape, weights.shape
    ((4, 5, 8), (4, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        call = "MultiheadAttention"
        (self.embed_dim,) = as_tuple(embed_dim, 1, op=call, name="embed_dim", minimum=1)
        (self.num_heads,) = as_tuple(num_heads, 1, op=call, name="num_heads", minimum=1)
        if self.embed_dim % self.num_heads:
            problem = f"num_heads must divide embed_dim, got {num_heads} and {embed_dim}"
            raise ArgumentError(restate(call, problem, embed_dim=embed_dim, num_heads=num_heads))
        self.head_dim = self.embed_dim // self.num_heads
        self.kdim, self.vdim = kdim or self.embed_dim, vdim or self.embed_dim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        e, where = self.embed_dim, (device, dtype)
        joint = self.kdim == e and self.vdim == e
        self.in_proj_weight = new_parameter(call, (3 * e, e), *where) if joint else None
        if not joint:
            self.q_proj_weight = new_parameter(call, (e, e), *where)
            self.k_proj_weight = new_parameter(call, (e, self.kdim), *where)
            self.v_proj_weight = new_parameter(call, (e, self.vdim), *where)
        self.in_proj_bias = new_parameter(call, (3 * e,), *where) if bias else None
        self.out_proj = NonDynamicallyQuantizableLinear(e, e, bias)
        if dtype is not None:
            self.out_proj.to(dtype=dtype)
        self.bias_k = new_parameter(call, (1, 1, e), *where) if add_bias_kv else None
        self.bias_v = new_parameter(call, (1, 1, e), *where) if add_bias_kv else None
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        if self.in_proj_weight is not None:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            for weight in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: TensorLike,
        key: TensorLike,
        value: TensorLike,
        key_padding_mask: TensorLike | None = None,
        need_weights: bool = True,
        attn_mask: TensorLike | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The results, and the weights.

        Args:
            query: `(L, N, E)`, or `(L, E)` without a batch.
            key: `(S, N, kdim)`.
            value: `(S, N, vdim)`.
            key_padding_mask: `(N, S)`. Bools: where True, a key is padding and isn't seen. Floats: added to products.
            need_weights: return the weights too.
            attn_mask: `(L, S)` or `(N · num_heads, L, S)`. Bools: where True, a key isn't seen. Floats: added.
            average_attn_weights: the mean of the weights over the heads; otherwise one per head.
            is_causal: says that `attn_mask` is causal; the mask must be given all the same.

        Returns:
            `(L, N, E)`, and weights `(N, L, S)`, `(N, num_heads, L, S)` without averaging; None if not needed.
        """
        if is_causal and attn_mask is None:
            raise ArgumentError(restate("MultiheadAttention", "is_causal needs attn_mask", is_causal=is_causal))
        inputs, single = self._batches(query, key, value)
        rows, batch = inputs[0].shape[:2]
        q, k, v = self._projected(*inputs)
        mask = self._mask(key_padding_mask, attn_mask, (rows, batch, k.shape[0]), q.dtype)
        if self.bias_k is not None and self.bias_v is not None:
            shape = (1, batch, self.embed_dim)
            k = concatenate([k, broadcast_to(self.bias_k, shape)], 0)
            v = concatenate([v, broadcast_to(self.bias_v, shape)], 0)
        # (L, N, E) -> (N, heads, L, E/heads)
        q, k, v = (x.reshape(x.shape[0], batch, self.num_heads, -1).permute(1, 2, 0, 3) for x in (q, k, v))
        if self.add_zero_attn:
            extra = zeros(batch, self.num_heads, 1, self.head_dim, dtype=q.dtype)
            k, v = concatenate([k, extra], 2), concatenate([v, extra], 2)
        if mask is not None and mask.shape[-1] < k.shape[2]:
            free = zeros(*mask.shape[:-1], k.shape[2] - mask.shape[-1], dtype=mask.dtype)
            mask = concatenate([mask, free], -1)
        z, weights = self._attended(q, k, v, mask, need_weights)
        # (N, heads, L, E/heads) -> (L, N, E)
        z = linear(z.permute(2, 0, 1, 3).reshape(rows, batch, self.embed_dim), self.out_proj.weight, self.out_proj.bias)
        if weights is not None and average_attn_weights:
            weights = mean(weights, 1)
        if single:
            return z.squeeze(1), None if weights is None else weights[0]
        return z.swapaxes(0, 1) if self.batch_first else z, weights

    def _batches(self, *inputs: TensorLike) -> tuple[list[Tensor], bool]:
        """The inputs as `(L, N, E)`, and whether they came without a batch."""
        xs = [floating(x) for x in inputs]
        sizes = (self.embed_dim, self.kdim, self.vdim)
        single = xs[0].ndim == 2
        names: dict[str, Any] = dict(zip(("query", "key", "value"), xs, strict=True))
        fits = all(x.ndim == xs[0].ndim and x.shape[-1] == size for x, size in zip(xs, sizes, strict=True))
        if xs[0].ndim not in (2, 3) or not fits:
            axes = "(N, L, size)" if self.batch_first else "(L, N, size)"
            problem = f"query, key and value must all be {axes} or (L, size), with the sizes {sizes}"
            raise ShapeError(restate("MultiheadAttention", problem, **names))
        xs = [x.unsqueeze(1) if single else x.swapaxes(0, 1) if self.batch_first else x for x in xs]
        if len({x.shape[1] for x in xs}) > 1 or xs[1].shape[0] != xs[2].shape[0]:
            problem = "query, key and value must have one N, and key and value one S"
            raise ShapeError(restate("MultiheadAttention", problem, **names))
        return xs, single

    def _projected(self, *inputs: Tensor) -> list[Tensor]:
        e, bias = self.embed_dim, self.in_proj_bias
        if self.in_proj_weight is not None:
            weights = [self.in_proj_weight[k * e : (k + 1) * e] for k in range(3)]
        else:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        biases = [None] * 3 if bias is None else [bias[k * e : (k + 1) * e] for k in range(3)]
        return [linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]

    def _mask(
        self, padding: TensorLike | None, attention: TensorLike | None, sizes: tuple[int, int, int], dtype: np.dtype
    ) -> Tensor | None:
        """Both masks as floats to add, which broadcast to `(N, heads, L, S)`."""
        call, (rows, batch, columns) = "MultiheadAttention", sizes
        found = []
        if attention is not None:
            mask = additive(call, attention, dtype, keep=False)
            shapes = [(rows, columns), (batch * self.num_heads, rows, columns)]
            if mask.shape not in shapes:
                problem = f"attn_mask must be {shapes[0]} or {shapes[1]}, got {mask.shape}"
                raise ShapeError(restate(call, problem, attn_mask=as_tensor(attention)))
            found.append(mask if mask.ndim == 2 else mask.reshape(batch, self.num_heads, rows, columns))
        if padding is not None:
            mask = additive(call, padding, dtype, keep=False)
            if mask.shape not in [(batch, columns), (columns,)][: 1 + (batch == 1)]:
                problem = f"key_padding_mask must be {(batch, columns)}, got {mask.shape}"
                raise ShapeError(restate(call, problem, key_padding_mask=as_tensor(padding)))
            found.append(mask.reshape(batch, 1, 1, columns))
        return found[0] + found[1] if len(found) == 2 else found[0] if found else None

    def _attended(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        p = self.dropout if self.training else 0.0
        if not need_weights:
            return scaled_dot_product_attention(q, k, v, mask, p), None
        products = matmul(q * (1 / math.sqrt(self.head_dim)), k.swapaxes(-2, -1))
        weights = softmax(products if mask is None else products + mask, -1)
        weights = dropout(weights, p) if p else weights
        return matmul(weights, v), weights
