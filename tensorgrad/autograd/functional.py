"""PyTorch's `torch.autograd.functional`: `jacobian` and `hessian`; they stand above the engine, in func/."""

from typing import TYPE_CHECKING, Any

from tensorgrad.system import lazy as _lazy

if TYPE_CHECKING:
    from tensorgrad.func.functional import hessian as hessian, jacobian as jacobian
else:
    _LAZY = _lazy.names_of("tensorgrad.func.functional", "hessian", "jacobian")

    def __getattr__(name: str) -> Any:
        return _lazy.load(globals(), name, _LAZY)
