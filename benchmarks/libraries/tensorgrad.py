"""Ours, as a user writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg
from benchmarks import cases
from benchmarks.libraries import Unsupported
from tensorgrad import nn


def version() -> str:
    """Of the package and of what it stands on."""
    from importlib.metadata import version as of

    return f"{of('tensorgrad-engine')} (numpy {of('numpy')}, numba {of('numba')})"


def prepare(kind: str, options: dict[str, Any]) -> Callable[[], Any]:
    """See the package's docstring."""
    makers = {"conv": convolution, "layer": layer, "step": step, "inference": inference, "chain": chain}
    if kind not in makers:
        raise Unsupported(kind)
    return makers[kind](**options)


def convolution(shape: tuple, filters: tuple, padding: int, part: str) -> Callable[[], Any]:
    from tensorgrad.kernels import convolution as kernels

    x, w = cases.arrays(shape, filters)
    bias, pads = np.zeros(filters[0], np.float32), ((padding, padding),) * 2
    (g,) = cases.arrays(kernels.forward(x, w, bias, padding=pads).shape)

    def all_three() -> Any:
        kernels.forward(x, w, bias, padding=pads)
        kernels.grad_weight(x, g, filters[2:], padding=pads)
        return kernels.grad_input(g, w, shape[2:], padding=pads)

    return {
        "forward": lambda: kernels.forward(x, w, bias, padding=pads),
        "input gradient": lambda: kernels.grad_input(g, w, shape[2:], padding=pads),
        "weight gradient": lambda: kernels.grad_weight(x, g, filters[2:], padding=pads),
        "all three": all_three,
    }[part]


def layer(layer: str, shape: tuple, out: int = 0) -> Callable[[], Any]:
    (data,) = cases.arrays(shape)
    x = tg.tensor(data, requires_grad=True)
    if layer == "cross-entropy":
        labels, loss = cases.labels(shape), nn.CrossEntropyLoss()
        return forward_backward(lambda: loss(x, labels), [x])
    module = {
        "relu": nn.ReLU,
        "max": lambda: nn.MaxPool2d(2),
        "batch": lambda: nn.BatchNorm2d(shape[1]),
        "linear": lambda: nn.Linear(shape[1], out),
    }[layer]()
    return forward_backward(lambda: module(x), [x, *module.parameters()])


def forward_backward(forward: Callable[[], tg.Tensor], leaves: list[tg.Tensor]) -> Callable[[], None]:
    shape = forward().shape
    upstream = tg.tensor(cases.arrays(shape)[0]) if shape else None

    def call() -> None:
        for leaf in leaves:
            leaf.grad = None
        forward().backward(upstream)

    return call


def build(net: str) -> nn.Module:
    makers = {
        "conv": lambda c, k, size, padding: nn.Conv2d(c, k, size, padding=padding),
        "linear": nn.Linear,
        "relu": nn.ReLU,
        "pool": lambda: nn.MaxPool2d(2),
        "flatten": nn.Flatten,
    }
    model = nn.Sequential(*[makers[kind](*sizes) for kind, *sizes in cases.NETWORKS[net]])
    for p, value in zip(model.parameters(), cases.parameters(net), strict=True):
        p.data[...] = value
    return model


def step(net: str, batch: int) -> Callable[[], float]:
    model, loss = build(net), nn.CrossEntropyLoss()
    optimizer = nn.optim.SGD(model.parameters(), lr=cases.LEARNING_RATE, momentum=cases.MOMENTUM)
    images, labels = cases.batch(net, batch)
    x = tg.tensor(images)

    def call() -> float:
        z = loss(model(x), labels)
        optimizer.zero_grad()
        z.backward()
        optimizer.step()
        return z.item()

    return call


def inference(net: str, batch: int) -> Callable[[], Any]:
    model, x = build(net).eval(), tg.tensor(cases.batch(net, batch)[0])

    def call() -> Any:
        with tg.no_grad():
            return model(x)

    return call


def chain(length: int, backward: bool) -> Callable[[], None]:
    x, y = tg.ones(8, requires_grad=True), tg.ones(8)
    seed = tg.ones(8)

    def call() -> None:
        z = x
        for _ in range(length):
            z = z + y
        if backward:
            x.grad = None
            z.backward(seed)

    return call
