"""Events that change something in a world. Each takes the world and a generator, alike in both worlds."""

import copy

import numpy as np
from cores import MOST_THREADS

import tensorgrad as tg
from tensorgrad import nn
from worlds import functions
from worlds.choices import CLASSES, chance, floats, pick
from worlds.networks import ACTIVATIONS
from worlds.world import World


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
    functions.GLOBAL_SCALE = float(pick(rng, [0.0, 1.0, 2.0]))
    functions.GLOBAL_SHIFT = None if chance(rng, 0.5) else tg.tensor(floats(rng, (CLASSES,)))


def array_overwritten(w: World, rng: np.random.Generator) -> None:
    if hasattr(w, "table"):
        w.table[...] = floats(rng, w.table.shape)


def other_scalar(w: World, rng: np.random.Generator) -> None:
    w.scalar = pick(rng, [0.0, -0.0, 1, 1.0, True, float("nan"), (2,), (2.0,), np.float64(2), np.float32(2), 2])


def other_number_of_threads(w: World, rng: np.random.Generator) -> None:
    tg.kernels.dispatch.set_num_threads(int(pick(rng, [1, MOST_THREADS])))


CHANGES = [
    other_rows, other_label_dtype, parameter_in_other_memory, parameter_overwritten, parameter_that_lies_otherwise,
    parameter_exchanged, parameter_changed_by_an_op, head_exchanged, layer_exchanged, block_exchanged, net_copied,
    target_renewed, target_followed, state_loaded, training, evaluating, one_layer_evaluating, frozen, thawed,
    without_gradients, input_wanted, hooked, unhooked, module_hooked, scheduled, schedule_by_a_function, stepped,
    gradients_forgotten, gradient_assigned, optimizer_renewed, seeded, bag_entry_bound_anew, list_entry_bound_anew,
    attribute_bound_anew, attribute_of_a_module, dictionary_of_a_module, setting_of_a_layer, closure_bound_anew,
    global_bound_anew, array_overwritten, other_scalar, other_number_of_threads,
]  # fmt: skip
