"""Transforms of pictures, with PyTorch's names: Pillow images, arrays `(H, W, C)` and Tensors `(..., C, H, W)`."""

from tensorgrad.nn.data.transforms.base import Compose, Lambda, RandomApply, RandomChoice, RandomOrder
from tensorgrad.nn.data.transforms.plain import (
    CenterCrop,
    ConvertImageDtype,
    FiveCrop,
    Grayscale,
    Normalize,
    Pad,
    PILToTensor,
    Resize,
    TenCrop,
    ToPILImage,
    ToTensor,
)
from tensorgrad.nn.data.transforms.random_color import ColorJitter, GaussianBlur, RandomErasing, RandomGrayscale
from tensorgrad.nn.data.transforms.random_geometry import (
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
)
from tensorgrad.nn.data.transforms.resample import InterpolationMode

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "FiveCrop",
    "GaussianBlur",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomAffine",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomOrder",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
    "ToPILImage",
    "ToTensor",
]
