"""Training: the loop, evaluation, checkpoints, progress and history."""

from tensorgrad.nn.training.callbacks import Callback
from tensorgrad.nn.training.checkpoint import CheckpointError
from tensorgrad.nn.training.evaluation import evaluate, predict
from tensorgrad.nn.training.history import History
from tensorgrad.nn.training.loop import TrainingInterrupted, fit

__all__ = [
    "Callback",
    "CheckpointError",
    "History",
    "TrainingInterrupted",
    "evaluate",
    "fit",
    "predict",
]
