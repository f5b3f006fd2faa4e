"""MyGrad: NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mygrad
import numpy as np
from mygrad.nnet import layers, losses

from benchmarks import cases
from benchmarks.libraries import Unsupported


def version() -> str:
    """Of the package."""
    return mygrad.__version__


def prepare(kind: str, options: dict[str, Any]) -> Callable[[], Any]:
    """See the package's docstring."""
    makers = {"step": step, "inference": inference, "chain": chain}
    if kind not in makers:
        raise Unsupported(kind)
    return makers[kind](**options)


def forward(net: str, parameters: list, x: Any) -> Any:
    rest = iter(parameters)
    for kind, *sizes in cases.NETWORKS[net]:
        if kind == "conv":
            x = layers.conv_nd(x, next(rest), stride=1, padding=sizes[3]) + next(rest).reshape(1, -1, 1, 1)
        elif kind == "linear":
            x = mygrad.matmul(x, next(rest).T) + next(rest)
        elif kind == "relu":
            x = mygrad.maximum(x, 0)
        elif kind == "pool":
            x = layers.max_pool(x, (2, 2), 2)
        else:
            x = x.reshape(len(x), -1)
    return x


def step(net: str, batch: int) -> Callable[[], float]:
    parameters = [mygrad.tensor(p) for p in cases.parameters(net)]
    velocities = [np.zeros_like(p.data) for p in parameters]
    x, labels = cases.batch(net, batch)

    def call() -> float:
        z = losses.softmax_crossentropy(forward(net, parameters, x), labels)
        z.backward()
        for p, v in zip(parameters, velocities, strict=True):
            v *= cases.MOMENTUM
            v += p.grad
            p.data[...] -= cases.LEARNING_RATE * v
            p.null_grad()
        return z.item()

    return call


def inference(net: str, batch: int) -> Callable[[], Any]:
    parameters, x = [mygrad.tensor(p) for p in cases.parameters(net)], cases.batch(net, batch)[0]

    def call() -> Any:
        with mygrad.no_autodiff:
            return forward(net, parameters, x)

    return call


def chain(length: int, backward: bool) -> Callable[[], None]:
    x, y = mygrad.tensor(np.ones(8)), mygrad.tensor(np.ones(8), constant=True)

    def call() -> None:
        z = x
        for _ in range(length):
            z = z + y
        if backward:
            z.backward()

    return call
