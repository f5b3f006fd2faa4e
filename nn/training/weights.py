"""Losses in which each example has a weight."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

from tensorgrad.errors import ArgumentError, ShapeError, restate
from tensorgrad.nn.module import Module
from tensorgrad.tensor import Tensor


def weighted(loss: Callable[..., Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """1/N · Σ wᵢ · lossᵢ, as a function (output, target, weight): the mean of the examples' losses times their weights.

    The loss of an example is the mean over its own elements.

    Args:
        loss: a function (output, target, reduction="none") -> the losses, `(N, ...)`; or a loss module with an
            attribute `reduction`.

    Raises:
        ArgumentError: a loss without `reduction`.
        ShapeError: when it is called: losses or weights for other than N examples.

    >>> import tensorgrad as tg
    >>> loss = weighted(tg.nn.mse_loss)
    >>> loss(tg.tensor([1.0, 2.0]), tg.tensor([0.0, 0.0]), tg.tensor([1.0, 0.5]))
    tensor(1.5)
    """
    each = _each(loss)

    def mean(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        losses = each(output, target)
        if losses.ndim < 1 or weight.shape != losses.shape[:1]:
            expected = "losses (N, ...) with reduction='none', and weights (N,)"
            problem = "there must be a weight for each example's loss"
            raise ShapeError(restate("weighted", problem, expected=expected, losses=losses, weight=weight))
        # (N, ...) -> (N,)
        rows = losses.reshape(len(losses), -1).mean(1) if losses.ndim > 1 else losses
        return (rows * weight.astype(rows.dtype)).mean()

    return mean


def _each(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The loss of each element."""
    if isinstance(loss, Module) and isinstance(getattr(loss, "reduction", None), str):
        own = copy.copy(loss)
        own.reduction = "none"
        return own
    try:
        parameters = inspect.signature(loss).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    if not any(p.name == "reduction" or p.kind is p.VAR_KEYWORD for p in parameters):
        problem = "a loss of weighted examples must take reduction='none'"
        fix = "add an argument `reduction`, and return one loss per example for 'none'"
        raise ArgumentError(restate("weighted", problem, fix=fix, loss=loss))

    def each(output: Tensor, target: Tensor) -> Any:
        return loss(output, target, reduction="none")

    return each
