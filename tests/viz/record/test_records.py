"""Records: what is collected from a live graph, before and after backward, and what is refused."""

import dataclasses

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.viz.record.collect import collect
from tensorgrad.viz.record.records import EdgeRecord, GradientRecord, OpRecord, TensorRecord

NUMBERS = tg.viz.Depth(numbers=True)


def scalars(names=("a", "b", "c")):
    return [tg.Tensor(v, requires_grad=True, name=n) for v, n in zip((2.0, -3.0, 6.5), names, strict=True)]


def example():
    a, b, c = scalars()
    return a, b, c, ((a * b + c).tanh() * a).sum()


def test_golden_records_of_a_small_graph():
    *_, loss = example()
    graph = collect(loss)
    assert graph.ops == (
        OpRecord("op0", "multiply", "×", "z = x · y", (), "t2", applied="u₁ = a · b"),
        OpRecord("op1", "add", "+", "z = x + y", (), "t4", applied="u₂ = u₁ + c"),
        OpRecord("op2", "tanh", "tanh", "z = tanh x", (), "t5", applied="u₃ = tanh u₂"),
        OpRecord("op3", "multiply", "×", "z = x · y", (), "t6", applied="u₄ = u₃ · a"),
        OpRecord("op4", "sum", "Σ", "z = Σ x", (("axis", "()"), ("keepdims", "False")), "t7", applied="L = Σ u₄"),
    )
    h = float(np.tanh(np.float32(0.5)))
    assert graph.tensors == (
        TensorRecord("t0", "parameter", "a", (), "float32", 2.0, None, symbol="a"),
        TensorRecord("t1", "parameter", "b", (), "float32", -3.0, None, symbol="b"),
        TensorRecord("t2", "interior", "", (), "float32", None, None, symbol="u₁"),
        TensorRecord("t3", "parameter", "c", (), "float32", 6.5, None, symbol="c"),
        TensorRecord("t4", "interior", "", (), "float32", None, None, symbol="u₂"),
        TensorRecord("t5", "interior", "", (), "float32", pytest.approx(h, rel=1e-6), None, symbol="u₃"),
        TensorRecord("t6", "interior", "", (), "float32", None, None, symbol="u₄"),
        TensorRecord("t7", "output", "", (), "float32", pytest.approx(2 * h, rel=1e-6), None, symbol="L"),
    )
    assert graph.edges == (
        EdgeRecord("t0", "op0", "x", "∂z/∂x = y", True, applied="∂u₁/∂a = b", rule="∂L/∂a = ∂L/∂u₁ · b"),
        EdgeRecord("t1", "op0", "y", "∂z/∂y = x", True, applied="∂u₁/∂b = a", rule="∂L/∂b = ∂L/∂u₁ · a"),
        EdgeRecord("t2", "op1", "x", "∂z/∂x = 1", True, applied="∂u₂/∂u₁ = 1", rule="∂L/∂u₁ = ∂L/∂u₂"),
        EdgeRecord("t3", "op1", "y", "∂z/∂y = 1", True, applied="∂u₂/∂c = 1", rule="∂L/∂c = ∂L/∂u₂"),
        EdgeRecord(
            "t4", "op2", "x", "∂z/∂x = 1 − z²", True, applied="∂u₃/∂u₂ = 1 − u₃²", rule="∂L/∂u₂ = ∂L/∂u₃ · (1 − u₃²)"
        ),
        EdgeRecord("t5", "op3", "x", "∂z/∂x = y", True, applied="∂u₄/∂u₃ = a", rule="∂L/∂u₃ = ∂L/∂u₄ · a"),
        EdgeRecord("t0", "op3", "y", "∂z/∂y = x", True, applied="∂u₄/∂a = u₃", rule="∂L/∂a = ∂L/∂u₄ · u₃"),
        EdgeRecord("t6", "op4", "x", "∂z/∂xᵢ = 1", True, applied="∂L/∂u₄ᵢ = 1", rule="∂L/∂u₄ = ∂L/∂L"),
    )
    assert graph.output == "t7"


def test_two_runs_give_equal_records():
    assert collect(example()[-1]) == collect(example()[-1])


def test_backward_changes_gradients_and_freed_values_only():
    a, b, c, loss = example()
    before = collect(loss)
    loss.backward()
    after = collect(loss)
    assert (after.ops, after.edges) == (before.ops, before.edges)
    assert [(t.id, t.kind, t.name, t.shape, t.dtype) for t in after.tensors] == [
        (t.id, t.kind, t.name, t.shape, t.dtype) for t in before.tensors
    ]
    found = {t.name: t.gradient for t in after.tensors if t.gradient is not None}
    assert found == {
        n: GradientRecord((), abs(x.grad.item()), x.grad.item()) for n, x in (("a", a), ("b", b), ("c", c))
    }
    assert {t.name: t.value for t in after.tensors if t.kind == "parameter"} == {"a": 2.0, "b": -3.0, "c": 6.5}


def test_a_gradients_mean_is_of_absolute_values():
    w = tg.Tensor(np.array([[1.0, 2.0]]), requires_grad=True)
    loss = (w * np.array([[-3.0, 5.0]])).sum()
    loss.backward()
    assert collect(loss).tensors[0].gradient == GradientRecord((1, 2), 4.0, None)


def test_a_retained_gradient_of_an_interior_tensor_is_recorded():
    w = tg.Tensor(3.0, requires_grad=True)
    h = w * 2
    h.retain_grad()
    loss = h * h
    loss.backward()
    assert [t.gradient.value for t in collect(loss).tensors if t.kind == "interior"] == [12.0]


def test_names_go_given_then_own_then_the_callers_variables():
    a, b, c = scalars((None, "own", "own too"))
    h = a * b
    k = h * a
    k.name = "its own"
    loss = k + c
    variables = {"x": a, "y": b, "z": c, "hidden": h, "k": k, "loss": loss, "n": 1}
    graph = collect(loss, names={"given": c}, variables=variables)
    assert [t.name for t in graph.tensors] == ["x", "own", "hidden", "its own", "given", "loss"]


def test_constants_have_the_value_and_name_that_the_graph_kept_and_one_record_each():
    w = tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    x = tg.Tensor(np.ones((4, 2), np.float32), name="x")
    y = ((x @ w) * 2.5).sum() + (x @ w).sum() + 1
    graph = collect(y)
    constants = [(t.name, t.shape, t.dtype, t.value) for t in graph.tensors if t.kind == "constant"]
    # The sum with 1 needs no value for its backward, so the graph doesn't have it.
    assert constants == [("x", (4, 2), "float32", None), ("", (), "float32", 2.5), ("", (), "", None)]
    assert [e.carries_gradient for e in graph.edges if e.tensor == "t0"] == [False, False]
    y.backward()
    freed = [(t.name, t.shape) for t in collect(y).tensors if t.kind == "constant"]
    assert freed == [("", (4, 2)), ("", ()), ("", (4, 2)), ("", ())]


def test_an_array_of_the_caller_names_a_constant():
    w, x = tg.Tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0], np.float32)
    assert [t.name for t in collect(w * x, variables={"pixels": x}).tensors] == ["", "pixels", ""]


def test_variadic_inputs_share_the_last_derivative():
    a, b, _ = scalars()
    edges = collect(tg.cat([a.reshape(1), b.reshape(1)])).edges[-2:]
    assert [e.operand for e in edges] == ["xs[0]", "xs[1]"]
    assert [e.derivative for e in edges] == ["∂L/∂xᵢ = its part of ∂L/∂z"] * 2


def test_every_differentiable_input_of_every_op_has_a_derivative_to_show(concrete_ops):
    for op in concrete_ops:
        rules = [rule is not None for rule in op.rules]
        shown = [bool(text) for text in op.derivatives] + [False] * (len(rules) - len(op.derivatives))
        assert rules == shown, op


def test_records_are_frozen_and_hold_no_graph():
    graph = collect(example()[-1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.output = "t0"
    plain = (str, int, float, bool, tuple, type(None))
    for record in (*graph.ops, *graph.tensors, *graph.edges):
        assert all(isinstance(getattr(record, f.name), plain) for f in dataclasses.fields(record))


def test_a_loss_without_a_graph_is_an_error_that_says_why():
    w = tg.Tensor(1.0, requires_grad=True)
    with tg.no_grad():
        loss = w * 2
    with pytest.raises(tg.GraphError, match=r"nothing was recorded for output(.|\n)*outside no_grad"):
        collect(loss)
    with pytest.raises(tg.GraphError, match="output is a leaf"):
        collect(w)
    with pytest.raises(tg.DTypeError, match=r"output must be a tensor\n  output: 3\.0"):
        collect(3.0)


def test_a_chain_of_50_000_ops_is_refused():
    y = tg.Tensor(1.0, requires_grad=True)
    for _ in range(50_000):
        y = y * 1.0
    with pytest.raises(tg.ArgumentError, match="at most max_ops ops, got more than 10,000"):
        collect(y)


def test_max_ops_is_the_largest_graph_that_is_drawn():
    y = tg.Tensor(1.0, requires_grad=True) * 1.0
    assert len(collect(y * 2, max_ops=2).ops) == 2
    with pytest.raises(tg.ArgumentError, match=r"got more than 1(.|\n)*max_ops: 1"):
        collect(y * 2, max_ops=1)


def test_values_that_the_graph_did_not_keep_are_computed_again():
    a, b, c = (tg.Tensor(v, requires_grad=True) for v in (2.0, -3.0, 6.5))
    loss = ((a * b + c).tanh() * a).sum()
    values = [t.value for t in collect(loss, depth=NUMBERS).tensors if t.kind == "interior"]
    assert values == [-6.0, 0.5, pytest.approx(np.tanh(0.5)), pytest.approx(2 * np.tanh(0.5))]
    loss.backward()
    assert [t.value for t in collect(loss, depth=NUMBERS).tensors if t.kind == "interior"] == [None] * 4


@pytest.mark.parametrize(
    ("end", "is_shown"),
    [(lambda h: h.sum(), True), (lambda h: (h + 1.0).sum(), False)],
    ids=["met by the loss", "not met, for no rule keeps the 1"],
)
def test_values_are_not_computed_again_from_weights_that_were_changed_since(end, is_shown):
    w = tg.Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True)
    x = tg.Tensor(np.array([[1.0, -1.0]]))
    loss = end(x @ w)  # no rule needs the product, nor w
    product = collect(loss, depth=NUMBERS).tensors[2].statistics
    assert (product is not None and product.mean == -2.0) == is_shown
    loss.backward(retain_graph=True)
    with tg.no_grad():
        w[...] = w - w.grad
    assert collect(loss, depth=NUMBERS).tensors[2].statistics is None
