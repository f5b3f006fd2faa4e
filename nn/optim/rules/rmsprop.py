"""RMSProp."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.first_order import FirstOrder, decayed, names_options
from tensorgrad.nn.optim.optimizer import Schedule
from tensorgrad.nn.optim.options import fraction


class RMSprop(FirstOrder):
    """RMSProp: each weight's step is divided by the root of a running mean of its squared gradient.

        g ← g + λ w                        weight decay λ
        s ← α s + (1 − α) g²
        a ← α a + (1 − α) g                centered only; s − a² then takes the place of s below
        d = g / (√s + ε)
        v ← μ v + d                        momentum μ; d takes the place of v where μ = 0
        w ← w − lr · v

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        alpha: 0 ≤ α < 1.
        eps: ε ≥ 0.
        weight_decay: λ ≥ 0.
        momentum: μ ≥ 0.
        centered: divide by an estimate of the standard deviation.
        capturable, foreach: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.
        differentiable: must be False.

    Hinton, Neural Networks for Machine Learning, lecture 6e, 2012; centered: Graves, Generating Sequences With
    Recurrent Neural Networks, 2013.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> RMSprop([w], lr=0.1, alpha=0.75).step()  # s = 64 / 4, so the step is 0.1 · 8 / 4
    >>> round(w.item(), 4)
    3.8
    """

    state_arrays = ("square_avg",)
    optional_arrays = {"grad_avg": "centered", "momentum_buffer": "momentum"}

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None: ...

    def check(self, options: dict[str, Any]) -> None:
        """α in [0, 1), and the ranges that all optimizers share."""
        super().check(options)
        fraction(self.name, alpha=options["alpha"])

    @pure
    def update(self, w, g, state, *, lr, alpha, eps, weight_decay, momentum, centered):
        """The rule of the class's formula."""
        w, g = decayed(w, g, lr, weight_decay)
        s = state["square_avg"] = alpha * state["square_avg"] + (1 - alpha) * g * g
        if centered:
            a = state["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * g
            s = s - a * a
        d = g / (np.sqrt(s) + eps)
        if momentum:
            d = state["momentum_buffer"] = momentum * state["momentum_buffer"] + d
        return w - lr * d
