"""Lists and dicts of modules and parameters."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


def names(container):
    return [f"{name}:{type(module).__name__}" for name, module in container.named_children()]


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
def test_list_methods_are_pytorchs(kind):
    torch = pytest.importorskip("torch")

    def steps(lib):
        made = getattr(lib, kind)
        net = made(*[lib.ReLU()]) if kind == "Sequential" else made([lib.ReLU()])
        net.append(lib.Tanh()).extend([lib.Sigmoid(), lib.GELU()])
        yield net
        net.insert(1, lib.Identity())
        yield net
        del net[0]
        yield net
        del net[1:3]
        yield net
        yield net[1:]
        yield net + net[:1]
        net += made(*[lib.ReLU6()]) if kind == "Sequential" else [lib.ReLU6()]
        yield net
        yield net.pop(0)
        yield net

    for ours, theirs in zip(steps(nn), steps(torch.nn), strict=True):
        assert names(ours) == names(theirs)


def test_what_lists_refuse():
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    with pytest.raises(tg.RangeError, match=r"\[-2, 2\), got 2"):
        del net[2]
    with pytest.raises(tg.RangeError, match=r"\[-2, 2\], got 3"):
        net.insert(3, nn.ReLU())
    with pytest.raises(tg.DTypeError, match="expected a Module"):
        net.insert(0, 5)
    assert names(net) == ["0:ReLU", "1:Tanh"]
    assert names(net * 2) == ["0:ReLU", "1:Tanh"]  # the same modules, each once
    assert len(net * 2) == 4


def test_module_dict():
    heads = nn.ModuleDict({"a": nn.Linear(2, 3)})
    heads["b"] = nn.ReLU()
    heads.update([("c", nn.Tanh())])
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"] and len(heads) == 3 and "b" in heads
    assert [type(m).__name__ for m in heads.values()] == ["Linear", "ReLU", "Tanh"]
    assert [name for name, _ in heads.items()] == ["a", "b", "c"]
    assert list(heads.state_dict()) == ["a.weight", "a.bias"]
    assert isinstance(heads.pop("b"), nn.ReLU) and "b" not in heads
    with pytest.raises(KeyError, match="the names are a, c"):
        heads["b"]
    with pytest.raises(tg.ArgumentError, match="is the name of a method"):
        heads["items"] = nn.ReLU()
    heads.clear()
    assert len(heads) == 0


def test_parameter_list_and_dict():
    weights = nn.ParameterList([tg.ones(2, 3), nn.Parameter(np.zeros(4, "f"))])
    weights.append(tg.ones(1)).extend([tg.zeros(2)])
    weights[0] = tg.zeros(5)
    weights += [tg.ones(2)]
    assert len(weights) == 5 and [p.shape for p in weights] == [(5,), (4,), (1,), (2,), (2,)]
    assert [name for name, _ in weights.named_parameters()] == ["0", "1", "2", "3", "4"] or len(weights[1:3]) == 2
    assert all(isinstance(p, nn.Parameter) for p in weights)
    with pytest.raises(tg.RangeError):
        weights[5]
    assert "(1): Parameter containing: [float32 of size 4]" in repr(weights)

    named = nn.ParameterDict({"w": tg.ones(2, 3)})
    named["b"] = tg.zeros(3)
    assert list(named) == ["w", "b"] and named.get("x") is None and named.setdefault("b").shape == (3,)
    assert list(named.state_dict()) == ["w", "b"] and "w" in named and len(named.copy()) == 2
    assert named.pop("w").shape == (2, 3) and [name for name, _ in named.named_parameters()] == ["b"]
    with pytest.raises(KeyError, match="the names are b"):
        named["w"]
    assert "(b): Parameter containing: [float32 of size 3]" in repr(named)
    named.clear()
    assert len(named) == 0 and repr(named) == "ParameterDict()"
