"""Thirty everyday graphs, as people write them: each runs a step, and `watch` collects what the tape computes."""

import numpy as np
from networks import LeNet5, ResNet18, loss_of

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional as F


def images(*shape):
    return tg.tensor(np.random.default_rng(1).standard_normal(shape).astype(np.float32))


def labels(count, classes=10):
    return tg.tensor(np.random.default_rng(2).integers(0, classes, count))


def scalar_expression(watch):
    a, b, c = (watch(tg.tensor(v, requires_grad=True), n) for v, n in ((2.0, "a"), (-3.0, "b"), (10.0, "c")))
    d = a * b + c
    watch((d * d.tanh()).exp() / 100, "loss").backward()


def perceptron(watch):
    model = watch(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)))
    nn.cross_entropy(model(images(5, 4)), labels(5, 3)).backward()


def lenet(watch):
    loss_of(watch(LeNet5()), (4, 1, 28, 28)).backward()


def resnet18(watch):
    loss_of(watch(ResNet18(width=4)), (2, 3, 32, 32)).backward()


class Block(nn.Module):
    def __init__(self, channels):
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x):
        return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + x).relu()


def resnet20(watch):
    stages = [[nn.Conv2d(m, n, 3, stride=s, padding=1), *(Block(n) for _ in range(3))] for m, n, s in STAGES]
    layers = [layer for stage in stages for layer in stage]
    model = watch(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)))
    loss_of(model, (2, 3, 16, 16)).backward()


STAGES = [(3, 2, 1), (2, 4, 2), (4, 8, 2)]


class DenseNet(nn.Module):
    def __init__(self):
        self.layers = nn.ModuleList([nn.Conv2d(3 + 4 * k, 4, 3, padding=1) for k in range(4)])
        self.fc = nn.Linear(19, 10)

    def forward(self, x):
        features = [x]
        for layer in self.layers:
            features.append(layer(tg.cat(features, 1)).relu())
        return self.fc(tg.cat(features, 1).mean((2, 3)))


def densenet(watch):
    loss_of(watch(DenseNet()), (2, 3, 8, 8)).backward()


class Inception(nn.Module):
    def __init__(self):
        self.one = nn.Conv2d(3, 4, 1)
        self.three = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 3, padding=1))
        self.five = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 5, padding=2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(3, 4, 1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = tg.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1).relu()
        return self.fc(x.mean((2, 3)))


def inception(watch):
    loss_of(watch(Inception()), (2, 3, 8, 8)).backward()


def autoencoder(watch):
    encoder = watch(nn.Sequential(nn.Linear(16, 6), nn.ReLU(), nn.Linear(6, 2)), "encoder.")
    decoder = watch(nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 16), nn.Sigmoid()), "decoder.")
    x = images(8, 16)
    code = watch(encoder(x), "code")
    nn.mse_loss(decoder(code), x).backward()


class UNet(nn.Module):
    def __init__(self):
        self.down1, self.down2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.middle = nn.Conv2d(8, 8, 3, padding=1)
        self.up2, self.up1 = nn.ConvTranspose2d(8, 8, 2, stride=2), nn.ConvTranspose2d(16, 4, 2, stride=2)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        first = self.down1(x).relu()
        second = self.down2(tg.max_pool2d(first, 2)).relu()
        x = self.middle(tg.max_pool2d(second, 2)).relu()
        x = tg.cat([self.up2(x), second], 1)
        return self.out(tg.cat([self.up1(x), first], 1))


def unet(watch):
    masks = tg.tensor(np.random.default_rng(3).integers(0, 2, (2, 1, 16, 16)).astype(np.float32))
    nn.binary_cross_entropy_with_logits(watch(UNet())(images(2, 1, 16, 16)), masks).backward()


def gan(watch):
    G = watch(nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4)), "G.")
    D = watch(nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)), "D.")
    real, noise = images(6, 4), images(6, 3)
    fake = watch(G(noise), "fake")
    loss_D = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    loss_D.backward()
    loss_G = F.softplus(-D(fake)).mean()
    loss_G.backward()


def siamese(watch):
    net = watch(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)))
    left, right = net(images(4, 6)), net(images(4, 6) + 1.0)
    same = tg.tensor([1.0, 0.0, 1.0, 0.0])
    distance = ((left - right) ** 2).sum(1)
    (same * distance + (1 - same) * (1 - distance.sqrt()).relu() ** 2).mean().backward()


def triplet(watch):
    net = watch(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)))
    x = images(12, 6)
    anchor, positive, negative = net(x[:4]), net(x[4:8]), net(x[8:])
    F.triplet_margin_loss(anchor, positive, negative).backward()


def rnn(watch):
    cell, head = watch(nn.RNNCell(3, 5), "cell."), watch(nn.Linear(5, 1), "head.")
    x, h = images(2, 20, 3), tg.zeros(2, 5)
    for t in range(20):
        h = cell(x[:, t], h)
    (head(h) ** 2).mean().backward()


def lstm(watch):
    lstm = watch(nn.LSTM(3, 4, batch_first=True))
    out, _ = lstm(images(2, 6, 3))
    (out[:, -1] ** 2).mean().backward()


class Attention(nn.Module):
    def __init__(self):
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


def attention(watch):
    (watch(Attention())(images(2, 5, 8)) ** 2).mean().backward()


class Layers(nn.Module):
    def __init__(self, count):
        self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(count)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).tanh()
        return x


def module_list(watch):
    (watch(Layers(150))(images(4, 8)) ** 2).mean().backward()


def sequential(watch):
    layers = [layer for _ in range(20) for layer in (nn.Linear(8, 8), nn.ReLU())]
    (watch(nn.Sequential(*layers))(images(4, 8)) ** 2).mean().backward()


def accumulation(watch):
    model = watch(nn.Linear(4, 3))
    for k in range(4):
        (nn.cross_entropy(model(images(8, 4) * (k + 1.0)), labels(8, 3)) / 4).backward()


def penalty(watch):
    model, x = watch(nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1))), images(4, 3)
    x.requires_grad = True
    (slope,) = tg.grad(model(x).sum(), [x], create_graph=True)
    ((slope**2).sum(1).sqrt() - 1).square().mean().backward()


class Cube(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


def custom_op(watch):
    w = watch(tg.tensor([1.0, -2.0, 0.5], requires_grad=True), "w")
    Cube.apply(w * 2.0).sum().backward()


def detached(watch):
    w, v = (watch(tg.tensor([1.0, 2.0], requires_grad=True), name) for name in "wv")
    target = (w * 3.0).detach()
    h = watch(w * v, "h")
    ((h - target) ** 2).sum().backward()


def two_losses(watch):
    body = watch(nn.Linear(4, 5), "body.")
    left, right = watch(nn.Linear(5, 3), "left."), watch(nn.Linear(5, 1), "right.")
    h = body(images(6, 4)).relu()
    (nn.cross_entropy(left(h), labels(6, 3)) + 0.1 * nn.mse_loss(right(h), images(6, 1))).backward()


def metric(watch):
    model, x, y = watch(nn.Linear(4, 3)), images(6, 4), labels(6, 3)
    logits = model(x)
    loss = nn.cross_entropy(logits, y)
    loss.backward()
    (logits.argmax(1) == y).to(tg.float32).mean()


def born_nan(watch):
    w = watch(tg.tensor([4.0, -1.0, 0.0], requires_grad=True), "w")
    (w.sqrt() * 2.0 + w).sum().backward()


def born_infinite(watch):
    w = watch(tg.tensor([1.0, 50.0, 100.0], requires_grad=True), "w")
    (w.exp() * 0.5).mean().backward()


def failed(watch):
    model = watch(nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1000, 10)))
    model(images(2, 1, 28, 28))


def scripts(watch):
    shown = {"重み": 2.0, "משקל": -1.5, "βάρος": 0.5, "weight <b>&": 3.0, "🙂": 1.25}
    values = [watch(tg.tensor(value, requires_grad=True), name) for name, value in shown.items()]
    total = values[0] * values[1] + values[2]
    (total * values[3] - values[4]).square().backward()


def no_axes_and_empty(watch):
    s, e = watch(tg.tensor(2.0, requires_grad=True), "s"), watch(tg.zeros(0, 3, requires_grad=True), "e")
    (s * 3.0 + (e * s).sum()).backward()


class Tied(nn.Module):
    def __init__(self):
        self.embedding, self.out = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, x):
        return self.out(self.embedding(x).tanh())


def tied(watch):
    words = tg.tensor([[1, 2, 3], [4, 5, 6]])
    nn.cross_entropy(watch(Tied())(words).reshape(-1, 7), words.reshape(-1)).backward()


def plain_ops(count):
    def run(watch):
        x, w = images(4, 3), watch(tg.tensor([0.9, -1.1, 0.4], requires_grad=True), "w")
        for _ in range(count // 3):
            x = (x * w + 0.1).tanh()
        x.mean().backward()

    return run


GRAPHS = {
    "scalar expression": scalar_expression,
    "perceptron": perceptron,
    "LeNet": lenet,
    "ResNet-18": resnet18,
    "ResNet-20": resnet20,
    "DenseNet": densenet,
    "Inception": inception,
    "autoencoder": autoencoder,
    "U-Net": unet,
    "GAN": gan,
    "siamese": siamese,
    "triplet": triplet,
    "RNN × 20": rnn,
    "LSTM": lstm,
    "attention": attention,
    "ModuleList × 150": module_list,
    "Sequential × 40": sequential,
    "accumulation × 4": accumulation,
    "penalty": penalty,
    "custom op": custom_op,
    "detach": detached,
    "two losses": two_losses,
    "metric after loss": metric,
    "NaN": born_nan,
    "infinity": born_infinite,
    "failed": failed,
    "scripts": scripts,
    "no axes and empty": no_axes_and_empty,
    "tied": tied,
    "300 ops": plain_ops(300),
    "3,000 ops": plain_ops(3000),
}


class Tape:
    """What the tape computed in a step: of each watched tensor the gradients that came to it.

    Attributes:
        trace: the step.
        names: the watched tensors.
        gradients: their gradients by the same names, one for each walk back.
    """

    def __init__(self, run):
        tg.manual_seed(0)
        self.names, self.gradients = {}, {}
        with np.errstate(all="ignore"):
            try:
                with tg.viz.trace() as self.trace:
                    run(self.watch)
            except tg.ShapeError:
                assert run is failed

    def watch(self, what, name=""):
        """Collect the gradients of a tensor, or of a module's parameters, whose names begin with `name`."""
        if isinstance(what, nn.Module):
            for path, parameter in what.named_parameters():
                self._collect(parameter, name + path)
        elif what.requires_grad:
            self._collect(what, name)
        return what

    def _collect(self, tensor, name):
        parts = self.gradients.setdefault(name, [])
        tensor.register_hook(lambda gradient: parts.append(gradient.numpy().copy()))
        self.names[name] = tensor
