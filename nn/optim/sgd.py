"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.nn.optim.optimizer import Array, Optimizer, Schedule
from tensorgrad.nn.optim.options import non_negative


class SGD(Optimizer):
    """Stochastic gradient descent: a step against the gradient, or against its running sum.

        g ← g + λ w                        weight decay λ
        v ← μ v + (1 − τ) g                momentum μ, dampening τ; v = g at the first step
        g ← g + μ v  (Nesterov), or  v
        w ← w − lr · g

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        momentum: μ ≥ 0; 0 is plain gradient descent.
        dampening: τ ≥ 0.
        weight_decay: λ ≥ 0.
        nesterov: look ahead along v; needs momentum and no dampening.
        maximize: ascend the gradient instead of descending.

    Robbins and Monro, A Stochastic Approximation Method, 1951; Polyak, Some methods of speeding up the convergence of
    iteration methods, 1964; Nesterov's form after Sutskever et al., On the importance of initialization and momentum in
    deep learning, ICML 2013.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SGD([w], lr=0.25).step()
    >>> w.item()
    2.0
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
        )

    def check(self, options: dict[str, Any]) -> None:
        """All ≥ 0; Nesterov only with momentum and without dampening."""
        non_negative("SGD", **{key: options[key] for key in ("momentum", "dampening", "weight_decay")})
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            shown = {key: options[key] for key in ("nesterov", "momentum", "dampening")}
            raise ArgumentError(restate("SGD", "Nesterov's rule needs momentum > 0 and dampening = 0", **shown))

    def slots(self, options: dict[str, Any]) -> tuple[str, ...]:
        """v, where there is momentum."""
        return ("momentum",) if options["momentum"] else ()

    def update(
        self,
        w: Array,
        g: Array,
        state: dict[str, Any],
        *,
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
    ) -> Array:
        """The rule of the class's formula."""
        if weight_decay:
            g = g + weight_decay * w
        if momentum:
            kept, fresh = (momentum, 1 - dampening) if state["step"] > 1 else (0.0, 1.0)
            v = state["momentum"] = kept * state["momentum"] + fresh * g
            g = g + momentum * v if nesterov else v
        return w - lr * g
