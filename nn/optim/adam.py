"""Adam, and AdamW, which keeps weight decay out of the moments."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.optimizer import Optimizer, Schedule
from tensorgrad.nn.optim.options import fraction, non_negative
from tensorgrad.nn.optim.terms import scaled, with_decay


class Adam(Optimizer):
    """Adam: running means of the gradient and of its square, each corrected for having started at zero.

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
        amsgrad: never let a step grow because v shrank.
        maximize: climb.

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
            raise ArgumentError(restate(self.name, "no such betas", expected="two numbers in [0, 1)", betas=betas))
        fraction(self.name, beta1=betas[0], beta2=betas[1])
        non_negative(self.name, eps=options["eps"], weight_decay=options["weight_decay"])

    def slots(self, options: dict[str, Any]) -> tuple[str, ...]:
        """m and v; with amsgrad also the largest v so far."""
        return ("mean", "square_mean", "largest_square_mean") if options["amsgrad"] else ("mean", "square_mean")

    kernel = "adam"
    decoupled: ClassVar[bool] = False

    def numbers(self, options: dict[str, Any]) -> tuple[float, ...]:
        """lr, β₁, β₂, ε, λ, and whether λ is decoupled."""
        return options["lr"], *options["betas"], options["eps"], options["weight_decay"], float(self.decoupled)

    def update(
        self,
        w: np.ndarray,
        g: np.ndarray,
        state: dict[str, Any],
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        amsgrad: bool,
    ) -> None:
        """The rule of the class's formula."""
        g = with_decay(g, w, weight_decay)
        beta1, beta2 = betas
        t, m, v = state["step"], state["mean"], state["square_mean"]
        m *= beta1
        m += scaled(g, 1 - beta1)
        square = scaled(g, 1 - beta2)
        square *= g
        v *= beta2
        v += square
        if amsgrad:
            v = np.maximum(state["largest_square_mean"], v, out=state["largest_square_mean"])
        root = np.sqrt(v, out=square)
        root /= math.sqrt(1 - beta2**t)
        root += eps
        step = scaled(m, lr / (1 - beta1**t))
        step /= root
        w -= step


class AdamW(Adam):
    """Adam with decoupled weight decay: it shrinks the weights, and the moments know nothing of it.

        w ← (1 − lr · λ) w
        then Adam's rule with λ = 0

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        betas: β₁ and β₂, each in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0.
        amsgrad: never let a step grow because v shrank.
        maximize: climb.

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

    kernel = "adam"
    decoupled = True

    def update(
        self, w: np.ndarray, g: np.ndarray, state: dict[str, Any], *, lr: float, weight_decay: float, **options: Any
    ) -> None:
        """The rule of the class's formula."""
        w *= 1 - lr * weight_decay
        super().update(w, g, state, lr=lr, weight_decay=0.0, **options)
