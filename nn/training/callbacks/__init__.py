"""Callbacks of `fit`. `tensorgrad.callbacks` has them all, those of `tensorgrad.viz` too."""

from tensorgrad.nn.training.callbacks.base import Callback, Training
from tensorgrad.nn.training.callbacks.best import BestCheckpoint, EarlyStopping
from tensorgrad.nn.training.callbacks.logs import CSVLogger, TensorBoard
from tensorgrad.nn.training.callbacks.schedule import ScheduleLR

__all__ = [
    "BestCheckpoint",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "ScheduleLR",
    "TensorBoard",
    "Training",
]
