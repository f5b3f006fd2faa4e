"""Scaled dot-product attention, and attention of several heads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.autograd.engine import constant, host_call
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.ops.dropout import dropout
from tensorgrad.ops.elementwise.choice import where
from tensorgrad.ops.linear import matmul
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating, number, rounded_once
from tensorgrad.ops.shapes import broadcast_to
from tensorgrad.ops.softmax import softmax
from tensorgrad.ops.spelling import numpy_spellings

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__: list[str] = []

NEVER = -math.inf


@numpy_spellings
@rounded_once
def scaled_dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    attn_mask: TensorLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q · kᵀ · scale + mask) · v: each query's mean of the values, weighed by how well the keys fit.

    Vaswani et al., Attention Is All You Need, NeurIPS 2017.

    Args:
        query: q, floats `(..., L, E)`.
        key: k, floats `(..., S, E)`.
        value: v, floats `(..., S, V)`.
        attn_mask: broadcasts to `(..., L, S)`. Bools: where False, a key isn't seen. Floats: added to the products. A
            query that sees no key gives 0.
        dropout_p: the probability of dropping a weight; unlike a layer's, it always acts.
        is_causal: query i sees the keys up to i; not with a mask.
        scale: by default 1/√E.
        enable_gqa: repeat the heads of k and v, the third axis from the end, until they are as many as those of q.

    Returns:
        `(..., L, V)`.

    Raises:
        ShapeError: inputs with fewer than two axes or that don't fit.
        ArgumentError: a mask and `is_causal`, or p outside [0, 1].
        DTypeError: a mask of integers.

    >>> import tensorgrad as tg
    >>> k = tg.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> tg.nn.functional.scaled_dot_product_attention(k * 100, k, tg.tensor([[5.0], [7.0]]))
    tensor([[5.],
            [7.]])
    """
    call, q, k, v = "scaled_dot_product_attention", floating(query), floating(key), floating(value)
    given: dict[str, Any] = {"query": q, "key": k, "value": v}
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        problem = "query, key and value must be (..., L, E), (..., S, E) and (..., S, V)"
        raise ShapeError(restate(call, problem, **given))
    is_causal, enable_gqa = flag(call, "is_causal", is_causal), flag(call, "enable_gqa", enable_gqa)
    if attn_mask is not None and is_causal:
        raise ArgumentError(restate(call, "attn_mask must be None where is_causal is True", **given))
    if enable_gqa:
        k, v = _repeated(call, q, k), _repeated(call, q, v)
    factor = 1 / math.sqrt(max(q.shape[-1], 1)) if scale is None else number(call, "scale", scale)
    products = matmul(q * factor, k.swapaxes(-2, -1))
    if is_causal:
        products = products + constant(_causal(products.shape[-2], products.shape[-1], products.dtype))
        weights = softmax(products, -1)
    elif attn_mask is not None:
        weights = masked_softmax(products, additive(call, attn_mask, products.dtype, keep=True))
    else:
        weights = softmax(products, -1)
    return matmul(dropout(weights, dropout_p) if dropout_p else weights, v)


def additive(call: str, mask: TensorLike, dtype: np.dtype, keep: bool) -> Tensor:
    """A mask as floats to add; of bools, −∞ where it isn't equal to `keep`."""
    given = as_tensor(mask)
    if given.dtype == np.bool_:
        zero, never = constant(np.zeros((), dtype)), constant(np.full((), NEVER, dtype))
        return where(given, zero, never) if keep else where(given, never, zero)
    if given.dtype.kind != "f":
        fix = "convert it: mask.astype(bool), or to floats that are added"
        raise DTypeError(restate(call, f"a mask must hold bools or floats, got {given.dtype}", fix=fix, mask=given))
    return given if given.dtype == dtype else given.astype(dtype)


def masked_softmax(products: Tensor, mask: Tensor) -> Tensor:
    """The softmax of products + mask; 0 for a query that sees no key."""
    blind = as_tensor(host_call(_blind, mask._data))
    mask = where(blind, 0.0, mask)
    return where(blind, 0.0, softmax(products + mask, -1))


def _blind(mask: np.ndarray) -> np.ndarray:
    return np.asarray((np.atleast_1d(mask) == NEVER).all(-1, keepdims=True))


def _causal(rows: int, columns: int, dtype: np.dtype) -> np.ndarray:
    return np.where(np.tri(rows, columns, dtype=np.bool_), dtype.type(0), dtype.type(NEVER))


def _repeated(call: str, q: Tensor, x: Tensor) -> Tensor:
    """The heads of x, each repeated until they are as many as those of q."""
    if min(q.ndim, x.ndim) < 3 or not x.shape[-3] or q.shape[-3] % x.shape[-3]:
        problem = "the heads of query must be a multiple of those of key and value"
        raise ShapeError(restate(call, problem, query=q, other=x))
    times = q.shape[-3] // x.shape[-3]
    # (..., H, S, E) -> (..., H, times, S, E) -> (..., H · times, S, E)
    wide = broadcast_to(x.unsqueeze(-3), (*x.shape[:-2], times, *x.shape[-2:]))
    return wide.reshape(*x.shape[:-3], q.shape[-3], *x.shape[-2:])
