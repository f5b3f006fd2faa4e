"""Optimizers, learning-rate schedules and gradient clipping."""

from tensorgrad.nn.optim import lr_scheduler, swa_utils
from tensorgrad.nn.optim.clip import NonFiniteError, clip_grad_norm_, clip_grad_value_
from tensorgrad.nn.optim.optimizer import Optimizer, Schedule
from tensorgrad.nn.optim.rules.adam import Adam, AdamW
from tensorgrad.nn.optim.rules.adam_variants import Adamax, NAdam, RAdam
from tensorgrad.nn.optim.rules.adaptive import Adadelta, Adafactor, Adagrad
from tensorgrad.nn.optim.rules.lbfgs import LBFGS
from tensorgrad.nn.optim.rules.rmsprop import RMSprop
from tensorgrad.nn.optim.rules.sgd import ASGD, SGD
from tensorgrad.nn.optim.rules.signs import Lion, Rprop
from tensorgrad.nn.optim.schedules import constant, cosine, exponential, join, step_decay, warm_up

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
