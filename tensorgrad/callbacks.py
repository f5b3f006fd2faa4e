"""All callbacks of `nn.fit` under one roof: those of training, and those of `viz`, which watch it."""

from tensorgrad.nn.training.callbacks import (
    BestCheckpoint,
    Callback,
    CSVLogger,
    EarlyStopping,
    ScheduleLR,
    TensorBoard,
    Training,
)
from tensorgrad.viz import Doctor, Film

__all__ = [
    "BestCheckpoint",
    "CSVLogger",
    "Callback",
    "Doctor",
    "EarlyStopping",
    "Film",
    "ScheduleLR",
    "TensorBoard",
    "Training",
]
