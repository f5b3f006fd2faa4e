"""Exchanges between processes through which gradients flow."""

from __future__ import annotations

import numpy as np

from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op
from tensorgrad.distributed.world import world
from tensorgrad.formulas.symbolic import summed
from tensorgrad.ops.operands import TensorLike, floating
from tensorgrad.tensor import Tensor

__all__ = ["all_reduce"]


class AllReduce(Op):
    """z = Σ x over all ranks. Each rank's x is in the z of every rank, so its gradient is the sum of theirs."""

    symbol, formula = "Σ over ranks", lambda x: summed(x)
    derivatives = (lambda grad: summed(grad),)
    repeatable = False
    call: str = "all_reduce"

    def forward(self, x):
        group = world()
        group.agree(self.call, f"{x.shape} {x.dtype}")
        total = np.empty(x.shape, x.dtype)
        group.reduce([x], [total])
        self.residuals = total - x if group.size > 1 else None
        return total

    def forward_again(self, x):
        return x.copy() if self.residuals is None else self.residuals + x

    def backward_x(self, grad):
        return apply(AllReduce, grad, call=self.call)


class ScaleGradient(Op):
    """z = x, whose gradient is multiplied by the number s, of its dtype, in the backward pass."""

    symbol, formula = "gradient · s", lambda x, s: x
    derivatives = (lambda grad, s: grad * s,)
    aliases = True

    def forward(self, x, s):
        return x

    def backward_x(self, grad, s):
        return grad * s


def all_reduce(tensor: TensorLike) -> Tensor:
    """The sum of a tensor over all ranks, as a new tensor through which gradients flow.

    What is differentiated is the sum of the ranks' losses: each rank's gradient is the sum of all ranks' gradients for
    the result. All ranks must make the call, and all or none of them its backward pass.

    Args:
        tensor: floats, of the same shape and dtype in all ranks.

    Raises:
        DistributedError: shapes or dtypes differ between the ranks.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> tg.distributed.functional.all_reduce(x).sum().backward(); x.grad
    tensor([1., 1.])
    """
    return apply(AllReduce, floating(tensor))
