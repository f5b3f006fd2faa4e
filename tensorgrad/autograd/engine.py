"""`apply`, the function that runs every op, and three helpers for what is computed beside ops.

The engine knows no particular op: ops import it, and call `apply` from their gradient rules too. The graph is in
`node.py`, the backward pass in `backward_pass.py`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.autograd import modes, variable
from tensorgrad.autograd.modes import mode
from tensorgrad.autograd.node import node_of
from tensorgrad.autograd.op import Op
from tensorgrad.autograd.places import lies_within
from tensorgrad.autograd.variable import Variable, wrap
from tensorgrad.autograd.versions import add_detached, add_view
from tensorgrad.errors import (
    DTypeError,
    OutOfMemoryError,
    RangeError,
    ShapeError,
    TensorgradError,
    restate,
)

_new = object.__new__


def apply(op_class: type[Op], *inputs: Variable, **params: Any) -> Any:
    """Run one op, and record it when a gradient is wanted. Every computation passes through here.

    Args:
        op_class: the operation.
        inputs: tensors, of the dtypes that the op takes.
        params: the op's keyword parameters: axes, strides, indices.

    Returns:
        The output tensor; it requires a gradient if the op is differentiable, some input does, and recording is on.

    Raises:
        ShapeError, DTypeError, RangeError, OutOfMemoryError: the call restated, where NumPy or a kernel refused it.
    """
    # As wrap(data), without the call: this runs once per op.
    if params:
        op = op_class()
        op.__dict__ = params
    else:
        op = op_class.shared or op_class()
    # One loop, here and in Node: before Python 3.12 a comprehension costs a call.
    arrays, needs = [], []
    for x in inputs:
        arrays.append(x._data)
        needs.append(x._requires_grad)
    recorded = True in needs and (not modes.blocks or mode.recording) and op.differentiable
    try:
        # A call with a list of arguments takes several times as long.
        if len(arrays) == 1:
            data = op.forward(arrays[0])
        elif len(arrays) == 2:
            data = op.forward(arrays[0], arrays[1])
        elif len(arrays) == 3:
            data = op.forward(arrays[0], arrays[1], arrays[2])
        else:
            data = op.forward(*arrays)
    except Exception as error:
        for observer in mode.observers:
            observer.op_failed(op, inputs, error)
        if isinstance(error, TensorgradError) or not isinstance(error, tuple(_RESTATED)):
            raise
        raise _restated(op, inputs, error) from error
    if type(data) is not np.ndarray:
        data = np.asarray(data)  # NumPy turns 0-d results into scalars
    base = data.base
    if base is None and not data.flags.c_contiguous and not (op.aliases and any([data is x for x in arrays])):
        # NumPy's results follow the order of its operands, kernels' don't; what follows may sum in the order of memory.
        data = np.ascontiguousarray(data)
    output = _new(variable.result_class)
    output._data = data
    output._requires_grad = recorded
    output._node = output._version = output._aliases = output._hooks = output._grad = output.name = None
    if base is not None or op.aliases:
        for array in arrays:
            if data is array or (base is not None and (base is array or base is array.base)):
                note_shared_memory(output, inputs, recorded)
                break
    if recorded:
        output._node = node_of(op, inputs, output, needs)
    if modes.watched:
        for observer in mode.observers:
            observer.op_applied(op, inputs, output)
    return output


def note_shared_memory(output: Variable, inputs: tuple[Variable, ...], recorded: bool) -> None:
    """Where the output is a view of an input, in-place changes of one concern the other."""
    data = output._data
    base = data.base
    for x in inputs:
        array = x._data
        # As same_memory(data, array), without the call. (Several inputs may be parts of one array of the user's.)
        shared = data is array or (base is not None and (base is array or base is array.base))
        if shared and (len(inputs) == 1 or lies_within(data, array)):
            if recorded or not x._requires_grad:
                add_view(output, x)
            else:  # a view under no_grad: the gradient of x doesn't flow through it
                add_detached(output, x, explicit=False)
            return


# NumPy's own errors derive from these; an AxisError is an IndexError and a ValueError.
_RESTATED = {IndexError: RangeError, ValueError: ShapeError, TypeError: DTypeError, OverflowError: RangeError}
_RESTATED |= {MemoryError: OutOfMemoryError}


def _restated(op: Op, inputs: tuple[Variable, ...], error: Exception) -> TensorgradError:
    arguments = {op.input_name(k): x for k, x in enumerate(inputs)} | op.params
    kind = next(ours for theirs, ours in _RESTATED.items() if isinstance(error, theirs))
    return kind(restate(op.name, str(error).replace("\n", " ") or "out of memory", **arguments))


# Observers don't hear of what a function does outside of an op's forward, so a compiled function would not do it again.
# These three helpers tell them; docs/adding-an-op.md shows when to use which.


def host_call(function: Callable[..., Any], *arguments: Any, effect: bool = False) -> Any:
    """`function(*arguments)`, a computation on arrays outside of any op. A compiled function makes it in each replay.

    Observers hear of the call as a whole, and of nothing inside it: statistics, random masks.

    Args:
        function: takes ndarrays and other values, and returns an ndarray or a tuple of several ndarrays.
        arguments: ndarrays that an op or another host call made; a replay passes all other values again as they are.
        effect: whether the function changes tensors in place that are arguments, or in tuples among them. A replay
            makes such calls after all ops, in their order, and ignores what they return.

    Returns:
        What the function returns.
    """
    before = mode.observers
    if not before:
        return function(*arguments)
    for observer in before:
        observer.host_call_started(function, arguments)
    mode.observers = ()
    try:
        result = function(*arguments)
    finally:
        mode.observers = before
    for observer in before:
        observer.host_call_finished(function, arguments, result, effect)
    return result


def guard(condition: Callable[..., Any], *arguments: Any) -> bool:
    """`bool(condition(*arguments))`: Python is about to branch on it.

    A compiled function checks the condition in each replay; if the result differs, the function itself runs.

    Args:
        condition: takes ndarrays and other values.
        arguments: as for `host_call`.

    Returns:
        Whether the condition holds.
    """
    found = bool(condition(*arguments))
    for observer in mode.observers:
        observer.guard_checked(condition, arguments, found)
    return found


def constant(array: np.ndarray) -> Any:
    """A tensor around an array that every call makes anew with the same values: numbers in the program, zeros."""
    tensor = wrap(array)
    for observer in mode.observers:
        observer.constant_made(tensor)
    return tensor
