"""What a tensor is for Python and NumPy: numbers, arrays and lists of its values, text, copies and pickles."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from tensorgrad import interop
from tensorgrad.arrays.dtypes import DTypeLike
from tensorgrad.autograd import modes, versions
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, restate, restated
from tensorgrad.ops import operands
from tensorgrad.system.console import printable
from tensorgrad.tensor.picture import picture

if TYPE_CHECKING:
    from tensorgrad.tensor.tensor import Tensor

V = TypeVar("V", bound=Variable)


class Protocols(Variable):
    """The part of `Tensor` that Python and NumPy call, and the methods that read values."""

    __slots__ = ()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The values as an ndarray in the same memory, read-only if the tensor requires a gradient.

        Args:
            force: accepted for PyTorch's scripts, where it detaches first, and without effect.
        """
        operands.flag("numpy", "force", force)
        versions.note_array(self)
        values = self._host_read("numpy()")
        if not self._requires_grad:
            return values
        view = values.view()
        view.flags.writeable = False
        return view

    def item(self) -> float | int | bool:
        """The only element as a Python number. Raises ShapeError unless there is exactly one."""
        if self._data.size != 1:
            problem = "the tensor must have exactly one element"
            raise ShapeError(restate("item", problem, fix="index or reduce it first", tensor=self))
        return self._host_read("item()").item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        with restated("tolist", tensor=self):
            return self._host_read("tolist()").tolist()

    def _host_read(self, call: str) -> np.ndarray:
        """The values, after notifying the observers of a host read: Python may branch on the values."""
        for observer in modes.observers():
            observer.engine_bypassed(call, self)
        return self._data

    def __array__(self, dtype: DTypeLike = None, copy: bool | None = None) -> np.ndarray:
        if operands.loses_gradient(self):
            fix = "t.numpy() reads the values, to plot, print or store them; t.detach() drops the gradient"
            problem = "the tensor requires a gradient, which NumPy would lose"
            raise GraphError(restate("np.array", problem, fix=fix, tensor=self))
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return interop.ufunc(function, method, inputs, kwargs)

    def __array_function__(self, called: Any, types: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        return interop.function(called, args, kwargs)

    def __dlpack__(self, **kwargs: Any) -> Any:
        if self._requires_grad:
            problem = "the tensor requires a gradient, which DLPack would lose"
            raise GraphError(restate("__dlpack__", problem, fix="export t.detach()", tensor=self))
        return self._host_read("__dlpack__()").__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def __float__(self) -> float:
        if operands.loses_gradient(self) and _assigned():
            fix = "assign to a tensor instead of an array; or drop the gradient with t.item(), t.numpy() or t.detach()"
            raise GraphError(restate("array[index] = t", "NumPy would lose the gradient", fix=fix, tensor=self))
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self._host_read("index").__index__()

    def __bool__(self) -> bool:
        if self._data.size != 1:
            fix = "use .any() or .all()"
            raise ArgumentError(restate("bool", "the tensor must have exactly one element", fix=fix, tensor=self))
        return bool(self._host_read("bool").item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __len__(self) -> int:
        if self._data.ndim == 0:
            raise DTypeError(restate("len", "a scalar has no length", tensor=self))
        return self._data.shape[0]

    def __iter__(self: Any) -> Iterator[Tensor]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        text = np.array2string(self._host_read("repr"), precision=4, separator=", ", prefix="tensor(")
        notes = [] if self._data.dtype in (np.float32, np.int64, np.bool_) else [f"dtype={self._data.dtype}"]
        if self._node is not None:
            notes.append(f"op={self._node.op.name}")
        elif self._requires_grad:
            notes.append("requires_grad=True")
        if self.name is not None:
            notes.append(f"name={self.name!r}")
        return printable(f"tensor({', '.join([text, *notes])})")

    def _repr_html_(self: Any) -> str:
        return picture(self)

    def __copy__(self) -> Self:
        copy = _rebuild(type(self), self._data, self._requires_grad, self.name)
        copy._node = self._node
        versions.add_view(copy, self)
        return copy

    def __deepcopy__(self, memo: dict) -> Self:
        if self._node is not None:
            fix = "copy t.detach()"
            problem = "this tensor was computed, and a copy would lose its graph"
            raise GraphError(restate("deepcopy", problem, fix=fix, tensor=self))
        copy = type(self).__new__(type(self))
        Variable.__init__(copy, self._data.copy(), self._requires_grad)
        copy.name = self.name
        memo[id(self)] = copy
        if self._grad is not None:
            gradient: Any = self._grad
            copy._grad = gradient.detach().clone()
        return copy

    def __reduce__(self) -> tuple:
        if self._node is not None:
            fix = "pickle t.detach()"
            problem = "this tensor was computed, and its graph can't be pickled"
            raise GraphError(restate("pickle", problem, fix=fix, tensor=self))
        return _rebuild, (type(self), self._data, self._requires_grad, self.name)


def _assigned() -> bool:
    """Whether the caller's caller executes `array[index] = t`.

    NumPy calls `float(t)` for it, as users do for a number; only the bytecode of the calling frame differs.
    """
    frame = sys._getframe(2)
    return frame.f_code.co_code[frame.f_lasti] == dis.opmap["STORE_SUBSCR"]


def _rebuild(cls: type[V], data: np.ndarray, requires_grad: bool, name: str | None) -> V:
    tensor = cls.__new__(cls)
    Variable.__init__(tensor, data, requires_grad)
    tensor.name = name
    return tensor
