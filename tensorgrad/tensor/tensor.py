"""Tensor, an array with a gradient: what it holds, its gradient, and what it is for Python and NumPy."""

from __future__ import annotations

import dis
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar, cast

import numpy as np

from tensorgrad import interop
from tensorgrad.arrays.dtypes import DTypeLike, as_array, is_float
from tensorgrad.autograd import configuration, hooks, modes, places, variable, versions
from tensorgrad.autograd.backward_pass import backward, backward_into, zero_grad
from tensorgrad.autograd.hooks import HookHandle
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.variable import Hook, Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, restate, restated
from tensorgrad.ops import operands, shapes
from tensorgrad.ops.operands import TensorLike
from tensorgrad.ops.sampling import filled
from tensorgrad.system.console import printable
from tensorgrad.tensor.conversion import Conversions
from tensorgrad.tensor.data import Data
from tensorgrad.tensor.foreign_names import ForeignNames
from tensorgrad.tensor.inplace import InPlaceMethods
from tensorgrad.tensor.methods import Methods
from tensorgrad.tensor.operators import InPlaceOperators, Operators
from tensorgrad.tensor.picture import picture

T = TypeVar("T", bound="Tensor")


@variable.results_are
class Tensor(Operators, InPlaceOperators, InPlaceMethods, Methods, Conversions, ForeignNames, Variable):
    """An array that records how it was computed, so that `backward()` can compute its gradient.

    Args:
        data: an array, a number, nested lists of numbers or a tensor; an array's memory is shared (`tg.tensor` copies).
            Integers alone are sizes, as in PyTorch: `Tensor(2, 3)` holds zeros, `Tensor(2)` too, `Tensor()` nothing.
        requires_grad: whether `backward()` leaves a gradient in `.grad`; floats only.
        dtype: by default that of an array; float32 for Python floats, int64 for Python ints.
        name: the name in errors and drawings.

    `.grad` is None until `backward()` sets it: a tensor of the same shape and dtype.

    Raises:
        DTypeError: complex or non-numeric data, or an integer tensor that is to require a gradient.
        ArgumentError: lists of uneven lengths.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
    """

    __slots__ = ()
    _grad: Tensor | None

    def __init__(
        self,
        data: TensorLike = (),
        requires_grad: bool | int = False,
        *sizes: int,
        dtype: DTypeLike = None,
        name: str | None = None,
    ) -> None:
        if requires_grad is not False and requires_grad is not True:
            if dtype is None and name is None and operands.are_sizes(data, requires_grad, *sizes):
                shape = cast("tuple[int, ...]", (data, requires_grad, *sizes))
                data, requires_grad, sizes = filled.empty(shape)._data, False, ()
            fix = "sizes are integers alone, tg.Tensor(2, 3); pass a dtype by its name"
            requires_grad = operands.flag(type(self).__name__, "requires_grad", requires_grad, fix)
        elif type(data) is int and not requires_grad and dtype is None and name is None:
            data = filled.empty(data)._data
        if sizes:
            problem, fix = f"expected data and requires_grad, got {len(sizes)} more", "give lists one pair of brackets"
            raise ArgumentError(restate(type(self).__name__, problem, fix=fix))
        source = operands.detached(type(self).__name__, data)
        super().__init__(as_array(source._data if isinstance(source, Variable) else source, dtype))
        if isinstance(source, Variable) and places.same_memory(self._data, source._data):
            versions.add_detached(self, source)
        else:
            versions.note_array(self)
        self.name = name
        if requires_grad:
            self._check_float()
            self._requires_grad = True

    # ------------------------------------------------------------------------------------------------------ properties

    @property
    def data(self) -> Data:
        """The values as an ndarray in the same memory, which has a tensor's methods too where NumPy has no such name.

        The engine doesn't notice writes that NumPy makes into this array; use `t[...] = array` for those.
        """
        versions.note_array(self)
        return self._host_read("data").view(Data)

    @data.setter
    def data(self, value: TensorLike) -> None:
        written = (
            isinstance(value, np.ndarray) and places.is_same_place(value, self._data) and value.dtype == self.dtype
        )
        value = as_array(value.detach() if isinstance(value, Tensor) else value)
        self._host_read("data = ...")
        if value.shape != self.shape or value.dtype != self.dtype:
            expected = f"shape {self.shape}, dtype {self.dtype}"
            problem = "new data must have the shape and dtype of the tensor"
            raise ShapeError(restate("data", problem, expected=expected, new=value, tensor=self))
        if written:  # by `t.data *= 2`, which Python executes as an assignment of what it changed
            versions.begin_version(self, keep=False)
        else:
            versions.leave(self)
            self._data = value
            versions.note_array(self)

    @property
    def requires_grad(self) -> bool:
        """Whether the tensor requires a gradient."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        value = operands.flag("requires_grad", "requires_grad", value)
        if value:
            self._check_float()
        if not value and self._node is not None:
            problem = "only a leaf can stop requiring a gradient; this tensor was computed"
            raise GraphError(restate("requires_grad", problem, fix="use t.detach()", tensor=self))
        if self._requires_grad != value:
            self._requires_grad = value
            configuration.reconfigured()

    def _check_float(self) -> None:
        if not is_float(self._data.dtype):
            fix = "convert it first: t.astype('float32')"
            problem = f"a tensor that requires a gradient must be a float, got {self.dtype}"
            raise DTypeError(restate("requires_grad", problem, fix=fix, tensor=self))

    @property
    def grad(self) -> Tensor | None:
        """The gradient, the sum over all `backward()` calls: a tensor of this shape and dtype; None before the first.

        Computed tensors keep a gradient only after `retain_grad()`; otherwise reading it warns.
        """
        if self._grad is None and self._node is not None and self._node.retained is None:
            fix = "call t.retain_grad() before backward(), or read the .grad of a leaf"
            problem = "this tensor was computed, so backward() doesn't keep its gradient"
            warnings.warn(restate("grad", problem, fix=fix, tensor=self), UserWarning, stacklevel=2)
        for observer in modes.observers():
            observer.grad_read(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if not (value is None or isinstance(value, Variable)):
            fix = "t.grad = tg.tensor(array), or None to forget it"
            raise DTypeError(restate("grad", "a gradient must be a tensor or None", fix=fix, gradient=value))
        if value is None and self._node is None and modes.observers():
            zero_grad([self])  # which notifies the observers
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor wasn't computed by a recorded op."""
        return self._node is None

    @property
    def grad_fn(self) -> Node | None:
        """The record of the op that made the tensor; None for a leaf."""
        return self._node

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype of the elements."""
        return self._data.dtype

    @property
    def T(self) -> Tensor:
        """The axes reversed."""
        return shapes.reverse_axes(self)

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return shapes.transpose(self, -1, -2)

    @property
    def H(self) -> Tensor:
        """The transpose of a matrix: the numbers are real, so that they are their own conjugates."""
        return shapes.t(self)

    @property
    def mH(self) -> Tensor:
        """`mT`: the numbers are real, so that they are their own conjugates."""
        return self.mT

    # -------------------------------------------------------------------------------------------------------- gradients

    def backward(
        self,
        gradient: TensorLike | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Add ∂self/∂leaf to the `.grad` of every leaf that this tensor was computed from.

        Args:
            gradient: the upstream gradient, of this tensor's shape; 1 by default for a scalar.
            retain_graph: keep the graph for another backward pass; by default only if `create_graph`.
            create_graph: record the backward pass, so that the gradients can be differentiated.
            inputs: add to the `.grad` of these tensors alone; by default to that of every leaf.

        Raises:
            GraphError: no graph, or a freed one; no `gradient` for a non-scalar; a saved value was changed in place.
            ShapeError: `gradient` has another shape.
        """
        if create_graph is not False:
            create_graph = operands.flag("backward", "create_graph", create_graph)
        if retain_graph is not None:
            retain_graph = operands.flag("backward", "retain_graph", retain_graph)
        if inputs is None:
            return backward([self], [gradient], create_graph, retain_graph)
        wanted = [inputs] if isinstance(inputs, Variable) else list(inputs)
        if not wanted:
            raise ArgumentError(restate("backward", "inputs must name at least one tensor", output=self))
        self._host_read("backward(inputs=...)")
        backward_into(wanted, [self], [gradient], create_graph, retain_graph)

    def register_hook(self, hook: Hook) -> HookHandle:
        """Call `hook(grad)` when this tensor's gradient is complete; a tensor that it returns replaces the gradient.

        The hook can't write into `grad`, whose memory other gradients may share: change `grad.clone()` and return it.
        """
        return hooks.register_hook(self, hook)

    def retain_grad(self) -> None:
        """Let `backward()` set `.grad` of this tensor, though it isn't a leaf."""
        hooks.retain_grad(self)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad`, and return the tensor."""
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """A tensor in the same memory without history: no gradient flows through it."""
        tensor = variable.wrap(self._data)
        versions.add_detached(tensor, self)
        for observer in modes.mode.observers:
            observer.tensor_detached(self, tensor)
        return tensor

    # ------------------------------------------------------------------------------------------------------- conversion

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

    def __iter__(self) -> Iterator[Tensor]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        text = np.array2string(self._host_read("repr"), precision=4, separator=", ", prefix="tensor(")
        notes = [] if self.dtype in (np.float32, np.int64, np.bool_) else [f"dtype={self.dtype}"]
        if self._node is not None:
            notes.append(f"op={self._node.op.name}")
        elif self._requires_grad:
            notes.append("requires_grad=True")
        if self.name is not None:
            notes.append(f"name={self.name!r}")
        return printable(f"tensor({', '.join([text, *notes])})")

    def _repr_html_(self) -> str:
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
            copy._grad = self._grad.detach().clone()
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


def _rebuild(cls: type[T], data: np.ndarray, requires_grad: bool, name: str | None) -> T:
    tensor = cls.__new__(cls)
    Variable.__init__(tensor, data, requires_grad)
    tensor.name = name
    return tensor
