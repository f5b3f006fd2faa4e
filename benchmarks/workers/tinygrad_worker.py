"""The work in tinygrad: whole steps under its JIT. Its CPU backend needs clang."""

from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context
from tinygrad.nn.optim import SGD

from benchmarks import inputs
from benchmarks.layers import output_shape
from benchmarks.workers.functional import EPSILON, Ops, per_channel
from benchmarks.workers.library import LR, MOMENTUM, Call, Library


class Tinygrad(Library):
    def array(self, value):
        return value.numpy()

    def step(self, layers, x, loss) -> Call:
        y, parameters = inputs.target(loss, output_shape(layers, x)), weights(layers, x)
        ops, compare, x, y = TinygradOps(), LOSSES[loss], tensor(x).is_param_(False), Tensor(y).realize()
        leaves = [leaf for pair in parameters for leaf in pair if leaf is not None]
        optimizer = SGD(leaves, lr=LR, momentum=MOMENTUM, classic=True)

        @TinyJit
        def step():
            loss = compare(ops.run(layers, parameters, x), y)
            optimizer.zero_grad()
            loss.backward()
            return loss.realize(*optimizer.schedule_step())

        def call():
            with Context(TRAINING=1):
                return synchronized(step())

        return call


def synchronized(result: Tensor) -> Tensor:
    from tinygrad import Device

    Device[Device.DEFAULT].synchronize()
    return result


def tensor(shape, seed: int = inputs.SEED) -> Tensor:
    return Tensor(inputs.normal(shape, seed)).realize()


def weights(layers, shape) -> list:
    found = inputs.weights(layers, shape)
    return [tuple(b if b is None else Tensor(b).realize() for b in pair) for pair in found]


class TinygradOps(Ops):
    def conv(self, x, w, b, stride, padding, dilation, groups):
        return x.conv2d(w, b, groups, stride, dilation, padding)

    def transposed(self, x, w, b, stride, padding, dilation, groups):
        return x.conv_transpose2d(w, b, groups, stride, dilation, padding)

    def maxpool(self, x, size):
        return x.max_pool2d((size,) * (x.ndim - 2))

    def avgpool(self, x, size):
        return x.avg_pool2d((size,) * (x.ndim - 2))

    def average(self, x):
        return x.mean(tuple(range(2, x.ndim)), keepdim=True)

    def batchnorm(self, x, w, b):
        axes = (0, *range(2, x.ndim))
        mean = x.mean(axes, keepdim=True)
        var = ((x - mean) ** 2).mean(axes, keepdim=True)
        return (x - mean) * (var + EPSILON).rsqrt() * per_channel(w, x.ndim - 2) + per_channel(b, x.ndim - 2)

    def linear(self, x, w, b):
        return x.linear(w.T, b)

    def dropout(self, x, p):
        return x.dropout(p)

    def upsample(self, x, factor):
        for axis in range(2, x.ndim):
            x = x.repeat_interleave(factor, axis)
        return x

    def concat(self, branches):
        return Tensor.cat(*branches, dim=1)

    relu, relu6, silu, sigmoid, tanh = map(
        staticmethod, (Tensor.relu, Tensor.relu6, Tensor.silu, Tensor.sigmoid, Tensor.tanh)
    )


def cross_entropy(x, y):
    classes = x.permute(0, *range(2, x.ndim), 1).flatten(0, -2)
    return classes.sparse_categorical_crossentropy(y.flatten())


LOSSES = {"cross-entropy": cross_entropy, "mse": lambda x, y: ((x - y) ** 2).mean()}
