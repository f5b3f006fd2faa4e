"""Recurrent networks: RNN, LSTM and GRU, with several layers and both directions."""

from __future__ import annotations

import warnings
from typing import Any

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.creation.filled import zeros
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.nn.layers.linear import reset_uniform
from tensorgrad.nn.layers.sequences.recurrent_cells import GATES, STEPS, State, rnn_mode
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter, new_parameter
from tensorgrad.nn.utils.rnn import PackedSequence, step_sizes
from tensorgrad.ops.dropout import dropout
from tensorgrad.ops.joining import concatenate, stack
from tensorgrad.ops.linear import linear
from tensorgrad.ops.operands import TensorLike, floating, values
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple


class Recurrent(Module):
    """The common base of RNN, LSTM and GRU.

    Inside, a batch is packed: the rows of all steps one after the other, and the number of rows of each step.
    """

    states = 1

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        call = type(self).__name__
        self.mode, self.bias, self.batch_first, self.bidirectional = mode, bias, batch_first, bidirectional
        (self.input_size,) = as_tuple(input_size, 1, op=call, name="input_size", minimum=0)
        (self.hidden_size,) = as_tuple(hidden_size, 1, op=call, name="hidden_size", minimum=1)
        (self.num_layers,) = as_tuple(num_layers, 1, op=call, name="num_layers", minimum=1)
        (self.proj_size,) = as_tuple(proj_size, 1, op=call, name="proj_size", minimum=0)
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ArgumentError(restate(call, f"dropout must be in [0, 1], got {dropout}", dropout=dropout))
        if self.proj_size >= self.hidden_size or (self.proj_size and mode != "LSTM"):
            problem = f"proj_size must be below hidden_size = {hidden_size}, and 0 but for LSTM, got {proj_size}"
            raise ArgumentError(restate(call, problem, proj_size=proj_size))
        self.dropout = dropout
        if dropout and self.num_layers == 1:
            warnings.warn(restate(call, "dropout acts between layers, but num_layers is 1"), UserWarning, stacklevel=3)
        for layer in range(self.num_layers):
            for suffix in self._suffixes(layer):
                self._add_parameters(layer, suffix, device, dtype)
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def _add_parameters(self, layer: int, suffix: str, device: Any, dtype: DTypeLike) -> None:
        out, rows = self.proj_size or self.hidden_size, GATES[self.mode] * self.hidden_size
        wide = out * (2 if self.bidirectional else 1) if layer else self.input_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, wide), "weight_hh": (rows, out)}
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {}
        shapes |= {"weight_hr": (out, self.hidden_size)} if self.proj_size else {}
        for name, shape in shapes.items():
            self.register_parameter(name + suffix, new_parameter(type(self).__name__, shape, device, dtype))

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform on ±1/√hidden_size."""
        reset_uniform(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Nothing to do; PyTorch's scripts call it."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        suffixes = [suffix for layer in range(self.num_layers) for suffix in self._suffixes(layer)]
        return [[p for name, p in self._own_parameters() if name.partition("_l")[2] == s[2:]] for s in suffixes]

    # ------------------------------------------------------------------------------------------------------- one call

    def _run(self, input: Any, given: tuple | None) -> tuple[Any, State]:
        """The output of all steps and the last states, both as PyTorch gives them."""
        packed = isinstance(input, PackedSequence)
        x = floating(input.data if packed else input)
        single = not packed and x.ndim == 2
        if (x.ndim != (2 if packed else 3) and not single) or x.shape[-1] != self.input_size:
            axes = "(N, L, H)" if self.batch_first else "(L, N, H)"
            problem = f"input must be {axes} or (L, H) with H = {self.input_size}, got {x.shape}"
            raise ShapeError(restate(type(self).__name__, problem, input=x))
        if packed:
            sizes = step_sizes(input)
        else:
            # (N, L, H) or (L, H) -> (L, N, H)
            x = x.unsqueeze(1) if single else x.swapaxes(0, 1) if self.batch_first else x
            sizes = [x.shape[1]] * x.shape[0]
        if not sizes:
            raise ShapeError(restate(type(self).__name__, "input must have at least one step", input=x))
        state = self._initial(x, sizes[0], given, single, input.sorted_indices if packed else None)
        z, last = self._layers(x if packed else x.reshape(-1, self.input_size), sizes, state)
        if packed:
            order = None if input.unsorted_indices is None else values(input.unsorted_indices)
            return input._replace(data=z), last if order is None else tuple(h[:, order] for h in last)
        z = z.reshape(len(sizes), sizes[0], z.shape[-1])
        if single:
            return z.squeeze(1), tuple(h.squeeze(1) for h in last)
        return z.swapaxes(0, 1) if self.batch_first else z, last

    def _initial(self, x: Tensor, count: int, given: tuple | None, single: bool, order: Any) -> State:
        """The initial states, each `(layers · directions, N, H)`."""
        rows = self.num_layers * (2 if self.bidirectional else 1)
        shapes = [(rows, count, self.proj_size or self.hidden_size), (rows, count, self.hidden_size)][: self.states]
        if given is None:
            return tuple(zeros(*shape, dtype=x.dtype) for shape in shapes)
        state = [floating(h).unsqueeze(1) if single else floating(h) for h in given]
        for h, shape in zip(state, shapes, strict=True):
            if h.shape != shape:
                problem = f"the state must be {shape[::2] if single else shape}, got {h.shape}"
                raise ShapeError(restate(type(self).__name__, problem, input=x, state=h))
        return tuple(state if order is None else [h[:, values(order)] for h in state])

    def _layers(self, x: Tensor, sizes: list[int], state: State) -> tuple[Tensor, State]:
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = dropout(x, self.dropout, self.training)
            results = []
            for suffix in self._suffixes(layer):
                here = tuple(h[len(last)] for h in state)
                z, end = self._direction(x, sizes, here, suffix)
                results.append(z)
                last.append(end)
            x = results[0] if len(results) == 1 else concatenate(results, 1)
        return x, tuple(stack([end[k] for end in last], 0) for k in range(self.states))

    def _direction(self, x: Tensor, sizes: list[int], state: State, suffix: str) -> tuple[Tensor, State]:
        """One layer in one direction: all outputs, in the order of x, and the last states."""
        part: Any = {name: getattr(self, name + suffix, None) for name in NAMES}
        of_input = linear(x, part["weight_ih"], part["bias_ih"])
        starts = [sum(sizes[:t]) for t in range(len(sizes))]
        steps = range(len(sizes))
        backwards = suffix.endswith("reverse")
        outputs: list[Tensor] = []
        ended: list[State] = []  # states of sequences that are over
        now = tuple(h[: sizes[-1]] for h in state) if backwards else state
        for t in reversed(steps) if backwards else steps:
            size, before = sizes[t], now[0].shape[0]
            if size < before:
                ended.append(tuple(h[size:] for h in now))
                now = tuple(h[:size] for h in now)
            elif size > before:  # backwards: longer sequences have begun already, this one begins
                now = tuple(concatenate([h, first[before:size]], 0) for h, first in zip(now, state, strict=True))
            of_state = linear(now[0], part["weight_hh"], part["bias_hh"])
            now = STEPS[self.mode](of_input[starts[t] : starts[t] + size], of_state, now)
            if part["weight_hr"] is not None:
                now = (linear(now[0], part["weight_hr"]), *now[1:])
            outputs.append(now[0])
        end = tuple(
            concatenate([now[k], *[h[k] for h in reversed(ended)]], 0) if ended else now[k] for k in range(len(now))
        )
        return concatenate(outputs[::-1] if backwards else outputs, 0), end

    def extra_repr(self) -> str:
        """The settings that aren't the defaults."""
        parts = [f"{self.input_size}, {self.hidden_size}"]
        usual = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0}
        for name, value in (usual | {"bidirectional": False}).items():
            if getattr(self, name) != value:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


class RNN(Recurrent):
    """A recurrent network of Elman's kind: h′ = tanh(x · w_ihᵀ + b_ih + h · w_hhᵀ + b_hh) at each step.

    Elman, Finding Structure in Time, Cognitive Science 14, 1990.

    Args:
        input_size: the size of x at each step.
        hidden_size: the size of h.
        num_layers: the number of layers; each takes the outputs of the one before.
        nonlinearity: "tanh" or "relu".
        bias: whether there are b_ih and b_hh.
        batch_first: x and the output are `(N, L, H)` instead of `(L, N, H)`.
        dropout: in training, the probability of dropping an output between layers.
        bidirectional: a second network reads the steps backwards; its outputs stand beside those of the first.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    The call takes x, `(L, N, input_size)`, `(L, input_size)` or a PackedSequence, and the initial states
    `(num_layers · directions, N, hidden_size)`, zeros by default. It returns the outputs of all steps,
    `(L, N, directions · hidden_size)`, and the last states.

    >>> import tensorgrad as tg
    >>> z, h = tg.nn.RNN(3, 4, num_layers=2)(tg.zeros(5, 2, 3))
    >>> z.shape, h.shape
    ((5, 2, 4), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        self.nonlinearity = nonlinearity
        options = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__(rnn_mode("RNN", nonlinearity), input_size, hidden_size, *options)

    def forward(self, input: Any, hx: TensorLike | None = None) -> tuple[Any, Tensor]:
        """The outputs of all steps, and the last states."""
        z, (h,) = self._run(input, None if hx is None else (hx,))
        return z, h


class LSTM(Recurrent):
    """A recurrent network with long short-term memory; each step is that of `LSTMCell`.

    Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997.

    Args:
        input_size: the size of x at each step.
        hidden_size: the size of the cell.
        num_layers: the number of layers; each takes the outputs of the one before.
        bias: whether there are b_ih and b_hh.
        batch_first: x and the output are `(N, L, H)` instead of `(L, N, H)`.
        dropout: in training, the probability of dropping an output between layers.
        bidirectional: a second network reads the steps backwards; its outputs stand beside those of the first.
        proj_size: if positive, h is projected to this size.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    The call takes and returns what that of `RNN` does, with pairs (h, c) of states.

    >>> import tensorgrad as tg
    >>> z, (h, c) = tg.nn.LSTM(3, 4, bidirectional=True)(tg.zeros(5, 2, 3))
    >>> z.shape, h.shape, c.shape
    ((5, 2, 8), (2, 2, 4), (2, 2, 4))
    """

    states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        options = (num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)
        super().__init__("LSTM", input_size, hidden_size, *options)

    def forward(self, input: Any, hx: tuple[TensorLike, TensorLike] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        """The outputs of all steps, and the last states and cells."""
        z, (h, c) = self._run(input, hx)
        return z, (h, c)


class GRU(Recurrent):
    """A recurrent network with gated recurrent units; each step is that of `GRUCell`.

    Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014.

    Args:
        input_size: the size of x at each step.
        hidden_size: the size of h.
        num_layers: the number of layers; each takes the outputs of the one before.
        bias: whether there are b_ih and b_hh.
        batch_first: x and the output are `(N, L, H)` instead of `(L, N, H)`.
        dropout: in training, the probability of dropping an output between layers.
        bidirectional: a second network reads the steps backwards; its outputs stand beside those of the first.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    The call takes and returns what that of `RNN` does.

    >>> import tensorgrad as tg
    >>> z, h = tg.nn.GRU(3, 4, batch_first=True)(tg.zeros(2, 5, 3))
    >>> z.shape, h.shape
    ((2, 5, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        options = (num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        super().__init__("GRU", input_size, hidden_size, *options)

    def forward(self, input: Any, hx: TensorLike | None = None) -> tuple[Any, Tensor]:
        """The outputs of all steps, and the last states."""
        z, (h,) = self._run(input, None if hx is None else (hx,))
        return z, h
