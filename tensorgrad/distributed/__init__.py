"""Several processes that train together: `mpiexec -n 4 python train.py`. See docs/distributed.md.

The names are those of `torch.distributed`; MPI makes the exchanges, by mpi4py (the extra `mpi`). A process by itself is
a world of one, in which all of this works too, without MPI.
"""

from typing import TYPE_CHECKING, Any

from tensorgrad import unknown_names
from tensorgrad.distributed import functional
from tensorgrad.distributed.collectives import (
    ReduceOp,
    all_gather,
    all_gather_object,
    all_reduce,
    barrier,
    broadcast,
    broadcast_object_list,
    destroy_process_group,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_initialized,
)
from tensorgrad.distributed.world import DistributedError

__all__ = [
    "DistributedError",
    "ReduceOp",
    "all_gather",
    "all_gather_object",
    "all_reduce",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "functional",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise unknown_names.unknown("tensorgrad.distributed", name, {}, __all__)
