"""What `t.data` gives: an ndarray that also answers to a tensor's methods, as scripts for PyTorch expect."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.ops.operands import as_tensor


class Data(np.ndarray):
    """A tensor's values, an ndarray in the same memory. What it has from NumPy means what NumPy means.

    Names that NumPy's arrays lack are those of a tensor around the memory, without a gradient: `w.data.zero_()`,
    `w.data.add_(g, alpha=-0.1)`, `x.data.cpu()`. Results of NumPy's functions are plain ndarrays.

    >>> import tensorgrad as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> w.data.mul_(3)
    tensor([3., 6.])
    >>> w.data += 1
    >>> w
    tensor([4., 7.], requires_grad=True)
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # a protocol that NumPy or Python asks for
            raise AttributeError(name)
        return getattr(as_tensor(self.view(np.ndarray)), name)

    def __array_wrap__(self, array: np.ndarray, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else array.view(np.ndarray)

    def __repr__(self) -> str:
        return repr(self.view(np.ndarray))

    def __reduce__(self) -> Any:
        return self.view(np.ndarray).__reduce__()

    def __deepcopy__(self, memo: dict[int, Any] | None) -> np.ndarray:  # type: ignore[override]
        return self.view(np.ndarray).copy()
