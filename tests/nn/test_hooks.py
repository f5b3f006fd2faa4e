"""Hooks of modules, and parts of modules by path: beside PyTorch's, and what holds without it."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.tree import PathError


def network(lib):
    return lib.Sequential(lib.Linear(3, 4), lib.Tanh(), lib.Linear(4, 2))


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("replaced", [False, True])
def test_full_backward_hooks_see_what_pytorchs_see(replaced):
    torch = pytest.importorskip("torch")
    net, net_ = network(nn), network(torch.nn)
    net.load_state_dict({name: t.numpy() for name, t in net_.state_dict().items()})
    seen, seen_ = [], []

    def hook(into):
        def called(module, grad_input, grad_output):
            into.append(
                [type(module).__name__, *(None if g is None else g.numpy().copy() for g in grad_input + grad_output)]
            )
            return tuple(None if g is None else g * 2 for g in grad_input) if replaced else None

        return called

    for module, module_ in zip(net, net_, strict=True):
        module.register_full_backward_hook(hook(seen))
        module_.register_full_backward_hook(hook(seen_))
    values = np.random.default_rng(0).standard_normal((5, 3)).astype("f")
    for leaf in (False, True):
        x, x_ = tg.tensor(values, requires_grad=leaf), torch.tensor(values, requires_grad=leaf)
        net(x).square().sum().backward(), net_(x_).square().sum().backward()
        if leaf:
            np.testing.assert_allclose(x.grad.numpy(), x_.grad.numpy(), rtol=1e-4, atol=1e-6)
    assert len(seen) == len(seen_) == 6
    for ours, theirs in zip(seen, seen_, strict=True):
        assert ours[0] == theirs[0] and len(ours) == len(theirs)
        for a, b in zip(ours[1:], theirs[1:], strict=True):
            assert (a is None) == (b is None)
            assert a is None or np.allclose(a, b, rtol=1e-4, atol=1e-6)
    for p, p_ in zip(net.parameters(), net_.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), p_.grad.numpy(), rtol=1e-4, atol=1e-6)


class Two(nn.Module):
    def forward(self, x, y, scale=1.0):
        return x * y * scale, x + y


def test_several_inputs_and_results_arrive_together():
    module, seen = Two(), []
    handle = module.register_full_backward_hook(lambda m, i, o: seen.append((i, o)))
    pre = module.register_full_backward_pre_hook(lambda m, o: (o[0] * 10, o[1]))
    x, y = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([3.0], requires_grad=True)
    product, total = module(x, y, scale=2.0)
    (product.sum() + total.sum()).backward()
    ((grad_x, grad_y), outgoing) = seen[0]
    assert grad_x.tolist() == [61.0, 61.0] and grad_y.tolist() == [62.0]
    assert [g.tolist() for g in outgoing] == [[10.0, 10.0], [1.0, 1.0]]
    handle.remove(), pre.remove()
    module(x, y)[1].sum().backward()
    assert len(seen) == 1


def test_what_a_backward_hook_returns_is_checked():
    module = nn.ReLU()
    handle = module.register_full_backward_hook(lambda m, i, o: (i[0], i[0]))
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(tg.ArgumentError, match="must return None or 1 gradients, got 2"):
        module(x).sum().backward()
    handle.remove()
    module.register_full_backward_hook(lambda m, i, o: i[0][:1])
    with pytest.raises(tg.ShapeError, match=r"here \(2,\)"):
        module(x).sum().backward()


def test_options_of_forward_hooks():
    module, seen = Two(), []
    module.register_forward_pre_hook(lambda m, args: seen.append("second"))
    module.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {**kwargs, "scale": 3.0}), prepend=True, with_kwargs=True
    )
    module.register_forward_pre_hook(lambda m, args: seen.append("first"), prepend=True)
    module.register_forward_hook(lambda m, args, kwargs, output: seen.append(kwargs["scale"]), with_kwargs=True)
    module.register_forward_hook(lambda m, args, output: seen.append(output), always_call=True)
    one = tg.ones(1)
    assert module(one, one, scale=1.0)[0].item() == 3.0
    assert seen[:3] == ["first", "second", 3.0] and len(seen) == 4
    with pytest.raises(tg.ShapeError):
        module(tg.ones(2), tg.ones(3))
    assert seen[-1] is None
    module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(tg.ArgumentError, match=r"\(inputs, kwargs\)"):
        module(one, one, scale=1.0)


def test_parts_by_path():
    net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.Flatten())
    assert net.get_submodule("") is net and net.get_submodule("0.1") is net[0][1]
    assert net.get_parameter("0.0.weight") is net[0][0].weight
    assert net.get_buffer("0.1.running_mean") is net[0][1].running_mean
    for call, path in (("get_submodule", "0.7"), ("get_parameter", "0.0.gamma"), ("get_buffer", "0.0.weight")):
        with pytest.raises(PathError, match=rf"{call}: Sequential has no \w+ '{path}'"):
            getattr(net, call)(path)
    with pytest.raises(AttributeError):
        net.get_submodule("2.0")
    net.set_submodule("0.1", nn.Identity())
    assert isinstance(net[0][1], nn.Identity)
    assert list(net._modules) == ["0", "1"] and list(net[0][0]._parameters) == ["weight", "bias"]
    net._modules["1"] = nn.ReLU()
    assert isinstance(net[1], nn.ReLU)
    del net._modules["1"]
    assert len(net) == 1


def test_conversions_and_states():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).double()
    assert {t.dtype.name for t in net.state_dict().values()} == {"float64", "int64"}
    assert net.half().float().cpu()[0].weight.dtype == np.float32 and net.type("float64")[0].bias.dtype == np.float64
    with pytest.raises(tg.ArgumentError, match="cuda"):
        net.cuda()
    state = net.state_dict(prefix="net.", destination={"epoch": 1}, keep_vars=True)
    assert state["epoch"] == 1 and state["net.0.weight"] is net[0].weight
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    old = other[0].weight
    assert str(other.load_state_dict(net.state_dict(), assign=True)) == "<All keys matched successfully>"
    assert other[0].weight is not old and other[0].weight.dtype == np.float64 and other[0].weight.requires_grad
    np.testing.assert_array_equal(other[0].weight.data, net[0].weight.data)
