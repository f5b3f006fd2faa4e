"""The work in tinygrad: whole steps under its JIT. Its CPU backend needs clang."""

from tinygrad import Tensor, TinyJit
from tinygrad.helpers import Context
from tinygrad.nn.optim import SGD

from benchmarks import inputs
from benchmarks.workers.library import LR, MOMENTUM, Call, Library


class Tinygrad(Library):
    def array(self, value):
        return value.numpy()

    def step(self, layers, x) -> Call:
        y, parameters = Tensor(inputs.labels(x[0])).realize(), weights(layers)
        x = tensor(x).is_param_(False)
        optimizer = SGD([leaf for pair in parameters for leaf in pair], lr=LR, momentum=MOMENTUM, classic=True)

        @TinyJit
        def step():
            loss = network(layers, parameters, x).sparse_categorical_crossentropy(y)
            optimizer.zero_grad()
            loss.backward()
            return loss.realize(*optimizer.schedule_step())

        def call():
            with Context(TRAINING=1):
                return synchronized(step())

        return call

    def inference(self, layers, x) -> Call:
        parameters, x = weights(layers), tensor(x)
        forward = TinyJit(lambda: network(layers, parameters, x).realize())
        return lambda: synchronized(forward())


def synchronized(result: Tensor) -> Tensor:
    from tinygrad import Device

    Device[Device.DEFAULT].synchronize()
    return result


def tensor(shape, seed: int = inputs.SEED) -> Tensor:
    return Tensor(inputs.normal(shape, seed)).realize()


def weights(layers) -> list:
    return [(Tensor(w).realize(), Tensor(b).realize()) for w, b in inputs.weights(layers)]


def network(layers, parameters, x):
    parameters = iter(parameters)
    for kind, *sizes in layers:
        if kind == "conv":
            x = x.conv2d(*next(parameters), padding=sizes[-1])
        elif kind == "relu":
            x = x.relu()
        elif kind == "maxpool":
            x = x.max_pool2d((sizes[0], sizes[0]))
        elif kind == "flatten":
            x = x.flatten(1)
        elif kind == "linear":
            w, b = next(parameters)
            x = x.linear(w.T, b)
    return x
