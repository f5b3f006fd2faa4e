"""Module: what counts as what, walking the tree, modes, hooks, copies, memory."""

import collections
import copy
import gc
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd.node import Node
from tensorgrad.errors import ArgumentError, DTypeError, RangeError


class Block(nn.Module):
    def __init__(self, width=3):
        self.conv = nn.Conv2d(1, width, 3)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
        self.scale = nn.Parameter([2.0])
        self.register_buffer("seen", tg.zeros(1))
        self.register_buffer("cache", tg.zeros(1), persistent=False)

    def forward(self, x):
        return self.head(self.block(x)) * self.scale


PARAMETERS = [
    "scale",
    "block.conv.weight",
    "block.conv.bias",
    "block.norm.weight",
    "block.norm.bias",
    "head.1.weight",
    "head.1.bias",
]


def names(pairs):
    return [name for name, _ in pairs]


def test_a_parameter_requires_grad_and_its_results_are_plain_tensors():
    p = nn.Parameter([1.0, 2.0])
    assert p.requires_grad and p.dtype == np.float32 and isinstance(p, tg.Tensor)
    assert type(p * 2) is tg.Tensor and type(p.detach()) is tg.Tensor
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad
    with pytest.raises(DTypeError):
        nn.Parameter(np.arange(3))


def test_the_tree_is_walked_parents_first():
    net = Net()
    assert names(net.named_parameters()) == PARAMETERS
    assert [p.numel() for p in net.parameters()] == [1, 27, 3, 3, 3, 24, 2]
    assert names(net.named_modules()) == ["", "block", "block.conv", "block.norm", "head", "head.0", "head.1"]
    assert [type(m).__name__ for m in net.children()] == ["Block", "Sequential"]
    assert names(net.named_children()) == ["block", "head"]
    norm = [f"block.norm.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")]
    assert names(net.named_buffers()) == ["seen", "cache", *norm]
    assert names(net.named_buffers(recurse=False)) == ["seen", "cache"] and len(list(net.buffers())) == 5
    assert names(net.named_parameters(recurse=False)) == ["scale"]
    assert names(net.head.named_parameters(prefix="top")) == ["top.1.weight", "top.1.bias"]


def test_parameters_carry_their_path_from_the_outermost_module():
    net = Net()
    assert [p.name for p in net.parameters()] == PARAMETERS
    assert net.block.norm.running_mean.name == "block.norm.running_mean"
    outer = nn.Sequential(net)
    assert outer[0].block.conv.weight.name == "0.block.conv.weight"
    net.block.conv = nn.Conv2d(1, 3, 3)  # deep in a tree that stands already
    assert net.block.conv.bias.name == "0.block.conv.bias"
    net.block.extra = nn.Parameter([1.0])
    assert net.block.extra.name == "0.block.extra"


def test_looking_at_a_slice_renames_nothing():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    assert net[1:][1] is net[2] and net[2].weight.name == "2.weight"


def test_an_error_in_a_layer_names_the_parameter():
    net = Net()
    with pytest.raises(tg.ShapeError, match=r"named 'block\.conv\.weight'"):
        net(tg.zeros(1, 2, 4, 4))


def test_a_shared_parameter_or_module_counts_once_and_has_every_name_in_the_state():
    net = nn.Module()
    net.a, net.b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    net.b.weight = net.a.weight
    net.c = net.a
    assert names(net.named_parameters()) == ["a.weight"]
    assert names(net.named_parameters(remove_duplicate=False)) == ["a.weight", "b.weight", "c.weight"]
    assert names(net.named_modules()) == ["", "a", "b"] and names(net.named_children()) == ["a", "b"]
    assert list(net.state_dict()) == ["a.weight", "b.weight", "c.weight"]
    twin = copy.deepcopy(net)
    assert twin.b.weight is twin.a.weight and twin.c is twin.a and twin.a.weight is not net.a.weight


def test_plain_tensors_and_lists_are_mere_attributes():
    net = nn.Module()
    net.t, net.layers = tg.ones(2, requires_grad=True), [nn.Linear(1, 1)]
    assert not list(net.parameters()) and not net.state_dict() and len(list(net.modules())) == 1


def test_a_part_is_not_replaced_by_a_slip():
    net = Net()
    with pytest.raises(DTypeError, match="'scale' holds a Parameter"):
        net.scale = tg.ones(1)
    with pytest.raises(DTypeError, match="'block' holds a Module"):
        net.block = 3
    with pytest.raises(DTypeError, match="'seen' holds a buffer"):
        net.seen = np.zeros(1)
    assert names(net.named_parameters()) == PARAMETERS
    net.seen = tg.ones(1)
    assert net.state_dict()["seen"].item() == 1
    net.scale = None
    assert "scale" not in net.state_dict() and len(list(net.parameters())) == 6
    del net.seen, net.block
    assert list(net.state_dict()) == ["head.1.weight", "head.1.bias"] and names(net.named_buffers()) == ["cache"]


def test_registering():
    net = nn.Module()
    net.register_parameter("w", nn.Parameter([1.0]))
    net.register_parameter("b", None)
    net.add_module("0", nn.ReLU())
    assert names(net.named_parameters()) == ["w"] and net.b is None and names(net.named_children()) == ["0"]
    net.register_buffer("w2", None)
    assert not list(net.buffers())
    net.w2 = tg.zeros(2)
    assert names(net.named_buffers()) == ["w2"]


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("register_parameter", ("w", tg.ones(1)), DTypeError),
        ("register_module", ("m", nn.ReLU), DTypeError),
        ("register_module", ("a.b", nn.ReLU()), ArgumentError),
        ("register_parameter", ("", nn.Parameter([1.0])), ArgumentError),
        ("register_module", ("forward", nn.ReLU()), ArgumentError),
        ("register_buffer", ("training", tg.ones(1)), ArgumentError),
        ("register_buffer", ("b", nn.Parameter([1.0])), DTypeError),
        ("__setattr__", ("train", nn.ReLU()), ArgumentError),
    ],
)
def test_what_cannot_be_registered(method, arguments, error):
    net = nn.Module()
    net.training = True
    with pytest.raises(error):
        getattr(net, method)(*arguments)
    assert not list(net.parameters()) and not list(net.children()) and not list(net.buffers())


def test_a_module_cannot_hold_itself():
    outer = nn.Sequential(nn.Sequential(nn.ReLU()))
    for module in (outer, outer[0]):
        with pytest.raises(ArgumentError, match="can't hold itself"):
            outer[0].back = module
    assert len(list(outer.modules())) == 3


def test_attributes_may_be_set_on_the_way():
    net = Net()
    for name, module in net.named_modules():
        module.path = name
    for _, parameter in net.named_parameters():
        setattr(net, f"size_of_{parameter.numel()}", parameter.numel())
    for name, child in net.head.named_children():
        net.head.register_module(f"copy of {name}", child)
    assert net.block.conv.path == "block.conv" and len(net.head) == 4


def test_modes_freezing_and_gradients():
    net = Net()
    assert net.training and net.block.norm.training
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    net.requires_grad_(False)
    assert not net(tg.ones(1, 1, 4, 4)).requires_grad
    net.requires_grad_()
    net(tg.rand(2, 1, 4, 4)).sum().backward()
    grads = [p.grad for p in net.parameters()]
    assert all(g is not None for g in grads)
    net.zero_grad(set_to_none=False)
    assert all((p.grad.data == 0).all() and p.grad.dtype == p.dtype for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_apply_goes_from_the_leaves_up():
    net, seen = Net(), []
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Conv2d", "BatchNorm2d", "Block", "Flatten", "Linear", "Sequential", "Net"]


def test_to_converts_floats_in_place_and_leaves_counters_alone():
    net = Net()
    net(tg.rand(2, 1, 4, 4)).sum().backward()
    before = list(net.parameters())
    net.to(tg.float64)
    assert list(net.parameters()) == before and all(p.dtype == p.grad.dtype == np.float64 for p in before)
    assert net.block.norm.running_mean.dtype == np.float64 and net.block.norm.num_batches_tracked.dtype == np.int64
    assert net(tg.rand(2, 1, 4, 4)).dtype == np.float64
    with pytest.raises(DTypeError):
        net.to("int64")


def test_converting_between_forward_and_backward_is_noticed():
    layer = nn.Linear(2, 2)
    z = layer(tg.ones(1, 2, requires_grad=True)).sum()
    layer.to("float64")
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.backward()


def test_forward_hooks_see_and_replace():
    layer, seen = nn.Linear(2, 3), []
    x = tg.ones(4, 2)
    plain = layer(x).numpy()
    before = layer.register_forward_pre_hook(lambda module, inputs: seen.append((module, inputs)))
    after = layer.register_forward_hook(lambda module, inputs, output: seen.append((module, inputs, output)))
    output = layer(x)
    assert seen == [(layer, (x,)), (layer, (x,), output)]
    doubled = layer.register_forward_pre_hook(lambda module, inputs: inputs[0] * 0)
    shifted = layer.register_forward_hook(lambda module, inputs, output: output + 1)
    np.testing.assert_allclose(layer(x).numpy(), np.broadcast_to(layer.bias.numpy() + 1, (4, 3)))
    for handle in (before, after, doubled, shifted, shifted):
        handle.remove()
    seen.clear()
    np.testing.assert_array_equal(layer(x).numpy(), plain)
    assert not seen
    other = nn.Linear(2, 3)
    assert not other._forward_hooks  # hooks belong to one module, not to the class


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module must define forward"):
        nn.Module()(tg.ones(1))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_whole_and_apart(duplicate):
    net = Net()
    x = tg.rand(2, 1, 4, 4)
    net(x)
    twin = duplicate(net.eval())
    np.testing.assert_array_equal(twin(x).numpy(), net(x).numpy())
    assert list(twin.state_dict()) == list(net.state_dict()) and not twin.training
    assert [p.name for p in twin.parameters()] == PARAMETERS
    assert all(type(p) is nn.Parameter and p.requires_grad for p in twin.parameters())
    nn.init.zeros_(twin.block.conv.weight)
    assert (net.block.conv.weight.data != 0).any()
    twin.seen = tg.ones(1)
    assert "cache" not in twin.state_dict() and net.seen.item() == 0


def alive():
    """How many objects of the library are reachable or wait for the collector: tensors, modules, nodes of the graph."""
    return sum(issubclass(type(o), tg.Tensor | nn.Module | Node) for o in gc.get_objects())


def test_training_makes_no_cycles():
    def step(net):
        nn.cross_entropy(net(x), y).backward()
        net.zero_grad()
        net.eval()(x)
        net.train().load_state_dict(net.state_dict())

    x, y = tg.rand(4, 1, 4, 4), tg.tensor([0, 1, 0, 1])
    step(Net())
    gc.collect()
    gc.disable()  # a cycle would stay; what a compiler leaves behind, on whatever call it runs, isn't counted
    try:
        before = alive()
        net = Net()
        step(net)
        after_one = alive()
        for _ in range(5):
            step(net)
        assert alive() == after_one > before
        del net
        assert alive() == before
    finally:
        gc.enable()


# ----------------------------------------------------------------------------------------------------------- containers


def test_sequential_runs_indexes_and_grows():
    first, last = nn.Linear(3, 4), nn.Linear(4, 2)
    net = nn.Sequential(first, nn.ReLU()).append(last)
    x = tg.rand(5, 3)
    np.testing.assert_array_equal(net(x).numpy(), last(first(x).relu()).numpy())
    assert len(net) == 3 and net[0] is first and net[-1] is last and list(net)[2] is last
    assert isinstance(net[:2], nn.Sequential) and list(net[:2]) == [first, net[1]]
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    net[1] = nn.Tanh()
    np.testing.assert_array_equal(net(x).numpy(), last(first(x).tanh()).numpy())
    with pytest.raises(RangeError, match=r"index must be in \[-3, 3\), got "):
        net[3]
    with pytest.raises(DTypeError, match="not the class"):
        nn.Sequential(nn.ReLU)


def test_growing_a_slice_overwrites_nothing():
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 2), nn.Linear(2, 3))
    part = net[1:].append(nn.Linear(3, 4))
    assert [layer.out_features for layer in part] == [2, 3, 4]


def test_sequential_with_names_and_with_a_module_twice():
    relu = nn.ReLU()
    net = nn.Sequential(collections.OrderedDict(a=nn.Linear(2, 2), b=relu, c=nn.Linear(2, 2), d=relu))
    assert net.a is net[0] and len(net) == 4 and list(net.state_dict()) == ["a.weight", "a.bias", "c.weight", "c.bias"]
    x = tg.rand(3, 2)
    np.testing.assert_array_equal(net(x).numpy(), net.c(net.a(x).relu()).relu().numpy())


def test_a_module_list_registers_its_modules():
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
    layers.extend([nn.Linear(2, 3)])
    assert names(layers.named_parameters())[-1] == "2.bias" and len(layers) == 3
    assert isinstance(layers[1:], nn.ModuleList) and len(layers[1:]) == 2
    with pytest.raises(NotImplementedError):
        layers(tg.ones(1, 2))


def test_repr_nests():
    assert repr(Net()) == (
        "Net(\n"
        "  (block): Block(\n"
        "    (conv): Conv2d(1, 3, kernel_size=(3, 3), stride=(1, 1))\n"
        "    (norm): BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)\n"
        "  )\n"
        "  (head): Sequential(\n"
        "    (0): Flatten(start_dim=1, end_dim=-1)\n"
        "    (1): Linear(in_features=12, out_features=2, bias=True)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Sequential()) == "Sequential()"


class TorchDevice:
    """What torch.device looks like."""

    def __init__(self, type, index=None):
        self.type, self.index = type, index

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"


@pytest.mark.parametrize("where", ["cpu", "cpu:0", TorchDevice("cpu")])
def test_the_cpu_is_where_everything_is(where):
    net = nn.Linear(2, 3)
    weight = net.weight
    assert net.to(where) is net and net.to(device=where) is net and net.weight is weight and weight.dtype == np.float32
    assert net.to(where, non_blocking=True) is net
    assert net.to(where, "float64").weight.dtype == np.float64 and net.to(where, dtype=np.float16).bias.dtype == "f2"


@pytest.mark.parametrize("where", ["cuda", "cuda:1", "mps", "meta", 0, TorchDevice("cuda", 0)])
def test_other_devices_are_refused_in_a_clear_sentence(where):
    net = nn.Linear(2, 3)
    for call in (lambda: net.to(where), lambda: net.to(device=where), lambda: net.to("float64", where)):
        with pytest.raises(ArgumentError, match=r'device must be "cpu", got (.|\n)*pass "cpu"'):
            call()
    assert net.weight.dtype == np.float32


@pytest.mark.parametrize("dtype", ["int64", "cpus", "float99", bool, object(), [1]])
def test_what_is_neither_a_device_nor_a_float(dtype):
    with pytest.raises(DTypeError, match="must be a float dtype"):
        nn.Linear(2, 3).to(dtype)
