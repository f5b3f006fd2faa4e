"""What the processes of a world do together with tensors, under the names of `torch.distributed`."""

from __future__ import annotations

import pickle
from datetime import timedelta
from enum import StrEnum
from typing import Any

import numpy as np

from tensorgrad.arrays.dtypes import is_float
from tensorgrad.autograd.engine import host_call
from tensorgrad.autograd.modes import no_grad
from tensorgrad.distributed import world as worlds
from tensorgrad.distributed.world import join, world
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError, restate
from tensorgrad.tensor import Tensor

Array = Tensor | np.ndarray


class ReduceOp(StrEnum):
    """How `all_reduce` combines the values of the ranks, element by element. (AVG is for floats.)"""

    SUM, AVG, PRODUCT, MIN, MAX = "sum", "avg", "product", "min", "max"


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | float | None = None,
    world_size: int = -1,
    rank: int = -1,
) -> None:
    """Find the other processes. It isn't needed: the first call that asks for the rank does it too.

    Args:
        backend: accepted; MPI makes the exchanges.
        init_method: accepted; MPI knows the other processes.
        timeout: how long an exchange waits for the other processes, in seconds or as a timedelta; 5 minutes at first.
        world_size: the number of processes that must have been started; -1 for any.
        rank: the number that this process must have; -1 for any.

    Raises:
        DistributedError: several processes were started, but mpi4py is missing or doesn't know of them.
        ArgumentError: another rank or number of processes than given, a timeout that isn't positive.

    >>> import tensorgrad as tg
    >>> tg.distributed.init_process_group(timeout=60)
    >>> tg.distributed.get_rank(), tg.distributed.get_world_size()
    (0, 1)
    """
    call = "init_process_group"
    if timeout is not None:
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise ArgumentError(restate(call, f"timeout must be a number of seconds > 0, got {timeout!r}"))
        worlds.set_timeout(float(seconds))
    group = join(True)
    for name, given, is_ in (("world_size", world_size, group.size), ("rank", rank, group.rank)):
        if given not in (-1, is_):
            fix = "start the program by `mpiexec -n 4 python train.py`, and leave the argument out"
            raise ArgumentError(restate(call, f"{name} is {is_} here, got {given!r}", fix=fix))


def destroy_process_group(group: Any = None) -> None:
    """Wait for the other processes; they part when their programs end. `group` is accepted."""
    barrier()


def is_available() -> bool:
    """Whether mpi4py is installed."""
    return worlds.has_mpi4py()


def is_initialized() -> bool:
    """Whether this process is one of several: whether rank and size are worth asking for."""
    return world().size > 1


def get_rank(group: Any = None) -> int:
    """The number of this process, from 0; 0 for a process by itself. `group` is accepted."""
    return world().rank


def get_world_size(group: Any = None) -> int:
    """The number of processes; 1 for a process by itself. `group` is accepted."""
    return world().size


def barrier(group: Any = None) -> None:
    """Wait until all processes are here. `group` is accepted."""
    host_call(_barrier, effect=True)


def broadcast(tensor: Array, src: int = 0, group: Any = None) -> None:
    """Overwrite a tensor or array, in place, with that of one rank.

    Args:
        tensor: a Tensor or ndarray, of the same shape and dtype in all ranks.
        src: the rank whose values all get.
        group: accepted.

    Raises:
        DistributedError: shapes, dtypes or `src` differ between the ranks; in all of them.
        ArgumentError: an `src` that isn't a rank.
        DTypeError: neither a Tensor nor an ndarray, or a read-only one.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0])
    >>> tg.distributed.broadcast(x, src=0)
    """
    _check_written("broadcast", tensor)
    _check_rank("broadcast", src)
    host_call(_broadcast, tensor, src, effect=True)


def all_reduce(tensor: Array, op: ReduceOp | str = ReduceOp.SUM, group: Any = None) -> None:
    """Replace a tensor or array, in place, by its sum over all ranks. No gradient flows: see `functional.all_reduce`.

    Args:
        tensor: a Tensor or ndarray, of the same shape and dtype in all ranks.
        op: how the ranks' values are combined: "sum", "avg", "product", "min" or "max", or a `ReduceOp`.
        group: accepted.

    Raises:
        DistributedError: shapes, dtypes or `op` differ between the ranks; in all of them.
        ArgumentError: another `op`, or an average of integers.
        DTypeError: neither a Tensor nor an ndarray, a read-only one, or not of numbers.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([1.0, 2.0])
    >>> tg.distributed.all_reduce(x)
    """
    call = "all_reduce"
    dtype = _check_written(call, tensor).dtype
    if op not in [known.value for known in ReduceOp]:
        names = ", ".join(known.value for known in ReduceOp)
        raise ArgumentError(restate(call, f"op must be one of {names}, got {op!r}", tensor=tensor))
    if dtype.kind not in "iuf":
        fix = "tensor.astype(np.int64) counts the elements that are True" if dtype.kind == "b" else ""
        raise DTypeError(restate(call, f"tensor must hold ints or floats, got {dtype}", fix=fix, tensor=tensor))
    if op == ReduceOp.AVG and not is_float(dtype):
        raise ArgumentError(restate(call, f"an average is of floats, got {dtype}", tensor=tensor))
    host_call(_all_reduce, tensor, ReduceOp(op).value, effect=True)


def all_gather(tensor_list: list[Any], tensor: Array, group: Any = None) -> None:
    """Write the tensors of all ranks into a list, in the order of the ranks.

    Args:
        tensor_list: one Tensor or ndarray per rank, of the shape and dtype of `tensor`; overwritten in place.
        tensor: what this rank gives.
        group: accepted.

    Raises:
        DistributedError: shapes or dtypes differ between the ranks; in all of them.
        ShapeError: a list of another length, or of other shapes.
        DTypeError: neither Tensors nor ndarrays, or read-only ones to write to.

    >>> import tensorgrad as tg
    >>> found = [tg.zeros(2)]
    >>> tg.distributed.all_gather(found, tg.ones(2)); found
    [tensor([1., 1.])]
    """
    call = "all_gather"
    own = _check_array(call, tensor)
    size = world().size
    if len(tensor_list) != size:
        problem = f"tensor_list must have one tensor per rank, {size}, got {len(tensor_list)}"
        raise ShapeError(restate(call, problem, tensor=tensor))
    for place in tensor_list:
        array = _check_written(call, place)
        if array.shape != own.shape or array.dtype != own.dtype:
            problem = "tensor_list must hold tensors of the shape and dtype of tensor"
            raise ShapeError(restate(call, problem, place=place, tensor=tensor))
    host_call(_all_gather, tuple(tensor_list), tensor, effect=True)


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Put the objects of all ranks, pickled on the way, into a list with one place per rank. `group` is accepted.

    >>> import tensorgrad as tg
    >>> found = [None]
    >>> tg.distributed.all_gather_object(found, {"loss": 0.5}); found
    [{'loss': 0.5}]
    """
    _check_list("all_gather_object", object_list)
    if len(object_list) != world().size:
        problem = f"object_list must have one place per rank, {world().size}, got {len(object_list)}"
        raise ShapeError(restate("all_gather_object", problem))
    object_list[:] = [pickle.loads(data) for data in world().gather_bytes(pickle.dumps(obj))]


def broadcast_object_list(object_list: list[Any], src: int = 0, group: Any = None) -> None:
    """Replace the objects of a list by those of the rank `src`, pickled on the way. `group` is accepted.

    >>> import tensorgrad as tg
    >>> options = [{"lr": 0.1}]
    >>> tg.distributed.broadcast_object_list(options); options
    [{'lr': 0.1}]
    """
    _check_rank("broadcast_object_list", src)
    _check_list("broadcast_object_list", object_list)
    data = pickle.dumps(list(object_list)) if world().rank == src else b""
    given = pickle.loads(world().broadcast_bytes(data, src))
    if len(given) != len(object_list):
        problem = f"object_list must be as long as that of rank {src}, {len(given)}, got {len(object_list)}"
        raise ShapeError(restate("broadcast_object_list", problem))
    object_list[:] = given


# ------------------------------------------------------------------------------------------------------------ exchanges


def _barrier() -> None:
    world().agree("barrier")


def _broadcast(tensor: Array, src: int) -> None:
    world().agree("broadcast", f"{_described(tensor)} from rank {src}")
    array = np.ascontiguousarray(_array(tensor))
    if world().size > 1:
        array = array.copy()
        world().broadcast(array, src)
        _write(tensor, array)


def _all_reduce(tensor: Array, op: str) -> None:
    world().agree("all_reduce", f"{op} of {_described(tensor)}")
    if world().size > 1:
        array = _array(tensor)
        result = np.empty(array.shape, array.dtype)
        world().reduce([array], [result], "sum" if op == "avg" else op)
        _write(tensor, result / world().size if op == "avg" else result)


def _all_gather(places: tuple[Array, ...], tensor: Array) -> None:
    world().agree("all_gather", _described(tensor))
    for place, array in zip(places, world().gather(np.ascontiguousarray(_array(tensor))), strict=True):
        _write(place, array)


def _array(tensor: Array) -> np.ndarray:
    return tensor._data if isinstance(tensor, Tensor) else tensor


@no_grad()
def _write(tensor: Array, array: np.ndarray) -> None:
    tensor[...] = array.astype(tensor.dtype, copy=False)  # type: ignore[index]


def _described(tensor: Array) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype}"


def _check_array(call: str, tensor: Any) -> np.ndarray:
    if not isinstance(tensor, Tensor | np.ndarray):
        problem = f"expected a Tensor or ndarray, which changes in place, got {type(tensor).__name__}"
        raise DTypeError(restate(call, problem, tensor=tensor))
    return _array(tensor)


def _check_written(call: str, tensor: Any) -> np.ndarray:
    """The array of what an exchange overwrites: an error after the exchange would come in one rank alone."""
    array = _check_array(call, tensor)
    if isinstance(tensor, np.ndarray) and not array.flags.writeable:
        raise DTypeError(
            restate(call, "the array is read-only, and changes in place", fix="tensor.copy()", tensor=tensor)
        )
    return array


def _check_list(call: str, object_list: Any) -> None:
    if not isinstance(object_list, list):
        problem = f"object_list must be a list, which changes in place, got {type(object_list).__name__}"
        raise DTypeError(restate(call, problem))


def _check_rank(call: str, src: Any) -> None:
    if not isinstance(src, int) or isinstance(src, bool) or not 0 <= src < world().size:
        raise ArgumentError(restate(call, f"src must be a rank in [0, {world().size}), got {src!r}"))
