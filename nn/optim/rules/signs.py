"""Rprop and Lion, whose steps follow signs: a gradient's size doesn't count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.errors import ArgumentError, restate
from tensorgrad.kernels.step_programs import pure
from tensorgrad.nn.optim.first_order import FirstOrder, decayed, names_options
from tensorgrad.nn.optim.optimizer import Schedule
from tensorgrad.nn.optim.options import non_negative


class Rprop(FirstOrder):
    """Resilient propagation: each weight has a step size, which grows while its gradient keeps its sign.

        s = sign(g · g′)                   g′ is the gradient of the step before, 0 at first
        η ← min(max(η · (η⁺ if s > 0, η⁻ if s < 0, else 1), least), largest)     η = lr at first
        g ← 0 where s < 0
        w ← w − η · sign(g)

    For full batches: with the gradients of mini-batches signs change by chance.

    Args:
        params: what to train: see `Optimizer`.
        lr: the first step size, a number ≥ 0 or a schedule.
        etas: η⁻ and η⁺, with 0 < η⁻ < 1 < η⁺.
        step_sizes: the least and the largest step size.
        capturable, foreach: accepted as in PyTorch, and ignored: there is one implementation.
        maximize: ascend the gradient instead of descending.
        differentiable: must be False.

    Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm, ICNN 1993.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> optimizer = Rprop([w], lr=0.5, etas=(0.5, 2.0))
    >>> for g in (7.0, 1.0, -3.0):  # steps of 0.5, then 1, then none: the sign has changed
    ...     w.grad = tg.tensor([g])
    ...     optimizer.step()
    >>> w.item(), optimizer.state[w]["step_size"].item()
    (2.5, 0.5)
    """

    state_arrays = ("prev", "step_size")

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None: ...

    def check(self, options: dict[str, Any]) -> None:
        """0 < η⁻ < 1 < η⁺; two step sizes ≥ 0."""
        for name in ("etas", "step_sizes"):
            if not isinstance(options[name], tuple) or len(options[name]) != 2:
                raise ArgumentError(restate(self.name, f"{name} must be two numbers", **{name: options[name]}))
        low, high = options["etas"]
        non_negative(self.name, eta_minus=low, eta_plus=high)
        if not 0 < low < 1 < high:
            raise ArgumentError(restate(self.name, "etas must be 0 < η⁻ < 1 < η⁺", etas=(low, high)))
        least, largest = options["step_sizes"]
        non_negative(self.name, least_step_size=least, largest_step_size=largest)

    @pure
    def update(self, w, g, state, *, lr, etas, step_sizes):
        """The rule of the class's formula."""
        minus, plus = etas
        least, largest = step_sizes
        s = np.sign(g * state["prev"])
        same, flipped = np.maximum(s, 0.0), np.maximum(-s, 0.0)
        factor = 1 + (plus - 1) * same - (1 - minus) * flipped
        # A number in each step, so that all steps are one compiled program.
        first = lr if state["step"] == 1 else 0.0
        eta = state["step_size"] = np.minimum(np.maximum((state["step_size"] + first) * factor, least), largest)
        g = state["prev"] = g * (1 - flipped)
        return w - eta * np.sign(g)


class Lion(FirstOrder):
    """Lion: a step of lr against the sign of a mean of gradient and momentum.

        w ← (1 − lr · λ) w                 weight decay λ
        w ← w − lr · sign(β₁ m + (1 − β₁) g)
        m ← β₂ m + (1 − β₂) g

    It keeps half of Adam's state. Its steps are longer, so its learning rate is a third to a tenth of Adam's, its
    weight decay as many times larger.

    Args:
        params: what to train: see `Optimizer`.
        lr: the learning rate, a number ≥ 0 or a schedule.
        betas: β₁ and β₂, each in [0, 1).
        weight_decay: λ ≥ 0.
        maximize: ascend the gradient instead of descending.

    Chen et al., Symbolic Discovery of Optimization Algorithms, NeurIPS 2023, arXiv 2302.06675.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> Lion([w], lr=0.5).step()
    >>> w.item()
    3.5
    """

    state_arrays = ("exp_avg",)

    @names_options
    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Schedule = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None: ...

    @pure
    def update(self, w, g, state, *, lr, betas, weight_decay):
        """The rule of the class's formula."""
        (beta1, beta2), m = betas, state["exp_avg"]
        w, g = decayed(w, g, lr, weight_decay, decoupled=True)
        state["exp_avg"] = beta2 * m + (1 - beta2) * g
        return w - lr * np.sign(beta1 * m + (1 - beta1) * g)
