"""A tensor of given data: `tg.tensor`."""

from __future__ import annotations

from tensorgrad.arrays.dtypes import DTypeLike, as_array
from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.modes import observers
from tensorgrad.autograd.variable import Variable
from tensorgrad.ops.operands import TensorLike, detached, flag
from tensorgrad.ops.sampling.options import check_options
from tensorgrad.tensor import Tensor


def tensor(
    data: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: object = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    name: str | None = None,
) -> Tensor:
    """A tensor with a copy of `data`.

    Args:
        data: a number, nested lists, an array or a tensor.
        dtype: by default that of an array; float32 for Python floats, int64 for Python ints.
        device: "cpu", the only one.
        requires_grad: whether `backward()` leaves a gradient in `.grad`; floats only.
        pin_memory: accepted for PyTorch's scripts, and without effect.
        name: the name in errors and drawings.

    The result is a new leaf. If `data` contains tensors that require a gradient, a warning names `clone` and `stack`,
    which keep the gradient.

    Raises:
        DTypeError: data that isn't numeric, or an integer tensor that is to require a gradient.
        ArgumentError: lists of uneven lengths; a device other than the CPU.

    >>> import tensorgrad as tg
    >>> tg.tensor([[1, 2], [3, 4]], dtype=tg.float64)
    tensor([[1., 2.],
            [3., 4.]], dtype=float64)
    """
    check_options("tensor", device, requires_grad, {})
    flag("tensor", "pin_memory", pin_memory)
    source = detached("tensor", data)
    if isinstance(source, Variable):
        return Tensor(host_call(as_array, source._data, dtype, True), requires_grad, name=name)
    made = Tensor(as_array(source, dtype, copy=True), requires_grad, name=name)
    if not requires_grad:
        for observer in observers():
            observer.constant_made(made)
    return made
