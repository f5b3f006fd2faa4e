"""What activation functions share: a kernel pass for the value, and one for the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tensorgrad import kernels
from tensorgrad.engine import apply
from tensorgrad.op import Op
from tensorgrad.ops.operands import quiet

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


class ActivationGradient(Op):
    """z = g · f′, for a backward pass that isn't differentiated in turn; y is what the kernel of f takes."""

    symbol, formula = "⊙ f′", "z = g · f′"
    function: str
    parameter: float

    def forward(self, g, y):
        if g.dtype == np.float16:
            return _twin("activation_gradient", self.function, g, y, self.parameter)
        return kernels.activations.activation_gradient(self.function, g, y, self.parameter)


def activation(function: str, x: np.ndarray, parameter: float = 0.0) -> np.ndarray:
    """f(x): see `kernels.activations`."""
    if x.dtype == np.float16:
        return _twin("activation", function, x, parameter)
    return kernels.activations.activation(function, x, parameter)


def activation_gradient(function: str, grad: Tensor, y: Tensor, parameter: float = 0.0) -> Tensor:
    """g · f′ in one pass, where recording is off."""
    return apply(ActivationGradient, grad, y, function=function, parameter=parameter)


@quiet
def _twin(name: str, *arguments: object) -> np.ndarray:
    # For float16, which kernels don't take.
    return getattr(kernels.twins, name)(*arguments)
