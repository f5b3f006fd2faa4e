"""The work in MyGrad, which computes a convolution's gradients in `backward` alone and leaves optimizers to others."""

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu, sigmoid
from mygrad.nnet.layers import batchnorm, conv_nd, max_pool
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks import inputs
from benchmarks.layers import output_shape
from benchmarks.workers import Unsupported
from benchmarks.workers.functional import EPSILON, Ops, per_channel
from benchmarks.workers.library import LR, MOMENTUM, Call, Library


class MyGrad(Library):
    def array(self, value):
        return value.data if isinstance(value, mg.Tensor) else np.asarray(value)

    def conv(self, x, w, padding, part) -> Call:
        x, w, b = mg.tensor(inputs.normal(x)), mg.tensor(inputs.normal(w, 1)), inputs.normal(w[:1], 2)

        def forward():
            return conv_nd(x, w, stride=1, padding=padding) + b[:, None, None]

        g = inputs.normal(forward().shape, seed=3)

        @mg.no_autodiff
        def inference():
            return forward()

        def with_both():
            y = forward()
            y.backward(g)
            return y, x.grad, w.grad

        calls = {"forward": inference, "with both": with_both}
        if part not in calls:
            raise Unsupported("no single gradients of a convolution")
        return calls[part]

    def layer(self, layer, x, backward) -> Call:
        ops, x, parameters = MyGradOps(), mg.tensor(inputs.normal(x)), weights([layer], x)
        g = inputs.normal(ops.run([layer], parameters, x).shape, seed=1)

        def call():
            y = ops.run([layer], parameters, x)
            y.backward(g)
            return [y, x.grad, *(leaf.grad for leaf in leaves(parameters))]

        return call

    def loss(self, x) -> Call:
        y = inputs.labels(x[0], x[1])
        x = mg.tensor(inputs.normal(x))

        def call():
            loss = softmax_crossentropy(x, y)
            loss.backward()
            return loss, x.grad

        return call

    def matmul(self, n) -> Call:
        a, b = (mg.tensor(inputs.normal((n, n), seed)) for seed in (1, 2))
        return lambda: a @ b

    def step(self, layers, x, loss) -> Call:
        y, parameters = inputs.target(loss, output_shape(layers, x)), weights(layers, x)
        if loss != "mse" and y.ndim > 1:
            raise Unsupported("no cross-entropy per pixel")
        compare = (lambda x, y: ((x - y) ** 2).mean()) if loss == "mse" else softmax_crossentropy
        ops, x, all_leaves = MyGradOps(), inputs.normal(x), leaves(parameters)
        velocities = [np.zeros_like(leaf.data) for leaf in all_leaves]

        def call():
            loss = compare(ops.run(layers, parameters, x), y)
            loss.backward()
            for leaf, velocity in zip(all_leaves, velocities, strict=True):
                velocity *= MOMENTUM
                velocity += leaf.grad
                leaf.data -= LR * velocity
            return loss

        return call

    def chain(self, op, shape, length, backward) -> Call:
        x, w = (mg.tensor(start) for start in inputs.chain(shape))
        once = {"add": lambda y: y + x, "relu": relu, "linear": lambda y: y @ w.T}[op]

        def call():
            y = x
            for _ in range(length):
                y = once(y)
            if not backward:
                return y
            y.sum().backward()
            return x.grad

        return call


def weights(layers, shape) -> list:
    return [tuple(b if b is None else mg.tensor(b) for b in pair) for pair in inputs.weights(layers, shape)]


def leaves(parameters) -> list:
    return [leaf for pair in parameters for leaf in pair if leaf is not None]


class MyGradOps(Ops):
    """Its convolutions have no groups, and it has none that is transposed."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(inputs.SEED)

    def conv(self, x, w, b, stride, padding, dilation, groups):
        if groups > 1:
            raise Unsupported("no convolution in groups")
        y = conv_nd(x, w, stride=stride, padding=padding, dilation=dilation)
        return y if b is None else y + per_channel(b, x.ndim - 2)

    def maxpool(self, x, size):
        return max_pool(x, (size,) * (x.ndim - 2), size)

    def batchnorm(self, x, w, b):
        return batchnorm(x, gamma=w, beta=b, eps=EPSILON)

    def upsample(self, x, factor):
        for axis in range(2, x.ndim):
            x = mg.repeat(x, factor, axis=axis)
        return x

    def mask(self, shape, p):
        return (self.rng.random(shape, np.float32) >= p) / np.float32(1 - p)

    def concat(self, branches):
        return mg.concatenate(branches, axis=1)

    def relu6(self, x):
        return mg.clip(x, 0, 6)

    def silu(self, x):
        return x * sigmoid(x)

    relu, sigmoid, tanh = map(staticmethod, (relu, sigmoid, mg.tanh))
