"""The encoder of a transformer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.layers.containers import ModuleList
from tensorgrad.nn.layers.dropout import Dropout
from tensorgrad.nn.layers.feature_normalization import LayerNorm
from tensorgrad.nn.layers.linear import Linear
from tensorgrad.nn.layers.sequences.attention import MultiheadAttention
from tensorgrad.nn.module import Module
from tensorgrad.ops.elementwise.activations import gelu, relu
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.tensor import Tensor

Activation = str | Callable[[Tensor], Tensor]


class TransformerEncoderLayer(Module):
    """Attention of a sequence to itself, then two linear layers at each place; both with a way around and a norm.

    Vaswani et al., Attention Is All You Need, NeurIPS 2017.

    Args:
        d_model: E, the size at each place.
        nhead: the number of heads.
        dim_feedforward: the size between the two linear layers.
        dropout: in training, the probability of dropping, in each part.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: of the norms.
        batch_first: inputs and results are `(N, L, E)` instead of `(L, N, E)`.
        norm_first: normalize before attention and linear layers, not after the sums.
        bias: whether linear layers and norms have biases.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(tg.randn(4, 5, 8)).shape
    (4, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        options = {"bias": bias, "batch_first": batch_first, "device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, **options)
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.activation = activation_of("TransformerEncoderLayer", activation)
        if dtype is not None:
            self.to(dtype=dtype)

    def forward(
        self,
        src: TensorLike,
        src_mask: TensorLike | None = None,
        src_key_padding_mask: TensorLike | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The sequence after both parts; masks as in `MultiheadAttention.forward`."""
        x = floating(src)
        masks = (src_mask, src_key_padding_mask, is_causal)
        if self.norm_first:
            x = x + self._attend(self.norm1(x), *masks)
            return x + self._transform(self.norm2(x))
        x = self.norm1(x + self._attend(x, *masks))
        return self.norm2(x + self._transform(x))

    def _attend(self, x: Tensor, mask: TensorLike | None, padding: TensorLike | None, is_causal: bool) -> Tensor:
        options: dict[str, Any] = {"key_padding_mask": padding, "attn_mask": mask, "is_causal": is_causal}
        return self.dropout1(self.self_attn(x, x, x, need_weights=False, **options)[0])

    def _transform(self, x: Tensor) -> Tensor:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """Encoder layers one after the other: copies of one layer, each with parameters of its own.

    Args:
        encoder_layer: the layer, which is copied.
        num_layers: how many.
        norm: a module after the last layer, or None.
        enable_nested_tensor: accepted; padding is always computed and masked.
        mask_check: accepted.

    >>> import tensorgrad as tg
    >>> encoder = tg.nn.TransformerEncoder(tg.nn.TransformerEncoderLayer(8, 2, 16), 3)
    >>> encoder(tg.randn(5, 4, 8)).shape
    (5, 4, 8)
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        self.layers = ModuleList(copy.deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        src: TensorLike,
        mask: TensorLike | None = None,
        src_key_padding_mask: TensorLike | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """The sequence after all layers; masks as in `MultiheadAttention.forward`."""
        x = floating(src)
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, bool(is_causal) and mask is not None)
        norm: Any = self.norm
        return x if norm is None else norm(x)


def activation_of(call: str, activation: Activation) -> Callable[[Tensor], Tensor]:
    """The function of a name, or the function itself."""
    if callable(activation):
        return activation
    if activation not in ("relu", "gelu"):
        problem = f'activation must be "relu", "gelu" or a function, got {activation!r}'
        raise ArgumentError(restate(call, problem, activation=activation))
    return relu if activation == "relu" else gelu
