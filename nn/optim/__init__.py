"""Optimizers, learning-rate schedules and gradient clipping."""

from tensorgrad.nn.optim import lr_scheduler, swa_utils
from tensorgrad.nn.optim.adam import Adam, AdamW
from tensorgrad.nn.optim.adam_variants import Adamax, NAdam, RAdam
from tensorgrad.nn.optim.adaptive import Adadelta, Adafactor, Adagrad
from tensorgrad.nn.optim.clip import NonFiniteError, clip_grad_norm_, clip_grad_value_
from tensorgrad.nn.optim.lbfgs import LBFGS
from tensorgrad.nn.optim.optimizer import Optimizer, Schedule
from tensorgrad.nn.optim.rmsprop import RMSprop
from tensorgrad.nn.optim.schedules import constant, cosine, exponential, join, step_decay, warm_up
from tensorgrad.nn.optim.sgd import ASGD, SGD
from tensorgrad.nn.optim.signs import Lion, Rprop

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "NAdam",
    "NonFiniteError",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Schedule",
    "clip_grad_norm_",
    "clip_grad_value_",
    "constant",
    "cosine",
    "exponential",
    "join",
    "lr_scheduler",
    "step_decay",
    "swa_utils",
    "warm_up",
]
