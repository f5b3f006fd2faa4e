"""Functions of a world, one of which is compiled. `w` is the world; x and y are a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd.engine import guard
from worlds.choices import CLASSES, floats

if TYPE_CHECKING:
    from worlds.world import World


GLOBAL_SCALE = 1.0
GLOBAL_SHIFT = None


def inference(w: World) -> Callable:
    return lambda x, y: w.net(x)


def module_itself(w: World) -> Callable:
    net = w.net
    return lambda x, y: net(x)


def loss_alone(w: World) -> Callable:
    return lambda x, y: w.loss(w.net(x), y)


def loss_and_output(w: World) -> Callable:
    def function(x, y):
        z = w.net(x)
        return w.loss(z, y), z

    return function


def several_losses(w: World) -> Callable:
    def function(x, y):
        z = w.net(x)
        a, b = w.second(z), z.tanh()
        return {"a": w.loss(a, y), "b": [(b * b).mean(), w.loss(z, y).sum()]}

    return function


def parts_that_share_memory(w: World) -> Callable:
    def function(x, y):
        z = w.net(x)
        return z, z.reshape(-1), z[1:], z.detach()

    return function


def whole_step(w: World) -> Callable:
    def function(x, y):
        w.optimizer.zero_grad()
        z = w.net(x)
        cost = w.loss(z, y).sum()
        cost.backward()
        w.optimizer.step()
        return cost.detach(), z.detach()

    return function


def clipped_step(w: World) -> Callable:
    def function(x, y):
        w.optimizer.zero_grad()
        cost = w.loss(w.second(w.net(x)), y).sum()
        if not guard(np.isfinite, cost._data):
            raise nn.optim.NonFiniteError("the loss isn't finite")
        cost.backward()
        nn.optim.clip_grad_norm_(list(w.net.parameters()), 1.0)
        w.optimizer.step()
        return cost.detach()

    return function


def step_of_a_closure(w: World) -> Callable:
    net, optimizer, scale, shift = w.net, w.optimizer, 1.0, w.tensors[0]

    def function(x, y):
        optimizer.zero_grad()
        cost = (w.loss(net(x) * scale + shift, y)).sum()
        cost.backward()
        optimizer.step()
        return cost.detach()

    def rebind(name, value):
        nonlocal net, scale, shift
        net = value if name == "net" else net
        scale = value if name == "scale" else scale
        shift = value if name == "shift" else shift

    w.rebind = rebind
    return function


def accumulating(w: World) -> Callable:
    def function(x, y):
        cost = w.loss(w.net(x), y).sum()
        cost.backward()
        return cost.detach()

    return function


def two_backwards(w: World) -> Callable:
    def function(x, y):
        w.optimizer.zero_grad()
        one, other = w.loss(w.net(x), y).sum(), (w.second(x.reshape(len(x), -1)[:, :CLASSES]) ** 2).sum()
        one.backward()
        other.backward()
        w.optimizer.step()
        return one.detach(), other.detach()

    return function


def towards_a_target(w: World) -> Callable:
    def function(x, y):
        with tg.no_grad():
            goal = w.target(x)
        return nn.mse_loss(w.net(x), goal)

    return function


def gradient_of_an_argument(w: World) -> Callable:
    def function(x, y):
        cost = w.loss(w.net(x), y).sum()
        cost.backward()
        return cost.detach()

    w.wants_input = True
    return function


def penalty_of_a_leaf(w: World) -> Callable:
    def function(x, leaf):
        cost = (leaf * leaf).sum() + w.net(x).mean()
        cost.backward()
        return cost.detach()

    w.targets = lambda rng, count: tg.tensor(floats(rng, (count, 2)), requires_grad=True)
    return function


def reader_of_containers(w: World) -> Callable:
    def function(x, y):
        z = w.bag["net"](w.net(x)) * w.bag["scale"] + w.bag["h"]
        return (z + w.tensors[0]) * w.thing.shift - w.thing.tensor

    return function


def reader_of_globals(w: World) -> Callable:
    def function(x, y):
        z = w.net(x) * GLOBAL_SCALE
        return z if GLOBAL_SHIFT is None else z + GLOBAL_SHIFT

    return function


def scalar_argument(w: World) -> Callable:
    def function(x, y, scalar=1.0):
        z = w.net(x)
        return z / scalar if not isinstance(scalar, tuple) else z * tg.tensor(scalar)[0]

    return function


def builder_of_tensors(w: World) -> Callable:
    table = np.arange(CLASSES, dtype=np.float32)

    def function(x, y):
        z = w.net(x) + tg.tensor(table) + tg.ones(CLASSES)
        return z * tg.tensor([1.0, 2.0, 3.0, 4.0]), tg.zeros(2, 3).reshape(3, 2)

    w.table = table
    return function


def looking_at_values(w: World) -> Callable:
    def function(x, y):
        z = w.net(x)
        return z * 2 if z.sum().item() > 0 else z

    return function


def noisy(w: World) -> Callable:
    def function(x, y):
        z = w.net(x) + tg.randn(CLASSES)
        return tg.dropout(z, 0.5) * tg.rand(len(x), 1)

    return function


FUNCTIONS: dict[str, Callable[[World], Callable]] = {
    function.__name__: function
    for function in (
        inference, module_itself, loss_alone, loss_and_output, several_losses, parts_that_share_memory, whole_step,
        clipped_step, step_of_a_closure, accumulating, two_backwards, towards_a_target, gradient_of_an_argument,
        penalty_of_a_leaf, reader_of_containers, reader_of_globals, scalar_argument, builder_of_tensors,
        looking_at_values, noisy,
    )
}  # fmt: skip
