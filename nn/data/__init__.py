"""Data: datasets, the batching loader, and the images that tensorgrad learns from.

pooch, h5py and Pillow, the packages of the extra `data`, are imported by the functions that need them.
"""

from .collate import collate
from .dataset import Dataset, Subset, TensorDataset, TransformDataset, random_split
from .files import DataFileError, MissingPackageError
from .idx import read_idx
from .image_files import ImageDataset, ImageReport
from .image_folder import image_folder
from .load_cats import cats, cats_arrays
from .load_fundus import fundus
from .load_mnist import mnist, mnist_arrays
from .load_optdigits import optdigits, optdigits_arrays
from .loader import DataLoader
from .normalize import Normalize

__all__ = [
    "DataFileError",
    "DataLoader",
    "Dataset",
    "ImageDataset",
    "ImageReport",
    "MissingPackageError",
    "Normalize",
    "Subset",
    "TensorDataset",
    "TransformDataset",
    "cats",
    "cats_arrays",
    "collate",
    "fundus",
    "image_folder",
    "mnist",
    "mnist_arrays",
    "optdigits",
    "optdigits_arrays",
    "random_split",
    "read_idx",
]
