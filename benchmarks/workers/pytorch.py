"""The work in PyTorch: eager, and compiled by `torch.compile`."""

import torch
from torch import nn
from torch.nn import functional

from benchmarks import inputs
from benchmarks.workers.library import ADAM_LR, LR, MOMENTUM, Call, Library


class PyTorch(Library):
    def use_threads(self, count: int) -> None:
        torch.set_num_threads(count)

    def array(self, value):
        return value.detach().numpy()

    def compiled(self, model: nn.Module) -> nn.Module:
        return model

    def conv(self, x, w, padding, part) -> Call:
        x, w, b = tensor(x), tensor(w, seed=1), tensor(w[:1], seed=2)

        @torch.no_grad()
        def forward():
            return functional.conv2d(x, w, b, padding=padding)

        g = tensor(forward().shape, seed=3)

        def gradients(*wanted):
            window = [1, 1], [padding, padding], [1, 1], False, [0, 0], 1
            found = torch.ops.aten.convolution_backward(g, x, w, None, *window, [*wanted, False])
            return [gradient for gradient in found if gradient is not None]

        return {
            "forward": forward,
            "input gradient": lambda: gradients(True, False),
            "weight gradient": lambda: gradients(False, True),
            "with both": lambda: [forward(), *gradients(True, True)],
        }[part]

    def layer(self, layer, x) -> Call:
        return self._both(build([layer]), x)

    def module(self, name, arguments, options, x) -> Call:
        model = getattr(nn, name)(*arguments, **options)
        with torch.no_grad():
            for k, parameter in enumerate(model.parameters()):
                parameter.copy_(tensor(parameter.shape, seed=k + 2))
        return self._both(model, x)

    def _both(self, model: nn.Module, x) -> Call:
        x = tensor(x).requires_grad_()
        g = tensor(model(x).shape, seed=1)
        leaves = [x, *model.parameters()]

        def call():
            for leaf in leaves:
                leaf.grad = None
            y = model(x)
            y.backward(g)
            return [y, *(leaf.grad for leaf in leaves)]

        return call

    def loss(self, x) -> Call:
        y = torch.from_numpy(inputs.labels(x[0], x[1]))
        x = tensor(x).requires_grad_()

        def call():
            x.grad = None
            loss = functional.cross_entropy(x, y)
            loss.backward()
            return loss, x.grad

        return call

    def matmul(self, n) -> Call:
        a, b = tensor((n, n), seed=1), tensor((n, n), seed=2)
        return lambda: a @ b

    def update(self, network, rule) -> Call:
        parameters = list(build(network).parameters())
        optimizer = optimizer_of(rule, parameters)
        for parameter in parameters:
            parameter.grad = tensor(parameter.shape)

        def call():
            optimizer.step()
            return parameters

        return call

    def step(self, layers, x) -> Call:
        model, labels = build(layers), torch.from_numpy(inputs.labels(x[0]))
        optimizer, x = optimizer_of("sgd", model.parameters()), tensor(x)
        model = self.compiled(model)

        def call():
            loss = functional.cross_entropy(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return call

    def inference(self, layers, x) -> Call:
        model, x = self.compiled(build(layers).eval()), tensor(x)

        @torch.no_grad()
        def call():
            return model(x)

        return call

    def chain(self, op, shape, length, backward) -> Call:
        x, w = (torch.from_numpy(start).requires_grad_() for start in inputs.chain(shape))
        once = {"add": lambda y: y + x, "relu": torch.relu, "linear": lambda y: functional.linear(y, w)}[op]

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


class Compiled(PyTorch):
    def compiled(self, model: nn.Module) -> nn.Module:
        torch.compiler.reset()  # what the case before compiled
        return torch.compile(model)


def tensor(shape, seed: int = inputs.SEED) -> torch.Tensor:
    return torch.from_numpy(inputs.normal(shape, seed))


def optimizer_of(rule, parameters):
    if rule == "adam":
        return torch.optim.Adam(parameters, lr=ADAM_LR)
    return torch.optim.SGD(parameters, lr=LR, momentum=MOMENTUM)


def build(layers) -> nn.Module:
    makers = {
        "conv": lambda c, k, size, padding: nn.Conv2d(c, k, size, padding=padding),
        "relu": nn.ReLU,
        "maxpool": nn.MaxPool2d,
        "batchnorm": nn.BatchNorm2d,
        "flatten": nn.Flatten,
        "linear": nn.Linear,
    }
    model = nn.Sequential(*(makers[kind](*sizes) for kind, *sizes in layers))
    with_weights = [module for module in model if getattr(module, "weight", None) is not None]
    with torch.no_grad():
        for module, (w, b) in zip(with_weights, inputs.weights(layers), strict=True):
            module.weight.copy_(torch.from_numpy(w))
            module.bias.copy_(torch.from_numpy(b))
    return model
