"""Networks: modules, layers, initial values, losses, and what trains them."""

from . import data, init, optim
from .activations import ELU, GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .checkpoint import CheckpointError
from .containers import ModuleList, Sequential
from .convolution import Conv1d, Conv2d
from .dropout import Dropout
from .evaluation import accuracy, evaluate, predict
from .flatten import Flatten
from .history import History
from .linear import Identity, Linear, linear
from .loss_layers import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SoftMarginLoss,
)
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    nll_loss,
    soft_margin_loss,
)
from .module import Module
from .normalization import BatchNorm1d, BatchNorm2d
from .parameter import Parameter
from .pooling import AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from .state import LoadResult, StateDictError
from .summary import Summary, summary
from .training import TrainingInterrupted, fit

__all__ = [
    "ELU",
    "GELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "CheckpointError",
    "Conv1d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "History",
    "Identity",
    "L1Loss",
    "LeakyReLU",
    "Linear",
    "LoadResult",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SoftMarginLoss",
    "Softmax",
    "Softplus",
    "StateDictError",
    "Summary",
    "Tanh",
    "TrainingInterrupted",
    "accuracy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "data",
    "evaluate",
    "fit",
    "init",
    "l1_loss",
    "linear",
    "mse_loss",
    "nll_loss",
    "optim",
    "predict",
    "soft_margin_loss",
    "summary",
]
