"""Batch normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply, constant, host_call
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import DTypeError, ShapeError, restate
from tensorgrad.formulas.symbolic import fenced, function, mean_of, root, summed, variance_of, words
from tensorgrad.ops.elementwise.elementwise import Elementwise
from tensorgrad.ops.elementwise.transcendental import sqrt
from tensorgrad.ops.operands import TensorLike, as_tensor, flag, floating, number, quiet, widened

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor

__all__ = ["batch_norm"]


def _gradient(g, w, sigma, eps, xhat):
    """The gradient for x, of symbols."""
    mean = function("mean")
    return w / root(sigma**2 + eps) * (g - mean(g) - xhat * mean(g * xhat))


class ScaleAndShift(Op):
    """z = (x − c) · w + b, with one c, w and b per channel."""

    symbol, formula = "scale, shift", lambda x, c, w, b: (x - c) * w + b
    derivatives = (
        lambda grad, w: grad * w,
        lambda grad, w: -summed(grad * w),
        lambda grad, x, c: summed(grad * (x - c)),
        lambda grad: summed(grad),
    )

    @widened
    def forward(self, x, c, w, b):
        self.residuals = {}  # the sums of a gradient, which two rules use
        return kernels.normalization.scale_and_shift(x, c, w, b)

    def backward_x(self, grad, w):
        zeros = constant(np.zeros_like(w._data))
        return apply(ScaleAndShift, grad, zeros, w, zeros)

    def backward_c(self, grad, w):
        return -grad.sum(_all_but_channels(grad.ndim)) * w

    def backward_w(self, grad, x, c, residuals):
        if not is_grad_enabled():
            residuals.update(grad=grad, sums=apply(ScaleSums, grad, x, c))
            return residuals["sums"][1]
        centred = x - c.reshape(-1, *[1] * (x.ndim - 2))
        return (grad * centred).sum(_all_but_channels(x.ndim))

    def backward_b(self, grad, residuals):
        if not is_grad_enabled() and residuals.get("grad") is grad:
            return residuals["sums"][0]
        return grad.sum(_all_but_channels(grad.ndim))


class Scaling(Elementwise):
    """What a channel of variance v is multiplied by, in evaluation."""

    symbol = "w / σ"
    eps: float
    formula = lambda w, v, eps: w / sqrt(v + eps)
    derivatives = (lambda v, eps: 1 / sqrt(v + eps), lambda v, z, eps: -z / (2 * (v + eps)))


class ScaleSums(Op):
    """z = (Σ g, Σ g · (x − c)) per channel: the gradients of b and w, for a backward pass that isn't recorded."""

    symbol, formula = "Σ, Σ (x − c)", lambda g, x, c: fenced("(", words(summed(g), ",", summed(g * (x - c))), ")")

    @quiet
    @widened
    def forward(self, g, x, c):
        # (C,), (C,) -> (2, C)
        return np.stack(kernels.normalization.gradient_sums(g, x, c)).astype(x.dtype)


class BatchNorm(Op):
    """z = x̂ · w + b with x̂ = (x − μ) / √(σ² + ε), with μ and σ² of the batch, per channel."""

    symbol, formula = "batch norm", lambda x, eps, w, b: (x - mean_of(x)) / root(variance_of(x) + eps) * w + b
    derivatives = (
        lambda grad, w, sigma, eps, xhat: _gradient(grad, w, sigma, eps, xhat),
        lambda grad, xhat: summed(grad * xhat),
        lambda grad: summed(grad),
    )
    mean: np.ndarray
    var: np.ndarray
    eps: float

    @quiet
    @widened
    def forward(self, x, w, b):
        self.residuals = {}  # the sums of a gradient, which all three rules use
        numbers = kernels.normalization.scaling(self.mean, self.var, w, b, self.eps)
        return kernels.normalization.scale_and_shift(x, *numbers)

    def forward_again(self, x, w, b):
        self.mean, self.var = _moments(x)
        return self.forward(x, w, b)

    def backward_x(self, grad, x, w, residuals):
        if not is_grad_enabled():
            sums = self._sums(grad, x, residuals)
            return apply(BatchNormGradient, grad, x, w, sums, mean=self.mean, var=self.var, eps=self.eps)
        x_hat, deviation = self._standardized(x)
        axes = _all_but_channels(x.ndim)
        inner = grad - grad.mean(axes, True) - x_hat * (grad * x_hat).mean(axes, True)
        return inner * (w.reshape(deviation.shape) / deviation)

    def backward_w(self, grad, x, residuals):
        if not is_grad_enabled():
            return self._sums(grad, x, residuals)[1]
        return (grad * self._standardized(x)[0]).sum(_all_but_channels(x.ndim))

    def backward_b(self, grad, x, residuals):
        if not is_grad_enabled():
            return self._sums(grad, x, residuals)[0]
        return grad.sum(_all_but_channels(grad.ndim))

    def _sums(self, grad: Tensor, x: Tensor, residuals: dict) -> Tensor:
        if residuals.get("grad") is not grad:
            sums = apply(BatchNormSums, grad, x, mean=self.mean, var=self.var, eps=self.eps)
            residuals.update(grad=grad, sums=sums)
        return residuals["sums"]

    def _standardized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x̂ and √(σ² + ε), recorded: second derivatives need that μ and σ² depend on x."""
        axes = _all_but_channels(x.ndim)
        deviation = (x.var(axes, correction=0, keepdim=True) + self.eps).sqrt()
        return (x - x.mean(axes, True)) / deviation, deviation


class BatchNormSums(Op):
    """z = (Σ g, Σ g · x̂) per channel: the gradients of shift and scale, which the gradient of x needs too."""

    symbol, formula = "Σ, Σ x̂", lambda g, xhat: fenced("(", words(summed(g), ",", summed(g * xhat)), ")")
    mean: np.ndarray
    var: np.ndarray
    eps: float

    @quiet
    @widened
    def forward(self, g, x):
        sums = kernels.normalization.gradient_sums(g, x, self.mean)
        return kernels.normalization.weight_gradients(*sums, self.mean, self.var, self.eps, x.dtype)


class BatchNormGradient(Op):
    """z = w/√(σ² + ε) · (g − mean g − x̂ · mean(g · x̂)), for a backward pass that isn't recorded."""

    symbol, formula = "batch normᵀ", lambda g, w, sigma, eps, xhat: _gradient(g, w, sigma, eps, xhat)
    mean: np.ndarray
    var: np.ndarray
    eps: float

    @quiet
    @widened
    def forward(self, g, x, w, sums):
        count = x.size // x.shape[1]
        numbers = kernels.normalization.gradient_scaling(sums, self.mean, self.var, w, count, self.eps)
        return kernels.normalization.grad_input(g, x, *numbers)


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel, in float64."""
    return kernels.normalization.moments(x.astype(np.float32) if x.dtype == np.float16 else x)


def batch_norm(
    input: TensorLike,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """z = (x − μ) / √(σ² + ε) · w + b per channel, the axis 1 of the input x.

    In training, or without running statistics, μ and σ² are those of the batch. In training the running statistics are
    updated in place: running ← (1 − momentum) · running + momentum · batch, with the unbiased variance. In evaluation μ
    and σ² are the running statistics. Ioffe and Szegedy, Batch Normalization, ICML 2015.

    Args:
        input: `(N, C)`, `(N, C, L)` or `(N, C, H, W)`, floats.
        running_mean: `(C,)` or None.
        running_var: `(C,)` or None.
        weight: w, `(C,)`; 1 if None.
        bias: b, `(C,)`; 0 if None.
        training: use the statistics of the batch.
        momentum: the weight of the batch in the running statistics.
        eps: ε.

    Raises:
        ShapeError: arguments that aren't `(C,)`, or in training a single value per channel.
        DTypeError: in training, running statistics that aren't tensors.

    >>> import tensorgrad as tg
    >>> tg.batch_norm(tg.tensor([[1.0], [3.0]]), training=True)
    tensor([[-1.],
            [ 1.]])
    """
    x, eps = floating(input), number("batch_norm", "eps", eps)
    if training is not True and training is not False:
        training = flag("batch_norm", "training", training)
    tracked = [t for t in (running_mean, running_var) if t is not None] if training else []
    if tracked:
        momentum = number("batch_norm", "momentum", momentum)
    given: dict[str, Any] = {"running_mean": running_mean, "running_var": running_var}
    if any(not isinstance(t, Variable) for t in tracked):
        problem = "running_mean and running_var change in place, so they must be tensors"
        raise DTypeError(restate("batch_norm", problem, **given))
    given |= {"weight": weight, "bias": bias}
    given = {name: as_tensor(t) for name, t in given.items() if t is not None}
    if x.ndim < 2 or any(t.shape != x.shape[1:2] for t in given.values()):
        raise ShapeError(restate("batch_norm", "input must be (N, C, ...) and all others (C,)", input=x, **given))
    # A recorded cast to the dtype of x: each parameter's gradient is in the parameter's own dtype.
    given = {name: t if t.dtype == x.dtype else t.astype(x.dtype) for name, t in given.items()}
    w = given.get("weight", constant(np.ones(x.shape[1], x.dtype)))
    b = given.get("bias", constant(np.zeros(x.shape[1], x.dtype)))
    if x._data.size == 0:
        return apply(ScaleAndShift, x, b, w, b)  # an empty batch has no statistics
    if not training and running_mean is not None and running_var is not None:
        scale = apply(Scaling, w, given["running_var"], eps=eps)
        return apply(ScaleAndShift, x, given["running_mean"], scale, b)
    count = x._data.size // x.shape[1]
    if training and count == 1:
        fix = "use more examples, or model.eval()"
        raise ShapeError(restate("batch_norm", "training needs more than one value per channel", fix=fix, input=x))
    mean, var = host_call(_moments, x._data)
    if training:
        for running, now, factor in ((running_mean, mean, 1.0), (running_var, var, count / (count - 1))):
            if running is not None:
                host_call(follow, running, now, factor, momentum, effect=True)
    return apply(BatchNorm, x, w, b, mean=mean, var=var, eps=eps)


def follow(running: Tensor, now: np.ndarray, factor: float, momentum: float) -> None:
    """running ← (1 − momentum) · running + momentum · factor · now, in place."""
    running[...] = running._data * (1 - momentum) + now * factor * momentum


def _all_but_channels(ndim: int) -> tuple[int, ...]:
    return (0, *range(2, ndim))
