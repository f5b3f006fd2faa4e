"""Adagrad and Adadelta: each weight's step is divided by the root of its squared gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.first_order import FirstOrder, decayed, names_options
from tensorgrad.nn.optim.optimizer import Schedule
from tensorgrad.nn.optim.options import non_negative, whole_fraction


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
