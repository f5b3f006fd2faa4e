"""What activation functions share: one pass of a kernel for the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad import kernels
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.ops.operands import widened

if TYPE_CHECKING:
    from tensorgrad.tensor import Tensor


class ActivationGradient(Op):
    """z = g · f′, for a backward pass that isn't differentiated in turn; y is what the kernel of f takes."""

    symbol, formula = "⊙ f′", "z = g · f′"
    function: str
    parameter: float

    @widened
    def forward(self, g, y):
        return kernels.activations.activation_gradient(self.function, g, y, self.parameter)


def activation_gradient(function: str, grad: Tensor, y: Tensor, parameter: float = 0.0) -> Tensor:
    """g · f′ in one pass, where recording is off."""
    return apply(ActivationGradient, grad, y, function=function, parameter=parameter)
