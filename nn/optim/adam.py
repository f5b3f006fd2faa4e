"""Adam, and AdamW, which keeps weight decay out of the moments."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.optimizer import Array, Optimizer, Schedule
from tensorgrad.nn.optim.options import fraction, non_negative


class Adam(Optimizer):
    """Adam: running means of the gradient and of its square, each corrected for its start at zero.

        g ← g + λ w                        weight decay λ
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)   at this parameter's step t; amsgrad: the largest v so far in place of v
        w ← w − lr · m̂ / (√v̂ + ε)

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        betas: β₁ and β₂, each in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0.
        amsgrad: divide by the root of the largest v so far, so that no step grows because v shrank.
        maximize: ascend the gradient instead of descending.

    Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, arXiv 1412.6980; amsgrad: Reddi, Kale and
    Kumar, On the Convergence of Adam and Beyond, ICLR 2018.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Adam([w], lr=0.5).step()  # the first step is lr against the gradient's sign
    >>> round(w.item(), 4)
    3.5
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize
        )

    def check(self, options: dict[str, Any]) -> None:
        """Both β in [0, 1), the others ≥ 0."""
        betas = options["betas"]
        if not isinstance(betas, tuple) or len(betas) != 2:
            raise ArgumentError(restate(self.name, "betas must be two numbers in [0, 1)", betas=betas))
        fraction(self.name, beta1=betas[0], beta2=betas[1])
        non_negative(self.name, eps=options["eps"], weight_decay=options["weight_decay"])

    def slots(self, options: dict[str, Any]) -> tuple[str, ...]:
        """m and v; with amsgrad also the largest v so far."""
        return ("mean", "square_mean", "largest_square_mean") if options["amsgrad"] else ("mean", "square_mean")

    def update(
        self,
        w: Array,
        g: Array,
        state: dict[str, Any],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        amsgrad: bool,
    ) -> Array:
        """The rule of the class's formula."""
        beta1, beta2 = betas
        t = state["step"]
        if weight_decay:
            g = g + weight_decay * w
        m = state["mean"] = beta1 * state["mean"] + (1 - beta1) * g
        v = state["square_mean"] = beta2 * state["square_mean"] + (1 - beta2) * g * g
        if amsgrad:
            v = state["largest_square_mean"] = np.maximum(state["largest_square_mean"], v)
        return w - lr / (1 - beta1**t) * m / (np.sqrt(v) / math.sqrt(1 - beta2**t) + eps)


class AdamW(Adam):
    """Adam with decoupled weight decay: it shrinks the weights and leaves the moments alone.

        w ← (1 − lr · λ) w
        then Adam's rule with λ = 0

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        betas: β₁ and β₂, each in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0.
        amsgrad: divide by the root of the largest v so far, so that no step grows because v shrank.
        maximize: ascend the gradient instead of descending.

    Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019, arXiv 1711.05101.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * 0).sum().backward()
    >>> AdamW([w], lr=0.5, weight_decay=0.5).step()
    >>> w.item()
    3.0
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def update(
        self, w: Array, g: Array, state: dict[str, Any], *, lr: float, weight_decay: float, **options: Any
    ) -> Array:
        """The rule of the class's formula."""
        return super().update((1 - lr * weight_decay) * w, g, state, lr=lr, weight_decay=0.0, **options)
