"""Reverse-mode differentiation: what an op is, the engine that applies and records ops, and the backward pass.

Programs find here what PyTorch has in `torch.autograd`: `Function`, `backward`, `grad`, `gradcheck`, `functional`,
`Variable`, and the modes `no_grad`, `enable_grad`, `set_grad_enabled` and `inference_mode`.
"""

from typing import TYPE_CHECKING, Any

from tensorgrad.autograd import functional as functional
from tensorgrad.autograd.function import Function as Function
from tensorgrad.autograd.modes import (
    enable_grad as enable_grad,
    inference_mode as inference_mode,
    no_grad as no_grad,
    set_grad_enabled as set_grad_enabled,
)
from tensorgrad.autograd.variable import Variable as _Variable
from tensorgrad.errors import DTypeError, restate
from tensorgrad.system import lazy as _lazy

__all__ = [
    "Function",
    "Variable",
    "backward",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]


def Variable(data: Any, requires_grad: bool = False) -> Any:
    """The tensor itself, or with `requires_grad` a new leaf in its memory: older scripts wrap their data in it.

    >>> import tensorgrad as tg
    >>> tg.autograd.Variable(tg.ones(2), requires_grad=True)
    tensor([1., 1.], requires_grad=True)
    """
    if not isinstance(data, _Variable):
        raise DTypeError(restate("Variable", "data must be a tensor", data=data))
    return data.detach().requires_grad_() if requires_grad else data  # type: ignore[attr-defined]


if TYPE_CHECKING:
    from tensorgrad.transforms import backward as backward, grad as grad, gradcheck as gradcheck
else:
    _LAZY = _lazy.names_of("tensorgrad.transforms", "backward", "grad", "gradcheck")  # which stand above the engine

    def __getattr__(name: str) -> Any:
        return _lazy.load(globals(), name, _LAZY)
