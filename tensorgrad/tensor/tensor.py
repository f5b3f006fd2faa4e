"""Tensor, an array with a gradient: what it holds, and its gradient."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Self, cast

import numpy as np

from tensorgrad.arrays.dtypes import DTypeLike, as_array, is_float
from tensorgrad.autograd import configuration, hooks, modes, places, variable, versions
from tensorgrad.autograd.backward_pass import backward, backward_into, zero_grad
from tensorgrad.autograd.hooks import HookHandle
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.variable import Hook, Variable
from tensorgrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, restate
from tensorgrad.ops import operands, shapes
from tensorgrad.ops.operands import TensorLike
from tensorgrad.ops.sampling import filled
from tensorgrad.tensor.conversion import Conversions
from tensorgrad.tensor.data import Data
from tensorgrad.tensor.foreign_names import ForeignNames
from tensorgrad.tensor.inplace import InPlaceMethods
from tensorgrad.tensor.methods import Methods
from tensorgrad.tensor.operators import InPlaceOperators, Operators
from tensorgrad.tensor.protocols import Protocols


@variable.results_are
class Tensor(Operators, InPlaceOperators, InPlaceMethods, Methods, Conversions, Protocols, ForeignNames, Variable):
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

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> HookHandle:
        """Call `hook(tensor)` after each `backward()` that adds to `.grad` of this leaf, when all gradients are there.

        Raises:
            DTypeError: a hook that can't be called.
            GraphError: a tensor that isn't a leaf that requires a gradient.

        >>> import tensorgrad as tg
        >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> handle = w.register_post_accumulate_grad_hook(lambda w: print(w.grad))
        >>> (w * w).sum().backward()
        tensor([2., 4.])
        >>> handle.remove()
        """
        return hooks.register_post_accumulate_grad_hook(self, hook)

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
