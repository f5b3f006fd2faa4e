"""Reverse-mode differentiation: what an op is, the engine that applies and records ops, and the backward pass.

Programs find here what PyTorch has in `torch.autograd`: `Function`, `grad`, `gradcheck`.
"""

from typing import TYPE_CHECKING, Any

from tensorgrad.autograd.function import Function as Function
from tensorgrad.system.forks import imported as _imported

if TYPE_CHECKING:
    from tensorgrad.transforms import grad as grad, gradcheck as gradcheck
else:

    def __getattr__(name: str) -> Any:
        if name in ("grad", "gradcheck"):  # they stand above the engine
            return getattr(_imported("tensorgrad.transforms"), name)
        raise AttributeError(f"module 'tensorgrad.autograd' has no attribute {name!r}")
