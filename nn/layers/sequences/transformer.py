"""The encoder and the decoder of a transformer, and both together."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, ClassVar

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.creation.filled import full
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.nn import init
from tensorgrad.nn.layers.containers import ModuleList
from tensorgrad.nn.layers.dropout import Dropout
from tensorgrad.nn.layers.feature_normalization import LayerNorm
from tensorgrad.nn.layers.linear import Linear
from tensorgrad.nn.layers.sequences.attention import MultiheadAttention
from tensorgrad.nn.module import Module
from tensorgrad.ops.elementwise.activations import gelu, relu
from tensorgrad.ops.layout.diagonals import triu
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.tensor import Tensor

Activation = str | Callable[[Tensor], Tensor]


class TransformerLayer(Module):
    """What the layers of encoder and decoder share: attentions, two linear layers, and a norm for each part."""

    attentions: ClassVar[tuple[str, ...]]
    """The names of the attentions, in their order."""

    self_attn: MultiheadAttention
    norm1: LayerNorm
    norm2: LayerNorm
    dropout1: Dropout
    dropout2: Dropout

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
        for name in self.attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, **options))
        self.linear1 = Linear(d_model, dim_feedforward, bias)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias)
        self.norm_first = norm_first
        parts = range(1, len(self.attentions) + 2)
        for k in parts:
            setattr(self, f"norm{k}", LayerNorm(d_model, layer_norm_eps, bias=bias))
        for k in parts:
            setattr(self, f"dropout{k}", Dropout(dropout))
        self.activation = activation_of(type(self).__name__, activation)
        if dtype is not None:
            self.to(dtype=dtype)

    def _transform(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(TransformerLayer):
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

    attentions = ("self_attn",)

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
            x = x + self.dropout1(attended(self.self_attn, y := self.norm1(x), y, *masks))
            return x + self.dropout2(self._transform(self.norm2(x)))
        x = self.norm1(x + self.dropout1(attended(self.self_attn, x, x, *masks)))
        return self.norm2(x + self.dropout2(self._transform(x)))


class TransformerDecoderLayer(TransformerLayer):
    """Attention of a sequence to itself, then to another sequence (`memory`), then two linear layers at each place.

    Each part has a residual connection and a norm. Vaswani et al., Attention Is All You Need, NeurIPS 2017.

    Args:
        d_model: E, the size at each place.
        nhead: the number of heads.
        dim_feedforward: the size between the two linear layers.
        dropout: in training, the probability of dropping, in each part.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: of the norms.
        batch_first: inputs and results are `(N, L, E)` instead of `(L, N, E)`.
        norm_first: normalize before each part, not after its sum.
        bias: whether linear layers and norms have biases.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    >>> import tensorgrad as tg
    >>> layer = tg.nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> layer(tg.randn(4, 5, 8), tg.randn(4, 7, 8)).shape
    (4, 5, 8)
    """

    attentions = ("self_attn", "multihead_attn")

    multihead_attn: MultiheadAttention
    norm3: LayerNorm
    dropout3: Dropout

    def forward(
        self,
        tgt: TensorLike,
        memory: TensorLike,
        tgt_mask: TensorLike | None = None,
        memory_mask: TensorLike | None = None,
        tgt_key_padding_mask: TensorLike | None = None,
        memory_key_padding_mask: TensorLike | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The sequence `tgt` `(L, N, E)` after the three parts; `memory` is `(S, N, E)`.

        Masks as in `MultiheadAttention.forward`: those of `tgt` in the attention to itself, those of `memory` in the
        attention to it.
        """
        x, other = floating(tgt), floating(memory)
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        across = (memory_mask, memory_key_padding_mask, memory_is_causal)
        if self.norm_first:
            x = x + self.dropout1(attended(self.self_attn, y := self.norm1(x), y, *own))
            x = x + self.dropout2(attended(self.multihead_attn, self.norm2(x), other, *across))
            return x + self.dropout3(self._transform(self.norm3(x)))
        x = self.norm1(x + self.dropout1(attended(self.self_attn, x, x, *own)))
        x = self.norm2(x + self.dropout2(attended(self.multihead_attn, x, other, *across)))
        return self.norm3(x + self.dropout3(self._transform(x)))


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


class TransformerDecoder(Module):
    """Decoder layers one after the other: copies of one layer, each with parameters of its own.

    Args:
        decoder_layer: the layer, which is copied.
        num_layers: how many.
        norm: a module after the last layer, or None.

    >>> import tensorgrad as tg
    >>> decoder = tg.nn.TransformerDecoder(tg.nn.TransformerDecoderLayer(8, 2, 16), 3)
    >>> decoder(tg.randn(5, 4, 8), tg.randn(7, 4, 8)).shape
    (5, 4, 8)
    """

    def __init__(self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None) -> None:
        self.layers = ModuleList(copy.deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: TensorLike,
        memory: TensorLike,
        tgt_mask: TensorLike | None = None,
        memory_mask: TensorLike | None = None,
        tgt_key_padding_mask: TensorLike | None = None,
        memory_key_padding_mask: TensorLike | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The sequence `tgt` after all layers, each of which attends to `memory`; see `TransformerDecoderLayer`."""
        x = floating(tgt)
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        causal = (bool(tgt_is_causal) and tgt_mask is not None, memory_is_causal)
        for layer in self.layers:
            x = layer(x, memory, *masks, *causal)
        norm: Any = self.norm
        return x if norm is None else norm(x)


class Transformer(Module):
    """An encoder, and a decoder that attends to the encoder's result; each ends with a norm.

    Vaswani et al., Attention Is All You Need, NeurIPS 2017. The weights of all matrices are drawn by `xavier_uniform_`.

    Args:
        d_model: E, the size at each place.
        nhead: the number of heads.
        num_encoder_layers: how many layers the encoder has.
        num_decoder_layers: how many layers the decoder has.
        dim_feedforward: the size between the two linear layers.
        dropout: in training, the probability of dropping, in each part.
        activation: "relu", "gelu" or a function.
        custom_encoder: a module in the encoder's place.
        custom_decoder: a module in the decoder's place.
        layer_norm_eps: of the norms.
        batch_first: inputs and results are `(N, L, E)` instead of `(L, N, E)`.
        norm_first: normalize before each part, not after its sum.
        bias: whether linear layers and norms have biases.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    >>> import tensorgrad as tg
    >>> model = tg.nn.Transformer(8, 2, 1, 1, 16)
    >>> model(tg.randn(7, 4, 8), tg.randn(5, 4, 8)).shape
    (5, 4, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        custom_encoder: Any | None = None,
        custom_decoder: Any | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps)
        options = (*sizes, batch_first, norm_first, bias, device, dtype)
        self.encoder: Any = custom_encoder
        if custom_encoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            self.encoder = TransformerEncoder(TransformerEncoderLayer(*options), num_encoder_layers, norm)
        self.decoder: Any = custom_decoder
        if custom_decoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            self.decoder = TransformerDecoder(TransformerDecoderLayer(*options), num_decoder_layers, norm)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)

    def forward(
        self,
        src: TensorLike,
        tgt: TensorLike,
        src_mask: TensorLike | None = None,
        tgt_mask: TensorLike | None = None,
        memory_mask: TensorLike | None = None,
        src_key_padding_mask: TensorLike | None = None,
        tgt_key_padding_mask: TensorLike | None = None,
        memory_key_padding_mask: TensorLike | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The decoder's result for `tgt` `(L, N, E)`, given the encoder's for `src` `(S, N, E)`.

        Masks as in `MultiheadAttention.forward`: `src_…` in the encoder, `tgt_…` in the decoder's attention to itself,
        `memory_…` in its attention to the encoder's result.

        Raises:
            ShapeError: sequences whose size isn't E, or two batch sizes.
        """
        x, y = floating(src), floating(tgt)
        batch = 0 if self.batch_first else 1
        if x.ndim != y.ndim or x.shape[-1] != self.d_model or y.shape[-1] != self.d_model:
            problem = f"src and tgt must have d_model = {self.d_model} numbers at each place"
            raise ShapeError(restate("Transformer", problem, src=x, tgt=y))
        if x.ndim == 3 and x.shape[batch] != y.shape[batch]:
            problem = f"src and tgt must have the same batch size, their axis {batch}"
            raise ShapeError(restate("Transformer", problem, src=x, tgt=y, batch_first=self.batch_first))
        memory = self.encoder(x, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            y,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: DTypeLike = None) -> Tensor:
        """The causal mask `(sz, sz)`: −∞ where a key comes after its query, 0 elsewhere.

        >>> import tensorgrad as tg
        >>> tg.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[  0., -inf],
                [  0.,   0.]])
        """
        return triu(full((sz, sz), -math.inf, device=device, dtype=dtype), 1)


def attended(
    attention: MultiheadAttention,
    x: Tensor,
    memory: Tensor,
    mask: TensorLike | None,
    padding: TensorLike | None,
    is_causal: bool,
) -> Tensor:
    """What x attends to in `memory`, without the weights."""
    options: dict[str, Any] = {"key_padding_mask": padding, "attn_mask": mask, "is_causal": is_causal}
    return attention(x, memory, memory, need_weights=False, **options)[0]


def activation_of(call: str, activation: Activation) -> Callable[[Tensor], Tensor]:
    """The function of a name, or the function itself."""
    if callable(activation):
        return activation
    if activation not in ("relu", "gelu"):
        problem = f'activation must be "relu", "gelu" or a function, got {activation!r}'
        raise ArgumentError(restate(call, problem, activation=activation))
    return relu if activation == "relu" else gelu
