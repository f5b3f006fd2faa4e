"""Generated worlds for compiled functions: a network, data, an optimizer and a function of them, and what befalls them.

A seed makes the same world as often as it is asked, with objects of its own. In one of two such worlds the function is
compiled; then the same events happen in both, and after each all that can be seen must be equal bit for bit: results,
gradients, parameters, buffers, states of generators and optimizers, errors.
"""

import copy
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from cores import MOST_THREADS

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.arrays.random import default_generator
from tensorgrad.autograd.engine import guard

CLASSES = 4
GLOBAL_SCALE = 1.0
GLOBAL_SHIFT = None


def pick(rng: np.random.Generator, choices: Any) -> Any:
    choices = list(choices)
    return choices[int(rng.integers(len(choices)))]


def chance(rng: np.random.Generator, p: float) -> bool:
    return bool(rng.random() < p)


def floats(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of several sizes, some of them 0."""
    return (rng.standard_normal(shape) * rng.choice([0.0, 0.5, 1.0, 8.0], shape)).astype(np.float32)


# ------------------------------------------------------------------------------------------------------------ networks

ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Softplus]


class Net(nn.Module):
    """A chain of layers with a shared one, and a skip connection around the shared one."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        size = int(np.prod(shape))
        layers: list[nn.Module] = []
        if len(shape) == 3 and chance(rng, 0.8):
            layers, size = convolutions(rng, shape)
        self.body = nn.Sequential(*layers, nn.Flatten())
        width = int(pick(rng, [2, 8, 24, 40]))
        self.inner = nn.Linear(size, width, bias=chance(rng, 0.7))
        self.norm = nn.BatchNorm1d(width) if chance(rng, 0.3) else None
        self.activation = pick(rng, ACTIVATIONS)()
        self.dropout = nn.Dropout(float(pick(rng, [0.2, 0.5]))) if chance(rng, 0.4) else None
        self.shared = nn.Linear(width, width) if chance(rng, 0.4) else None
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(rng.integers(3))])
        self.output = nn.Linear(width, CLASSES)
        self.factor = 1.0
        self.extras = {"shift": 0.0}

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        x = self.inner(self.body(x))
        x = x if self.norm is None else self.norm(x)
        x = self.activation(x)
        x = x if self.dropout is None else self.dropout(x)
        if self.shared is not None:
            x = x + self.shared(self.shared(x).relu())
        for block in self.blocks:
            x = block(x).tanh()
        return self.output(x) * self.factor + self.extras["shift"]


def convolutions(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[list[nn.Module], int]:
    """Some layers for images (C, H, W), and how many numbers they leave of one."""
    layers: list[nn.Module] = []
    for _ in range(rng.integers(1, 3)):
        filters, stride = int(pick(rng, [2, 3, 8])), int(pick(rng, [1, 1, 1, 2]))
        kernel = int(pick(rng, [1, 2, 3]))
        groups = 2 if shape[0] % 2 == 0 and filters % 2 == 0 and chance(rng, 0.3) else 1
        settings = {"stride": stride, "padding": kernel // 2, "groups": groups, "bias": chance(rng, 0.7)}
        layers.append(nn.Conv2d(shape[0], filters, kernel, **settings))
        if chance(rng, 0.3):
            layers.append(nn.BatchNorm2d(filters, momentum=pick(rng, [0.1, 0.5, None])))
        order = [pick(rng, [nn.ReLU, *ACTIVATIONS])(), pick(rng, [nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Identity()])]
        layers += order if chance(rng, 0.5) else order[::-1]
        if chance(rng, 0.2):
            layers.append(nn.Dropout(0.25))
        with tg.no_grad():
            shape = nn.Sequential(*layers).eval()(tg.zeros(1, *FIRST_SHAPE)).shape[1:]
        if min(shape[1:]) < 4:
            break
    return layers, int(np.prod(shape))


FIRST_SHAPE = (2, 9, 8)


# -------------------------------------------------------------------------------------------------------------- losses


def _labels(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, CLASSES, count)


def _probabilities(rng: np.random.Generator, count: int) -> np.ndarray:
    t = rng.random((count, CLASSES)).astype(np.float32)
    return t / t.sum(1, keepdims=True)


def _bits(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 2, (count, CLASSES)).astype(np.float32)


def _numbers(rng: np.random.Generator, count: int) -> np.ndarray:
    return floats(rng, (count, CLASSES))


def _signs(rng: np.random.Generator, count: int) -> np.ndarray:
    return _bits(rng, count) * 2 - 1


def loss_of(rng: np.random.Generator) -> tuple[Callable, Callable]:
    """A loss with every option, and what draws targets for so many rows."""
    kind = pick(
        rng,
        [
            "plain",
            "plain",
            "plain",
            "plain",
            "options",
            "options",
            "nll",
            "soft",
            "mse",
            "l1",
            "bce",
            "logits",
            "margin",
        ],
    )
    reduction = pick(rng, ["mean", "mean", "sum", "none"])
    more: dict[str, Any] = {"reduction": reduction}
    if kind in ("options", "nll"):
        more["ignore_index"] = int(pick(rng, [-100, -1, 0, 2, CLASSES - 1]))
    weight = tg.tensor(rng.random(CLASSES).astype(np.float32) + 0.5) if kind != "plain" and chance(rng, 0.5) else None
    if kind in ("plain", "options", "nll", "soft") and weight is not None:
        more["weight"] = weight
    if kind in ("options", "soft") and chance(rng, 0.5):
        more["label_smoothing"] = 0.1
    losses: dict[str, tuple[Callable, Callable]] = {
        "plain": (nn.cross_entropy, _labels),
        "options": (nn.cross_entropy, _labels),
        "nll": (lambda z, y, **how: nn.nll_loss(tg.log_softmax(z, axis=1), y, **how), _labels),
        "soft": (nn.cross_entropy, _probabilities),
        "mse": (nn.mse_loss, _numbers),
        "l1": (nn.l1_loss, _numbers),
        "bce": (lambda z, t, **how: nn.binary_cross_entropy(z.sigmoid(), t, **how), _bits),
        "logits": (nn.binary_cross_entropy_with_logits, _bits),
        "margin": (nn.soft_margin_loss, _signs),
    }
    function, targets = losses[kind]

    def loss(z: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        return function(z, y, **more)

    return loss, targets


# ----------------------------------------------------------------------------------------------------------- functions


class World:
    """What a function may read, and the function. Attributes that the function reads may be bound anew."""

    def __init__(self, seed: int, wrap: Callable[[Callable], Callable]) -> None:
        rng = np.random.default_rng(seed)
        tg.manual_seed(seed)
        self.shape = FIRST_SHAPE if chance(rng, 0.5) else (int(pick(rng, [5, 16, 33])),)
        self.net, self.second = Net(rng, self.shape), nn.Linear(CLASSES, CLASSES)
        self.target = copy.deepcopy(self.net)
        self.loss, self.targets = loss_of(rng)
        rule = pick(rng, [nn.optim.SGD, nn.optim.SGD, nn.optim.Adam, nn.optim.RMSprop])
        options = {"momentum": 0.9} if rule is nn.optim.SGD and chance(rng, 0.5) else {}
        parameters = [*self.net.parameters(), *self.second.parameters()]
        self.optimizer = rule(parameters, lr=0.05, **options)
        self.rows, self.labels_dtype, self.scalar = int(pick(rng, [2, 3, 6, 20])), "int64", 1.0
        self.no_grad = chance(rng, 0.3)
        self.wants_input, self.fill = chance(rng, 0.3), None
        self.bag = {"h": tg.tensor(floats(rng, (CLASSES,))), "scale": 1.0, "net": self.second}
        self.tensors = [tg.tensor(floats(rng, (CLASSES,)))]
        self.thing = SimpleNamespace(shift=0.5, tensor=tg.tensor(floats(rng, (CLASSES,))))
        self.handles: list[Any] = []
        self.kept: list[tg.Tensor] = []
        self.kind = pick(rng, FUNCTIONS)
        self.rebind: Callable[[str, Any], None] = lambda name, value: None
        self.call = wrap(FUNCTIONS[self.kind](self))
        self.state = default_generator().bit_generator.state

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The default generator is this world's own within."""
        generator = default_generator()
        generator.bit_generator.state = self.state
        try:
            yield
        finally:
            self.state = generator.bit_generator.state

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, y = floats(rng, (self.rows, *self.shape)), self.targets(rng, self.rows)
        if self.fill is not None and x.size:
            x.reshape(-1)[int(rng.integers(x.size))] = self.fill
        return x, y if y.dtype.kind == "f" else y.astype(self.labels_dtype)

    def everything(self) -> list[Any]:
        """All numbers of this world beside what calls return."""
        modules = [self.net, self.second, self.target]
        tensors = [t for m in modules for t in (*m.parameters(), *m.buffers())]
        optimizer = [self.optimizer.state_dict()["state"], self.optimizer.steps]
        state = [self.bag["h"], *self.tensors, self.thing.tensor, *self.kept]
        return [seen(tensors), seen([t.grad for t in tensors]), seen(state), optimizer, self.state]


def inference(w: World) -> Callable:
    return lambda x, y: w.net(x)


def module_itself(w: World) -> Callable:
    net = w.net
    return lambda x, y: net(x)


def loss_alone(w: World) -> Callable:
    return lambda x, y: w.loss(w.net(x), y)


def loss_and_output(w: World) -> Callable:
    def function(x, y):
        z = w.net(x)
        return w.loss(z, y), z

    return function


def several_losses(w: World) -> Callable:
    def function(x, y):
        z = w.net(x)
        a, b = w.second(z), z.tanh()
        return {"a": w.loss(a, y), "b": [(b * b).mean(), w.loss(z, y).sum()]}

    return function


def parts_that_share_memory(w: World) -> Callable:
    def function(x, y):
        z = w.net(x)
        return z, z.reshape(-1), z[1:], z.detach()

    return function


def whole_step(w: World) -> Callable:
    def function(x, y):
        w.optimizer.zero_grad()
        z = w.net(x)
        cost = w.loss(z, y).sum()
        cost.backward()
        w.optimizer.step()
        return cost.detach(), z.detach()

    return function


def clipped_step(w: World) -> Callable:
    def function(x, y):
        w.optimizer.zero_grad()
        cost = w.loss(w.second(w.net(x)), y).sum()
        if not guard(np.isfinite, cost._data):
            raise nn.optim.NonFiniteError("the loss isn't finite")
        cost.backward()
        nn.optim.clip_grad_norm_(list(w.net.parameters()), 1.0)
        w.optimizer.step()
        return cost.detach()

    return function


def step_of_a_closure(w: World) -> Callable:
    net, optimizer, scale, shift = w.net, w.optimizer, 1.0, w.tensors[0]

    def function(x, y):
        optimizer.zero_grad()
        cost = (w.loss(net(x) * scale + shift, y)).sum()
        cost.backward()
        optimizer.step()
        return cost.detach()

    def rebind(name, value):
        nonlocal net, scale, shift
        net = value if name == "net" else net
        scale = value if name == "scale" else scale
        shift = value if name == "shift" else shift

    w.rebind = rebind
    return function


def accumulating(w: World) -> Callable:
    def function(x, y):
        cost = w.loss(w.net(x), y).sum()
        cost.backward()
        return cost.detach()

    return function


def two_backwards(w: World) -> Callable:
    def function(x, y):
        w.optimizer.zero_grad()
        one, other = w.loss(w.net(x), y).sum(), (w.second(x.reshape(len(x), -1)[:, :CLASSES]) ** 2).sum()
        one.backward()
        other.backward()
        w.optimizer.step()
        return one.detach(), other.detach()

    return function


def towards_a_target(w: World) -> Callable:
    def function(x, y):
        with tg.no_grad():
            goal = w.target(x)
        return nn.mse_loss(w.net(x), goal)

    return function


def gradient_of_an_argument(w: World) -> Callable:
    def function(x, y):
        cost = w.loss(w.net(x), y).sum()
        cost.backward()
        return cost.detach()

    w.wants_input = True
    return function


def penalty_of_a_leaf(w: World) -> Callable:
    def function(x, leaf):
        cost = (leaf * leaf).sum() + w.net(x).mean()
        cost.backward()
        return cost.detach()

    w.targets = lambda rng, count: tg.tensor(floats(rng, (count, 2)), requires_grad=True)
    return function


def reader_of_containers(w: World) -> Callable:
    def function(x, y):
        z = w.bag["net"](w.net(x)) * w.bag["scale"] + w.bag["h"]
        return (z + w.tensors[0]) * w.thing.shift - w.thing.tensor

    return function


def reader_of_globals(w: World) -> Callable:
    def function(x, y):
        z = w.net(x) * GLOBAL_SCALE
        return z if GLOBAL_SHIFT is None else z + GLOBAL_SHIFT

    return function


def scalar_argument(w: World) -> Callable:
    def function(x, y, scalar=1.0):
        z = w.net(x)
        return z / scalar if not isinstance(scalar, tuple) else z * tg.tensor(scalar)[0]

    return function


def builder_of_tensors(w: World) -> Callable:
    table = np.arange(CLASSES, dtype=np.float32)

    def function(x, y):
        z = w.net(x) + tg.tensor(table) + tg.ones(CLASSES)
        return z * tg.tensor([1.0, 2.0, 3.0, 4.0]), tg.zeros(2, 3).reshape(3, 2)

    w.table = table
    return function


def looking_at_values(w: World) -> Callable:
    def function(x, y):
        z = w.net(x)
        return z * 2 if z.sum().item() > 0 else z

    return function


def noisy(w: World) -> Callable:
    def function(x, y):
        z = w.net(x) + tg.randn(CLASSES)
        return tg.dropout(z, 0.5) * tg.rand(len(x), 1)

    return function


FUNCTIONS: dict[str, Callable[[World], Callable]] = {
    function.__name__: function
    for function in (
        inference, module_itself, loss_alone, loss_and_output, several_losses, parts_that_share_memory, whole_step,
        clipped_step, step_of_a_closure, accumulating, two_backwards, towards_a_target, gradient_of_an_argument,
        penalty_of_a_leaf, reader_of_containers, reader_of_globals, scalar_argument, builder_of_tensors,
        looking_at_values, noisy,
    )
}  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- events
#
# Each is a function of a world and of a random generator, alike in both worlds; a call returns what was seen.


def called(w: World, rng: np.random.Generator, x: Any, y: Any) -> list[Any]:
    """One call, and what a caller does with its results."""
    if isinstance(x, np.ndarray) and (w.wants_input or chance(rng, 0.3)):
        x = tg.tensor(x, requires_grad=w.wants_input)
    upstreams, way = np.random.default_rng(rng.integers(1 << 30)), pick(rng, ["together", "each", "last", "none"])
    more = {"scalar": w.scalar} if w.kind == "scalar_argument" else {}
    with w.entered(), tg.no_grad() if w.no_grad else tg.enable_grad():
        try:
            result = w.call(x, y, **more)
            tensors = list(flat(result))
            found = [seen(result)]
            if chance(rng, 0.1):
                parameter_changed_by_an_op(w, rng)
            differentiate([t for t in tensors if t.requires_grad], upstreams, way)
        except Exception as error:
            return [said(error)]
        found += [seen([t.grad for t in (x, y) if isinstance(t, tg.Tensor)])]
        if chance(rng, 0.3):
            w.kept = tensors[:2]
    return found


def differentiate(tensors: list[tg.Tensor], rng: np.random.Generator, way: str) -> None:
    seeds = [tg.tensor(floats(rng, t.shape)).astype(t.dtype) for t in tensors]
    if way == "together" and tensors:
        total = (tensors[0] * seeds[0]).sum()
        for tensor, seed in zip(tensors[1:], seeds[1:], strict=True):
            total = total + (tensor * seed).sum()
        total.backward()
    elif way != "none":
        first = len(tensors) - 1 if way == "last" else 0
        for k in range(max(first, 0), len(tensors)):
            tensors[k].backward(seeds[k], retain_graph=k + 1 < len(tensors))


def calls(w: World, rng: np.random.Generator) -> list[Any]:
    return [called(w, rng, *w.batch(rng)) for _ in range(rng.integers(1, 4))]


def many_calls(w: World, rng: np.random.Generator) -> list[Any]:
    return [called(w, rng, *w.batch(rng)) for _ in range(6)]


def bad_label(w: World, rng: np.random.Generator) -> list[Any]:
    x, y = w.batch(rng)
    if isinstance(y, np.ndarray) and y.dtype.kind != "f":
        bad = np.array([CLASSES, 99, -1, -7]).astype(y.dtype)
        y[-1:] = pick(rng, bad)
    elif isinstance(y, np.ndarray):
        y.reshape(-1)[:1] = pick(rng, [-0.5, 1.5, np.nan])
    return [called(w, rng, x, y), called(w, rng, *w.batch(rng))]


def bad_shape(w: World, rng: np.random.Generator) -> list[Any]:
    x, y = w.batch(rng)
    return [called(w, rng, pick(rng, [x[..., 1:], x[None], x.reshape(-1)]), y), called(w, rng, *w.batch(rng))]


def odd_numbers(w: World, rng: np.random.Generator) -> list[Any]:
    w.fill = pick(rng, [np.nan, np.inf, -np.inf, 1e30])
    found = [called(w, rng, *w.batch(rng)) for _ in range(rng.integers(1, 3))]
    w.fill = None
    return [*found, called(w, rng, *w.batch(rng))]


def other_layout(w: World, rng: np.random.Generator) -> list[Any]:
    x, y = w.batch(rng)
    turned = pick(rng, [np.asfortranarray(x), x[::-1], np.repeat(x, 2, axis=0)[::2], x.astype(">f4")])
    locked = x.copy()
    locked.flags.writeable = False
    return [called(w, rng, turned, y), called(w, rng, locked, y)]


def one_array_again(w: World, rng: np.random.Generator) -> list[Any]:
    """A loader that writes each batch into the same memory."""
    x, y = w.batch(rng)
    found = []
    for _ in range(3):
        x[...] = floats(rng, x.shape)
        found.append(called(w, rng, x, y))
    return found


def in_a_thread(w: World, rng: np.random.Generator) -> list[Any]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.extend(calls(w, rng)))]
    for thread in threads:
        thread.start()
        thread.join()
    return found


def results_are_overwritten(w: World, rng: np.random.Generator) -> list[Any]:
    """They belong to the caller; what is a leaf or the input itself is left alone."""
    x, y = w.batch(rng)
    with w.entered(), tg.no_grad():
        try:
            tensors = list(flat(w.call(x, y)))
        except Exception as error:
            return [said(error)]
    mine = [t._data for t in (*w.net.parameters(), *w.net.buffers(), *w.target.parameters())]
    for tensor in tensors:
        if tensor.data.flags.writeable and not any(np.may_share_memory(tensor._data, m) for m in (x, *mine)):
            tensor.data[...] = 7
    return [called(w, rng, *w.batch(rng)), called(w, rng, *w.batch(rng))]


def other_rows(w: World, rng: np.random.Generator) -> None:
    w.rows = int(pick(rng, [0, 1, 2, 3, 7, 40]))


def other_label_dtype(w: World, rng: np.random.Generator) -> None:
    w.labels_dtype = pick(rng, ["int64", "int32", "uint8", "int16"])


def parameter_of(w: World, rng: np.random.Generator) -> tuple[nn.Module, str, nn.Parameter]:
    places = [
        (m, name, p) for m in (*w.net.modules(), w.second) for name, p in vars(m).items() if isinstance(p, nn.Parameter)
    ]
    return pick(rng, places)


def parameter_in_other_memory(w: World, rng: np.random.Generator) -> None:
    _, _, p = parameter_of(w, rng)
    p.data = p.data * np.float32(pick(rng, [0.0, 0.5, 3.0]))


def parameter_overwritten(w: World, rng: np.random.Generator) -> None:
    _, _, p = parameter_of(w, rng)
    p.data[...] = floats(rng, p.shape)


def parameter_that_lies_otherwise(w: World, rng: np.random.Generator) -> None:
    _, _, p = parameter_of(w, rng)
    p.data = np.asfortranarray(p.data * np.float32(0.5))


def parameter_exchanged(w: World, rng: np.random.Generator) -> None:
    module, name, p = parameter_of(w, rng)
    setattr(module, name, nn.Parameter(floats(rng, p.shape)))


def parameter_changed_by_an_op(w: World, rng: np.random.Generator) -> None:
    _, _, p = parameter_of(w, rng)
    with tg.no_grad():
        p *= 0.5


def head_exchanged(w: World, rng: np.random.Generator) -> None:
    head = nn.Linear(w.net.output.weight.shape[1], CLASSES)
    head.weight.data[...], head.bias.data[...] = floats(rng, head.weight.shape), floats(rng, head.bias.shape)
    w.net.output = head


def layer_exchanged(w: World, rng: np.random.Generator) -> None:
    w.net.activation = pick(rng, ACTIVATIONS)()


def block_exchanged(w: World, rng: np.random.Generator) -> None:
    if len(w.net.blocks):
        w.net.blocks[0] = copy.deepcopy(w.net.blocks[-1])


def net_copied(w: World, rng: np.random.Generator) -> None:
    w.net = copy.deepcopy(w.net)


def target_renewed(w: World, rng: np.random.Generator) -> None:
    w.target = copy.deepcopy(w.net)


def target_followed(w: World, rng: np.random.Generator) -> None:
    for one, other in zip(w.target.parameters(), w.net.parameters(), strict=False):
        if one.shape == other.shape:
            one.data[...] = other.data


def state_loaded(w: World, rng: np.random.Generator) -> None:
    own = {name: floats(rng, array.shape) for name, array in w.second.state_dict().items()}
    w.second.load_state_dict(own)


def training(w: World, rng: np.random.Generator) -> None:
    w.net.train()


def evaluating(w: World, rng: np.random.Generator) -> None:
    w.net.eval()


def one_layer_evaluating(w: World, rng: np.random.Generator) -> None:
    pick(rng, w.net.modules()).train(chance(rng, 0.5))


def frozen(w: World, rng: np.random.Generator) -> None:
    parameter_of(w, rng)[2].requires_grad_(False)


def thawed(w: World, rng: np.random.Generator) -> None:
    for p in (*w.net.parameters(), *w.second.parameters()):
        p.requires_grad_(True)


def without_gradients(w: World, rng: np.random.Generator) -> None:
    w.no_grad = not w.no_grad


def input_wanted(w: World, rng: np.random.Generator) -> None:
    w.wants_input = not w.wants_input


def hooked(w: World, rng: np.random.Generator) -> None:
    p = parameter_of(w, rng)[2]
    if p.requires_grad:
        w.handles.append(p.register_hook(lambda g: g * 2))


def unhooked(w: World, rng: np.random.Generator) -> None:
    for handle in w.handles:
        handle.remove()
    w.handles.clear()


def module_hooked(w: World, rng: np.random.Generator) -> None:
    w.handles.append(w.net.inner.register_forward_hook(lambda module, inputs, output: output * 2))


def scheduled(w: World, rng: np.random.Generator) -> None:
    w.optimizer.param_groups[0]["lr"] = float(pick(rng, [0.0, 0.01, 0.1]))


def schedule_by_a_function(w: World, rng: np.random.Generator) -> None:
    rate = float(pick(rng, [0.01, 0.1, np.nan]))
    w.optimizer.param_groups[0]["lr"] = lambda step: rate / (1 + step)


def stepped(w: World, rng: np.random.Generator) -> None:
    try:
        w.optimizer.step()
    except tg.TensorgradError:
        w.optimizer.param_groups[0]["lr"] = 0.01


def gradients_forgotten(w: World, rng: np.random.Generator) -> None:
    w.optimizer.zero_grad(set_to_none=chance(rng, 0.7))
    w.target.zero_grad()


def gradient_assigned(w: World, rng: np.random.Generator) -> None:
    p = parameter_of(w, rng)[2]
    p.grad = tg.tensor(floats(rng, p.shape))


def optimizer_renewed(w: World, rng: np.random.Generator) -> None:
    w.optimizer = nn.optim.SGD([*w.net.parameters(), *w.second.parameters()], lr=0.01)


def seeded(w: World, rng: np.random.Generator) -> None:
    with w.entered():
        tg.manual_seed(int(rng.integers(100)))


def bag_entry_bound_anew(w: World, rng: np.random.Generator) -> None:
    key = pick(rng, ["h", "scale", "net"])
    value = {"h": tg.tensor(floats(rng, (CLASSES,))), "scale": float(rng.integers(5)), "net": copy.deepcopy(w.second)}
    w.bag[key] = value[key]


def list_entry_bound_anew(w: World, rng: np.random.Generator) -> None:
    w.tensors[0] = tg.tensor(floats(rng, (CLASSES,)))


def attribute_bound_anew(w: World, rng: np.random.Generator) -> None:
    w.thing.shift, w.thing.tensor = float(rng.integers(5)), tg.tensor(floats(rng, (CLASSES,)))


def attribute_of_a_module(w: World, rng: np.random.Generator) -> None:
    w.net.factor = float(pick(rng, [0.5, 1.0, 2.0]))


def dictionary_of_a_module(w: World, rng: np.random.Generator) -> None:
    w.net.extras["shift"] = float(pick(rng, [0.0, 1.0, 2.0]))


def setting_of_a_layer(w: World, rng: np.random.Generator) -> None:
    for module in w.net.modules():
        if isinstance(module, nn.Dropout):
            module.p = float(pick(rng, [0.0, 0.3, 0.9]))
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = float(pick(rng, [0.1, 0.9]))


def closure_bound_anew(w: World, rng: np.random.Generator) -> None:
    name = pick(rng, ["net", "scale", "shift"])
    values = {"net": w.target, "scale": float(rng.integers(4)), "shift": tg.tensor(floats(rng, (CLASSES,)))}
    w.rebind(name, values[name])


def global_bound_anew(w: World, rng: np.random.Generator) -> None:
    global GLOBAL_SCALE, GLOBAL_SHIFT
    GLOBAL_SCALE = float(pick(rng, [0.0, 1.0, 2.0]))
    GLOBAL_SHIFT = None if chance(rng, 0.5) else tg.tensor(floats(rng, (CLASSES,)))


def array_overwritten(w: World, rng: np.random.Generator) -> None:
    if hasattr(w, "table"):
        w.table[...] = floats(rng, w.table.shape)


def other_scalar(w: World, rng: np.random.Generator) -> None:
    w.scalar = pick(rng, [0.0, -0.0, 1, 1.0, True, float("nan"), (2,), (2.0,), np.float64(2), np.float32(2), 2])


def other_number_of_threads(w: World, rng: np.random.Generator) -> None:
    tg.kernels.dispatch.set_num_threads(int(pick(rng, [1, MOST_THREADS])))


THREADS = tg.kernels.dispatch.get_num_threads()

CALLS = [
    calls, many_calls, many_calls, bad_label, bad_label, bad_shape, odd_numbers, other_layout, one_array_again,
    in_a_thread, results_are_overwritten,
]  # fmt: skip

CHANGES = [
    other_rows, other_label_dtype, parameter_in_other_memory, parameter_overwritten, parameter_that_lies_otherwise,
    parameter_exchanged, parameter_changed_by_an_op, head_exchanged, layer_exchanged, block_exchanged, net_copied,
    target_renewed, target_followed, state_loaded, training, evaluating, one_layer_evaluating, frozen, thawed,
    without_gradients, input_wanted, hooked, unhooked, module_hooked, scheduled, schedule_by_a_function, stepped,
    gradients_forgotten, gradient_assigned, optimizer_renewed, seeded, bag_entry_bound_anew, list_entry_bound_anew,
    attribute_bound_anew, attribute_of_a_module, dictionary_of_a_module, setting_of_a_layer, closure_bound_anew,
    global_bound_anew, array_overwritten, other_scalar, other_number_of_threads,
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- comparison


def flat(value: Any) -> Iterator[tg.Tensor]:
    """The tensors in what a function returned."""
    if isinstance(value, tg.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from flat(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from flat(part)


def said(error: Exception) -> tuple[str, str]:
    """An error as it is compared: without addresses, and of a graph the reason alone."""
    text = re.sub(r"0x[0-9a-f]+", "0x", str(error))
    if isinstance(error, tg.GraphError):  # the op at which it was found is another one
        text = next((reason for reason in ("freed", "changed in place") if reason in text), text)
    return type(error).__name__, text


def seen(value: Any) -> Any:
    """What can be seen of a value, as something that `==` compares: the bits of arrays."""
    if isinstance(value, tg.Tensor):
        return value.requires_grad, value.is_leaf, seen(value._data)
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":  # one NaN is as good as another: IEEE 754 leaves their signs and payloads open
            value = np.where(np.isnan(value), value.dtype.type(np.nan), value)
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: seen(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [type(value).__name__, *[seen(part) for part in value]]
    return type(value).__name__, repr(value)


def on_tensors(function: Callable) -> Callable:
    """The function, given tensors in place of ndarrays, as the compiled one is."""

    def call(*args: Any, **named: Any) -> Any:
        return function(*[tg.tensor(x) if isinstance(x, np.ndarray) else x for x in args], **named)

    return call


class Difference(AssertionError):
    """The compiled function did something else than the function."""


def live(seed: int, events: int = 12) -> World:
    """Let the same events befall two worlds, and return the compiled one. Raises `Difference` where they differ."""
    global GLOBAL_SCALE, GLOBAL_SHIFT
    GLOBAL_SCALE, GLOBAL_SHIFT = 1.0, None
    worlds = World(seed, tg.compile), World(seed, on_tensors)
    choices, happened = np.random.default_rng((seed, 1)), []
    try:
        for k in range(events):
            event = many_calls if k == 0 else pick(choices, CALLS if k % 2 == 0 else CHANGES)
            happened.append(event.__name__)
            found = [_befalls(event, w, np.random.default_rng((seed, 2, k))) for w in worlds]
            if found[0] != found[1]:
                problem = f"world {seed}, {worlds[0].kind}: {_place(*found)} differs after {', '.join(happened)}"
                raise Difference(problem)
    finally:
        tg.kernels.dispatch.set_num_threads(THREADS)
    return worlds[0]


def _befalls(event: Callable, w: World, rng: np.random.Generator) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # some functions run as they are, and say so
        return seen([event(w, rng), w.everything()])


def _place(one: Any, other: Any, path: str = "") -> str:
    """Where two values differ."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            if a != b:
                return _place(a, b, f"{path}[{k}]")
    return f"{path}: {str(one)[:200]} and {str(other)[:200]}"
