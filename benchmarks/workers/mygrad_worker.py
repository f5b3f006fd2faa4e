"""The work in MyGrad, which computes a convolution's gradients in `backward` alone and leaves optimizers to others."""

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu
from mygrad.nnet.layers import batchnorm, conv_nd, max_pool
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks import inputs
from benchmarks.workers import Unsupported
from benchmarks.workers.library import LR, MOMENTUM, Call, Library

EPSILON = 1e-5


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

    def layer(self, layer, x) -> Call:
        x, parameters = mg.tensor(inputs.normal(x)), weights([layer])
        g = inputs.normal(network([layer], parameters, x).shape, seed=1)

        def call():
            y = network([layer], parameters, x)
            y.backward(g)
            return [y, x.grad, *(leaf.grad for pair in parameters for leaf in pair)]

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

    def step(self, layers, x) -> Call:
        y, parameters = inputs.labels(x[0]), weights(layers)
        x = inputs.normal(x)
        leaves = [leaf for pair in parameters for leaf in pair]
        velocities = [np.zeros_like(leaf.data) for leaf in leaves]

        def call():
            loss = softmax_crossentropy(network(layers, parameters, x), y)
            loss.backward()
            for leaf, velocity in zip(leaves, velocities, strict=True):
                velocity *= MOMENTUM
                velocity += leaf.grad
                leaf.data -= LR * velocity
            return loss

        return call

    def inference(self, layers, x) -> Call:
        parameters, x = weights(layers), inputs.normal(x)

        @mg.no_autodiff
        def call():
            return network(layers, parameters, x)

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


def weights(layers) -> list:
    return [(mg.tensor(w), mg.tensor(b)) for w, b in inputs.weights(layers)]


def network(layers, parameters, x):
    parameters = iter(parameters)
    for kind, *sizes in layers:
        if kind == "conv":
            w, b = next(parameters)
            x = conv_nd(x, w, stride=1, padding=sizes[-1]) + b[:, None, None]
        elif kind == "relu":
            x = relu(x)
        elif kind == "maxpool":
            x = max_pool(x, (sizes[0], sizes[0]), sizes[0])
        elif kind == "batchnorm":
            w, b = next(parameters)
            x = batchnorm(x, gamma=w, beta=b, eps=EPSILON)
        elif kind == "flatten":
            x = x.reshape(len(x), -1)
        elif kind == "linear":
            w, b = next(parameters)
            x = x @ w.T + b
    return x
