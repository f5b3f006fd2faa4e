"""PyTorch's `torchvision.transforms`."""

from tensorgrad.nn.data.transforms.base import (
    Compose as Compose,
    Lambda as Lambda,
    RandomApply as RandomApply,
    RandomChoice as RandomChoice,
    RandomOrder as RandomOrder,
)
from tensorgrad.nn.data.transforms.plain import (
    CenterCrop as CenterCrop,
    ConvertImageDtype as ConvertImageDtype,
    FiveCrop as FiveCrop,
    Grayscale as Grayscale,
    Normalize as Normalize,
    Pad as Pad,
    PILToTensor as PILToTensor,
    Resize as Resize,
    TenCrop as TenCrop,
    ToPILImage as ToPILImage,
    ToTensor as ToTensor,
)
from tensorgrad.nn.data.transforms.random_color import (
    ColorJitter as ColorJitter,
    GaussianBlur as GaussianBlur,
    RandomErasing as RandomErasing,
    RandomGrayscale as RandomGrayscale,
)
from tensorgrad.nn.data.transforms.random_geometry import (
    RandomAffine as RandomAffine,
    RandomCrop as RandomCrop,
    RandomHorizontalFlip as RandomHorizontalFlip,
    RandomResizedCrop as RandomResizedCrop,
    RandomRotation as RandomRotation,
    RandomVerticalFlip as RandomVerticalFlip,
)
from tensorgrad.nn.data.transforms.resample import (
    InterpolationMode as InterpolationMode,
)
from tensorgrad.vision.transforms import functional as functional
