"""PyTorch's `torchvision`: `from tensorgrad.vision import datasets, models, transforms`."""

from tensorgrad.vision import datasets as datasets, models as models, transforms as transforms, utils as utils
