"""Compiled functions follow what they read: functions over all kinds of places, whose values are bound anew."""

import array
import collections
import contextvars
import dataclasses
import functools
import random
import threading
import time
import types
import warnings
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.compiler import call as call_module
from tensorgrad.compiler.guards.guards import Guards

# --------------------------------------------------------------------------------------------------------------- places
# A place is made with a first value, and gives how a function reads it and how anybody else binds it anew.


def cell(value):
    def read():
        return value

    def bind(new):
        nonlocal value
        value = new

    return read, bind


def name_of_a_module(value):
    space = types.ModuleType("world_of_one_name")
    exec("def read():\n    return constant", vars(space))
    space.constant = value
    return space.read, functools.partial(setattr, space, "constant")


def member_of_a_module(value):
    settings = types.ModuleType("settings_of_a_world")
    settings.scale = value
    return (lambda: settings.scale), functools.partial(setattr, settings, "scale")


def entry_of_a_dict(value):
    settings = {"scale": value, "other": 1}
    return (lambda: settings["scale"]), functools.partial(settings.__setitem__, "scale")


def sum_of_a_dict(value):
    values = {}

    def bind(new):
        values[len(values)] = new

    bind(value)
    return (lambda: functools.reduce(lambda a, b: a + b, values.values())), bind


def order_of_a_dict(value):
    values = collections.OrderedDict(first=value, second=value)

    def bind(new):
        values["second"] = new
        values.move_to_end("first")

    return (lambda: next(iter(values.values()))), bind


def nested(value):
    settings = {"loss": [0, ({"scale": value},)]}
    return (lambda: settings["loss"][1][0]["scale"]), functools.partial(settings["loss"][1][0].__setitem__, "scale")


def element_of_a_list(value):
    values = [0, value]
    return (lambda: values[-1]), functools.partial(values.__setitem__, 1)


def end_of_a_list(value):
    values = [value]
    return (lambda: values[-1]), values.append


def end_of_a_deque(value):
    values = collections.deque([value], maxlen=3)
    return (lambda: values[-1]), values.append


def whole_tuple(value):
    values = {"sizes": (1, (value,))}
    return (lambda: values["sizes"][1][0]), lambda new: values.update(sizes=(1, (new,)))


def first_entry_of_a_dict(value):
    values = {}
    return (lambda: values.get("scale", value)), functools.partial(values.__setitem__, "scale")


def behind_a_chain_of_dicts(value):
    values = collections.ChainMap({}, {"scale": value})
    return (lambda: values["scale"]), functools.partial(values.__setitem__, "scale")


class Plain:
    shared = 1.0

    def __init__(self, scale):
        self.scale = scale

    def read(self):
        return self.scale

    @property
    def scaled(self):
        return self.scale


class Slots:
    __slots__ = ("scale",)


@dataclasses.dataclass
class Settings:
    scale: object


class Dynamic:
    def __init__(self, scale):
        self.inner = {"scale": scale}

    def __getattr__(self, name):
        return self.inner[name]


def attribute(value):
    settings = Plain(value)
    return (lambda: settings.scale), functools.partial(setattr, settings, "scale")


def attribute_by_its_name(value):
    settings, name = Plain(value), "".join(["sc", "ale"])
    return (lambda: getattr(settings, name)), functools.partial(setattr, settings, "scale")


def attribute_that_shadows(value):
    settings = type("Own", (Plain,), {"shared": value})(0)
    return (lambda: settings.shared), functools.partial(setattr, settings, "shared")


def first_attribute(value):
    settings = type("Own", (), {"shared": value, "__getitem__": lambda self, k: self.shared})()
    return (lambda: settings[0]), functools.partial(setattr, settings, "shared")


def attribute_of_a_class(value):
    settings = type("Own", (Plain,), {"shared": value})
    return (lambda: settings(0).shared), functools.partial(setattr, settings, "shared")


def attribute_found_by_getattr(value):
    settings = Dynamic(value)
    return (lambda: settings.scale), functools.partial(settings.inner.__setitem__, "scale")


def behind_a_property(value):
    settings = Plain(value)
    return (lambda: settings.scaled), functools.partial(setattr, settings, "scale")


def slot(value):
    settings = Slots()
    settings.scale = value
    return (lambda: settings.scale), functools.partial(setattr, settings, "scale")


def field(value):
    settings = Settings(value)
    return (lambda: settings.scale), functools.partial(setattr, settings, "scale")


def namespace(value):
    settings = types.SimpleNamespace(scale=value)
    return (lambda: settings.scale), functools.partial(setattr, settings, "scale")


def bound_method(value):
    settings = Plain(value)
    return settings.read, functools.partial(setattr, settings, "scale")


def method_of_a_class(value):
    settings = type("Own", (Plain,), {})(0)

    def bind(new):
        type(settings).read = lambda self: new

    bind(value)
    return (lambda: settings.read()), bind


def call_of_an_object(value):
    class Own(Plain):
        def __call__(self):
            return self.scale

    settings = Own(value)
    return settings, functools.partial(setattr, settings, "scale")


def partial(value):
    settings = {"scale": value}
    return functools.partial(dict.__getitem__, settings, "scale"), functools.partial(settings.__setitem__, "scale")


def default(value):
    def read(value=value):
        return value

    def bind(new):
        read.__defaults__ = (new,)

    return read, bind


def keyword_default(value):
    def read(*, value=value):
        return value

    def bind(new):
        read.__kwdefaults__ = {"value": new}

    return read, bind


def mutable_default(value):
    values = [value]

    def read(values=values):
        return values[0]

    return read, functools.partial(values.__setitem__, 0)


def another_function(value):
    functions = {}

    def bind(new):
        functions["read"] = lambda: new

    bind(value)
    return (lambda: functions["read"]()), bind


def attribute_of_a_function(value):
    def read():
        return read.scale

    read.scale = value
    return read, functools.partial(setattr, read, "scale")


def behind_a_weak_reference(value):
    settings = {"own": Plain(value)}
    settings["reference"] = weakref.ref(settings["own"])

    def read():
        return settings["reference"]().scale

    return read, functools.partial(setattr, settings["own"], "scale")


class Layer(nn.Module):
    def __init__(self, scale):
        self.inner = nn.Linear(1, 1)
        self.scale, self.settings, self.values = scale, {"scale": scale}, [scale]

    def forward(self):
        return self.scale


def attribute_of_a_module(value):
    layer = Layer(value)
    return layer, functools.partial(setattr, layer, "scale")


def dict_of_a_module(value):
    layer = Layer(value)
    return (lambda: layer.settings["scale"]), functools.partial(layer.settings.__setitem__, "scale")


def list_of_a_module(value):
    layer = Layer(value)
    return (lambda: layer.values[0]), functools.partial(layer.values.__setitem__, 0)


def option_of_an_optimizer(value):
    sgd = nn.optim.SGD([tg.ones(1, requires_grad=True)], lr=0.1)
    sgd.param_groups[0]["lr"] = value
    return (lambda: sgd.param_groups[0]["lr"]), functools.partial(sgd.param_groups[0].__setitem__, "lr")


def numbers_of_an_array(value):
    array = np.zeros(1)

    def bind(new):
        array[0] = numbers(new)

    bind(value)
    return (lambda: float(array[0])), bind


PLACES = [
    cell,
    name_of_a_module,
    member_of_a_module,
    entry_of_a_dict,
    sum_of_a_dict,
    order_of_a_dict,
    nested,
    element_of_a_list,
    end_of_a_list,
    end_of_a_deque,
    whole_tuple,
    first_entry_of_a_dict,
    behind_a_chain_of_dicts,
    first_attribute,
    attribute,
    attribute_by_its_name,
    attribute_that_shadows,
    attribute_of_a_class,
    attribute_found_by_getattr,
    behind_a_property,
    slot,
    field,
    namespace,
    bound_method,
    method_of_a_class,
    call_of_an_object,
    partial,
    default,
    keyword_default,
    mutable_default,
    another_function,
    attribute_of_a_function,
    behind_a_weak_reference,
    attribute_of_a_module,
    dict_of_a_module,
    list_of_a_module,
    option_of_an_optimizer,
    numbers_of_an_array,
]

# --------------------------------------------------------------------------------------------------------------- worlds

NUMBERS = [0.0, -0.0, 1, 1.0, True, 2, 2.5, np.float32(2.5), np.float64(2.5), float("nan"), -3.0]


def numbers(value):
    return value.detach().data.item() if isinstance(value, tg.Tensor) else value


def some_value(rng):
    if rng.random() < 0.4:
        return tg.Tensor(rng.standard_normal(1).astype(np.float32), requires_grad=bool(rng.random() < 0.5))
    return NUMBERS[rng.integers(len(NUMBERS))]


def some_argument(rng, depth=0):
    """An argument of any kind: a number, a tensor, an array, or a structure of them."""
    kind = rng.integers(7 if depth < 2 else 3)
    if kind == 0:
        return NUMBERS[rng.integers(len(NUMBERS))]
    if kind in (1, 2):
        array = rng.standard_normal(rng.integers(1, 3)).astype(np.float32)
        return array if kind == 1 else tg.Tensor(array, requires_grad=bool(rng.random() < 0.5))
    parts = [some_argument(rng, depth + 1) for _ in range(2)]
    return [parts, tuple(parts), {"a": parts[0], "b": parts[1]}, Settings(parts[1])][kind - 3]


def another_argument(rng, value):
    """One of the same structure and shapes, with other numbers in tensors, and sometimes elsewhere."""
    if isinstance(value, tg.Tensor):
        return tg.Tensor(rng.standard_normal(value.shape).astype(np.float32), requires_grad=value.requires_grad)
    if isinstance(value, np.ndarray):
        return rng.standard_normal(value.shape).astype(np.float32)
    if isinstance(value, list | tuple):
        return type(value)(another_argument(rng, part) for part in value)
    if isinstance(value, dict):
        return {key: another_argument(rng, part) for key, part in value.items()}
    if isinstance(value, Settings):
        return Settings(another_argument(rng, value.scale))
    return NUMBERS[rng.integers(len(NUMBERS))] if rng.random() < 0.2 else value


def total(value):
    """The sum of all numbers and tensors in an argument."""
    if isinstance(value, list | tuple):
        return sum(total(part) for part in value)
    if isinstance(value, dict):
        return sum(total(part) for part in value.values())
    if isinstance(value, Settings):
        return total(value.scale)
    return tg.sum(value) if isinstance(value, tg.Tensor | np.ndarray) else value


COMBINED = [lambda y, v: y * v, lambda y, v: y + v, lambda y, v: y / v]


class World:
    """A function of a tensor and an argument that reads from some places."""

    def __init__(self, rng, places):
        self.rng = rng
        made = [place(some_value(rng)) for place in places]
        self.binds = [bind for _, bind in made]
        reads = [(read, COMBINED[rng.integers(3)]) for read, _ in made]

        def function(x, argument):
            y = x
            for read, combined in reads:
                y = combined(y, read())
            return y * 1.5 + total(argument)

        self.function, self.compiled = function, tg.compile(function)

    def results(self, function, x, argument, upstream):
        """The bits of what the function returns, and of the gradients of x."""
        x.grad = None
        z = function(x, argument)
        if z.requires_grad:
            z.backward(upstream.astype(z.dtype)[: z.numel()].reshape(z.shape))
        found = [z.detach().data] + ([] if x.grad is None else [x.grad.data])
        return [(array.dtype, array.shape, array.tobytes()) for array in found]

    def check(self, argument):
        x = tg.Tensor(self.rng.standard_normal(1).astype(np.float32), requires_grad=bool(self.rng.random() < 0.5))
        upstream = self.rng.standard_normal(4)
        expected = self.results(self.function, x, argument, upstream)
        assert self.results(self.compiled, x, argument, upstream) == expected


def live(rng, places):
    """Calls, events, calls: the compiled function agrees with the function at all times."""
    world, argument = World(rng, places), some_argument(rng)
    for _ in range(6):
        for _ in range(rng.integers(1, 5)):
            argument = another_argument(rng, argument)
            world.check(argument)
        if world.binds:
            world.binds[rng.integers(len(world.binds))](some_value(rng))


@pytest.mark.seeds(40)
def test_functions_follow_what_they_read(seed):
    rng = np.random.default_rng(seed)
    places = [PLACES[k] for k in rng.integers(0, len(PLACES), rng.integers(0, 5))]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        live(rng, places)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_place_is_followed(place):
    read, bind = place(2.0)
    compiled, x = tg.compile(lambda x: x * read()), tg.ones(2)
    for value in (2.0, 3.0, 2.0):
        bind(value)
        expected = (x * read()).tolist()
        assert [compiled(x).tolist() for _ in range(3)] == [expected] * 3
    assert compiled.problems == [] and compiled.replays >= 3


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_without_its_guard_a_place_is_found_out(place, monkeypatch):
    changed = Guards.changed
    monkeypatch.setattr(Guards, "changed", lambda self: changed(self) and None)
    with pytest.raises(AssertionError):
        test_a_place_is_followed(place)


@pytest.mark.parametrize(
    ("state", "read", "name"),
    [
        (array.array("d", [2.0]), lambda values: values[0], "array"),
        (iter([1.0] * 99), next, "list_iterator"),
        (contextvars.ContextVar("scale", default=2.0), lambda variable: variable.get(), "ContextVar"),
        (threading.local(), lambda local: getattr(local, "scale", 1.0), "_local"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_state_that_python_hides_is_not_followed(state, read, name):
    compiled = tg.compile(lambda x: x * read(state))
    with pytest.warns(RuntimeWarning, match=f"of type {name}, whose state can't be followed"):
        compiled(tg.ones(2))


LARGE = np.ones(10**6)


def ticks(state, x):
    state["ticks"] += 1
    return x * 2


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (ticks, r"it changes state\['ticks'\]"),
        (lambda state, x: x * (time.time() > 0), r"calls time\(\)"),
        (lambda state, x: x * random.random(), "draws random numbers"),
        (lambda state, x: x * state["generator"].normal(), "draws random numbers"),
        (lambda state, x: (tg.manual_seed(0), tg.dropout(x, 0.5))[1], "sets a seed"),
        (lambda state, x: x * float(eval("state", {"state": 2.0})), r"calls eval\(\)"),
        (lambda state, x: x * LARGE[0], "numbers of the ndarray"),
        (lambda state, x: x * state["sgd"].learning_rate, "SGD.learning_rate"),
    ],
)
def test_what_depends_on_more_says_so(function, reason):
    state = {"ticks": 0, "generator": np.random.default_rng(0)}
    state["sgd"] = nn.optim.SGD([tg.ones(1, requires_grad=True)], lr=0.1)
    compiled = tg.compile(lambda x: function(state, x))
    with pytest.warns(RuntimeWarning, match=reason):
        for _ in range(4):
            compiled(tg.ones(2))
    assert compiled.replays == 0


def test_arguments_compared_by_equality_are_found_out(monkeypatch):
    monkeypatch.setattr(call_module, "plain_key", lambda value: (value,))
    compiled = tg.compile(lambda x, s: x / s)
    for _ in range(3):
        compiled(tg.ones(1), 0.0)
    assert compiled(tg.ones(1), -0.0).item() == np.inf  # wrong: what the next test finds
    monkeypatch.undo()
    compiled = tg.compile(lambda x, s: x / s)
    for value in (0.0, 0.0, 0.0, -0.0, -0.0, -0.0):
        assert compiled(tg.ones(1), value).item() == np.copysign(np.inf, value)
    assert compiled.replays == 2
