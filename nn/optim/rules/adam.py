"""Adam, and AdamW, which keeps weight decay out of the moments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.first_order import FirstOrder, decayed, names_options
from tensorgrad.nn.optim.optimizer import Schedule


class Adam(FirstOrder):
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
        foreach, capturable, fused: accepted as in PyTorch, and ignored: there is one implementation.
        differentiable: must be False.
        decoupled_weight_decay: shrink the weights as `AdamW` does.

    Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, arXiv 1412.6980; amsgrad: Reddi, Kale and
    Kumar, On the Convergence of Adam and Beyond, ICLR 2018.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Adam([w], lr=0.5).step()  # the first step is lr against the gradient's sign
    >>> round(w.item(), 4)
    3.5
    """

    state_arrays = ("exp_avg", "exp_avg_sq")
    optional_arrays = {"max_exp_avg_sq": "amsgrad"}

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None: ...

    @pure
    def update(self, w, g, state, *, lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay=False):
        """The rule of the class's formula."""
        beta1, beta2 = betas
        t = state["step"]
        w, g = decayed(w, g, lr, weight_decay, decoupled_weight_decay)
        m = state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
        v = state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
        if amsgrad:
            v = state["max_exp_avg_sq"] = np.maximum(state["max_exp_avg_sq"], v)
        return w - lr / (1 - beta1**t) * m / (np.sqrt(v) / (1 - beta2**t) ** 0.5 + eps)


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
        foreach, capturable, fused: accepted as in PyTorch, and ignored: there is one implementation.
        differentiable: must be False.

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
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad,
            maximize=maximize, differentiable=differentiable, decoupled_weight_decay=True,
        )  # fmt: skip
