"""PyTorch's learning-rate schedulers: objects that change an optimizer's learning rates after each step or epoch.

`tensorgrad.nn.optim.schedules` has the same as functions of the step, which need no call.
"""

from tensorgrad.nn.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from tensorgrad.nn.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from tensorgrad.nn.optim.lr_scheduler.cycles import CyclicLR, OneCycleLR
from tensorgrad.nn.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from tensorgrad.nn.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tensorgrad.nn.optim.lr_scheduler.scheduler import LRScheduler

_LRScheduler = LRScheduler
"""The name that PyTorch had for it before version 2."""

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
