"""Networks: modules, layers, initial values, losses, optimizers, data and training."""

from typing import TYPE_CHECKING, Any

from tensorgrad import unknown_names
from tensorgrad.nn import data, functional, init, layers, metrics, optim, parallel, utils
from tensorgrad.nn.layers import *
from tensorgrad.nn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    CTCLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MarginRankingLoss,
    MSELoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    nll_loss,
    soft_margin_loss,
)
from tensorgrad.nn.metrics import accuracy
from tensorgrad.nn.module import Module
from tensorgrad.nn.parallel import DistributedDataParallel
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.state import LoadResult, StateDictError
from tensorgrad.nn.summary import Summary, summary
from tensorgrad.nn.training import (
    Callback,
    CheckpointError,
    History,
    TrainingInterrupted,
    evaluate,
    fit,
    predict,
)
from tensorgrad.ops.linear import linear

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "Callback",
    "CheckpointError",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "DistributedDataParallel",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "History",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LoadResult",
    "MSELoss",
    "MarginRankingLoss",
    "Module",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "Parameter",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "StateDictError",
    "Summary",
    "TrainingInterrupted",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
    "accuracy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "data",
    "evaluate",
    "fit",
    "functional",
    "init",
    "l1_loss",
    "linear",
    "metrics",
    "mse_loss",
    "nll_loss",
    "optim",
    "parallel",
    "predict",
    "soft_margin_loss",
    "summary",
    "utils",
]
__all__ += layers.__all__

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise unknown_names.unknown("tensorgrad.nn", name, unknown_names.NN, __all__)
