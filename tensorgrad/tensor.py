"""Tensor, an array with a gradient. Each method is one call of an op; names are those of NumPy and PyTorch."""

from __future__ import annotations

import dis
import operator
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar

import numpy as np

from tensorgrad import interop
from tensorgrad.arrays.dtypes import DTypeLike, as_array, is_float
from tensorgrad.autograd import engine, versions
from tensorgrad.autograd.backward import backward, zero_grad
from tensorgrad.autograd.engine import Hook, HookHandle, Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, restate, restated
from tensorgrad.ops import assignment, indexing, joining, linear, operands, reductions, shapes, softmax as softmaxes
from tensorgrad.ops.axes import Axes
from tensorgrad.ops.elementwise import activations, arithmetic, comparison, transcendental as functions
from tensorgrad.ops.operands import Index, TensorLike
from tensorgrad.system.console import printable

T = TypeVar("T", bound="Tensor")


@engine.results_are
class Tensor(Variable):
    """An array that records how it was computed, so that `backward()` can compute its gradient.

    Args:
        data: an array, a number, nested lists of numbers or a tensor; an array's memory is shared (`tg.tensor` copies).
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
        self, data: TensorLike, requires_grad: bool = False, *, dtype: DTypeLike = None, name: str | None = None
    ) -> None:
        source = operands.detached(type(self).__name__, data)
        super().__init__(as_array(source._data if isinstance(source, Variable) else source, dtype))
        if isinstance(source, Variable) and versions.same_memory(self._data, source._data):
            versions.add_detached(self, source)
        else:
            versions.note_array(self)
        self.name = name
        if requires_grad:
            self._check_float()
            self._requires_grad = True

    # ------------------------------------------------------------------------------------------------------ properties

    @property
    def data(self) -> np.ndarray:
        """The values as an array. The engine doesn't notice writes into this array; use `t[...] = array` for those."""
        versions.note_array(self)
        return self._host_read("data")

    @data.setter
    def data(self, value: TensorLike) -> None:
        value = as_array(value)
        self._host_read("data = ...")
        if value.shape != self.shape or value.dtype != self.dtype:
            expected = f"shape {self.shape}, dtype {self.dtype}"
            problem = "new data must have the shape and dtype of the tensor"
            raise ShapeError(restate("data", problem, expected=expected, new=value, tensor=self))
        if value is not self._data:
            versions.leave(self)
            self._data = value
            versions.note_array(self)
        else:  # written already, as in `t.data *= 2`
            versions.begin_version(self, keep=False)

    @property
    def requires_grad(self) -> bool:
        """Whether the tensor requires a gradient."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value:
            self._check_float()
        if not value and self._node is not None:
            problem = "only a leaf can stop requiring a gradient; this tensor was computed"
            raise GraphError(restate("requires_grad", problem, fix="use t.detach()", tensor=self))
        if self._requires_grad != bool(value):
            self._requires_grad = bool(value)
            engine.reconfigured()

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
        for observer in engine.observers():
            observer.grad_read(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is None and self._node is None and engine.observers():
            zero_grad([self])  # which notifies the observers
        self._grad = value

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor wasn't computed by a recorded op."""
        return self._node is None

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype of the elements."""
        return self._data.dtype

    @property
    def T(self) -> Tensor:
        """The axes reversed."""
        return shapes.transpose(self)

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return shapes.swapaxes(self, -1, -2)

    # -------------------------------------------------------------------------------------------------------- gradients

    def backward(
        self, gradient: TensorLike | None = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add ∂self/∂leaf to the `.grad` of every leaf that this tensor was computed from.

        Args:
            gradient: the upstream gradient, of this tensor's shape; 1 by default for a scalar.
            retain_graph: keep the graph for another backward pass; by default only if `create_graph`.
            create_graph: record the backward pass, so that the gradients can be differentiated.

        Raises:
            GraphError: no graph, or a freed one; no `gradient` for a non-scalar; a saved value was changed in place.
            ShapeError: `gradient` has another shape.
        """
        backward([self], [gradient], create_graph, retain_graph)

    def register_hook(self, hook: Hook) -> HookHandle:
        """Call `hook(grad)` when this tensor's gradient is complete; a tensor that it returns replaces the gradient.

        The hook can't write into `grad`, whose memory other gradients may share: change `grad.clone()` and return it.
        """
        return engine.register_hook(self, hook)

    def retain_grad(self) -> None:
        """Let `backward()` set `.grad` of this tensor, though it isn't a leaf."""
        engine.retain_grad(self)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad`, and return the tensor."""
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """A tensor in the same memory without history: no gradient flows through it."""
        tensor = engine.wrap(self._data)
        versions.add_detached(tensor, self)
        for observer in engine.mode.observers:
            observer.tensor_detached(self, tensor)
        return tensor

    def clone(self) -> Tensor:
        """A copy in memory of its own; gradients flow through it."""
        return shapes.clone(self)

    # ------------------------------------------------------------------------------------------------------- conversion

    def numpy(self) -> np.ndarray:
        """The values as an ndarray in the same memory, read-only if the tensor requires a gradient."""
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
        for observer in engine.observers():
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

    # -------------------------------------------------------------------------------------------------------- in place

    def __setitem__(self, index: Index, value: TensorLike) -> None:
        """`t[index] = value` writes the memory, recorded or not, with NumPy's casting and broadcasting.

        All tensors that share the memory change: views (`v = t[1:]`), other names, `t.detach()`. If recorded, gradients
        are those of the new values, through each of these tensors. `t += v` and the other operators in place do the
        same.

        Raises:
            RangeError: an index out of range.
            ShapeError: a value that doesn't broadcast to `t[index]`.
            DTypeError: a value that isn't numeric.
            ArgumentError: read-only memory, or a tensor whose elements overlap in memory (`broadcast_to`).
            GraphError: while recording, t is a leaf that requires a gradient, or a view of one; or a gradient would be
                lost, since t was detached from another tensor in the same memory.

        >>> import tensorgrad as tg
        >>> x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> h = x * 1.0
        >>> v = h[1:]
        >>> v *= 5.0
        >>> h.sum().backward()
        >>> h.tolist(), x.grad
        ([1.0, 10.0, 15.0], tensor([1., 5., 5.]))
        """
        assignment.assign(self, index, value)

    def __iadd__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "add in place", arithmetic.add, self, other)

    def __isub__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "subtract in place", arithmetic.subtract, self, other)

    def __imul__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "multiply in place", arithmetic.multiply, self, other)

    def __itruediv__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "divide in place", arithmetic.divide, self, other)

    def __ifloordiv__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "floor_divide in place", arithmetic.floor_divide, self, other)

    def __imod__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "remainder in place", arithmetic.remainder, self, other)

    def __ipow__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "pow in place", arithmetic.pow, self, other)

    def __imatmul__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "matmul in place", linear.matmul, self, other)

    def __iand__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "& in place", operator.and_, self, other)

    def __ior__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "| in place", operator.or_, self, other)

    def __ixor__(self, other: TensorLike) -> Tensor:
        return assignment.update(self, "^ in place", operator.xor, self, other)

    # -------------------------------------------------------------------------------------------------------- operators

    def __add__(self, other: TensorLike) -> Tensor:
        return arithmetic.add(self, other)

    def __radd__(self, other: TensorLike) -> Tensor:
        return arithmetic.add(other, self)

    def __sub__(self, other: TensorLike) -> Tensor:
        return arithmetic.subtract(self, other)

    def __rsub__(self, other: TensorLike) -> Tensor:
        return arithmetic.subtract(other, self)

    def __mul__(self, other: TensorLike) -> Tensor:
        return arithmetic.multiply(self, other)

    def __rmul__(self, other: TensorLike) -> Tensor:
        return arithmetic.multiply(other, self)

    def __truediv__(self, other: TensorLike) -> Tensor:
        return arithmetic.divide(self, other)

    def __rtruediv__(self, other: TensorLike) -> Tensor:
        return arithmetic.divide(other, self)

    def __floordiv__(self, other: TensorLike) -> Tensor:
        return arithmetic.floor_divide(self, other)

    def __rfloordiv__(self, other: TensorLike) -> Tensor:
        return arithmetic.floor_divide(other, self)

    def __mod__(self, other: TensorLike) -> Tensor:
        return arithmetic.remainder(self, other)

    def __rmod__(self, other: TensorLike) -> Tensor:
        return arithmetic.remainder(other, self)

    def __pow__(self, other: TensorLike) -> Tensor:
        return arithmetic.pow(self, other)

    def __rpow__(self, other: TensorLike) -> Tensor:
        return arithmetic.pow(other, self)

    def __matmul__(self, other: TensorLike) -> Tensor:
        return linear.matmul(self, other)

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return linear.matmul(other, self)

    def __neg__(self) -> Tensor:
        return arithmetic.negative(self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return arithmetic.abs(self)

    def __getitem__(self, index: Index) -> Tensor:
        return indexing.getitem(self, index)

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return NotImplemented if other is None or isinstance(other, str) else comparison.equal(self, other)

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return NotImplemented if other is None or isinstance(other, str) else comparison.not_equal(self, other)

    __hash__ = object.__hash__

    def __lt__(self, other: TensorLike) -> Tensor:
        return comparison.less(self, other)

    def __le__(self, other: TensorLike) -> Tensor:
        return comparison.less_equal(self, other)

    def __gt__(self, other: TensorLike) -> Tensor:
        return comparison.greater(self, other)

    def __ge__(self, other: TensorLike) -> Tensor:
        return comparison.greater_equal(self, other)

    def __and__(self, other: TensorLike) -> Tensor:
        return comparison.bitwise_and(self, other)

    def __rand__(self, other: TensorLike) -> Tensor:
        return comparison.bitwise_and(other, self)

    def __or__(self, other: TensorLike) -> Tensor:
        return comparison.bitwise_or(self, other)

    def __ror__(self, other: TensorLike) -> Tensor:
        return comparison.bitwise_or(other, self)

    def __xor__(self, other: TensorLike) -> Tensor:
        return comparison.bitwise_xor(self, other)

    def __rxor__(self, other: TensorLike) -> Tensor:
        return comparison.bitwise_xor(other, self)

    def __invert__(self) -> Tensor:
        return comparison.bitwise_not(self)

    # ---------------------------------------------------------------------------------------------------------- methods

    def astype(self, dtype: DTypeLike) -> Tensor:
        """The values in another dtype; gradients flow between float dtypes."""
        return operands.astype(self, dtype)

    def pow(self, exponent: TensorLike) -> Tensor:
        """zᵢ = xᵢ^exponent."""
        return arithmetic.pow(self, exponent)

    def square(self) -> Tensor:
        """z = x²."""
        return arithmetic.square(self)

    def abs(self) -> Tensor:
        """z = |x|."""
        return arithmetic.abs(self)

    def sign(self) -> Tensor:
        """z = −1, 0 or 1."""
        return arithmetic.sign(self)

    def clip(self, low: TensorLike | None = None, high: TensorLike | None = None) -> Tensor:
        """z = min(max(x, low), high)."""
        return arithmetic.clip(self, low, high)

    def exp(self) -> Tensor:
        """z = eˣ."""
        return functions.exp(self)

    def log(self) -> Tensor:
        """z = ln x."""
        return functions.log(self)

    def sqrt(self) -> Tensor:
        """z = √x."""
        return functions.sqrt(self)

    def sin(self) -> Tensor:
        """z = sin x."""
        return functions.sin(self)

    def cos(self) -> Tensor:
        """z = cos x."""
        return functions.cos(self)

    def tanh(self) -> Tensor:
        """z = tanh x."""
        return functions.tanh(self)

    def relu(self) -> Tensor:
        """z = max(x, 0)."""
        return activations.relu(self)

    def sigmoid(self) -> Tensor:
        """z = 1 / (1 + e⁻ˣ)."""
        return activations.sigmoid(self)

    def softmax(self, axis: int = -1) -> Tensor:
        """zᵢ = e^xᵢ / Σⱼ e^xⱼ along the axis."""
        return softmaxes.softmax(self, axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """The logarithm of softmax along the axis."""
        return softmaxes.log_softmax(self, axis)

    def sum(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """z = Σ x over the axes."""
        return reductions.sum(self, axis, keepdims)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """z = 1/n Σ x over the axes."""
        return reductions.mean(self, axis, keepdims)

    def var(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """z = Σ (x − mean)² / (n − ddof) over the axes."""
        return reductions.var(self, axis, ddof, keepdims)

    def std(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """z = √var over the axes."""
        return reductions.std(self, axis, ddof, keepdims)

    def max(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """The largest element over the axes."""
        return reductions.max(self, axis, keepdims)

    def min(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """The smallest element over the axes."""
        return reductions.min(self, axis, keepdims)

    def prod(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """z = Π x over the axes."""
        return reductions.prod(self, axis, keepdims)

    def logsumexp(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """z = ln Σ eˣ over the axes."""
        return reductions.logsumexp(self, axis, keepdims)

    def all(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Whether all elements over the axes are true (not 0)."""
        return reductions.all(self, axis, keepdims)

    def any(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Whether some element over the axes is true (not 0)."""
        return reductions.any(self, axis, keepdims)

    def cumsum(self, axis: int | None = -1) -> Tensor:
        """zₖ = x₀ + … + xₖ along the axis; along the flattened tensor for None."""
        return reductions.cumsum(self, axis)

    def argmax(self, axis: int | None = None) -> Tensor:
        """The position of the first maximum."""
        return reductions.argmax(self, axis)

    def argmin(self, axis: int | None = None) -> Tensor:
        """The position of the first minimum."""
        return reductions.argmin(self, axis)

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """The elements in another shape; one size may be −1."""
        return shapes.reshape(self, *shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Merge the axes from start_dim to end_dim."""
        return shapes.flatten(self, start_dim, end_dim)

    def transpose(self, *axes: int | Sequence[int]) -> Tensor:
        """The axes in another order; reversed by default."""
        return shapes.transpose(self, *axes)

    def permute(self, *axes: int | Sequence[int]) -> Tensor:
        """PyTorch's name for `transpose`."""
        return shapes.transpose(self, *axes)

    def swapaxes(self, a: int, b: int) -> Tensor:
        """Two axes exchanged."""
        return shapes.swapaxes(self, a, b)

    def broadcast_to(self, shape: int | Sequence[int]) -> Tensor:
        """Repeated to `shape` by NumPy's rule."""
        return shapes.broadcast_to(self, shape)

    def expand(self, *shape: int | Sequence[int]) -> Tensor:
        """Repeated to `shape`; −1 keeps a size, as in PyTorch."""
        return shapes.expand(self, *shape)

    def squeeze(self, axis: int | Sequence[int] | None = None) -> Tensor:
        """Remove the axes of length 1."""
        return shapes.squeeze(self, axis)

    def unsqueeze(self, axis: int | Sequence[int]) -> Tensor:
        """Insert new axes of length 1."""
        return shapes.unsqueeze(self, axis)

    def flip(self, axis: int | Sequence[int] | None = None) -> Tensor:
        """The elements reversed along the axes."""
        return shapes.flip(self, axis)

    def split(self, sizes: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
        """Split along an axis into parts of `sizes`."""
        return joining.split(self, sizes, axis)


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
