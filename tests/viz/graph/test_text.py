"""The graph in a terminal: what it says, how wide it is, and what it does with hostile names and large graphs."""

import re
import time

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.system.columns import columns, cut, pad, wrap
from tensorgrad.viz.graph.edge_tracks import Track, lay_out

EXAMPLE = """\
computed ↓             gradient ↑
○  a = 2               ∂L/∂a = −4.257
│                      ∂L/∂a += ∂L/∂u₁ · b = −4.719
├─ b = −3              ∂L/∂b = ∂L/∂u₁ · a = 3.146
×  u₁ = a · b = −6
│                      ∂L/∂u₁ = ∂L/∂u₂ = 1.573
├─ c = 6.5             ∂L/∂c = ∂L/∂u₂ = 1.573
+  u₂ = u₁ + c = 0.5
│                      ∂L/∂u₂ = ∂L/∂u₃ · (1 − u₃²) = 1.573
tanh u₃ = tanh u₂ = 0.4621
│                      ∂L/∂u₃ = ∂L/∂u₄ · a = 2
├─ a, again            ∂L/∂a += ∂L/∂u₄ · u₃ = 0.4621
×  u₄ = u₃ · a = 0.9242
│                      ∂L/∂u₄ = ∂L/∂L = 1
Σ  L = Σ u₄ = 0.9242   ∂L/∂L = 1"""

SKIP = """\
computed ↓ · gradient ↑
  ○  w (3,)
  │  ↑ ∂L/∂w = ∂L/∂u₁ ⊙ 2w
  │    (mean |·| 0.555)
  x² u₁ = w²  (3,)
  │  ↑ ∂L/∂u₁  (mean |·| 0.22)
┌─┤
│ │  ↑ ∂L/∂u₁ += ∂L/∂u₂ ⊙ cos u₁
│ │    (mean |·| 0.234)
│ sin u₂ = sin u₁  (3,)
│ │  ↑ ∂L/∂u₂ = ∂L/∂u₃
│ │    (mean |·| 0.333)
└─┤  u₁
  │  ↑ ∂L/∂u₁ += ∂L/∂u₃
  │    (mean |·| 0.333)
  +  u₃ = u₂ + u₁  (3,)
  │  ↑ ∂L/∂u₃ = ∂L/∂L · 1/3
  │    (mean |·| 0.333)
  mean L = 1/3 Σ u₃ = 4.832
     ↑ ∂L/∂L = 1"""


def example():
    a, b, c = (tg.Tensor(v, requires_grad=True, name=n) for v, n in ((2.0, "a"), (-3.0, "b"), (6.5, "c")))
    return a, b, c, ((a * b + c).tanh() * a).sum()


def skip():
    w = tg.Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True, name="w")
    u = w**2
    return (u.sin() + u).mean()


def test_the_example_of_two_paths():
    assert tg.viz.text(example()[-1], width=80) == EXAMPLE


def test_a_skip_connection_is_a_line_at_the_left_and_gradients_stand_below_in_a_narrow_terminal():
    loss = skip()
    assert tg.viz.text(loss, names={}, width=40) == SKIP.replace("L", "loss").replace("closs", "cL")


def squeezed(text):
    return re.sub(" +", " ", text)


def test_the_numbers_are_those_of_backward_also_after_it():
    a, b, c, loss = example()
    before = tg.viz.text(loss, width=100)
    with tg.viz.trace() as t:
        traced = ((a * b + c).tanh() * a).sum()
        traced.backward()
    assert squeezed(tg.viz.text(t, width=100)) == squeezed(before).replace("loss", "traced")
    loss.backward()
    after = tg.viz.text(loss, width=100)
    for x in (b, c):
        assert re.search(rf"∂loss/∂{x.name} = .* = {x.grad.item() / 2:.4g}", before)
        assert re.search(rf"∂loss/∂{x.name} = .* = {x.grad.item():.4g}", after)
    assert f"∂loss/∂a = −{-a.grad.item():.4g}" in after
    assert "∂loss/∂u₁ = ∂loss/∂u₂\n" in after  # freed: the rule without its number


def test_a_failed_computation_is_drawn_up_to_the_op_that_failed():
    x, w, v = np.ones((2, 4), np.float32), tg.ones(4, 5, requires_grad=True), tg.ones(3, 2)
    with pytest.raises(tg.ShapeError), tg.viz.trace() as t:
        ((x @ w).relu() @ v).sum()
    lines = tg.viz.text(t, width=100).splitlines()
    failed, error = lines[-6:-4]
    assert failed == "✗  matmul failed for u₂ (2, 5) and v (3, 2):"
    assert error == "   ShapeError: matmul: the inner sizes differ"
    assert "∂L" not in "".join(lines)
    assert [line[0] for line in lines[:4]] == ["○", "├", "@", "r"]
    assert max(map(len, tg.viz.text(t, width=24).splitlines())) <= 24


@pytest.mark.parametrize("width", [20, 33, 60, 80, 100])
def test_no_line_is_wider_than_the_terminal(width):
    rng = np.random.default_rng(0)
    x = tg.Tensor(rng.standard_normal((2, 1, 8, 8)).astype(np.float32))
    w = tg.Tensor(rng.standard_normal((3, 1, 3, 3)).astype(np.float32), requires_grad=True, name="重み" * 30)
    v = tg.Tensor(rng.standard_normal((27, 4)).astype(np.float32), requires_grad=True, name="encoder.block.3.weight")
    h = tg.max_pool2d(tg.conv2d(x, w).relu(), 2).reshape(2, -1)
    loss = ((h @ v).softmax(axis=1).log() * (h @ v)).mean()
    text = tg.viz.text(loss, width=width)
    assert max(map(columns, text.splitlines())) <= width
    assert tg.viz.explain(loss, wrt=w, index=(0, 0, 1, 1)).text(width)
    assert max(map(columns, tg.viz.explain(loss, wrt=w, index=(0, 0, 1, 1)).text(width).splitlines())) <= width
    assert max(map(columns, tg.viz.explain(loss, wrt=v).text(width).splitlines())) <= width


def test_hostile_names_come_out_as_text():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="a\x1b[31mb\r\n\x9bc\u202e" + "d" * 10_000)
    text = tg.viz.text((x * x).sum(), width=80)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ue000-\uf8ff]", text)
    assert "a [31mb" in text
    assert max(map(columns, text.splitlines())) <= 80


def test_the_middle_of_a_large_graph_is_left_out():
    h = tg.Tensor(1.0, requires_grad=True, name="x")
    for _ in range(100):
        h = h * 1.01
    text = tg.viz.text(h, width=80, max_ops=6)
    assert "┆  94 ops are left out here" in text
    assert text.count("×") == 6
    assert "made above" in text
    assert tg.viz.text(h, width=80, max_ops=100).count("×") == 100


def test_a_graph_that_is_too_large_is_refused_quickly():
    h = tg.Tensor(1.0, requires_grad=True)
    for _ in range(100_000):
        h = h * 1.0
    start = time.perf_counter()
    with pytest.raises(tg.ArgumentError, match="at most max_ops ops, got more than 10,000"):
        tg.viz.text(h)
    assert time.perf_counter() - start < 60  # it must not walk paths or take minutes


def test_many_tensors_used_again_keep_their_lines_apart():
    p = tg.Tensor([1.0, 2.0], requires_grad=True, name="p")
    tensors = [p * float(k) for k in range(2, 14)]
    total = tensors[-1]
    for tensor in tensors[:-1]:
        total = total + tensor.sin()
    lines = tg.viz.text(total.sum(), width=100).splitlines()
    assert max(map(columns, lines)) <= 100
    assert max(line.find("○") for line in lines) <= 16  # eight lines side by side, no more


@pytest.mark.parametrize("seed", range(20))
def test_every_rail_leads_from_its_start_to_its_stops(seed):
    rng = np.random.default_rng(seed)
    rails, row = [], 0
    while row < 18:
        stops = sorted({int(k) for k in rng.integers(row + 1, 24, rng.integers(1, 4))})
        rails.append(Track(row, stops))
        row += int(rng.integers(1, 4))
    lines = lay_out(rails, 24, most=4)
    assert len({len(line) for line in lines}) == 1
    drawn = [rail for rail in rails if rail.column >= 0]
    assert drawn
    for rail in drawn:
        at = len(lines[0]) - 2 * (rail.column + 1)
        assert lines[rail.start][at] == "┌"
        assert lines[rail.stops[-1]][at] == "└"
        for k in range(rail.start + 1, rail.stops[-1]):
            assert lines[k][at] in ("├" if k in rail.stops else "│┼")
        for k in (rail.start, *rail.stops):  # the way to the text is open
            assert re.fullmatch("[─┼├┌└]*", lines[k][at + 1 :])
    for one in drawn:
        for other in drawn:
            if one is not other and one.column == other.column:
                assert one.stops[-1] < other.start or other.stops[-1] < one.start


def test_columns_of_wide_and_combining_characters():
    assert [columns(text) for text in ("abc", "重み", "x̂", "é", "Σ", "│")] == [3, 4, 1, 1, 1, 1]
    assert pad("重", 4) == "重  "
    assert pad("重", 4, right=True) == "  重"
    assert cut("重み重み", 4) == "重…"
    assert [columns(line) for line in wrap("重み" * 5, 7)] == [6, 6, 6, 2]


def test_errors():
    _, _, _, loss = example()
    with pytest.raises(tg.DTypeError, match="loss must be a tensor or a trace"):
        tg.viz.text(3.0)
    with pytest.raises(tg.ArgumentError, match="at least 20 columns"):
        tg.viz.text(loss, width=10)
    with pytest.raises(tg.DTypeError, match="width must be an integer or None, got"):
        tg.viz.text(loss, width=80.0)
    with pytest.raises(tg.ArgumentError, match="max_ops"):
        tg.viz.text(loss, max_ops=1)
    with pytest.raises(tg.GraphError, match="output is a leaf"):
        tg.viz.text(tg.ones(1, requires_grad=True))


def test_a_product_with_itself_has_one_row():
    w = tg.tensor(3.0, requires_grad=True, name="w")
    u = w + 1.0
    lines = str(tg.viz.text(u * u, width=100)).splitlines()
    assert [line for line in lines if "∂L/∂u +=" in line and line.endswith("= 4, twice")]
    assert sum("∂L/∂u +=" in line for line in lines) == 1
