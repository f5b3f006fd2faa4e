"""Small steps of the optimizers, for the warm-up: each compiles the kernels of an update rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorgrad.nn.optim.optimizer import Optimizer
from tensorgrad.nn.optim.rules.adam import Adam, AdamW
from tensorgrad.nn.optim.rules.rmsprop import RMSprop
from tensorgrad.nn.optim.rules.sgd import SGD
from tensorgrad.nn.optim.updating import LARGE
from tensorgrad.tensor import Tensor

RULES: dict[str, Callable[[list[Any]], Optimizer]] = {
    "SGD": SGD,
    "SGD, momentum": lambda p: SGD(p, momentum=0.9),
    "SGD, momentum, decay": lambda p: SGD(p, momentum=0.9, weight_decay=1e-4),
    "SGD, Nesterov": lambda p: SGD(p, momentum=0.9, nesterov=True),
    "RMSprop": RMSprop,
    "Adam": Adam,
    "Adam, amsgrad": lambda p: Adam(p, amsgrad=True),
    "AdamW": AdamW,
}
"""The forms that are used most; others are compiled at their first step."""


def samples(dtype: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A step of each rule over weights of this dtype."""
    w = Tensor(np.zeros(LARGE, dtype), requires_grad=True)
    w.grad = Tensor(np.ones(LARGE, dtype))
    for name, make in RULES.items():
        yield name, make([w]).step
