"""The work in JAX: each call is one jitted function."""

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks import inputs
from benchmarks.workers.library import ADAM_LR, LR, MOMENTUM, Call, Library

EPSILON = 1e-5


class Jax(Library):
    def conv(self, x, w, padding, part) -> Call:
        x, w, b = array(x), array(w, seed=1), array(w[:1], seed=2)

        def forward(x, w):
            return convolve(x, w, b, padding)

        g = array(jax.eval_shape(forward, x, w).shape, seed=3)

        def with_both(x, w, g):
            y, pull = jax.vjp(forward, x, w)
            return y, *pull(g)

        return {
            "forward": ready(forward, x, w),
            "input gradient": ready(lambda w, g: jax.vjp(lambda x: forward(x, w), x)[1](g), w, g),
            "weight gradient": ready(lambda x, g: jax.vjp(lambda w: forward(x, w), w)[1](g), x, g),
            "with both": ready(with_both, x, w, g),
        }[part]

    def layer(self, layer, x) -> Call:
        x, parameters = array(x), weights([layer])

        def forward(x, parameters):
            return network([layer], parameters, x)

        def both(x, parameters, g):
            y, pull = jax.vjp(forward, x, parameters)
            dx, dparameters = pull(g)
            return [y, dx, *jax.tree.leaves(dparameters)]

        return ready(both, x, parameters, array(jax.eval_shape(forward, x, parameters).shape, seed=1))

    def loss(self, x) -> Call:
        y = jnp.asarray(inputs.labels(x[0], x[1]))
        return ready(jax.value_and_grad(cross_entropy), array(x), y)

    def matmul(self, n) -> Call:
        return ready(jnp.matmul, array((n, n), seed=1), array((n, n), seed=2))

    def update(self, network, rule) -> Call:
        parameters = jax.tree.leaves(weights(network))
        gradients = [array(parameter.shape) for parameter in parameters]
        zeros = [jnp.zeros_like(parameter) for parameter in parameters]
        rules = {"sgd": (sgd, (zeros,)), "adam": (adam, (zeros, [z + 0 for z in zeros], jnp.zeros(())))}
        step, state = rules[rule]
        step = jax.jit(step, donate_argnums=(0, 2))

        def call():
            nonlocal parameters, state
            parameters, state = step(parameters, gradients, state)
            return jax.block_until_ready(parameters)

        return call

    def step(self, layers, x) -> Call:
        x, y, parameters = array(x), jnp.asarray(inputs.labels(x[0])), weights(layers)
        state = (jax.tree.map(jnp.zeros_like, parameters),)

        def loss(parameters, x, y):
            return cross_entropy(network(layers, parameters, x), y)

        def step(parameters, state, x, y):
            value, gradients = jax.value_and_grad(loss)(parameters, x, y)
            return value, *sgd(parameters, gradients, state)

        step = jax.jit(step, donate_argnums=(0, 1))

        def call():
            nonlocal parameters, state
            value, parameters, state = step(parameters, state, x, y)
            jax.block_until_ready(parameters)
            return value

        return call

    def inference(self, layers, x) -> Call:
        return ready(lambda parameters, x: network(layers, parameters, x), weights(layers), array(x))


def ready(function, *arguments) -> Call:
    """The function, jitted; each call waits for its result."""
    jitted = jax.jit(function)
    return lambda: jax.block_until_ready(jitted(*arguments))


def array(shape, seed: int = inputs.SEED) -> jax.Array:
    return jnp.asarray(inputs.normal(shape, seed))


def weights(layers) -> list:
    return jax.tree.map(jnp.asarray, inputs.weights(layers))


def convolve(x, w, b, padding):
    pads = [(padding, padding), (padding, padding)]
    y = lax.conv_general_dilated(x, w, (1, 1), pads, dimension_numbers=("NCHW", "OIHW", "NCHW"))
    return y + b[:, None, None]


def network(layers, parameters, x):
    parameters = iter(parameters)
    for kind, *sizes in layers:
        if kind == "conv":
            x = convolve(x, *next(parameters), sizes[-1])
        elif kind == "relu":
            x = jax.nn.relu(x)
        elif kind == "maxpool":
            window = (1, 1, sizes[0], sizes[0])
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        elif kind == "batchnorm":
            w, b = next(parameters)
            mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
            x = (x - mean) * lax.rsqrt(var + EPSILON) * w[:, None, None] + b[:, None, None]
        elif kind == "flatten":
            x = x.reshape(len(x), -1)
        elif kind == "linear":
            w, b = next(parameters)
            x = x @ w.T + b
    return x


def cross_entropy(x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()


def sgd(parameters, gradients, state):
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, state[0], gradients)
    return jax.tree.map(lambda w, v: w - LR * v, parameters, velocity), (velocity,)


def adam(parameters, gradients, state, beta1=0.9, beta2=0.999, eps=1e-8):
    first, second, count = state
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, second, gradients)
    count = count + 1
    rate, root = ADAM_LR / (1 - beta1**count), jnp.sqrt(1 - beta2**count)
    change = jax.tree.map(lambda m, v: rate * m / (jnp.sqrt(v) / root + eps), first, second)
    return jax.tree.map(jnp.subtract, parameters, change), (first, second, count)
