"""Everyday code, for type checkers to read: each type is what the call returns, each ignored line is an error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type

import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.data import (
    DataLoader,
    Dataset,
    Normalize,
    Subset,
    TensorDataset,
    TransformDataset,
    image_folder,
    mnist,
    optdigits,
    random_split,
)

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
assert_type(x.reshape(3, 1).softmax(dim=0), tg.Tensor)
assert_type(x.max(), tg.Tensor)
assert_type(x.max(0).indices, tg.Tensor)
assert_type(tg.max(x, w), tg.Tensor)
assert_type(x.var(correction=0), tg.Tensor)
assert_type(x.transpose(0, 0).permute(0), tg.Tensor)
assert_type(tg.add(x, w, alpha=2), tg.Tensor)
assert_type(tg.relu(x, inplace=True), tg.Tensor)
assert_type(x.size(), tuple[int, ...])
assert_type(x.size(0), int)
assert_type(x.numel(), int)
assert_type(x.float().to("cpu"), tg.Tensor)
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

# Creation
assert_type(tg.zeros(2, 3), tg.Tensor)
assert_type(tg.ones((2, 3), dtype=np.float64, device="cpu"), tg.Tensor)
assert_type(tg.full((2,), 0.5, requires_grad=True), tg.Tensor)
assert_type(tg.arange(0, 1, 0.1), tg.Tensor)
assert_type(tg.randn(2, 3, generator=np.random.default_rng(0)), tg.Tensor)
assert_type(tg.tensor([[1, 2], [3, 4]], dtype="float32"), tg.Tensor)
assert_type(tg.tensor(np.arange(3), requires_grad=False), tg.Tensor)
assert_type(tg.tensor([x[0], 1.0]), tg.Tensor)
assert_type(tg.from_numpy(np.zeros(2)), tg.Tensor)
assert_type(x.detach().clone().requires_grad_(), tg.Tensor)
assert_type(tg.manual_seed(0), np.random.Generator)
tg.tensor("1")  # type: ignore[arg-type]
tg.zeros("2")  # type: ignore[arg-type]

# Gradients
(x * w).sum().backward()
assert_type(w.grad, tg.Tensor | None)
(gradient,) = tg.grad((w * w).sum(), w)
assert_type(gradient, tg.Tensor | None)
with tg.no_grad():
    w -= 0.1 * x
value, pull = tg.vjp(lambda a: (a * a).sum(), x)
assert_type(pull(1.0), tuple[tg.Tensor, ...])
assert_type(tg.jacobian(tg.exp, x), tg.Tensor)
assert_type(tg.hessian(lambda a: (a**3).sum(), x), tg.Tensor)
assert_type(tg.hvp(lambda a: (a**3).sum(), x, w), tg.Tensor)
assert_type(tg.gradcheck(tg.sin, [np.ones(2)]), bool)


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

mapped = nn.Sequential({"hidden": nn.Linear(3, 2), "activation": nn.Tanh()})
assert_type(mapped(x), tg.Tensor)
nn.Sequential({"hidden": nn.Linear(3, 2)}, nn.Tanh())  # type: ignore[call-overload]


class Deep(nn.Module):
    def __init__(self, depth: int) -> None:
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(depth))
        self.scale = nn.Parameter(tg.ones(3))
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("mean", np.zeros(3))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        for block in self.blocks:
            x = tg.relu(block(x))
        return self.norm(x) * self.scale


deep = Deep(2)
assert_type(deep.train().eval(), Deep)
assert_type(deep.to("cpu", dtype="float64"), Deep)
assert_type([(name, p.shape) for name, p in deep.named_parameters()], list[tuple[str, tuple[int, ...]]])
assert_type([child for child in deep.children()], list[nn.Module])
assert_type(deep.norm.weight, nn.Parameter | None)
assert_type(deep.norm.running_mean, tg.Tensor | None)
assert_type(nn.summary(deep, (4, 3)).parameters, int)
assert_type(nn.init.kaiming_normal_(nn.Linear(3, 2).weight, nonlinearity="relu"), nn.Parameter)
assert_type(nn.init.zeros_(deep.scale), nn.Parameter)
handle = deep.register_forward_hook(lambda module, inputs, output: print(output.shape))
handle.remove()
nn.Linear("3", 2)  # type: ignore[arg-type]
nn.Conv2d(3, 8, kernel_size=(3, 3), padding="same", bias=False)
nn.Conv2d(3, 8, kernel_size="3")  # type: ignore[arg-type]
nn.Dropout("0.5")  # type: ignore[arg-type]

# Data
digits = optdigits(train=True)
assert_type(digits, TensorDataset)
assert_type(digits[0], tuple[Any, ...])
assert_type(digits.classes, tuple[str, ...] | None)
part, rest = random_split(digits, [0.8, 0.2], generator=0)
assert_type(part, Subset)
assert_type(len(part), int)
own = TensorDataset(np.zeros((10, 3), np.uint8), [0, 1] * 5, classes=("even", "odd"))
scaled = TransformDataset(own, Normalize(mean=0.5, std=[0.2, 0.2, 0.2]))
pictures = image_folder(Path("pictures"), size=32)
assert_type(pictures.files, tuple[str, ...])
assert_type(mnist("data", download=False, normalize=True), TransformDataset)


class Squares(Dataset):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[int, int]:
        return index, index**2


for batch in DataLoader(Squares(), batch_size=5, collate_fn=list):
    print(batch)
DataLoader(Squares(), batch_size="5")  # type: ignore[arg-type]

# Training
train = DataLoader(digits, batch_size=64, shuffle=True, generator=0)
validation = DataLoader(optdigits(train=False), batch_size=256)
assert_type(train.state_dict(), dict[str, Any])
adam = nn.optim.Adam(net.parameters(), lr=2e-3)
for images, labels in train:
    adam.zero_grad()
    loss = nn.CrossEntropyLoss()(net(images), labels)
    assert_type(loss, tg.Tensor)
    loss.backward()
    nn.optim.clip_grad_norm_(net.parameters(), 1.0)
    adam.step()
assert_type(nn.cross_entropy(net(x), np.array([1])), tg.Tensor)
assert_type(nn.CrossEntropyLoss(weight=[1.0, 2.0]).weight, tg.Tensor | None)
print(nn.cross_entropy(net(x), 1, label_smoothing="0.1"))  # type: ignore[arg-type]


def stop_early(record: dict[str, Any]) -> bool:
    return bool(record["loss"] < 0.1)


on_epoch_end: Callable[[dict[str, Any]], bool] = stop_early
history = nn.fit(net, train, loss=nn.cross_entropy, optimizer=adam, epochs=5)
assert_type(history, nn.History)
nn.fit(
    net,
    train,
    loss=nn.CrossEntropyLoss(),
    optimizer=adam,
    epochs=10,
    validation=validation,
    metrics={"accuracy": nn.accuracy},
    on_epoch_end=on_epoch_end,
    checkpoint=Path("training.safetensors"),
    resume=True,
    progress="bar",
    compile=True,
)
nn.fit(net, train, loss=nn.cross_entropy, optimizer=adam)  # type: ignore[call-arg]
nn.fit(net, train, loss=nn.cross_entropy, optimizer=adam, epochs=1, progress="lines")  # type: ignore[arg-type]
assert_type(history["loss"], list[Any])
assert_type(nn.evaluate(net, validation, nn.cross_entropy), dict[str, float])
assert_type(nn.evaluate(net, validation, metrics={"f1": nn.metrics.F1("micro"), "r2": nn.metrics.r2}), dict[str, Any])
assert_type(nn.metrics.r2([1.0, 2.0], [1.0, 2.0]), Any)
assert_type(nn.metrics.top_k_accuracy(net(x), np.array([1]), k=2), float)
stop = tg.callbacks.EarlyStopping("validation_f1", patience=3)
rate = tg.callbacks.ScheduleLR(nn.optim.lr_scheduler.ReduceLROnPlateau(adam), monitor="loss")
logs: list[nn.Callback] = [stop, rate, tg.callbacks.CSVLogger("log.csv"), tg.callbacks.BestCheckpoint(Path("best"))]
nn.fit(net, train, loss=nn.cross_entropy, optimizer=adam, epochs=1, callbacks=logs, weighted=True)
assert_type(stop.best_epoch, int | None)
with tg.seeded(3) as random_numbers:
    assert_type(random_numbers, np.random.Generator)
tg.set_num_threads(1)
assert_type(tg.get_num_threads(), int)
assert_type(nn.predict(net, np.zeros((4, 3), np.float32)), tg.Tensor)
assert_type(nn.accuracy(net(x), np.array([1])), float)
tg.save(net.state_dict(), "weights.safetensors")
tg.save({"x": np.zeros(2)}, Path("x.safetensors"), metadata={"made": "today"})
assert_type(tg.load("weights.safetensors"), Any)
result = net.load_state_dict(tg.load("weights.safetensors"))
assert_type(result.missing_keys, list[str])
try:
    net.load_state_dict({}, strict=True)
except nn.StateDictError as error:
    print(error)
assert_type(tg.viz.text(loss), str)
assert_type(tg.viz.graph(loss, compact=True), tg.viz.Drawing)
with tg.viz.trace() as watched:
    (x * x).sum().backward()
assert_type(tg.viz.compare(watched, watched), tg.viz.Comparison)
assert_type(tg.viz.doctor(watched).text(), str)
assert_type(tg.viz.microscope(watched, layers="conv1", images=[0]), tg.viz.Microscope)
assert_type(tg.viz.graph(watched).playground("play.html"), tg.viz.Playground)
assert_type(tg.viz.graph(watched).exercise("sheet.html", blank=0.4, key="key.html"), tg.viz.Exercise)
assert_type(tg.viz.check_rule("sigmoid", lambda x, z: z * (1 - z)), tg.viz.RuleCheck)

# What isn't there is an error
tg.nn.Linaer  # type: ignore[attr-defined]
tg.tesnor  # type: ignore[attr-defined]
x.realy  # type: ignore[attr-defined]
tg.tensor()  # type: ignore[call-arg]
print(x + "1", x @ "1")  # type: ignore[arg-type]
print(x["a"], x[0.5])  # type: ignore[arg-type]
x[0] = "1"  # type: ignore[arg-type]
tg.exp("1")  # type: ignore[arg-type]
nn.mse_loss(x, None)  # type: ignore[arg-type]
