"""The model summary: right figures, aligned text, escaped HTML, and a model that notices nothing."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


class Net(nn.Module):
    def __init__(self):
        self.conv = nn.Conv2d(1, 6, 5, padding=2)
        self.norm = nn.BatchNorm2d(6)
        self.unused = nn.Linear(2, 2)
        self.head = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(6 * 28 * 28, 10))
        self.head[3].bias.requires_grad_(False)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)))


SIZE = 6 * 28 * 28


def test_rows_and_totals():
    net = Net()
    s = nn.summary(net, (2, 1, 28, 28))
    rows = {row.path: row for row in s.rows}
    order = ["", "conv", "norm", "unused", "head", "head.0", "head.1", "head.2", "head.3"]
    assert list(rows) == order and [row.depth for row in s.rows] == [0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert rows["conv"].layer == "Conv2d" and rows["conv"].output_shape == (2, 6, 28, 28)
    assert (rows["conv"].parameters, rows["conv"].trainable, rows["conv"].activation_bytes) == (156, 156, 2 * SIZE * 4)
    assert rows["unused"].output_shape is None and rows["unused"].parameters == 6
    assert (rows["head.3"].parameters, rows["head.3"].trainable) == (SIZE * 10 + 10, SIZE * 10)
    assert rows["head.1"].activation_bytes == 0 == rows["head.2"].activation_bytes  # views of what is there already
    assert rows["head"].activation_bytes == rows["head"].parameters == 0 and rows["head"].output_shape == (2, 10)
    assert s.parameters == sum(p.numel() for p in net.parameters()) == 156 + 12 + 6 + SIZE * 10 + 10
    assert s.trainable_parameters == s.parameters - 10 and s.parameter_bytes == 4 * s.parameters
    assert s.buffer_bytes == 2 * 6 * 4 + 8 and s.activation_bytes == 3 * 2 * SIZE * 4 + 2 * 10 * 4
    assert s.input_shape == (2, 1, 28, 28)
    assert rows["conv"].input_shape == (2, 1, 28, 28) and rows["head.3"].input_shape == (2, SIZE)
    assert rows["unused"].input_shape is None
    assert (rows["conv"].multiply_adds, rows["head.3"].multiply_adds) == (2 * SIZE * 25, 2 * SIZE * 10)
    assert s.multiply_adds == 2 * SIZE * 25 + 2 * SIZE * 10


@pytest.mark.parametrize(
    "layer, shape, count",
    [
        (nn.Linear(3, 5), (4, 7, 3), 4 * 7 * 3 * 5),
        (nn.Conv2d(4, 8, 3, groups=4), (2, 4, 5, 5), 2 * 8 * 9 * 9),
        (nn.Conv1d(2, 3, 3, stride=2, padding=1), (1, 2, 8), 3 * 4 * 2 * 3),
        (nn.ConvTranspose2d(3, 5, 3, stride=2), (2, 3, 4, 4), 2 * 3 * 16 * 5 * 9),
        (nn.LSTM(8, 16), (5, 2, 8), 5 * 2 * 4 * 16 * (8 + 16)),
        (nn.BatchNorm2d(3), (2, 3, 4, 4), 0),
    ],
    ids=["linear", "depthwise", "strided", "transposed", "lstm", "norm"],
)
def test_multiply_adds_are_the_products_that_a_layer_adds_up(layer, shape, count):
    assert nn.summary(layer, shape).multiply_adds == count


def test_multiply_adds_of_functions_are_those_of_the_module_that_calls_them():
    class Twice(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(3, 3)

        def forward(self, x):
            return self.inner(self.inner(x)) @ tg.ones(3, 2)

    rows = nn.summary(Twice(), (4, 3)).rows
    assert [row.multiply_adds for row in rows] == [4 * 3 * 2, 2 * 4 * 3 * 3]
    assert "72" in str(nn.summary(Twice(), (4, 3))).splitlines()[3].split()


def test_text_is_aligned():
    text = repr(nn.summary(Net(), (1, 1, 28, 28)))
    lines = text.splitlines()
    heads = ["Layer", "Input shape", "Output shape", "Parameters", "Trainable", "Multiply-adds", "Activations"]
    assert lines[0].split() == " ".join(heads).split()
    assert str(nn.summary(Net(), (1, 1, 28, 28))) == text
    end = lines[0].index("Parameters") + len("Parameters")
    counts = {
        line.split(":")[0].strip(): line[:end].split()[-1] for line in lines[2:-4] if line[end - 1 : end].isdigit()
    }
    assert counts == {"conv": "156", "norm": "12", "unused": "6", "3": "47,050"}
    assert "    3: Linear" in text and "not called" in text and "in part" in text and "yes" in text
    assert lines[-3] == "Parameters:  47,224 (47,214 trainable, 10 frozen)"
    assert lines[-2] == "Products:    0.1646 M multiply-adds in matrix products and convolutions"
    assert all(line == line.rstrip() for line in lines)


def test_html_is_escaped():
    Odd = type("A<b>&", (nn.Module,), {"forward": lambda self, x: x})
    shown = nn.summary(nn.Sequential({"<i>": Odd()}), (1, 2))._repr_html_()
    assert "&lt;i&gt;: A&lt;b&gt;&amp;" in shown and "<i>" not in shown and "<b>" not in shown
    assert shown.count("<tr>") == 3 == shown.count("</tr>")


def test_nothing_is_changed():
    class Restless(nn.Module):
        def __init__(self):
            self.noise = nn.Dropout()
            self.register_buffer("calls", tg.zeros(1))
            self.register_buffer("total", tg.zeros(1))

        def forward(self, x):
            self.calls += 1
            self.total = self.total + 1
            tg.rand(3)
            assert not tg.is_grad_enabled() and not self.training
            return self.noise(x)

    net = nn.Sequential(Net(), Restless())
    net[0].eval()
    net[1].noise.training = False
    flags = [m.training for m in net.modules()]
    state = {name: t.data.copy() for name, t in net.state_dict().items()}
    buffers = [id(b) for b in net.buffers()]
    random = tg.default_generator().bit_generator.state
    nn.summary(net, (1, 1, 28, 28))
    assert [m.training for m in net.modules()] == flags and True in flags and False in flags
    assert [id(b) for b in net.buffers()] == buffers
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(tensor, state[name])
    assert tg.default_generator().bit_generator.state == random
    assert tg.is_grad_enabled() and not any(m._forward_hooks for m in net.modules())
    assert all(p.grad is None for p in net.parameters())


def test_a_failure_passes_through_and_leaves_no_trace():
    net = Net()
    with pytest.raises(tg.ShapeError):
        nn.summary(net, (1, 3, 28, 28))
    assert all(m.training for m in net.modules()) and not any(m._forward_hooks for m in net.modules())
    assert tg.is_grad_enabled()


def test_inputs_of_any_kind_and_dtype():
    net = nn.Linear(3, 2).to("float64")
    assert nn.summary(net, (4, 3)).activation_bytes == 4 * 2 * 8
    assert nn.summary(net, np.zeros((5, 3))).rows[0].output_shape == (5, 2)
    assert nn.summary(net, tg.zeros(6, 3)).input_shape == (6, 3)
    assert nn.summary(nn.Flatten(), [2, 3, 4]).rows[0].output_shape == (2, 12)


def test_what_is_shared_counts_once_and_what_is_called_twice_costs_twice():
    class Tied(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(self.a(x))), self.b(x)

    s = nn.summary(Tied(), (1, 4))
    assert [row.parameters for row in s.rows] == [0, 20, 0] and s.parameters == 20 and s.parameter_bytes == 80
    assert [row.activation_bytes for row in s.rows] == [0, 32, 32]
    assert s.rows[0].output_shape == ((1, 4), (1, 4))


def test_a_negative_size_is_no_input():
    with pytest.raises(tg.ShapeError, match="sizes of input must be ≥ 0"):
        nn.summary(nn.Linear(2, 3), (-1, 2))
