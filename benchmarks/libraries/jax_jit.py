"""JAX, each case one jitted function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import cases
from benchmarks.libraries import Unsupported


def version() -> str:
    """Of the package."""
    return jax.__version__


def prepare(kind: str, options: dict[str, Any]) -> Callable[[], Any]:
    """See the package's docstring."""
    makers = {"conv": convolution, "step": step, "inference": inference}
    if kind not in makers:
        raise Unsupported(kind)
    return makers[kind](**options)


def waiting(function: Callable, *arguments: Any) -> Callable[[], Any]:
    compiled = jax.jit(function)
    return lambda: jax.block_until_ready(compiled(*arguments))


def conv(x: Any, w: Any, padding: int) -> Any:
    return jax.lax.conv_general_dilated(x, w, (1, 1), [(padding, padding)] * 2)


def convolution(shape: tuple, filters: tuple, padding: int, part: str) -> Callable[[], Any]:
    x, w = map(jnp.asarray, cases.arrays(shape, filters))
    g = jnp.asarray(cases.arrays(conv(x, w, padding).shape)[0])

    def gradients(x: Any, w: Any, g: Any) -> Any:
        y, back = jax.vjp(lambda x, w: conv(x, w, padding), x, w)
        return y, *back(g)

    functions = {
        "forward": lambda x, w, g: conv(x, w, padding),
        "input gradient": lambda x, w, g: gradients(x, w, g)[1],
        "weight gradient": lambda x, w, g: gradients(x, w, g)[2],
        "all three": gradients,
    }
    return waiting(functions[part], x, w, g)


def forward(net: str, parameters: list, x: Any) -> Any:
    rest = iter(parameters)
    for kind, *sizes in cases.NETWORKS[net]:
        if kind == "conv":
            x = conv(x, next(rest), sizes[3]) + next(rest)[:, None, None]
        elif kind == "linear":
            x = x @ next(rest).T + next(rest)
        elif kind == "relu":
            x = jax.nn.relu(x)
        elif kind == "pool":
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        else:
            x = x.reshape(len(x), -1)
    return x


def step(net: str, batch: int) -> Callable[[], float]:
    parameters = [jnp.asarray(p) for p in cases.parameters(net)]
    velocities = [jnp.zeros_like(p) for p in parameters]
    x, labels = map(jnp.asarray, cases.batch(net, batch))

    def loss(parameters: list, x: Any, labels: Any) -> Any:
        logs = jax.nn.log_softmax(forward(net, parameters, x))
        return -jnp.take_along_axis(logs, labels[:, None], axis=1).mean()

    @jax.jit
    def update(parameters: list, velocities: list, x: Any, labels: Any) -> Any:
        z, gradients = jax.value_and_grad(loss)(parameters, x, labels)
        velocities = [cases.MOMENTUM * v + g for v, g in zip(velocities, gradients, strict=True)]
        return z, [p - cases.LEARNING_RATE * v for p, v in zip(parameters, velocities, strict=True)], velocities

    def call() -> float:
        nonlocal parameters, velocities
        z, parameters, velocities = jax.block_until_ready(update(parameters, velocities, x, labels))
        return float(z)

    return call


def inference(net: str, batch: int) -> Callable[[], Any]:
    parameters = [jnp.asarray(p) for p in cases.parameters(net)]
    return waiting(
        lambda parameters, x: forward(net, parameters, x), parameters, jnp.asarray(cases.batch(net, batch)[0])
    )
