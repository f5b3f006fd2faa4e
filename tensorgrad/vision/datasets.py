"""PyTorch's `torchvision.datasets`."""

from tensorgrad.nn.data.datasets.cifar import CIFAR10 as CIFAR10, CIFAR100 as CIFAR100
from tensorgrad.nn.data.datasets.fake import FakeData as FakeData
from tensorgrad.nn.data.datasets.folders import DatasetFolder as DatasetFolder, ImageFolder as ImageFolder
from tensorgrad.nn.data.datasets.mnist_family import (
    KMNIST as KMNIST,
    MNIST as MNIST,
    FashionMNIST as FashionMNIST,
)
from tensorgrad.nn.data.datasets.pictures import VisionDataset as VisionDataset
