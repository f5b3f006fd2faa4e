"""RMSProp."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.optimizer import Array, Optimizer, Schedule
from tensorgrad.nn.optim.options import fraction, non_negative, refuse_differentiable


class RMSprop(Optimizer):
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
    ) -> None:
        refuse_differentiable(self.name, differentiable)
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            maximize=maximize,
        )

    def check(self, options: dict[str, Any]) -> None:
        """α in [0, 1), the others ≥ 0."""
        fraction("RMSprop", alpha=options["alpha"])
        non_negative("RMSprop", **{key: options[key] for key in ("eps", "weight_decay", "momentum")})

    def slots(self, options: dict[str, Any]) -> tuple[str, ...]:
        """s; centered also a; with momentum also v."""
        kept = {"square_avg": True, "grad_avg": options["centered"], "momentum_buffer": options["momentum"] > 0}
        return tuple(slot for slot, needed in kept.items() if needed)

    @pure
    def update(
        self,
        w: Array,
        g: Array,
        state: dict[str, Any],
        *,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
        centered: bool,
    ) -> Array:
        """The rule of the class's formula."""
        if weight_decay:
            g = g + weight_decay * w
        s = state["square_avg"] = alpha * state["square_avg"] + (1 - alpha) * g * g
        if centered:
            a = state["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * g
            s = s - a * a
        d = g / (np.sqrt(s) + eps)
        if momentum:
            d = state["momentum_buffer"] = momentum * state["momentum_buffer"] + d
        return w - lr * d
