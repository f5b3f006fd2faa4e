"""The work in JAX: each call is one jitted function."""

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks import inputs
from benchmarks.layers import output_shape
from benchmarks.workers.functional import Ops, per_channel
from benchmarks.workers.library import ADAM_LR, LR, MOMENTUM, Call, Library


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

    def layer(self, layer, x, backward) -> Call:
        x, parameters = array(x), weights([layer], x)

        def forward(x, parameters):
            return JaxOps().run([layer], parameters, x)

        if not backward:
            return ready(forward, x, parameters)

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

    def update(self, network, x, rule) -> Call:
        parameters = jax.tree.leaves(weights(network, x))
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

    def step(self, layers, x, loss) -> Call:
        y, parameters = jnp.asarray(inputs.target(loss, output_shape(layers, x))), weights(layers, x)
        x, state, compare = array(x), (jax.tree.map(jnp.zeros_like, parameters),), LOSSES[loss]
        key = jax.random.key(inputs.SEED)

        def value(parameters, x, y, key):
            return compare(JaxOps(key).run(layers, parameters, x), y)

        def step(parameters, state, key, x, y):
            key, own = jax.random.split(key)
            loss, gradients = jax.value_and_grad(value)(parameters, x, y, own)
            return loss, *sgd(parameters, gradients, state), key

        step = jax.jit(step, donate_argnums=(0, 1))

        def call():
            nonlocal parameters, state, key
            loss, parameters, state, key = step(parameters, state, key, x, y)
            jax.block_until_ready(parameters)
            return loss

        return call

    def inference(self, layers, x) -> Call:
        return ready(
            lambda parameters, x: JaxOps(training=False).run(layers, parameters, x), weights(layers, x), array(x)
        )


def ready(function, *arguments) -> Call:
    """The function, jitted; each call waits for its result."""
    jitted = jax.jit(function)
    return lambda: jax.block_until_ready(jitted(*arguments))


def array(shape, seed: int = inputs.SEED) -> jax.Array:
    return jnp.asarray(inputs.normal(shape, seed))


def weights(layers, shape) -> list:
    return jax.tree.map(jnp.asarray, inputs.weights(layers, shape))


def convolve(x, w, b, padding):
    return JaxOps().conv(x, w, b, (1, 1), (padding, padding), (1, 1), 1)


class JaxOps(Ops):
    def __init__(self, key=None, training=True):
        super().__init__(training)
        self.key = key

    def conv(self, x, w, b, stride, padding, dilation, groups):
        options = {"rhs_dilation": dilation, "feature_group_count": groups, "dimension_numbers": axes_of(x)}
        y = lax.conv_general_dilated(x, w, stride, [(p, p) for p in padding], **options)
        return y if b is None else y + per_channel(b, x.ndim - 2)

    def transposed(self, x, w, b, stride, padding, dilation, groups):
        w = jnp.flip(w, tuple(range(2, w.ndim))).swapaxes(0, 1)
        pads = [(k - 1 - p, k - 1 - p) for k, p in zip(w.shape[2:], padding, strict=True)]
        options = {"lhs_dilation": stride, "dimension_numbers": axes_of(x)}
        y = lax.conv_general_dilated(x, w, (1,) * len(pads), pads, **options)
        return y if b is None else y + per_channel(b, x.ndim - 2)

    def maxpool(self, x, size):
        window = (1, 1, *(size for _ in x.shape[2:]))
        return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")

    def avgpool(self, x, size):
        window = (1, 1, *(size for _ in x.shape[2:]))
        return lax.reduce_window(x, 0.0, lax.add, window, window, "VALID") / size ** (x.ndim - 2)

    def upsample(self, x, factor):
        for axis in range(2, x.ndim):
            x = x.repeat(factor, axis)
        return x

    def mask(self, shape, p):
        self.key, own = jax.random.split(self.key)
        return jax.random.bernoulli(own, 1 - p, shape) / (1 - p)

    def concat(self, branches):
        return jnp.concatenate(branches, axis=1)

    relu, relu6, silu, sigmoid, tanh = map(
        staticmethod, (jax.nn.relu, jax.nn.relu6, jax.nn.silu, jax.nn.sigmoid, jnp.tanh)
    )


def axes_of(x):
    """How inputs, filters and outputs lie in memory: as in PyTorch."""
    pixels = "DHW"[-(x.ndim - 2) :]
    return (f"NC{pixels}", f"OI{pixels}", f"NC{pixels}")


def cross_entropy(x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(x, axis=1), y[:, None], axis=1).mean()


LOSSES = {"cross-entropy": cross_entropy, "mse": lambda x, y: ((x - y) ** 2).mean()}


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
