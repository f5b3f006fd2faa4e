"""Ops whose elements are weighted sums of a few elements, axis by axis: the base of padding and interpolation."""

from __future__ import annotations

import numpy as np

from tensorgrad import kernels
from tensorgrad.arrays.dtypes import KERNEL_FLOATS, default_float
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.formulas.symbolic import words
from tensorgrad.kernels.sampling.tables import Axis, taps
from tensorgrad.ops.operands import widened


class Resampling(Op):
    """The base of the ops below: a linear map along each of the last axes."""

    axes: tuple[Axis, ...]

    @widened
    def resampled(self, x):
        """x along the axes."""
        if x.dtype in KERNEL_FLOATS:
            return kernels.separable.resample(x, self.axes)
        return np.ascontiguousarray(kernels.fallback.resample(x, [taps(axis, default_float()) for axis in self.axes]))

    def backward_x(self, grad):
        return apply(ResampleAdjoint, grad, axes=tuple([axis.adjoint for axis in self.axes]))


class ResampleAdjoint(Resampling):
    """z = each gradient, times its weights, added to the elements that it was made of."""

    symbol, formula = "resampleᵀ", lambda x: words("Σ weight ·", x)
    derivatives = (lambda grad: words("Σ weight ·", grad),)

    def forward(self, x):
        return self.resampled(x)
