"""The library tinygrad, with its jit."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version as of
from typing import Any

from tinygrad import Tensor, TinyJit
from tinygrad.nn import optim

from benchmarks import cases
from benchmarks.libraries import Unsupported


def version() -> str:
    """Of the package."""
    return of("tinygrad")


def prepare(kind: str, options: dict[str, Any]) -> Callable[[], Any]:
    """See the package's docstring."""
    makers = {"step": step, "inference": inference}
    if kind not in makers:
        raise Unsupported(kind)
    return makers[kind](**options)


def forward(net: str, parameters: list, x: Any) -> Any:
    rest = iter(parameters)
    for kind, *sizes in cases.NETWORKS[net]:
        if kind == "conv":
            x = x.conv2d(next(rest), next(rest), padding=sizes[3])
        elif kind == "linear":
            x = x.linear(next(rest).T, next(rest))
        elif kind == "relu":
            x = x.relu()
        elif kind == "pool":
            x = x.max_pool2d((2, 2))
        else:
            x = x.flatten(1)
    return x


def step(net: str, batch: int) -> Callable[[], float]:
    parameters = [Tensor(p, requires_grad=True).realize() for p in cases.parameters(net)]
    optimizer = optim.SGD(parameters, lr=cases.LEARNING_RATE, momentum=cases.MOMENTUM)
    x, labels = (Tensor(a).realize() for a in cases.batch(net, batch))

    @TinyJit
    def update() -> Any:
        optimizer.zero_grad()
        loss = forward(net, parameters, x).sparse_categorical_crossentropy(labels).backward()
        return loss.realize(*optimizer.schedule_step())

    def call() -> float:
        with Tensor.train():
            return update().item()

    return call


def inference(net: str, batch: int) -> Callable[[], Any]:
    parameters = [Tensor(p).realize() for p in cases.parameters(net)]
    x = Tensor(cases.batch(net, batch)[0]).realize()
    run = TinyJit(lambda: forward(net, parameters, x).realize())
    return lambda: run().numpy()
