"""The work in tensorgrad."""

import numpy as np

import tensorgrad as tg
from benchmarks import inputs
from benchmarks.layers import output_shape
from benchmarks.workers.library import ADAM_LR, LR, MOMENTUM, Call, Library
from benchmarks.workers.modules import Builder, weighted
from tensorgrad import nn
from tensorgrad.nn import functional
from tensorgrad.windows import Window


class Tensorgrad(Library):
    def array(self, value):
        return np.asarray(value.detach() if isinstance(value, tg.Tensor) else value)

    def peak(self) -> float:
        from benchmarks import peak

        return peak.fma_peak()

    def conv(self, x, w, padding, part) -> Call:
        convolution, padded, single = tg.kernels.convolution, (padding, padding), (1, 1)
        window = Window.fitting("conv2d", tuple(x[2:]), tuple(w[2:]), single, (padded, padded), single)
        image, filters = inputs.normal(x), inputs.normal(w, seed=1)
        x, w, b = tg.tensor(image), tg.tensor(filters), tg.tensor(inputs.normal(w[:1], seed=2))

        @tg.no_grad()
        def forward():
            return tg.conv2d(x, w, b, padding=padding)

        g = inputs.normal(forward().shape, seed=3)

        def input_gradient():
            return convolution.grad_input(g, filters, window)

        def weight_gradient():
            return convolution.grad_weight(image, g, window)

        def with_both():
            return forward(), input_gradient(), weight_gradient()

        return {
            "forward": forward,
            "input gradient": input_gradient,
            "weight gradient": weight_gradient,
            "with both": with_both,
        }[part]

    def layer(self, layer, x, backward) -> Call:
        model = build([layer], x)
        return self._both(model, x) if backward else self._forward(model, x)

    def module(self, name, arguments, options, x) -> Call:
        model = getattr(nn, name)(*arguments, **options)
        with tg.no_grad():
            for k, parameter in enumerate(model.parameters()):
                parameter.data[...] = inputs.normal(parameter.shape, seed=k + 2)
        return self._both(model, x)

    def _forward(self, model, x) -> Call:
        x = tg.tensor(inputs.normal(x))

        @tg.no_grad()
        def call():
            return model(x)

        return call

    def _both(self, model: nn.Module, x) -> Call:
        x = tg.tensor(inputs.normal(x), requires_grad=True)
        g = tg.tensor(inputs.normal(model(x).shape, seed=1))
        leaves = [x, *model.parameters()]

        def call():
            for leaf in leaves:
                leaf.grad = None
            y = model(x)
            y.backward(g)
            return [y, *(leaf.grad for leaf in leaves)]

        return call

    def loss(self, x) -> Call:
        y = inputs.labels(x[0], x[1])
        x = tg.tensor(inputs.normal(x), requires_grad=True)

        def call():
            x.grad = None
            loss = nn.cross_entropy(x, y)
            loss.backward()
            return loss, x.grad

        return call

    def matmul(self, n) -> Call:
        a, b = (tg.tensor(inputs.normal((n, n), seed)) for seed in (1, 2))
        return lambda: a @ b

    def update(self, network, x, rule) -> Call:
        model = build(network, x)
        parameters = list(model.parameters())
        optimizer = optimizer_of(rule, parameters)
        for parameter in parameters:
            parameter.grad = tg.tensor(inputs.normal(parameter.shape))

        def call():
            optimizer.step()
            return parameters

        return call

    def compiled(self, function):
        """As it is."""
        return function

    def step(self, layers, x, loss) -> Call:
        model, y = build(layers, x), tg.tensor(inputs.target(loss, output_shape(layers, x)))
        optimizer, x = optimizer_of("sgd", model.parameters()), tg.tensor(inputs.normal(x))
        compare = functional.mse_loss if loss == "mse" else functional.cross_entropy

        def step(x, y):
            optimizer.zero_grad()
            loss = compare(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = self.compiled(step)
        return lambda: step(x, y)

    def inference(self, layers, x) -> Call:
        return self._forward(self.compiled(build(layers, x).eval()), x)

    def chain(self, op, shape, length, backward) -> Call:
        x, w = (tg.tensor(start, requires_grad=True) for start in inputs.chain(shape))
        once = {"add": lambda y: y + x, "relu": tg.relu, "linear": lambda y: tg.linear(y, w)}[op]

        def call():
            y = x
            for _ in range(length):
                y = once(y)
            if not backward:
                return y
            x.grad = w.grad = None
            y.sum().backward()
            return x.grad

        return call


class Compiled(Tensorgrad):
    def compiled(self, function):
        return tg.compile(function)


def optimizer_of(rule, parameters):
    if rule == "adam":
        return nn.optim.Adam(parameters, lr=ADAM_LR)
    return nn.optim.SGD(parameters, lr=LR, momentum=MOMENTUM)


def build(layers, shape) -> nn.Module:
    model = MODULES.sequential(layers, shape)
    with tg.no_grad():
        for module, (w, b) in zip(weighted(model), inputs.weights(layers, shape), strict=True):
            module.weight.data[...] = w
            if b is not None:
                module.bias.data[...] = b
    return model


MODULES = Builder(nn, tg.cat)
