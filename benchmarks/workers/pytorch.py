"""The work in PyTorch: eager, compiled by `torch.compile`, and in settings that may be faster."""

import torch
from torch import nn
from torch.nn import functional

from benchmarks import inputs
from benchmarks.layers import output_shape
from benchmarks.workers import Unsupported
from benchmarks.workers.library import ADAM_LR, LR, MOMENTUM, Call, Library
from benchmarks.workers.modules import Builder, weighted


class PyTorch(Library):
    def use_threads(self, count: int) -> None:
        torch.set_num_threads(count)

    def array(self, value):
        return value.detach().numpy()

    def prepared(self, model: nn.Module) -> nn.Module:
        """The module under this setting."""
        return model

    def image(self, x: torch.Tensor) -> torch.Tensor:
        """An input under this setting."""
        return x

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

    def layer(self, layer, x, backward) -> Call:
        model = build([layer], x)
        return self._both(model, x) if backward else self._forward(model, tensor(x))

    def module(self, name, arguments, options, x) -> Call:
        model = getattr(nn, name)(*arguments, **options)
        with torch.no_grad():
            for k, parameter in enumerate(model.parameters()):
                parameter.copy_(tensor(parameter.shape, seed=k + 2))
        return self._both(model, x)

    def _forward(self, model, x) -> Call:
        @torch.no_grad()
        def call():
            return model(x)

        return call

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

    def update(self, network, x, rule) -> Call:
        parameters = list(build(network, x).parameters())
        optimizer = optimizer_of(rule, parameters)
        for parameter in parameters:
            parameter.grad = tensor(parameter.shape)

        def call():
            optimizer.step()
            return parameters

        return call

    def step(self, layers, x, loss) -> Call:
        model, y = build(layers, x), torch.from_numpy(inputs.target(loss, output_shape(layers, x)))
        optimizer = optimizer_of("sgd", model.parameters())
        forward = self.prepared(Loss(model, loss))
        x = self.image(tensor(x))

        def call():
            loss = forward(x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return call

    def inference(self, layers, x) -> Call:
        return self._forward(self.prepared(build(layers, x).eval()), self.image(tensor(x)))

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


class Loss(nn.Module):
    """A network's loss, as one module."""

    def __init__(self, model: nn.Module, loss: str) -> None:
        super().__init__()
        self.model = model
        self.loss = functional.mse_loss if loss == "mse" else functional.cross_entropy

    def forward(self, x, y):
        return self.loss(self.model(x), y)


class Compiled(PyTorch):
    def prepared(self, model: nn.Module) -> nn.Module:
        torch.compiler.reset()  # what the case before compiled
        return torch.compile(model)


class ChannelsLast(PyTorch):
    """Images as (N, H, W, C) in memory, which some of PyTorch's kernels prefer."""

    def prepared(self, model: nn.Module) -> nn.Module:
        return model.to(memory_format=torch.channels_last)

    def image(self, x):
        if x.ndim != 4:
            raise Unsupported("channels_last is for images")
        return x.contiguous(memory_format=torch.channels_last)


class Bfloat16(PyTorch):
    """Convolutions and products in bfloat16, which some processors multiply faster; images as channels_last."""

    def prepared(self, model: nn.Module) -> nn.Module:
        return Autocast(model.to(memory_format=torch.channels_last))

    def image(self, x):
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


class Autocast(nn.Module):
    """A module in bfloat16."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *arguments):
        with torch.autocast("cpu", torch.bfloat16):
            return self.model(*arguments)


def tensor(shape, seed: int = inputs.SEED) -> torch.Tensor:
    return torch.from_numpy(inputs.normal(shape, seed))


def optimizer_of(rule, parameters):
    if rule == "adam":
        return torch.optim.Adam(parameters, lr=ADAM_LR)
    return torch.optim.SGD(parameters, lr=LR, momentum=MOMENTUM)


def build(layers, shape) -> nn.Module:
    model = MODULES.sequential(layers, shape)
    with torch.no_grad():
        for module, (w, b) in zip(weighted(model), inputs.weights(layers, shape), strict=True):
            module.weight.copy_(torch.from_numpy(w))
            if b is not None:
                module.bias.copy_(torch.from_numpy(b))
    return model


MODULES = Builder(nn, torch.cat)
