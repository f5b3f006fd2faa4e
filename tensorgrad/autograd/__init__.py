"""Reverse-mode differentiation: what an op is, the engine that applies and records ops, and the backward pass.

Programs find here what PyTorch has in `torch.autograd`: `Function`, `grad`, `gradcheck`.
"""

from typing import TYPE_CHECKING, Any

from tensorgrad.autograd.function import Function as Function
from tensorgrad.system import lazy as _lazy

if TYPE_CHECKING:
    from tensorgrad.transforms import grad as grad, gradcheck as gradcheck
else:
    _LAZY = _lazy.names_of("tensorgrad.transforms", "grad", "gradcheck")  # which stand above the engine

    def __getattr__(name: str) -> Any:
        return _lazy.load(globals(), name, _LAZY)
