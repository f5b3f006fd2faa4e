"""Attention of transformers."""

import math
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.reading.tensors import DTYPES
from tensorgrad.onnx.table import DType, op


def _in_heads(x: Any, heads: int | None) -> Any:
    """(N, L, heads · E) -> (N, heads, L, E)"""
    if x.ndim == 4:
        return x
    if not heads or x.ndim != 3:
        raise OnnxError(f"Attention of {x.shape} needs the number of heads")
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def _bias(mask: Any, scores: Any) -> Any:
    """A mask as what is added to the scores: −∞ where a key isn't seen."""
    if mask.dtype == np.bool_:
        mask = tg.where(mask, tg.zeros((), dtype=scores.dtype), tg.tensor(-np.inf, dtype=scores.dtype))
    lacking = scores.shape[-1] - mask.shape[-1]
    if lacking > 0:
        mask = tg.nn.functional.pad(mask, (0, lacking), value=-np.inf)
    return mask


def _allowed(queries: int, keys: int, offset: Any, causal: bool, left: int, right: int) -> Any:
    """Which keys each query may see by their places; the first query stands at `offset` among the keys."""
    distance = tg.arange(queries).unsqueeze(1) + offset - tg.arange(keys)
    seen = distance >= 0 if causal else distance == distance
    seen = seen & (distance <= left) if left >= 0 else seen
    return seen & (-distance <= right) if right >= 0 else seen


@op("Attention")
def attention(
    q,
    k,
    v,
    attn_mask=None,
    past_key=None,
    past_value=None,
    nonpad_kv_seqlen=None,
    *,
    is_causal: int = 0,
    q_num_heads: int | None = None,
    kv_num_heads: int | None = None,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: DType | None = None,
    qk_matmul_output_mode: int = 0,
    left_window_size: int = -1,
    right_window_size: int = -1,
):
    flat = q.ndim == 3
    q, k, v = _in_heads(q, q_num_heads), _in_heads(k, kv_num_heads), _in_heads(v, kv_num_heads)
    past = 0 if past_key is None else past_key.shape[2]
    if past_key is not None:
        k, v = tg.cat([past_key, k], 2), tg.cat([past_value, v], 2)
    present = k, v
    groups = q.shape[1] // max(k.shape[1], 1)
    if groups > 1:
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    root = math.sqrt(1 / math.sqrt(q.shape[3]) if scale is None else scale)
    scores = tg.matmul(q * root, k.transpose(2, 3) * root)  # (N, heads, L, E) -> (N, heads, L, keys)
    shown = scores
    if softcap > 0:
        scores = tg.tanh(scores / softcap) * softcap
        shown = scores if qk_matmul_output_mode == 1 else shown
    queries, keys = scores.shape[2:]
    bias = tg.zeros(queries, keys, dtype=scores.dtype)
    if attn_mask is not None:
        bias = bias + _bias(attn_mask, scores)
    offset: Any = past
    if nonpad_kv_seqlen is not None:
        lengths = nonpad_kv_seqlen.reshape(-1, 1, 1, 1)
        offset = lengths - queries if past_key is None else past
        bias = bias + _bias(tg.arange(keys) < lengths, scores)
    if is_causal or left_window_size >= 0 or right_window_size >= 0:
        seen = _allowed(queries, keys, offset, bool(is_causal), left_window_size, right_window_size)
        bias = bias + _bias(seen, scores)
    biased = scores + bias
    shown = {0: shown, 1: shown if softcap > 0 else biased, 2: biased}.get(qk_matmul_output_mode, shown)
    wide = biased if softmax_precision is None else biased.to(DTYPES[softmax_precision])
    blind = bias.amax(-1, True) == -np.inf  # a query that sees no key
    chances = tg.where(
        blind,
        tg.zeros((), dtype=wide.dtype),
        tg.softmax(tg.where(blind, 0 * wide.detach().nan_to_num(0, 0, 0), wide), -1),
    )
    chances = chances.to(q.dtype)
    shown = chances if qk_matmul_output_mode == 3 else shown
    z = tg.matmul(chances, v)
    if flat:  # (N, heads, L, E) -> (N, L, heads · E)
        z = z.transpose(1, 2).reshape(z.shape[0], z.shape[2], -1)
    return z, *present, shown


@op("RotaryEmbedding")
def rotary_embedding(
    x,
    cos_cache,
    sin_cache,
    position_ids=None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
):
    y = _in_heads(x, num_heads).transpose(1, 2)  # (N, L, heads, E)
    count = rotary_embedding_dim or y.shape[3]
    rotated, rest = y[..., :count], y[..., count:]
    cos, sin = (c if position_ids is None else c[position_ids] for c in (cos_cache, sin_cache))
    cos, sin = cos.unsqueeze(2), sin.unsqueeze(2)
    a, b = (rotated[..., 0::2], rotated[..., 1::2]) if interleaved else rotated.split(count // 2, 3)
    pair = cos * a - sin * b, sin * a + cos * b
    rotated = tg.stack(list(pair), -1).reshape(*rotated.shape) if interleaved else tg.cat(list(pair), 3)
    z = tg.cat([rotated, rest], 3)
    return z.transpose(1, 2) if x.ndim == 4 else z.reshape(*x.shape)
