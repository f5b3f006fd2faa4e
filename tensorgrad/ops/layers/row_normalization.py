"""The ops of layer, group, instance and root-mean-square norm: rows are normalized, then scaled and shifted.

One op does all of them, on x as rows: see `kernels.elementwise.row_normalization`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.modes import is_grad_enabled
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import Formula, fenced, function, mean_of, root, summed, variance_of, words
from tensorgrad.ops.elementwise.arithmetic import square
from tensorgrad.ops.operands import quiet, widened
from tensorgrad.ops.reductions import mean

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


class Rows(NamedTuple):
    """x as rows of `blocks` · `pixels` elements; row r takes the weights of the group r mod `groups`, one per block."""

    height: int
    groups: int
    blocks: int
    pixels: int

    def of(self, x: Any) -> Any:
        """`(R, K, S)`, of an array or tensor."""
        return x.reshape(self.height, self.blocks, self.pixels)

    def split(self, x: Any) -> Any:
        """`(R/G, G, K, S)`, beside weights `(G, K, 1)`."""
        return x.reshape(self.height // self.groups, self.groups, self.blocks, self.pixels)


def _row_gradient(gw, xhat, centered=True):
    """The gradient for x̂ without the part that the statistics take up, of symbols."""
    average = function("mean")
    return gw - average(gw) - xhat * average(gw * xhat) if centered else gw - xhat * average(gw * xhat)


class RmsNorm(Op):
    """z = x̂ · w with x̂ = x / √(mean of x² + ε) of each row."""

    symbol: ClassVar[str] = "rms norm"
    formula: ClassVar[Formula] = lambda x, eps, w: x / root(function("mean")(x**2) + eps) * w
    derivatives: ClassVar[tuple[Formula, ...]] = (
        lambda grad, x, eps, w, xhat: _row_gradient(grad * w, xhat, False) / root(function("mean")(x**2) + eps),
        lambda grad, xhat: summed(grad * xhat),
    )
    centered: ClassVar[bool] = False
    rows: Rows
    eps: float

    def forward(self, x, w):
        return self._normalized(x, w, np.zeros_like(w))

    @quiet
    @widened
    def _normalized(self, x, w, b):
        if x.size:
            z, *statistics = kernels.row_normalization.normalize(self.rows.of(x), w, b, self.eps, self.centered)
        else:
            z, statistics = np.empty_like(x), [np.zeros(self.rows.height), np.ones(self.rows.height)]
        self.residuals = (*statistics, {})  # with the sums of a gradient, which two rules use
        return z.reshape(x.shape)

    def backward_x(self, grad, x, w, residuals):
        if not is_grad_enabled():
            average, inverse, _ = residuals
            given = {"rows": self.rows, "centered": self.centered, "average": average, "inverse": inverse}
            return apply(NormGradient, grad, x, w, **given)
        standard, deviation = self._standardized(x)
        gw = (self.rows.split(grad) * w.reshape(self.rows.groups, -1, 1)).reshape(standard.shape)
        inner = gw - standard * mean(gw * standard, 1, True)
        return ((inner - mean(gw, 1, True) if self.centered else inner) / deviation).reshape(x.shape)

    def backward_w(self, grad, x, residuals):
        if not is_grad_enabled():
            return self._sums(grad, x, residuals)[0]
        products = self.rows.split(grad) * self.rows.split(self._standardized(x)[0])
        return products.sum((0, 3)).reshape(-1)

    def _sums(self, grad: Tensor, x: Tensor, residuals: tuple) -> Tensor:
        average, inverse, known = residuals
        if known.get("grad") is not grad:
            known.update(grad=grad, sums=apply(NormSums, grad, x, rows=self.rows, average=average, inverse=inverse))
        return known["sums"]

    def _standardized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x̂ and √(σ² + ε) as rows, recorded: second derivatives need that μ and σ² depend on x."""
        rows = x.reshape(self.rows.height, self.rows.blocks * self.rows.pixels)
        centered = rows - mean(rows, 1, True) if self.centered else rows
        deviation = (mean(square(centered), 1, True) + self.eps).sqrt()
        return centered / deviation, deviation


class LayerNorm(RmsNorm):
    """z = x̂ · w + b with x̂ = (x − μ) / √(σ² + ε), with μ and σ² of each row."""

    symbol, formula = "layer norm", lambda x, eps, w, b: (x - mean_of(x)) / root(variance_of(x) + eps) * w + b
    derivatives = (
        lambda grad, w, sigma, eps, xhat: _row_gradient(grad * w, xhat) / root(sigma**2 + eps),
        lambda grad, xhat: summed(grad * xhat),
        lambda grad: summed(grad),
    )
    centered = True

    def forward(self, x, w, b):
        return self._normalized(x, w, b)

    def backward_b(self, grad, x, residuals):
        if not is_grad_enabled():
            return self._sums(grad, x, residuals)[1]
        return self.rows.split(grad).sum((0, 3)).reshape(-1)


class GroupNorm(LayerNorm):
    """z = x̂ · w + b with x̂ = (x − μ) / √(σ² + ε), with μ and σ² of each group of channels."""

    symbol = "group norm"


class InstanceNorm(LayerNorm):
    """z = x̂ · w + b with x̂ = (x − μ) / √(σ² + ε), with μ and σ² of each channel of each example."""

    symbol = "instance norm"


class NormGradient(Op):
    """z = (gw − mean gw − x̂ · mean(gw · x̂)) / √(σ² + ε), for a backward pass that isn't recorded."""

    symbol, formula = "normᵀ", lambda g, w, sigma, eps, xhat: _row_gradient(g * w, xhat) / root(sigma**2 + eps)
    rows: Rows
    centered: bool
    average: np.ndarray
    inverse: np.ndarray

    @quiet
    @widened
    def forward(self, g, x, w):
        if x.size == 0:
            return np.empty_like(x)
        of, statistics = self.rows.of, (self.average, self.inverse)
        return kernels.row_normalization.grad_input(of(g), of(x), w, *statistics, self.centered).reshape(x.shape)


class NormSums(Op):
    """z = (Σ g · x̂, Σ g) of each weight and bias, for a backward pass that isn't recorded."""

    symbol, formula = "Σ x̂, Σ", lambda g, xhat: fenced("(", words(summed(g * xhat), ",", summed(g)), ")")
    rows: Rows
    average: np.ndarray
    inverse: np.ndarray

    @quiet
    @widened
    def forward(self, g, x):
        of, statistics = self.rows.of, (self.average, self.inverse)
        return kernels.row_normalization.grad_weights(of(g), of(x), *statistics, self.rows.groups).astype(x.dtype)
