"""One step of recurrent networks, as functions and as the layers RNNCell, LSTMCell and GRUCell."""

from __future__ import annotations

from typing import Any

from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.creation.filled import zeros
from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.nn.layers.linear import reset_uniform
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import new_parameter
from tensorgrad.ops.elementwise.activations import relu, sigmoid
from tensorgrad.ops.elementwise.transcendental import tanh
from tensorgrad.ops.linear import linear
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.tensor import Tensor
from tensorgrad.windows import as_tuple

State = tuple[Tensor, ...]


def tanh_step(of_input: Tensor, of_state: Tensor, state: State) -> State:
    """h′ = tanh(wx + uh)."""
    return (tanh(of_input + of_state),)


def relu_step(of_input: Tensor, of_state: Tensor, state: State) -> State:
    """h′ = max(wx + uh, 0)."""
    return (relu(of_input + of_state),)


def lstm_step(of_input: Tensor, of_state: Tensor, state: State) -> State:
    """c′ = σ(f) · c + σ(i) · tanh g and h′ = σ(o) · tanh c′, with the gates i, f, g, o side by side."""
    size, gates = of_input.shape[-1] // 4, of_input + of_state
    i, f, g, o = (gates[..., k * size : (k + 1) * size] for k in range(4))
    cell = sigmoid(f) * state[1] + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(cell), cell


def gru_step(of_input: Tensor, of_state: Tensor, state: State) -> State:
    """h′ = (1 − z) · n + z · h with n = tanh(n_x + r · n_h), with the gates r, z, n side by side."""
    size = of_input.shape[-1] // 3
    both = sigmoid(of_input[..., : 2 * size] + of_state[..., : 2 * size])
    r, z = both[..., :size], both[..., size:]
    n = tanh(of_input[..., 2 * size :] + r * of_state[..., 2 * size :])
    return ((state[0] - n) * z + n,)


STEPS = {"RNN_TANH": tanh_step, "RNN_RELU": relu_step, "LSTM": lstm_step, "GRU": gru_step}
GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


def rnn_mode(call: str, nonlinearity: str) -> str:
    """The kind of a plain recurrent network."""
    if nonlinearity not in ("tanh", "relu"):
        problem = f'nonlinearity must be "tanh" or "relu", got {nonlinearity!r}'
        raise ArgumentError(restate(call, problem, nonlinearity=nonlinearity))
    return f"RNN_{nonlinearity.upper()}"


class Cell(Module):
    """The common base of RNNCell, LSTMCell and GRUCell."""

    mode: str

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: DTypeLike = None
    ) -> None:
        call = type(self).__name__
        (self.input_size,) = as_tuple(input_size, 1, op=call, name="input_size", minimum=0)
        (self.hidden_size,) = as_tuple(hidden_size, 1, op=call, name="hidden_size", minimum=1)
        rows, self.bias = GATES[self.mode] * self.hidden_size, bias
        self.weight_ih = new_parameter(call, (rows, self.input_size), device, dtype)
        self.weight_hh = new_parameter(call, (rows, self.hidden_size), device, dtype)
        self.bias_ih = new_parameter(call, (rows,), device, dtype) if bias else None
        self.bias_hh = new_parameter(call, (rows,), device, dtype) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform on ±1/√hidden_size."""
        reset_uniform(self, self.hidden_size)

    def _step(self, input: TensorLike, given: Any, count: int) -> State:
        x, call = floating(input), type(self).__name__
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            problem = f"input must be (N, {self.input_size}) or ({self.input_size},), got {x.shape}"
            raise ShapeError(restate(call, problem, input=x))
        shape = (*x.shape[:-1], self.hidden_size)
        state = tuple([zeros(*shape, dtype=x.dtype)] * count if given is None else map(floating, given))
        for h in state:
            if h.shape != shape:
                problem = f"the state must be {shape}, got {h.shape}"
                raise ShapeError(restate(call, problem, input=x, state=h))
        of_input = linear(x, self.weight_ih, self.bias_ih)
        return STEPS[self.mode](of_input, linear(state[0], self.weight_hh, self.bias_hh), state)

    def extra_repr(self) -> str:
        """The settings that aren't the defaults."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else f", bias={self.bias}")


class RNNCell(Cell):
    """One step of an Elman network: h′ = tanh(x · w_ihᵀ + b_ih + h · w_hhᵀ + b_hh).

    Elman, Finding Structure in Time, Cognitive Science 14, 1990.

    Args:
        input_size: the size of x.
        hidden_size: the size of h.
        bias: whether there are b_ih and b_hh.
        nonlinearity: "tanh" or "relu".
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    x is `(N, input_size)` or `(input_size,)`; h, zeros by default, and h′ are `(N, hidden_size)` or `(hidden_size,)`.

    >>> import tensorgrad as tg
    >>> tg.nn.RNNCell(3, 4)(tg.zeros(2, 3)).shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: DTypeLike = None,
    ) -> None:
        self.mode, self.nonlinearity = rnn_mode("RNNCell", nonlinearity), nonlinearity
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: TensorLike, hx: TensorLike | None = None) -> Tensor:
        """The next state."""
        return self._step(input, None if hx is None else (hx,), 1)[0]

    def extra_repr(self) -> str:
        """The settings that aren't the defaults."""
        shown = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + shown


class LSTMCell(Cell):
    """One step of a network with long short-term memory: (h, c) -> (h′, c′).

    c′ = σ(f) · c + σ(i) · tanh g and h′ = σ(o) · tanh c′, where i, f, g and o are the parts of
    x · w_ihᵀ + b_ih + h · w_hhᵀ + b_hh. Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation 9, 1997.

    Args:
        input_size: the size of x.
        hidden_size: the size of h and c.
        bias: whether there are b_ih and b_hh.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    >>> import tensorgrad as tg
    >>> h, c = tg.nn.LSTMCell(3, 4)(tg.zeros(2, 3))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    mode = "LSTM"

    def forward(self, input: TensorLike, hx: tuple[TensorLike, TensorLike] | None = None) -> tuple[Tensor, Tensor]:
        """The next state and cell."""
        h, c = self._step(input, hx, 2)
        return h, c


class GRUCell(Cell):
    """One step of a network with gated recurrent units: h′ = (1 − z) · n + z · h.

    r and z are σ of the first parts of x · w_ihᵀ + b_ih + h · w_hhᵀ + b_hh; n = tanh(n_x + r · n_h). Cho et al.,
    Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014.

    Args:
        input_size: the size of x.
        hidden_size: the size of h.
        bias: whether there are b_ih and b_hh.
        device: only the CPU.
        dtype: of the parameters, a float dtype.

    >>> import tensorgrad as tg
    >>> tg.nn.GRUCell(3, 4)(tg.zeros(2, 3)).shape
    (2, 4)
    """

    mode = "GRU"

    def forward(self, input: TensorLike, hx: TensorLike | None = None) -> Tensor:
        """The next state."""
        return self._step(input, None if hx is None else (hx,), 1)[0]
