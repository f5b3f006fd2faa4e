"""Batch normalization by the statistics of the batches of all ranks."""

from __future__ import annotations

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply, constant, host_call
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.distributed.functional import AllReduce
from tensorgrad.distributed.world import world
from tensorgrad.errors import ShapeError, restate
from tensorgrad.formulas.symbolic import mean_of, root, variance_of
from tensorgrad.ops.normalization import BatchNorm, BatchNormGradient, follow
from tensorgrad.ops.operands import quiet, widened
from tensorgrad.tensor import Tensor

BACKWARD = "SyncBatchNorm's backward"


def sync_batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """`tg.batch_norm` in training, with the statistics of the batches of all ranks. Some of them may be empty.

    Args:
        x: `(N, C, ...)`, floats; the ranks may have different numbers of examples.
        running_mean: `(C,)`, updated in place; or None.
        running_var: `(C,)`, updated in place; or None.
        weight: `(C,)`; 1 if None.
        bias: `(C,)`; 0 if None.
        momentum: the weight of the batch in the running statistics.
        eps: added to the variance.

    Raises:
        ShapeError: a single value per channel in all ranks together.
        DistributedError: ranks with other channels.
    """
    channels = x.shape[1]
    w = constant(np.ones(channels, x.dtype)) if weight is None else weight.astype(x.dtype)
    b = constant(np.zeros(channels, x.dtype)) if bias is None else bias.astype(x.dtype)
    mean, var, unbiased, count, others = host_call(_moments_of_all, x._data)
    for running, now in ((running_mean, mean), (running_var, unbiased)):
        if running is not None:
            host_call(follow, running, now, 1.0, momentum, effect=True)
    return apply(SyncBatchNorm, x, w, b, mean=mean, var=var, count=count, others=others, eps=eps)


class SyncBatchNorm(BatchNorm):
    """z = x̂ · w + b with x̂ = (x − μ) / √(σ² + ε), with μ and σ² of the batches of all ranks, per channel."""

    symbol, formula = "sync batch norm", lambda x, eps, w, b: (x - mean_of(x)) / root(variance_of(x) + eps) * w + b
    count: np.ndarray
    """The values per channel in all ranks together."""
    others: np.ndarray
    """Count, mean and variance of each channel in the other ranks, `(ranks, 3, C)`: for `forward_again`."""

    def forward(self, x, w, b):
        if x.size:
            return super().forward(x, w, b)
        self.residuals = {}
        return x.copy()

    def forward_again(self, x, w, b):
        # The other ranks' values stay as they were.
        _, self.mean, self.var = _merged(np.concatenate([self.others, _moments_here(x)[None]]))
        return self.forward(x, w, b)

    def backward_x(self, grad, x, w, residuals):
        if not is_grad_enabled():
            # The statistics were those of all ranks, so x has a part in the losses of all.
            sums = apply(AllReduce, self._sums(grad, x, residuals), call=BACKWARD)
            numbers = {"mean": self.mean, "var": self.var, "count": self.count, "eps": self.eps}
            return apply(SyncBatchNormGradient, grad, x, w, sums, **numbers)
        x_hat, deviation = self._standardized(x)
        inner = grad - self._mean(grad) - x_hat * self._mean(grad * x_hat)
        return inner * (w.reshape(deviation.shape) / deviation)

    def _sums(self, grad: Tensor, x: Tensor, residuals: dict) -> Tensor:
        if x._data.size:
            return super()._sums(grad, x, residuals)
        return constant(np.zeros((2, x.shape[1]), x.dtype))

    def _standardized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        centred = x - self._mean(x)
        deviation = (self._mean(centred * centred) + self.eps).sqrt()
        return centred / deviation, deviation

    def _mean(self, x: Tensor) -> Tensor:
        """The mean over the batches of all ranks, through which gradients flow."""
        total = x.sum((0, *range(2, x.ndim)), True)
        return apply(AllReduce, total, call=BACKWARD) / float(self.count)


class SyncBatchNormGradient(BatchNormGradient):
    """z = w/√(σ² + ε) · (g − mean g − x̂ · mean(g · x̂)), with means over the batches of all ranks."""

    symbol = "sync batch normᵀ"
    count: np.ndarray

    @quiet
    @widened
    def forward(self, g, x, w, sums):
        if not x.size:
            return np.zeros_like(x)
        numbers = kernels.normalization.gradient_scaling(sums, self.mean, self.var, w, int(self.count), self.eps)
        return kernels.normalization.grad_input(g, x, *numbers)


def _moments_here(x: np.ndarray) -> np.ndarray:
    """Count, mean and variance of each channel in this rank, `(3, C)`, in float64."""
    channels = x.shape[1]
    own = np.zeros((3, channels))
    if x.size:
        own[0] = x.size // channels
        own[1:] = kernels.normalization.moments(x.astype(np.float32) if x.dtype == np.float16 else x)
    return own


def _merged(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean and variance of each channel over several groups of values, of which `moments` are `(groups, 3, C)`.

    Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979.
    """
    # (groups, 3, C) -> (groups, C), three times
    counts, means, variances = moments.swapaxes(0, 1)
    total = counts.sum(0)
    mean = (counts * means).sum(0) / total
    return total, mean, (counts * (variances + np.square(means - mean))).sum(0) / total


def _moments_of_all(x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean, variance and unbiased variance over all ranks, `(C,)`; how many values these are; the others' moments."""
    # First what may fail, before any process has taken part: of an opaque array nothing can be read.
    own, group = _moments_here(np.asarray(x)), world()
    group.agree("SyncBatchNorm", f"{x.shape[1]} channels")
    moments = group.gather(own)
    if moments[:, 0].sum(0)[0] < 2:
        fix = "use more examples, or model.eval()"
        problem = "training needs more than one value per channel, in all ranks together"
        raise ShapeError(restate("SyncBatchNorm", problem, fix=fix, input=x))
    total, mean, var = _merged(moments)
    return mean, var, var * (total / (total - 1)), np.array(total[0]), np.delete(moments, group.rank, 0)
