"""Batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.engine import apply, is_grad_enabled
from tensorgrad.errors import ShapeError, restate
from tensorgrad.op import Op
from tensorgrad.ops.operands import TensorLike, as_tensor, floating

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["batch_norm"]


class BatchNorm(Op):
    """z = x̂ · w + b with x̂ = (x − μ) / √(σ² + ε), μ and σ² being those of the batch, per channel."""

    symbol, formula = "batch norm", "z = (x − μ)/√(σ² + ε) · w + b"
    derivatives = ("∂L/∂x = w/√(σ² + ε) · (g − mean g − x̂ · mean(g · x̂))", "∂L/∂w = Σ g · x̂", "∂L/∂b = Σ g")
    mean: np.ndarray
    var: np.ndarray
    eps: float

    def forward(self, x, w, b):
        scale = w.reshape(self.mean.shape) / np.sqrt(self.var + x.dtype.type(self.eps))
        return x * scale + (b.reshape(self.mean.shape) - self.mean * scale)

    def backward_x(self, grad, x, w):
        x_hat, deviation = self._standardized(x)
        axes = _all_but_channels(x.ndim)
        inner = grad - grad.mean(axes, keepdims=True) - x_hat * (grad * x_hat).mean(axes, keepdims=True)
        return inner * (w.reshape(self.mean.shape) / deviation)

    def backward_w(self, grad, x):
        return (grad * self._standardized(x)[0]).sum(_all_but_channels(x.ndim))

    def backward_b(self, grad):
        return grad.sum(_all_but_channels(grad.ndim))

    def _standardized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x̂ and √(σ² + ε). That μ, σ² depend on x matters to a second derivative alone; otherwise they are at hand."""
        if is_grad_enabled():
            axes = _all_but_channels(x.ndim)
            mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        else:
            mean, var = as_tensor(self.mean), as_tensor(self.var)
        deviation = (var + self.eps).sqrt()
        return (x - mean) / deviation, deviation


def batch_norm(
    x: TensorLike,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """z = (x − μ) / √(σ² + ε) · w + b per channel, the axis 1 of x.

    In training, and where there are no running statistics, μ and σ² are those of the batch, and the running ones move
    towards them in place: running ← (1 − momentum) · running + momentum · batch, the variance taken unbiased. Otherwise
    μ and σ² are the running ones. Ioffe and Szegedy, Batch Normalization, ICML 2015.

    Args:
        x: `(N, C)`, `(N, C, L)` or `(N, C, H, W)`, floats.
        running_mean, running_var: `(C,)` or None.
        weight, bias: `(C,)`; 1 and 0 if None.
        training: use the batch's statistics.
        momentum: the share of the batch in the running statistics.
        eps: ε.

    Raises:
        ShapeError: sizes that don't fit, or training on a single value per channel.

    >>> import tensorgrad as tg
    >>> tg.batch_norm(tg.tensor([[1.0], [3.0]]), training=True)
    tensor([[-1.],
            [ 1.]])
    """
    x = floating(x)
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    given = {name: as_tensor(t) for name, t in given.items() if t is not None}
    if x.ndim < 2 or any(t.shape != x.shape[1:2] for t in given.values()):
        expected = "x (N, C, ...), all others (C,)"
        raise ShapeError(restate("batch_norm", "the sizes don't fit", expected=expected, x=x, **given))
    # (C,) -> (1, C, 1, ...)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    # In the dtype of x, by a recorded cast: each parameter's gradient comes back in the parameter's own.
    given = {name: t if t.dtype == x.dtype else t.astype(x.dtype) for name, t in given.items()}
    weight = given.get("weight", as_tensor(np.ones(x.shape[1], x.dtype)))
    bias = given.get("bias", as_tensor(np.zeros(x.shape[1], x.dtype)))
    if x.size == 0:
        return x * weight.reshape(shape) + bias.reshape(shape)  # nothing to take statistics of
    if not training and running_mean is not None and running_var is not None:
        scale = weight / (given["running_var"] + eps).sqrt()
        return x * scale.reshape(shape) + (bias - given["running_mean"] * scale).reshape(shape)
    count = x.size // x.shape[1]
    if training and count == 1:
        fix = "use more examples, or model.eval()"
        raise ShapeError(restate("batch_norm", "training needs more than one value per channel", fix=fix, x=x))
    axes = _all_but_channels(x.ndim)
    mean, var = x.data.mean(axes, keepdims=True), x.data.var(axes, keepdims=True)
    if training:
        for running, now in ((running_mean, mean), (running_var, var * (count / (count - 1)))):
            if running is not None:
                running[...] = running.data * (1 - momentum) + now.reshape(-1) * momentum
    return apply(BatchNorm, x, weight, bias, mean=mean, var=var, eps=eps)


def _all_but_channels(ndim: int) -> tuple[int, ...]:
    return (0, *range(2, ndim))
