"""Train one model in several processes: see docs/distributed.md."""

from tensorgrad.nn.parallel.data_parallel import DistributedDataParallel

__all__ = ["DistributedDataParallel"]
