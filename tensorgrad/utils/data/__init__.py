"""PyTorch's `torch.utils.data`, datasets, samplers and loaders: `from tensorgrad.utils.data import DataLoader`."""

from tensorgrad.nn.data.collate import default_collate as default_collate, default_convert as default_convert
from tensorgrad.nn.data.dataset import (
    ConcatDataset as ConcatDataset,
    Dataset as Dataset,
    StackDataset as StackDataset,
    Subset as Subset,
    TensorDataset as TensorDataset,
    random_split as random_split,
)
from tensorgrad.nn.data.loader import DataLoader as DataLoader
from tensorgrad.nn.data.samplers import (
    BatchSampler as BatchSampler,
    DistributedSampler as DistributedSampler,
    RandomSampler as RandomSampler,
    Sampler as Sampler,
    SequentialSampler as SequentialSampler,
    SubsetRandomSampler as SubsetRandomSampler,
    WeightedRandomSampler as WeightedRandomSampler,
)
from tensorgrad.nn.data.streams import ChainDataset as ChainDataset, IterableDataset as IterableDataset
from tensorgrad.nn.data.workers import get_worker_info as get_worker_info
