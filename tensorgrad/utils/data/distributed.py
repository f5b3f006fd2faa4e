"""PyTorch's `torch.utils.data.distributed`: the samplers of training in several processes."""

from tensorgrad.nn.data.samplers import DistributedSampler as DistributedSampler
