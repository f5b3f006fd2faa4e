"""PyTorch, eager."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks import cases
from benchmarks.libraries import Unsupported

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def version() -> str:
    """Of the package."""
    return torch.__version__


def prepare(kind: str, options: dict[str, Any]) -> Callable[[], Any]:
    """See the package's docstring."""
    makers = {"conv": convolution, "layer": layer, "step": step, "inference": inference, "chain": chain}
    if kind not in makers:
        raise Unsupported(kind)
    return makers[kind](**options)


def convolution(shape: tuple, filters: tuple, padding: int, part: str) -> Callable[[], Any]:
    x, w = map(torch.from_numpy, cases.arrays(shape, filters))
    bias = torch.zeros(filters[0])
    forward = torch.no_grad()(lambda: nn.functional.conv2d(x, w, bias, padding=padding))
    g = torch.from_numpy(cases.arrays(tuple(forward().shape))[0])

    def backward(*wanted: bool) -> Any:
        window = ([1, 1], [padding, padding], [1, 1], False, [0, 0], 1)
        return torch.ops.aten.convolution_backward(g, x, w, None, *window, [*wanted, False])

    def all_three() -> Any:
        forward()
        return backward(True, True)

    return {
        "forward": forward,
        "input gradient": lambda: backward(True, False),
        "weight gradient": lambda: backward(False, True),
        "all three": all_three,
    }[part]


def layer(layer: str, shape: tuple, out: int = 0) -> Callable[[], Any]:
    x = torch.from_numpy(cases.arrays(shape)[0]).requires_grad_()
    if layer == "cross-entropy":
        labels, loss = torch.from_numpy(cases.labels(shape)), nn.CrossEntropyLoss()
        return forward_backward(lambda: loss(x, labels), [x])
    module = {
        "relu": nn.ReLU,
        "max": lambda: nn.MaxPool2d(2),
        "batch": lambda: nn.BatchNorm2d(shape[1]),
        "linear": lambda: nn.Linear(shape[1], out),
    }[layer]()
    return forward_backward(lambda: module(x), [x, *module.parameters()])


def forward_backward(forward: Callable[[], torch.Tensor], leaves: list[torch.Tensor]) -> Callable[[], None]:
    shape = tuple(forward().shape)
    upstream = torch.from_numpy(cases.arrays(shape)[0]) if shape else None

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
    with torch.no_grad():
        for p, value in zip(model.parameters(), cases.parameters(net), strict=True):
            p.copy_(torch.from_numpy(value))
    return model


def step(net: str, batch: int, compiled: bool = False) -> Callable[[], float]:
    model, loss = build(net), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=cases.LEARNING_RATE, momentum=cases.MOMENTUM)
    x, labels = map(torch.from_numpy, cases.batch(net, batch))

    def losses() -> torch.Tensor:
        return loss(model(x), labels)

    forward = torch.compile(losses) if compiled else losses

    def call() -> float:
        z = forward()
        optimizer.zero_grad()
        z.backward()
        optimizer.step()
        return z.item()

    return call


def inference(net: str, batch: int, compiled: bool = False) -> Callable[[], Any]:
    model, x = build(net).eval(), torch.from_numpy(cases.batch(net, batch)[0])
    forward = torch.compile(model) if compiled else model

    def call() -> Any:
        with torch.no_grad():
            return forward(x)

    return call


def chain(length: int, backward: bool) -> Callable[[], None]:
    x, y, seed = torch.ones(8, requires_grad=True), torch.ones(8), torch.ones(8)

    def call() -> None:
        z = x
        for _ in range(length):
            z = z + y
        if backward:
            x.grad = None
            z.backward(seed)

    return call
