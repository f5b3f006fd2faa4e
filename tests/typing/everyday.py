"""Everyday code, for type checkers to read: each type is what the call returns, each ignored line is an error."""

from typing import assert_type

import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import DataLoader, optdigits

x = tg.tensor([0.5, -1.0, 2.0], name="x")
w = tg.tensor([1.0, 2.0, 0.5], requires_grad=True)

# Operators, functions and methods
assert_type(x, tg.Tensor)
assert_type(x + 1, tg.Tensor)
assert_type(1 - x, tg.Tensor)
assert_type(2**x, tg.Tensor)
assert_type(x @ w, tg.Tensor)
assert_type(x * w / 3, tg.Tensor)
assert_type(-x, tg.Tensor)
assert_type(abs(x), tg.Tensor)
assert_type(x > 0, tg.Tensor)
assert_type(x == w, tg.Tensor)
assert_type(tg.exp(x), tg.Tensor)
assert_type(tg.where(x > 0, x, 0.0), tg.Tensor)
assert_type(tg.stack([x, w]), tg.Tensor)
assert_type(x.sum(), tg.Tensor)
assert_type(x.reshape(3, 1).softmax(axis=0), tg.Tensor)
assert_type(x.shape, tuple[int, ...])
assert_type(x.numpy(), np.ndarray)
assert_type(float(x.sum()), float)

# Indexing, and changes in place
assert_type(x[0], tg.Tensor)
assert_type(x[1:], tg.Tensor)
assert_type(x[None, ..., [0, 1]], tg.Tensor)
assert_type(x[x > 0], tg.Tensor)
assert_type(x[np.array([0, 1])] + x[np.int64(0)], tg.Tensor)
assert_type(x * [1, 2.0, 3] * np.float32(1) - [x[0], x[1], 1.0], tg.Tensor)
x += 1
x[0] = 2.0
x[1:] = np.zeros(2)
for element in x:
    assert_type(element, tg.Tensor)

# Gradients
(x * w).sum().backward()
assert_type(w.grad, tg.Tensor | None)
(gradient,) = tg.grad((w * w).sum(), w)
assert_type(gradient, tg.Tensor | None)
with tg.no_grad():
    w -= 0.1 * x


@tg.no_grad()
def doubled(a: tg.Tensor) -> tg.Tensor:
    return a * 2


@tg.compile
def tripled(a: tg.Tensor, scale: float = 3.0) -> tg.Tensor:
    return a * scale


assert_type(doubled(x), tg.Tensor)
assert_type(tripled(x), tg.Tensor)
tripled(x, "3")  # type: ignore[arg-type]


# Networks
class Net(nn.Module):
    def __init__(self) -> None:
        self.hidden = nn.Linear(3, 8)
        self.output = nn.Linear(8, 2, bias=False)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.output(self.hidden(x).relu())


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        self.left, self.right = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, x: tg.Tensor, swap: bool = False) -> tuple[tg.Tensor, tg.Tensor]:
        left, right = self.left(x), self.right(x)
        return (right, left) if swap else (left, right)


net, heads = Net(), TwoHeads()
layers = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
assert_type(net(x), tg.Tensor)
assert_type(heads(x, swap=True), tuple[tg.Tensor, tg.Tensor])
assert_type(layers(x), tg.Tensor)
assert_type(layers[:1], nn.Sequential)
print(layers[0].weight)
net(x).sum().backward()
heads()  # type: ignore[call-arg]

# Training
train = DataLoader(optdigits(train=True), batch_size=64, shuffle=True, generator=0)
adam = nn.optim.Adam(net.parameters(), lr=2e-3)
for images, labels in train:
    adam.zero_grad()
    loss = nn.CrossEntropyLoss()(net(images), labels)
    assert_type(loss, tg.Tensor)
    loss.backward()
    adam.step()
assert_type(nn.cross_entropy(net(x), np.array([1])), tg.Tensor)
history = nn.fit(net, train, loss=nn.cross_entropy, optimizer=adam, epochs=5)
assert_type(history, nn.History)
tg.save(net.state_dict(), "weights.safetensors")
net.load_state_dict(tg.load("weights.safetensors"))
assert_type(tg.viz.text(loss), str)

# What isn't there is an error
tg.nn.Linaer  # type: ignore[attr-defined]
tg.tesnor  # type: ignore[attr-defined]
x.realy  # type: ignore[attr-defined]
tg.tensor()  # type: ignore[call-arg]
print(x + "1", x @ "1")  # type: ignore[operator]
print(x["a"], x[0.5])  # type: ignore[index]
x[0] = "1"  # type: ignore[assignment]
tg.exp("1")  # type: ignore[arg-type]
nn.mse_loss(x, None)  # type: ignore[arg-type]
