"""Adagrad, Adadelta and Adafactor: each weight's step is divided by the root of its squared gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.first_order import FirstOrder, decayed, names_options
from tensorgrad.nn.optim.optimizer import Schedule
from tensorgrad.nn.optim.options import non_negative, whole_fraction
from tensorgrad.nn.optim.updating import Array


class Adagrad(FirstOrder):
    """Adagrad: each weight's step is divided by the root of the sum of its squared gradients.

        g ← g + λ w                        weight decay λ
        s ← s + g²                         s = s₀ at first
        w ← w − lr / (1 + δ (t − 1)) · g / (√s + ε)   at this parameter's step t; decay δ

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        lr_decay: δ ≥ 0.
        weight_decay: λ ≥ 0.
        initial_accumulator_value: s₀ ≥ 0.
        eps: ε ≥ 0.
        foreach, fused: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.
        differentiable: must be False.

    Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 12,
    2011.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Adagrad([w], lr=0.5).step()  # the first step is lr against the gradient's sign
    >>> w.item()
    3.5
    """

    state_arrays = ("sum",)

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None: ...

    def check(self, options: dict[str, Any]) -> None:
        """Decay and s₀ ≥ 0, and the ranges that all optimizers share."""
        super().check(options)
        non_negative(self.name, **{key: options[key] for key in ("lr_decay", "initial_accumulator_value")})

    @pure
    def update(self, w, g, state, *, lr, lr_decay, weight_decay, initial_accumulator_value, eps):
        """The rule of the class's formula."""
        before = state["step"] - 1
        w, g = decayed(w, g, lr, weight_decay)
        # A number in each step, so that all steps are one compiled program.
        first = 0.0 if before else initial_accumulator_value
        s = state["sum"] = state["sum"] + first + g * g
        return w - lr / (1 + before * lr_decay) * g / (np.sqrt(s) + eps)


class Adadelta(FirstOrder):
    """Adadelta: steps as long as the steps before, over the root of a running mean of the squared gradient.

        g ← g + λ w                        weight decay λ
        s ← ρ s + (1 − ρ) g²
        d = √(u + ε) / √(s + ε) · g
        u ← ρ u + (1 − ρ) d²
        w ← w − lr · d

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        rho: ρ in [0, 1].
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0.
        foreach, capturable: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.
        differentiable: must be False.

    Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, arXiv 1212.5701.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Adadelta([w], rho=0.75, eps=1.0).step()  # s = 64 / 4, so the step is 8 / √17
    >>> round(w.item(), 4)
    2.0597
    """

    state_arrays = ("square_avg", "acc_delta")

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None: ...

    def check(self, options: dict[str, Any]) -> None:
        """ρ in [0, 1], and the ranges that all optimizers share."""
        super().check(options)
        whole_fraction(self.name, rho=options["rho"])

    @pure
    def update(self, w, g, state, *, lr, rho, eps, weight_decay):
        """The rule of the class's formula."""
        w, g = decayed(w, g, lr, weight_decay)
        s = state["square_avg"] = rho * state["square_avg"] + (1 - rho) * g * g
        d = np.sqrt(state["acc_delta"] + eps) / np.sqrt(s + eps) * g
        state["acc_delta"] = rho * state["acc_delta"] + (1 - rho) * d * d
        return w - lr * d


class Adafactor(FirstOrder):
    """Adafactor: of a matrix, only the means of its squared gradient along rows and columns are kept.

        β = 1 − t^τ                        at this parameter's step t; τ is `beta2_decay`
        α = max(ε₂, rms(w)) · min(lr, 1/√t)
        w ← (1 − lr · λ) w                 weight decay λ
        R ← β R + (1 − β) mean(g², along each row),  C ← β C + (1 − β) mean(g², along each column)
        V = R C / max(mean(R), ε₁)         of a vector: V ← β V + (1 − β) g²
        U = g / max(√V, ε₁)
        w ← w − α · U / max(1, rms(U) / d)

    Rows and columns are the last two axes; every other axis counts matrices.

    Args:
        params: what to train: see `Optimizer`.
        lr: the largest relative step size, and the factor of the weight decay; a number ≥ 0 or a schedule.
        beta2_decay: τ ≤ 0.
        eps: ε₁ ≥ 0 and ε₂ ≥ 0; ε₁ = None stands for the distance from 1 to the next number of the dtype.
        d: the largest root mean square of an update, ≥ 1.
        weight_decay: λ ≥ 0.
        foreach: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.

    Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018, arXiv 1804.04235.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([[4.0, 4.0]], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Adafactor([w], lr=0.5).step()  # the first step is lr · rms(w) against the gradient's sign
    >>> w.tolist()
    [[2.0, 2.0]]
    """

    state_arrays = ("row_var", "col_var", "variance")

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None: ...

    def check(self, options: dict[str, Any]) -> None:
        """`beta2_decay` ≤ 0, d ≥ 1, the others ≥ 0."""
        eps = options["eps"]
        if not isinstance(eps, tuple) or len(eps) != 2:
            raise ArgumentError(restate(self.name, "eps must be two numbers, the first may be None", eps=eps))
        non_negative(self.name, eps=0 if eps[0] is None else eps[0])
        non_negative(self.name, eps=eps[1], weight_decay=options["weight_decay"], d=options["d"])
        if not -math.inf < options["beta2_decay"] <= 0:
            problem = "beta2_decay must be a finite number ≤ 0"
            raise ArgumentError(restate(self.name, problem, beta2_decay=options["beta2_decay"]))
        if options["d"] < 1:
            raise ArgumentError(restate(self.name, "d must be at least 1", d=options["d"]))

    def shape_of(self, slot: str, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Of matrices R `(…, rows, 1)` and C `(…, 1, columns)`; of vectors and numbers V."""
        matrix = len(shape) > 1
        if slot == "row_var":
            return (*shape[:-1], 1) if matrix else None
        if slot == "col_var":
            return (*shape[:-2], 1, shape[-1]) if matrix else None
        return None if slot == "variance" and matrix else shape

    def update(
        self,
        w: Array,
        g: Array,
        state: dict[str, Any],
        *,
        lr: float,
        beta2_decay: float,
        eps: tuple[float | None, float],
        d: float,
        weight_decay: float,
    ) -> Array:
        """The rule of the class's formula."""
        t = state["step"]
        rest = t**beta2_decay
        eps1 = float(np.finfo(w.dtype).eps) if eps[0] is None else eps[0]
        alpha = max(eps[1], _root_mean_square(w)) * min(lr, 1 / math.sqrt(t))
        if g.ndim > 1:
            r = state["row_var"] = (1 - rest) * state["row_var"] + rest * _mean(g * g, -1)
            c = state["col_var"] = (1 - rest) * state["col_var"] + rest * _mean(g * g, -2)
            v = r * c / np.maximum(_mean(r, -2), eps1)
        else:
            v = state["variance"] = (1 - rest) * state["variance"] + rest * g * g
        u = g / np.maximum(np.sqrt(v), eps1)
        return (1 - lr * weight_decay) * w - alpha / max(1.0, _root_mean_square(u) / d) * u


def _mean(x: np.ndarray, axis: int) -> np.ndarray:
    """The mean along an axis, summed in float64, in the dtype of x; 0 along an axis without elements."""
    return (np.sum(x, axis, np.float64, keepdims=True) / max(x.shape[axis], 1)).astype(x.dtype)


def _root_mean_square(x: np.ndarray) -> float:
    return math.sqrt(np.sum(x * x, dtype=np.float64) / max(x.size, 1))
