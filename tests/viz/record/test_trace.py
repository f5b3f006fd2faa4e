"""Traces: what is seen of a computation while it runs, in which modules, from which lines, and where it failed."""

import dis
import gc

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd import modes
from tensorgrad.autograd.observer import Scope
from tensorgrad.viz.record.check import TOLERANCE
from tensorgrad.viz.record.collect import collect
from tensorgrad.viz.record.source import assigned_at

NUMBERS = tg.viz.Depth(numbers=True)
ALL = tg.viz.Depth(numbers=True, details=True, check=True)


def network():
    tg.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3))


def batch(n=2):
    rng = np.random.default_rng(5)
    return tg.Tensor(rng.standard_normal((n, 1, 8, 8)).astype(np.float32)), tg.Tensor(np.arange(n) % 3)


def traced_step(model):
    images, labels = batch()
    with tg.viz.trace() as t:
        loss = nn.CrossEntropyLoss()(model(images), labels)
        loss.backward()
    return t, loss


def structure(graph):
    return [(op.id, op.name, op.output) for op in graph.ops], [(t.id, t.kind, t.shape) for t in graph.tensors]


def test_a_trace_sees_the_graph_that_collect_finds():
    model = network()
    images, labels = batch()
    with tg.viz.trace() as t:
        loss = nn.CrossEntropyLoss()(model(images), labels)
    seen, found = t.record(depth=NUMBERS), collect(loss, depth=NUMBERS)
    assert structure(seen) == structure(found)
    assert [(e.tensor, e.op, e.operand, e.derivative) for e in seen.edges] == [
        (e.tensor, e.op, e.operand, e.derivative) for e in found.edges
    ]


def test_ops_know_the_modules_they_ran_in_and_the_line_that_called_them():
    t, _ = traced_step(network())
    ops = t.record().ops
    assert [op.name for op in ops[:5]] == ["convolution", "relu", "max_pool", "reshape", "linear"]
    outer = Scope("", "Sequential")
    assert ops[0].scopes == (outer, Scope("0", "Conv2d"))
    assert ops[4].scopes == (outer, Scope("4", "Linear"))
    assert {op.scopes[0].kind for op in ops[5:]} == {"CrossEntropyLoss"}
    assert {(op.source.file, op.source.text) for op in ops} == {
        (__file__, "loss = nn.CrossEntropyLoss()(model(images), labels)")
    }


def test_contributions_are_those_of_backward_and_sum_to_the_gradient():
    model = network()
    t, _ = traced_step(model)
    graph = t.record(depth=ALL)
    by_name = {tensor.name: tensor for tensor in graph.tensors}
    for name, parameter in model.named_parameters():
        expected = parameter.grad.numpy()
        assert by_name[name].gradient.mean_abs == pytest.approx(np.abs(expected).mean(dtype=np.float64))
        assert by_name[name].gradient.statistics.max == expected.max()
        arriving = [e.contribution for e in graph.edges if e.tensor == by_name[name].id]
        assert len(arriving) == 1
        if expected.size <= 64:
            np.testing.assert_array_equal(arriving[0].details.values, expected.ravel())


def test_where_paths_meet_the_gradient_is_their_sum():
    x = tg.Tensor(np.array([1.0, -2.0, 3.0]), requires_grad=True, name="x")
    with tg.viz.trace() as t:
        y = x * 2.0
        ((y * y) + y + x).sum().backward()
    graph = t.record(depth=ALL)
    for tensor in graph.tensors:
        if tensor.kind in ("parameter", "interior"):
            parts = [e.contribution.details.values for e in graph.edges if e.tensor == tensor.id]
            np.testing.assert_allclose(np.sum(parts, axis=0), tensor.gradient.details.values, rtol=1e-12)
    (leaf,) = [tensor for tensor in graph.tensors if tensor.name == "x"]
    np.testing.assert_allclose(leaf.gradient.details.values, 8 * x.data + 3, rtol=1e-12)


def test_finite_differences_agree_with_every_edge_and_disagree_with_a_wrong_rule():
    t, _ = traced_step(network())
    checks = [e.checked for e in t.record(depth=ALL).edges if e.carries_gradient]
    assert all(error is not None and error < TOLERANCE for error in checks)


@pytest.mark.parametrize("size", [1e9, 1e15, 1e100])
def test_finite_differences_agree_at_large_numbers(size):
    x = tg.Tensor(size * np.random.default_rng(5).standard_normal(4), requires_grad=True, name="x")
    with tg.viz.trace() as t:
        (x * np.array([3.0, -1e20, 7.0, 0.5])).sum().backward()
    assert all(e.checked < 1e-4 < TOLERANCE for e in t.record(depth=ALL).edges if e.carries_gradient)


def test_a_wrong_rule_is_found_out(monkeypatch):
    from tensorgrad.ops.elementwise.transcendental import Tanh

    wrong = Tanh.rules[0]._replace(backward=lambda op, grad, z: grad * (1 - z))
    monkeypatch.setattr(Tanh, "rules", (wrong,))
    with tg.viz.trace() as t:
        tg.Tensor(np.array([0.3, -0.8]), requires_grad=True).tanh().sum().backward()
    errors = [e.checked for e in t.record(depth=ALL).edges]
    assert errors[0] > 0.1
    assert errors[1] < TOLERANCE


def test_values_are_those_of_the_step_though_the_optimizer_has_moved_on():
    w = tg.Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True, name="w")
    optimizer = nn.optim.SGD([w], lr=0.5)
    with tg.viz.trace() as t:
        (w * w).sum().backward()
        optimizer.step()
    np.testing.assert_array_equal(w.data, [0.0, 0.0])
    record = t.record(depth=ALL).tensors[0]
    assert record.details.values == (1.0, 2.0)
    assert record.gradient.details.values == (2.0, 4.0)


def test_an_array_changed_in_place_since_is_not_shown():
    x = tg.Tensor(np.ones(3, np.float32))
    w = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    with tg.viz.trace() as t:
        (w + x).sum()
    x[0] = 5.0
    assert [tensor.statistics is None for tensor in t.record(depth=NUMBERS).tensors[:2]] == [False, True]


def test_local_derivatives_between_scalars_are_exact():
    a, b = (tg.Tensor(v, requires_grad=True) for v in (2.0, -3.0))
    with tg.viz.trace() as t:
        ((a * b).tanh() * 7.3).backward()
    assert [e.local for e in t.record(depth=NUMBERS).edges[:2]] == [-3.0, 2.0]


def test_broadcast_operands_say_over_which_axes_their_gradient_was_summed():
    w, b, c = (tg.Tensor(np.ones(s, np.float32), requires_grad=True) for s in ((2, 3), (3,), (2, 1)))
    with tg.viz.trace() as t:
        ((w + b) * c).sum().backward()
    assert [e.summed for e in t.record(depth=NUMBERS).edges] == [(), (0,), (), (1,), ()]


def test_a_computation_without_gradients_is_seen_too():
    with tg.viz.trace() as t, tg.no_grad():
        z = (tg.ones(3) * 2).sum()
    graph = t.record(z)
    assert [op.name for op in graph.ops] == ["multiply", "sum"]
    assert not any(e.carries_gradient for e in graph.edges)
    assert [tensor.kind for tensor in graph.tensors] == ["constant", "constant", "interior", "output"]


def test_an_op_that_raises_is_the_last_of_the_records(monkeypatch):
    from tensorgrad.ops.elementwise.transcendental import Exp

    def fail(self, x):
        raise ValueError("out of luck")

    monkeypatch.setattr(Exp, "forward", fail)
    w = tg.ones(2, 3, requires_grad=True)
    with pytest.raises(tg.ShapeError), tg.viz.trace() as t:
        (w * 2).exp()
    graph = t.record()
    assert [op.name for op in graph.ops] == ["multiply", "exp"]
    assert "out of luck" in graph.ops[-1].error
    assert graph.output == graph.ops[-1].output == ""


def test_a_call_that_was_refused_shows_its_operands_module_and_line():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Sequential(nn.Linear(9, 2)))
    with pytest.raises(tg.ShapeError), tg.viz.trace() as t:
        model(tg.ones(2, 4))
    graph = t.record()
    failed = graph.ops[-1]
    assert [op.name for op in graph.ops] == ["linear", "relu", "linear"]
    assert failed.error.startswith("ShapeError: linear: input and weight must agree in the size of the last axis")
    assert [scope.path for scope in failed.scopes] == ["", "2", "2.0"]
    assert failed.source.text == "model(tg.ones(2, 4))"
    shapes = {tensor.id: tensor.shape for tensor in graph.tensors}
    operands = [(e.operand, shapes[e.tensor]) for e in graph.edges if e.op == failed.id]
    assert operands == [("input", (2, 8)), ("weight", (2, 9)), ("bias", (2,))]


def test_an_error_that_is_none_of_ours_leaves_the_part_that_ran():
    with pytest.raises(KeyError), tg.viz.trace() as t:
        (tg.ones(3, requires_grad=True) * 2).sum()
        raise KeyError
    assert [(op.name, op.error) for op in t.record().ops] == [("multiply", ""), ("sum", "")]


def test_ops_of_the_walk_back_are_no_part_of_the_graph_unless_recorded():
    x = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    with tg.viz.trace() as t:
        (first,) = tg.grad((x**3).sum(), [x])
        z = (first * x).sum()
    assert [op.name for op in t.record(z).ops] == ["multiply", "sum"]
    assert repr(t) == "<Trace of 4 ops>"


def test_steps_of_a_double_backward_are_part_of_the_graph():
    x = tg.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    with tg.viz.trace() as t:
        y = (x * x * x).sum()
        y.backward(create_graph=True)
        penalty = (x.grad * x.grad).sum()
    assert len(t.record(penalty).ops) > len(t.record(y).ops)


def test_a_trace_leaves_results_gradients_and_observers_alone():
    plain, watched = network(), network()
    images, labels = batch()
    nn.CrossEntropyLoss()(plain(images), labels).backward()
    traced_step(watched)
    for a, b in zip(plain.parameters(), watched.parameters(), strict=True):
        np.testing.assert_array_equal(a.grad.data, b.grad.data)
    assert modes.observers() == ()


def test_a_trace_makes_no_reference_cycle_with_what_it_saw():
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(3):
            t, loss = traced_step(network())
            t.record(depth=NUMBERS)
            del t, loss
        grown = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert grown < 200


def test_an_empty_trace_and_a_strange_output_are_errors_that_say_so():
    with tg.viz.trace() as t:
        pass
    with pytest.raises(tg.GraphError, match="nothing ran inside the block"):
        t.record()
    with tg.viz.trace() as t:
        tg.ones(2) * 2
    with pytest.raises(tg.GraphError, match="wasn't computed inside the block"):
        t.record(tg.ones(3))
    with pytest.raises(tg.ArgumentError, match="at most max_ops ops, got 1"):
        t.record(max_ops=0)


def test_two_traces_of_the_same_step_give_equal_records():
    assert traced_step(network())[0].record(depth=ALL) == traced_step(network())[0].record(depth=ALL)


@pytest.mark.parametrize("z", [np.zeros((4, 0), np.float32), np.array([[np.nan, 1.0, np.inf]], np.float32)])
def test_statistics_of_strange_arrays(z):
    w = tg.Tensor(z, requires_grad=True)
    with tg.viz.trace() as t:
        (w * 1.0).sum()
    found = t.record(depth=ALL).tensors[0].statistics
    assert (found.nans, found.infinities) == (int(np.isnan(z).sum()), int(np.isinf(z).sum()))
    assert (found.min, found.max) == ((1.0, 1.0) if z.size else (0.0, 0.0))


def test_zeros_are_checked_too_and_at_a_kink_any_slope_between_is_right():
    x, b = tg.randn(4, 3), tg.zeros(3, requires_grad=True)
    with tg.viz.trace() as t:
        ((x + b).relu() * (x + 1.0)).sum().backward()
    assert t.record(depth=ALL).edges[1].checked < 1e-6
    with tg.viz.trace() as t:
        tg.zeros(3, requires_grad=True).relu().sum().backward()
    assert t.record(depth=ALL).edges[0].checked == 0


def test_a_model_made_inside_the_block_has_the_names_of_its_parameters():
    with tg.viz.trace() as t:
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        model(tg.ones(2, 3)).sum().backward()
    names = [tensor.name for tensor in t.record().tensors if tensor.kind == "parameter"]
    assert names == ["0.weight", "0.bias", "2.weight", "2.bias"]


def drawn(function):
    """The formulas and rules of what a function computes; they name the tensors."""
    with tg.viz.trace() as step:
        function()
    graph = step.record()
    return [op.applied for op in graph.ops], [edge.rule for edge in graph.edges if edge.rule]


def test_a_variable_names_the_result_that_it_was_bound_to_and_nothing_else():
    w = tg.tensor(2.0, requires_grad=True, name="w")

    def double(x):
        return x + x

    def program():
        logits = double(w * 3)  # not w * 3: it's what `double` makes of it
        scaled = [w * k for k in (4, 5)]
        pair = (w * 6, w * 7)
        _hidden = w * 8
        (logits + scaled[0] * pair[0] + _hidden).backward()

    formulas, _ = drawn(program)
    assert formulas[:2] == ["u₁ = w · 3", "logits = u₁ + u₁"]
    assert not [formula for formula in formulas[2:] if formula[0] not in "uL"]


def test_each_variable_of_an_assignment_to_several_names_its_own_result():
    w = tg.tensor(2.0, requires_grad=True, name="w")

    def both(x):
        """Its argument isn't a name for what its caller computed."""
        return x.sin(), x.cos()

    def program():
        m, s = w * 1, (w * 2).exp()
        first, second = both(m * s)
        a, b, c, _d = w * 3, [w * 4], w * 5, w * 6
        (first + second + a + b[0] * c + _d).backward()

    formulas, _ = drawn(program)
    assert formulas[:6] == ["m = w · 1", "u₁ = w · 2", "s = e^u₁", "u₂ = m · s", "first = sin u₂", "second = cos u₂"]
    assert formulas[6:10] == ["a = w · 3", "u₃ = w · 4", "c = w · 5", "u₄ = w · 6"]


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("m, s, t = x + 1, f(x, k=x + 2), x + 3", ["m", "", "t"]),
        ("a, b, c, d = x + 1, x + 2, y[x + 3], x + 4", ["a", "b", "", "d"]),
        ("m[0], s = x + 1, x + 2", ["", "s"]),
        ("m, self.s = x + 1, (x + 2).t", ["m", ""]),
        ("m = n = x + 1", ["m"]),
        ("m, s = f(x + 1)", [""]),
        ("m, *s = x + 1, x + 2", ["", ""]),
        ("m, s = x + 1 if y else x + 2, x + 3", ["", "m", "s"]),
        ("m, s = x + 1, (n := x + 2)", ["m", "n"]),
    ],
)
def test_the_variable_that_a_result_is_assigned_to_is_read_from_the_instructions(statement, names):
    code = compile(f"def f(self, m, x, y):\n {statement}", "", "exec").co_consts[0]
    sums = [found.offset for found in dis.get_instructions(code) if (found.opname, found.argrepr) == ("BINARY_OP", "+")]
    assert [assigned_at(code, offset) for offset in sums] == names


def test_results_of_a_loop_are_numbered_and_statements_over_several_lines_name_theirs():
    w = tg.tensor(2.0, requires_grad=True, name="w")

    def program():
        h = w * 1
        for _ in range(2):
            h = (h * w).tanh()
        total = (
            h
            * w
        )  # fmt: skip
        total.backward()

    formulas, _ = drawn(program)
    assert formulas == ["h = w · 1", "u₁ = h · w", "h₂ = tanh u₁", "u₂ = h₂ · w", "h₃ = tanh u₂", "total = h₃ · w"]


def test_a_variable_that_is_still_there_is_numbered_like_those_before():
    w = tg.tensor(2.0, requires_grad=True, name="w")
    with tg.viz.trace() as step:
        h = w * 2
        h = h * w
        h.backward()
    text = str(tg.viz.text(step))
    assert "h₂ = h · w" in text and "′" not in text


def test_formulas_name_what_they_are_about():
    w = tg.tensor([[1.0, 2.0]], requires_grad=True, name="w")
    labels = tg.tensor([1])

    def program():
        rows = tg.cat([w, w * 2, w[:1]])
        loss = tg.nn.cross_entropy(rows[:1], labels, reduction="sum") + rows.max(0).values.sum()
        loss.backward()

    formulas, rules = drawn(program)
    assert "rows = [w, u₁, u₂]" in formulas
    assert any(formula.endswith("[labels]") for formula in formulas)
    assert any(rule.startswith("∂loss/∂w[:1] +=") for rule in rules)
    assert not [rule for rule in rules if "∂L/" in rule]


def test_what_a_recorded_backward_pass_computes_without_a_gradient_is_an_op_too():
    """Before, ∂z/∂(sin w) = 1 · x was a constant that came from nowhere."""
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    x = tg.tensor([3.0, 4.0], name="x")
    with tg.viz.trace() as step:
        (slope,) = tg.grad((w.sin() * x).sum(), [w], create_graph=True)
        (slope**2).sum().backward()
    record = step.record()
    assert [t.name for t in record.tensors if t.kind == "constant" and t.shape] == ["x"]
    assert [op.name for op in record.ops][:3] == ["broadcast_to", "multiply", "cos"]


def test_a_model_made_inside_of_the_block_is_drawn_with_the_values_that_it_ran_with():
    with tg.viz.trace() as t:
        layer = nn.Linear(3, 2)  # its weights are zeros before they are set
        loss = layer(tg.ones(1, 3)).sum()
        loss.backward()
        with tg.no_grad():
            layer.weight += 1.0
    record = t.record(names=dict(layer.named_parameters()), depth=tg.viz.Depth(numbers=True))
    found = next(tensor.statistics for tensor in record.tensors if tensor.name == "weight")
    before = layer.weight.numpy() - 1.0
    assert (found.min, found.max) == pytest.approx((before.min(), before.max()), abs=1e-6)


def test_an_input_is_called_as_the_line_that_uses_it_calls_it():
    def loss_of(given, factor):
        return (given * factor).sum()

    def program():
        rate = tg.tensor(0.5)
        for row in ([1.0, 2.0], [3.0, 4.0]):
            loss_of(tg.tensor(row, requires_grad=True), rate).backward()

    formulas, rules = drawn(program)
    assert formulas == ["u₁ = given · factor", "u₂ = Σ u₁", "u₃ = given₂ · factor", "u₄ = Σ u₃"]
    assert "∂L/∂given = ∂L/∂u₁ ⊙ factor" in rules


def test_models_are_called_as_the_program_that_runs_them_calls_them():
    def program():
        left, right = nn.Linear(2, 2), nn.Linear(2, 2)
        right(left(tg.ones(1, 2))).sum().backward()

    with tg.viz.trace() as step:
        program()
    record = step.record()
    assert {"left.weight", "left.bias", "right.weight", "right.bias"} <= {tensor.name for tensor in record.tensors}
    assert {op.scopes[0].path for op in record.ops if op.scopes} == {"left", "right"}


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: x * 3.0, 3.0),
        (lambda x: x.tanh(), 1 - np.tanh(0.7) ** 2),
        (lambda x: x.sigmoid(), 1 / (2 + 2 * np.cosh(0.7))),
        (lambda x: 2.0 / x, -2 / 0.7**2),
        (lambda x: x - 1.0, 1.0),
    ],
)
def test_local_derivatives_are_known_where_no_gradient_arrives(function, slope):
    x = tg.tensor(0.7, dtype=tg.float64, requires_grad=True)
    with tg.viz.trace() as step:
        (function(x) * 0.0).backward()
    edge = next(edge for edge in step.record(depth=NUMBERS).edges if edge.carries_gradient)
    assert edge.contribution.value == 0
    assert edge.local == pytest.approx(slope, rel=1e-6)


def test_several_models_called_by_themselves_are_modules_and_a_loss_is_none():
    def program(several):
        model, criterion = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.MSELoss()
        head = nn.Linear(3, 1, bias=False) if several else tg.neg
        criterion(head(model(tg.ones(4, 2))), tg.zeros(4, 1 if several else 3)).backward()

    for several, names, paths in (
        (False, {"0.weight", "0.bias"}, {"0", "1"}),
        (True, {"model.0.weight", "model.0.bias", "head.weight"}, {"model.0", "model.1", "head"}),
    ):
        with tg.viz.trace() as step:
            program(several)
        record = step.record()
        assert {tensor.name for tensor in record.tensors if tensor.kind == "parameter"} == names
        assert {op.scopes[-1].path for op in record.ops if op.scopes} - {""} == paths
