"""Tensors among arrays: NumPy's functions on tensors, tensors around other libraries' memory.

All of it is imported at its first use: a program may never call a function of NumPy with a tensor.
"""

from typing import TYPE_CHECKING, Any

from tensorgrad.system import lazy as _lazy

if TYPE_CHECKING:
    from tensorgrad.interop.arrays import from_dlpack as from_dlpack, from_numpy as from_numpy
    from tensorgrad.interop.protocols import function as function, ufunc as ufunc
else:
    _LAZY = _lazy.names_of("tensorgrad.interop.arrays", "from_dlpack", "from_numpy")
    _LAZY |= _lazy.names_of("tensorgrad.interop.protocols", "function", "ufunc")

    def __getattr__(name: str) -> Any:
        return _lazy.load(globals(), name, _LAZY)
