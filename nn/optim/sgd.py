"""Stochastic gradient descent: with momentum, and averaged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.optimizer import Array, Optimizer, Schedule
from tensorgrad.nn.optim.options import non_negative, refuse_differentiable


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
        foreach, fused: accepted as in PyTorch, and ignored: there is one implementation.
        differentiable: must be False.

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
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        refuse_differentiable(self.name, differentiable)
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
        return ("momentum_buffer",) if options["momentum"] else ()

    @pure
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
            v = state["momentum_buffer"] = kept * state["momentum_buffer"] + fresh * g
            g = g + momentum * v if nesterov else v
        return w - lr * g


class ASGD(Optimizer):
    """Averaged stochastic gradient descent: the mean of the weights on the way, in `state[p]["ax"]`.

        g ← g + λ w                        weight decay λ
        η = lr / (1 + λd · lr · (t − 1))^α   at this parameter's step t; decay λd
        w ← (1 − λd · η) w − η g
        a ← a + (w − a) / max(1, t − 1 − t₀)

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        lambd: λd ≥ 0.
        alpha: α, the power by which the steps shrink.
        t0: t₀, the step from which on weights are averaged; until then a = w.
        weight_decay: λ ≥ 0.
        foreach, capturable: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.
        differentiable: must be False.

    Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM Journal on Control and
    Optimization 30, 1992.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> optimizer = ASGD([w], lr=0.25, lambd=0.0, t0=0)
    >>> for _ in range(3):
    ...     w.grad = tg.tensor([2.0])
    ...     optimizer.step()
    >>> w.item(), optimizer.state[w]["ax"].item()  # the mean of 3.0 and 2.5
    (2.5, 2.75)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        refuse_differentiable(self.name, differentiable)
        super().__init__(params, lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, maximize=maximize)

    def check(self, options: dict[str, Any]) -> None:
        """Decay and weight decay ≥ 0."""
        non_negative(self.name, **{key: options[key] for key in ("lambd", "weight_decay")})

    def slots(self, options: dict[str, Any]) -> tuple[str, ...]:
        """a."""
        return ("ax",)

    @pure
    def update(
        self,
        w: Array,
        g: Array,
        state: dict[str, Any],
        *,
        lr: float,
        lambd: float,
        alpha: float,
        t0: float,
        weight_decay: float,
    ) -> Array:
        """The rule of the class's formula."""
        if weight_decay:
            g = g + weight_decay * w
        before = state["step"] - 1
        eta = lr / (1 + lambd * lr * before) ** alpha
        w = (1 - lambd * eta) * w - eta * g
        rate = 1 / max(1, before - t0)
        state["ax"] = (1 - rate) * state["ax"] + rate * w
        return w
