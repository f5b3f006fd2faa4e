"""Stochastic gradient descent: with momentum, and averaged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.first_order import FirstOrder, decayed, names_options
from tensorgrad.nn.optim.optimizer import Schedule
from tensorgrad.nn.optim.options import non_negative


class SGD(FirstOrder):
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

    optional_arrays = {"momentum_buffer": "momentum"}

    @names_options
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
    ) -> None: ...

    def check(self, options: dict[str, Any]) -> None:
        """Dampening ≥ 0; Nesterov only with momentum and without dampening; the ranges that all optimizers share."""
        super().check(options)
        non_negative(self.name, dampening=options["dampening"])
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            shown = {key: options[key] for key in ("nesterov", "momentum", "dampening")}
            raise ArgumentError(restate(self.name, "Nesterov's rule needs momentum > 0 and dampening = 0", **shown))

    @pure
    def update(self, w, g, state, *, lr, momentum, dampening, weight_decay, nesterov):
        """The rule of the class's formula."""
        w, g = decayed(w, g, lr, weight_decay)
        if momentum:
            kept, fresh = (momentum, 1 - dampening) if state["step"] > 1 else (0.0, 1.0)
            v = state["momentum_buffer"] = kept * state["momentum_buffer"] + fresh * g
            g = g + momentum * v if nesterov else v
        return w - lr * g


class ASGD(FirstOrder):
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

    state_arrays = ("ax",)

    @names_options
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
    ) -> None: ...

    def check(self, options: dict[str, Any]) -> None:
        """Decay ≥ 0, and the ranges that all optimizers share."""
        super().check(options)
        non_negative(self.name, lambd=options["lambd"])

    @pure
    def update(self, w, g, state, *, lr, lambd, alpha, t0, weight_decay):
        """The rule of the class's formula."""
        w, g = decayed(w, g, lr, weight_decay)
        before = state["step"] - 1
        eta = lr / (1 + lambd * lr * before) ** alpha
        w = (1 - lambd * eta) * w - eta * g
        rate = 1 / max(1, before - t0)
        state["ax"] = (1 - rate) * state["ax"] + rate * w
        return w
