"""A world: all that a function may read, and the function."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.arrays.random import default_generator
from worlds.choices import CLASSES, chance, floats, pick
from worlds.functions import FUNCTIONS
from worlds.networks import FIRST_SHAPE, Net, loss_of
from worlds.sight import seen


class World:
    """What a function may read, and the function. Attributes that the function reads may be bound anew."""

    def __init__(self, seed: int, wrap: Callable[[Callable], Callable]) -> None:
        rng = np.random.default_rng(seed)
        tg.manual_seed(seed)
        self.shape = FIRST_SHAPE if chance(rng, 0.5) else (int(pick(rng, [5, 16, 33])),)
        self.net, self.second = Net(rng, self.shape), nn.Linear(CLASSES, CLASSES)
        self.target = copy.deepcopy(self.net)
        self.loss, self.targets = loss_of(rng)
        rule = pick(rng, [nn.optim.SGD, nn.optim.SGD, nn.optim.Adam, nn.optim.RMSprop])
        options = {"momentum": 0.9} if rule is nn.optim.SGD and chance(rng, 0.5) else {}
        parameters = [*self.net.parameters(), *self.second.parameters()]
        self.optimizer = rule(parameters, lr=0.05, **options)
        self.rows, self.labels_dtype, self.scalar = int(pick(rng, [2, 3, 6, 20])), "int64", 1.0
        self.no_grad = chance(rng, 0.3)
        self.wants_input, self.fill = chance(rng, 0.3), None
        self.bag = {"h": tg.tensor(floats(rng, (CLASSES,))), "scale": 1.0, "net": self.second}
        self.tensors = [tg.tensor(floats(rng, (CLASSES,)))]
        self.thing = SimpleNamespace(shift=0.5, tensor=tg.tensor(floats(rng, (CLASSES,))))
        self.handles: list[Any] = []
        self.kept: list[tg.Tensor] = []
        self.kind = pick(rng, FUNCTIONS)
        self.rebind: Callable[[str, Any], None] = lambda name, value: None
        self.call = wrap(FUNCTIONS[self.kind](self))
        self.state = default_generator().bit_generator.state

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The default generator is this world's own within."""
        generator = default_generator()
        generator.bit_generator.state = self.state
        try:
            yield
        finally:
            self.state = generator.bit_generator.state

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, y = floats(rng, (self.rows, *self.shape)), self.targets(rng, self.rows)
        if self.fill is not None and x.size:
            x.reshape(-1)[int(rng.integers(x.size))] = self.fill
        return x, y if y.dtype.kind == "f" else y.astype(self.labels_dtype)

    def everything(self) -> list[Any]:
        """All numbers of this world beside what calls return."""
        modules = [self.net, self.second, self.target]
        tensors = [t for m in modules for t in (*m.parameters(), *m.buffers())]
        optimizer = [self.optimizer.state_dict()["state"], self.optimizer.steps]
        state = [self.bag["h"], *self.tensors, self.thing.tensor, *self.kept]
        return [seen(tensors), seen([t.grad for t in tensors]), seen(state), optimizer, self.state]
