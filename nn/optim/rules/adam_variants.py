"""Variants of Adam: Adamax, NAdam and RAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.first_order import FirstOrder, decayed, names_options
from tensorgrad.nn.optim.optimizer import Schedule
from tensorgrad.nn.optim.options import non_negative


class Adamax(FirstOrder):
    """Adamax: Adam with the largest recent gradient in place of the root of the squares' mean.

        g ← g + λ w                        weight decay λ
        m ← β₁ m + (1 − β₁) g
        u ← max(β₂ u, |g| + ε)
        w ← w − lr / (1 − β₁ᵗ) · m / u     at this parameter's step t

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        betas: β₁ and β₂, each in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0.
        foreach, capturable: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.
        differentiable: must be False.

    Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, section 7.1.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Adamax([w], lr=0.5).step()  # the first step is lr against the gradient's sign
    >>> w.item()
    3.5
    """

    state_arrays = ("exp_avg", "exp_inf")

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None: ...

    @pure
    def update(self, w, g, state, *, lr, betas, eps, weight_decay):
        """The rule of the class's formula."""
        beta1, beta2 = betas
        w, g = decayed(w, g, lr, weight_decay)
        m = state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
        u = state["exp_inf"] = np.maximum(beta2 * state["exp_inf"], abs(g) + eps)
        return w - lr / (1 - beta1 ** state["step"]) * m / u


class NAdam(FirstOrder):
    """NAdam: Adam that looks ahead along its momentum, as Nesterov's method does.

        g ← g + λ w                        weight decay λ; decoupled: w ← w − lr · λ w
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        μₜ = β₁ (1 − ½ · 0.96^(tψ))         at this parameter's step t; momentum decay ψ
        m̂ = μₜ₊₁ m / (1 − μ₁⋯μₜ₊₁) + (1 − μₜ) g / (1 − μ₁⋯μₜ)
        w ← w − lr · m̂ / (√(v / (1 − β₂ᵗ)) + ε)

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        betas: β₁ and β₂, each in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0.
        momentum_decay: ψ ≥ 0.
        decoupled_weight_decay: shrink the weights as `AdamW` does.
        foreach, capturable: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.
        differentiable: must be False.

    Dozat, Incorporating Nesterov Momentum into Adam, ICLR 2016 workshop.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> NAdam([w], lr=0.5).step()
    >>> round(w.item(), 4)
    3.4718
    """

    state_arrays = ("exp_avg", "exp_avg_sq")

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None: ...

    def check(self, options: dict[str, Any]) -> None:
        """Momentum decay ≥ 0, and the ranges that all optimizers share."""
        super().check(options)
        non_negative(self.name, momentum_decay=options["momentum_decay"])

    @pure
    def update(self, w, g, state, *, lr, betas, eps, weight_decay, momentum_decay, decoupled_weight_decay):
        """The rule of the class's formula."""
        (beta1, beta2), t = betas, state["step"]
        w, g = decayed(w, g, lr, weight_decay, decoupled_weight_decay)
        m = state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        now, later = momentum(beta1, momentum_decay, t), momentum(beta1, momentum_decay, t + 1)
        product = momentum_product(beta1, momentum_decay, t)
        ahead = later / (1 - product * later) * m + (1 - now) / (1 - product) * g
        return w - lr * ahead / (np.sqrt(v) / (1 - beta2**t) ** 0.5 + eps)


def momentum(beta: float, decay: float, t: int) -> float:
    """NAdam's momentum at step t, β (1 − ½ · 0.96^(tψ)): it rises to β."""
    return beta * (1 - 0.5 * 0.96 ** (t * decay))


_products: dict[tuple[float, float], tuple[int, float]] = {}


def momentum_product(beta: float, decay: float, t: int) -> float:
    """The product of NAdam's momenta at the steps 1 … t; the last one is remembered.

    >>> momentum_product(0.5, 0.0, 3)
    0.015625
    """
    known, product = _products.get((beta, decay), (0, 1.0))
    if known > t:
        known, product = 0, 1.0
    for k in range(known + 1, t + 1):
        product *= momentum(beta, decay, k)
    _products[beta, decay] = t, product
    return product


class RAdam(FirstOrder):
    """RAdam: Adam whose first steps, when v is known badly, go without it.

        g ← g + λ w                        weight decay λ; decoupled: w ← w − lr · λ w
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        ρ = 2 / (1 − β₂) − 1,  ρₜ = ρ − 2t β₂ᵗ / (1 − β₂ᵗ)   at this parameter's step t
        r = √((ρₜ − 4)(ρₜ − 2) ρ / ((ρ − 4)(ρ − 2) ρₜ))
        w ← w − lr · m / (1 − β₁ᵗ) · r √(1 − β₂ᵗ) / (√v + ε)   where ρₜ > 5, else
        w ← w − lr · m / (1 − β₁ᵗ)

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        betas: β₁ and β₂, each in [0, 1).
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0.
        decoupled_weight_decay: shrink the weights as `AdamW` does.
        foreach, capturable: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.
        differentiable: must be False.

    Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020, arXiv 1908.03265.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> RAdam([w], lr=0.125).step()  # the first step is along the gradient
    >>> w.item()
    3.0
    """

    state_arrays = ("exp_avg", "exp_avg_sq")

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None: ...

    @pure
    def update(self, w, g, state, *, lr, betas, eps, weight_decay, decoupled_weight_decay):
        """The rule of the class's formula."""
        (beta1, beta2), t = betas, state["step"]
        w, g = decayed(w, g, lr, weight_decay, decoupled_weight_decay)
        m = state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        step, left = lr / (1 - beta1**t), 1 - beta2**t
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / left
        if length <= 5:
            return w - step * m
        r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return w - step * (r * left) ** 0.5 * m / (np.sqrt(v) + eps)
