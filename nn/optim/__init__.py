"""Optimizers, learning-rate schedules and gradient clipping."""

from .adam import Adam, AdamW
from .clip import NonFiniteError, clip_grad_norm_, clip_grad_value_
from .optimizer import Optimizer, Schedule
from .rmsprop import RMSprop
from .schedules import constant, cosine, exponential, join, step_decay, warm_up
from .sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "NonFiniteError",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "clip_grad_norm_",
    "clip_grad_value_",
    "constant",
    "cosine",
    "exponential",
    "join",
    "step_decay",
    "warm_up",
]
