"""Networks: modules, layers, initial values, losses, and what trains them."""

from tensorgrad.nn import data, init, optim
from tensorgrad.nn.layers.activations import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from tensorgrad.nn.layers.containers import ModuleList, Sequential
from tensorgrad.nn.layers.convolution import Conv1d, Conv2d
from tensorgrad.nn.layers.dropout import Dropout
from tensorgrad.nn.layers.flatten import Flatten
from tensorgrad.nn.layers.linear import Identity, Linear, linear
from tensorgrad.nn.layers.normalization import BatchNorm1d, BatchNorm2d
from tensorgrad.nn.layers.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
)
from tensorgrad.nn.losses.functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    nll_loss,
    soft_margin_loss,
)
from tensorgrad.nn.losses.layers import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SoftMarginLoss,
)
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.state import LoadResult, StateDictError
from tensorgrad.nn.summary import Summary, summary
from tensorgrad.nn.training.checkpoint import CheckpointError
from tensorgrad.nn.training.evaluation import accuracy, evaluate, predict
from tensorgrad.nn.training.history import History
from tensorgrad.nn.training.loop import TrainingInterrupted, fit

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
