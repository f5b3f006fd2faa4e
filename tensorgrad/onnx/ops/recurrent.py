"""Recurrent layers, written out step by step: RNN, GRU, LSTM."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import tensorgrad as tg
import tensorgrad.nn.functional as F
from tensorgrad.onnx.reading.errors import OnnxError
from tensorgrad.onnx.table import Floats, Host, Strings, op

Direction = Literal["forward", "reverse", "bidirectional"]

ACTIVATIONS: dict[str, Callable[[Any, float | None, float | None], Any]] = {
    "Relu": lambda x, a, b: tg.relu(x),
    "Tanh": lambda x, a, b: tg.tanh(x),
    "Sigmoid": lambda x, a, b: tg.sigmoid(x),
    "Affine": lambda x, a, b: x * (1.0 if a is None else a) + (0.0 if b is None else b),
    "LeakyRelu": lambda x, a, b: tg.leaky_relu(x, 0.01 if a is None else a),
    "ThresholdedRelu": lambda x, a, b: tg.threshold(x, 1.0 if a is None else a, 0.0),
    "ScaledTanh": lambda x, a, b: (1.0 if a is None else a) * tg.tanh(x * (1.0 if b is None else b)),
    "HardSigmoid": lambda x, a, b: (x * (0.2 if a is None else a) + (0.5 if b is None else b)).clip(0, 1),
    "Elu": lambda x, a, b: tg.elu(x, 1.0 if a is None else a),
    "Softsign": lambda x, a, b: F.softsign(x),
    "Softplus": lambda x, a, b: tg.softplus(x),
}
"""By name, a function of x and of the two numbers that a node may state for it."""

HAVE_ALPHA = ("Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu")
HAVE_BETA = ("Affine", "ScaledTanh", "HardSigmoid")


class Cell(NamedTuple):
    """One direction of a layer: its weights, and what it does to its gates."""

    w: Any
    r: Any
    wb: Any
    rb: Any
    peepholes: Any
    functions: list[Callable[[Any], Any]]


def _functions(
    names: Strings, alphas: Floats | None, betas: Floats | None, clip: float | None
) -> list[Callable[[Any], Any]]:
    """The activations; the lists of numbers name one for each activation that takes one, in order."""
    left_alphas, left_betas = list(alphas or ()), list(betas or ())
    made = []
    for given in names:
        known = {name.lower(): name for name in ACTIVATIONS}
        if given.lower() not in known:
            raise OnnxError(f"activation {given} isn't one of {', '.join(ACTIVATIONS)}")
        name = known[given.lower()]
        a = left_alphas.pop(0) if name in HAVE_ALPHA and left_alphas else None
        b = left_betas.pop(0) if name in HAVE_BETA and left_betas else None
        made.append(_activation(ACTIVATIONS[name], a, b, clip))
    return made


def _activation(
    function: Callable[[Any, Any, Any], Any], a: float | None, b: float | None, clip: float | None
) -> Callable[[Any], Any]:
    return lambda x: function(x if clip is None else x.clip(-clip, clip), a, b)


def _layer(
    step: Callable[[Cell, Any, list[Any]], list[Any]],
    x: Any,
    w: Any,
    r: Any,
    b: Any,
    lengths: Host | None,
    states: list[Any],
    functions: list[Callable[[Any], Any]],
    direction: str,
    layout: int,
    peepholes: Any = None,
) -> tuple[Any, ...]:
    """All steps of all directions.

    Args:
        step: one step of a cell: from the gates' input of this step and the states to the new states.
        x: `(T, N, I)`, or `(N, T, I)` in layout 1.
        w, r, b: weights of the input, of the hidden state, and biases, one of each for each direction.
        lengths: the number of steps of each example, or None for all.
        states: per state one for each direction, or None for zeros.
        functions: the activations of all directions.
        direction: which directions.
        layout: 1 where the batch is the first axis of everything.
        peepholes: weights of the cell state, one row for each direction.

    Returns:
        The outputs `(T, D, N, H)` and each last state `(D, N, H)`; in layout 1 `(N, T, D, H)` and `(N, D, H)`.
    """
    if layout:
        x, states = x.movedim(0, 1), [s if s is None else s.movedim(0, 1) for s in states]
    steps, batch, hidden, directions = x.shape[0], x.shape[1], r.shape[2], w.shape[0]
    if directions != (2 if direction == "bidirectional" else 1):
        raise OnnxError(f"weights of {directions} directions for a {direction} layer")
    each = len(functions) // directions
    outputs, last = [], []
    for d in range(directions):
        wb, rb = (0.0, 0.0) if b is None else b[d].split(b.shape[1] // 2)
        looks = None if peepholes is None else peepholes[d]
        cell = Cell(w[d], r[d], wb, rb, looks, functions[d * each : (d + 1) * each])
        inputs = tg.matmul(x, cell.w.T) + cell.wb  # (T, N, I) -> (T, N, G · H)
        now = [tg.zeros(batch, hidden, dtype=x.dtype) if s is None else s[d] for s in states]
        made: list[Any] = [None] * steps
        backwards = direction == "reverse" or d == 1
        for t in reversed(range(steps)) if backwards else range(steps):
            after = step(cell, inputs[t], now)
            if lengths is not None:  # a shorter example keeps its state, and its output is 0
                runs = tg.tensor((t < lengths)[:, None])
                after = [tg.where(runs, new, old) for new, old in zip(after, now, strict=True)]
                made[t] = tg.where(runs, after[0], tg.zeros_like(after[0]))
            else:
                made[t] = after[0]
            now = after
        outputs.append(tg.stack(made))
        last.append(now)
    finals = [tg.stack([now[k] for now in last]) for k in range(len(states))]
    y = tg.stack(outputs, 1)
    if layout:
        return (y.permute(2, 0, 1, 3), *(s.movedim(0, 1) for s in finals))
    return (y, *finals)


def _rnn_step(cell: Cell, x: Any, states: list[Any]) -> list[Any]:
    (h,) = states
    return [cell.functions[0](x + tg.matmul(h, cell.r.T) + cell.rb)]


@op("RNN")
def rnn(
    x,
    w,
    r,
    b=None,
    sequence_lens: Host | None = None,
    initial_h=None,
    *,
    hidden_size: int | None = None,
    direction: Direction = "forward",
    activations: Strings = ("Tanh", "Tanh"),
    activation_alpha: Floats | None = None,
    activation_beta: Floats | None = None,
    clip: float | None = None,
    layout: int = 0,
    output_sequence: int = 0,
):
    functions = _functions(activations[: w.shape[0]], activation_alpha, activation_beta, clip)
    return _layer(_rnn_step, x, w, r, b, sequence_lens, [initial_h], functions, direction, layout)


def _gru_step(linear_before_reset: int) -> Callable[[Cell, Any, list[Any]], list[Any]]:
    def step(cell: Cell, x: Any, states: list[Any]) -> list[Any]:
        (h,) = states
        n = h.shape[1]
        f, g = cell.functions
        zr = f(x[:, : 2 * n] + tg.matmul(h, cell.r[: 2 * n].T) + (cell.rb[: 2 * n] if _has(cell.rb) else 0.0))
        z, reset = zr[:, :n], zr[:, n:]
        bias = cell.rb[2 * n :] if _has(cell.rb) else 0.0
        if linear_before_reset:
            inner = reset * (tg.matmul(h, cell.r[2 * n :].T) + bias)
        else:
            inner = tg.matmul(reset * h, cell.r[2 * n :].T) + bias
        return [(1 - z) * g(x[:, 2 * n :] + inner) + z * h]

    return step


def _has(bias: Any) -> bool:
    return not isinstance(bias, float)


@op("GRU")
def gru(
    x,
    w,
    r,
    b=None,
    sequence_lens: Host | None = None,
    initial_h=None,
    *,
    hidden_size: int | None = None,
    direction: Direction = "forward",
    activations: Strings | None = None,
    activation_alpha: Floats | None = None,
    activation_beta: Floats | None = None,
    clip: float | None = None,
    linear_before_reset: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
):
    names = activations or ("Sigmoid", "Tanh") * w.shape[0]
    functions = _functions(names, activation_alpha, activation_beta, clip)
    step = _gru_step(linear_before_reset)
    return _layer(step, x, w, r, b, sequence_lens, [initial_h], functions, direction, layout)


def _lstm_step(input_forget: int) -> Callable[[Cell, Any, list[Any]], list[Any]]:
    def step(cell: Cell, x: Any, states: list[Any]) -> list[Any]:
        h, c = states
        n = h.shape[1]
        f, g, out = cell.functions
        i, o, forget, new = (x + tg.matmul(h, cell.r.T) + cell.rb).split(n, 1)
        p = None if cell.peepholes is None else cell.peepholes.split(n)
        if p is not None:
            i, forget = i + p[0] * c, forget + p[2] * c
        i = f(i)
        c = (1 - i if input_forget else f(forget)) * c + i * g(new)
        o = f(o if p is None else o + p[1] * c)
        return [o * out(c), c]

    return step


@op("LSTM")
def lstm(
    x,
    w,
    r,
    b=None,
    sequence_lens: Host | None = None,
    initial_h=None,
    initial_c=None,
    peepholes=None,
    *,
    hidden_size: int | None = None,
    direction: Direction = "forward",
    activations: Strings | None = None,
    activation_alpha: Floats | None = None,
    activation_beta: Floats | None = None,
    clip: float | None = None,
    input_forget: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
):
    names = activations or ("Sigmoid", "Tanh", "Tanh") * w.shape[0]
    functions = _functions(names, activation_alpha, activation_beta, clip)
    step = _lstm_step(input_forget)
    states = [initial_h, initial_c]
    return _layer(step, x, w, r, b, sequence_lens, states, functions, direction, layout, peepholes)
