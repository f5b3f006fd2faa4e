"""Optimizers, learning-rate schedules and gradient clipping."""

from tensorgrad.nn.optim.adam import Adam, AdamW
from tensorgrad.nn.optim.clip import NonFiniteError, clip_grad_norm_, clip_grad_value_
from tensorgrad.nn.optim.optimizer import Optimizer, Schedule
from tensorgrad.nn.optim.rmsprop import RMSprop
from tensorgrad.nn.optim.schedules import constant, cosine, exponential, join, step_decay, warm_up
from tensorgrad.nn.optim.sgd import SGD

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
