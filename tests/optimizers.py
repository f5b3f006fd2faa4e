"""What the tests of optimizers share: parameters, their gradients, steps, and every option of every optimizer."""

import numpy as np

import tensorgrad as tg
from tensorgrad.nn.optim import (
    ASGD,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
)

EVERY_OPTION = {
    "SGD": lambda p: SGD(p, 0.1, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "Nesterov": lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True),
    "RMSprop": lambda p: RMSprop(p, 0.01, weight_decay=0.01, momentum=0.9, centered=True),
    "Adam": lambda p: Adam(p, 0.01, weight_decay=0.01, amsgrad=True),
    "AdamW": lambda p: AdamW(p, 0.01, amsgrad=True),
    "Adagrad": lambda p: Adagrad(p, 0.1, initial_accumulator_value=0.1),
    "Adadelta": lambda p: Adadelta(p, 0.5, weight_decay=0.1),
    "Adafactor": lambda p: Adafactor(p, 0.1, weight_decay=0.1),
    "Adamax": lambda p: Adamax(p, 0.01, weight_decay=0.1),
    "NAdam": lambda p: NAdam(p, 0.01, weight_decay=0.1),
    "RAdam": lambda p: RAdam(p, 0.01, betas=(0.8, 0.7), decoupled_weight_decay=True),
    "ASGD": lambda p: ASGD(p, 0.1, t0=1),
    "Rprop": lambda p: Rprop(p, 0.01),
    "Lion": lambda p: Lion(p, 0.01, weight_decay=0.1),
}


def leaf(*values, dtype=np.float64):
    return tg.tensor(np.array(values, dtype), requires_grad=True)


def give(parameter, *values):
    parameter.grad = tg.tensor(np.array(values, parameter.dtype))


def steps(optimizer, parameter, gradients):
    """The parameter's value after each gradient."""
    trajectory = []
    for g in gradients:
        give(parameter, g)
        optimizer.step()
        trajectory.append(parameter.item())
    return trajectory


def random_steps(optimizer, parameters, count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        for p in parameters:
            p.grad = tg.tensor(rng.standard_normal(p.shape).astype(p.dtype))
        optimizer.step()


class ByHand(Optimizer):
    """As scripts for PyTorch write one: options in a dict, a step of its own, a state that is empty at first."""

    def __init__(self, params, lr=0.5):
        super().__init__(params, dict(lr=lr))

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state["step"], state["sum"] = 0, tg.zeros_like(p.data)
                state["step"] += 1
                state["sum"].add_(p.grad)
                p.data.add_(state["sum"], alpha=-group["lr"])
