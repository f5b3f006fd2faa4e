"""Datasets, the batching loader, and image files.

The functions that need pooch, h5py or Pillow, the packages of the extra `data`, import them when they are called.
"""

from tensorgrad.errors import MissingPackageError
from tensorgrad.nn.data.collate import collate, default_collate, default_convert
from tensorgrad.nn.data.dataset import (
    ConcatDataset,
    Dataset,
    StackDataset,
    Subset,
    TensorDataset,
    TransformDataset,
    random_split,
)
from tensorgrad.nn.data.datasets.cats import cats, cats_arrays
from tensorgrad.nn.data.datasets.fundus import fundus
from tensorgrad.nn.data.datasets.mnist import mnist, mnist_arrays
from tensorgrad.nn.data.datasets.optdigits import optdigits, optdigits_arrays
from tensorgrad.nn.data.files.idx import read_idx
from tensorgrad.nn.data.files.image_files import ImageDataset, ImageReport
from tensorgrad.nn.data.files.image_folder import image_folder
from tensorgrad.nn.data.files.locate import DataFileError
from tensorgrad.nn.data.loader import DataLoader
from tensorgrad.nn.data.normalize import Normalize
from tensorgrad.nn.data.samplers import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from tensorgrad.nn.data.streams import ChainDataset, IterableDataset
from tensorgrad.nn.data.workers import WorkerError, WorkerInfo, get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataFileError",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "ImageDataset",
    "ImageReport",
    "IterableDataset",
    "MissingPackageError",
    "Normalize",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "TransformDataset",
    "WeightedRandomSampler",
    "WorkerError",
    "WorkerInfo",
    "cats",
    "cats_arrays",
    "collate",
    "default_collate",
    "default_convert",
    "fundus",
    "get_worker_info",
    "image_folder",
    "mnist",
    "mnist_arrays",
    "optdigits",
    "optdigits_arrays",
    "random_split",
    "read_idx",
]
