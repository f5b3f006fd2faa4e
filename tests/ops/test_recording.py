"""What the engine and the language know of every op in the table: observers, gradients, errors, words, methods."""

import inspect
import sys

import batches
import numpy as np
import pytest
from cases import CASES, ROWS
from recorded_cases import FLOATS_IN, GRADIENT_CASES, Recorder, graph, leaves

import tensorgrad as tg
from tensorgrad.autograd import modes
from tensorgrad.autograd.variable import Variable
from tensorgrad.ops.elementwise.elementwise import Elementwise

pytestmark = pytest.mark.filterwarnings("error")


# ------------------------------------------------------------------------------------------------------------- the door


@pytest.mark.cases("case", GRADIENT_CASES, ids=repr)
def test_observers_see_every_op_of_the_graph(case):
    with modes.observe(Recorder()) as seen:
        z = case.call(*leaves(case.inputs()))
    recorded = {node.op for node in graph(z)}
    assert recorded
    assert recorded <= set(seen.ops)
    assert any(output is z for output in seen.outputs)
    assert not seen.errors


@pytest.mark.cases("case", CASES, ids=repr)
def test_no_grad_records_nothing(case):
    tensors = leaves(case.inputs())
    with tg.no_grad():
        z = case.call(*tensors)
    assert z._node is None
    assert not z.requires_grad or any(z is x for x in tensors)


@pytest.mark.cases("case", [c for c in FLOATS_IN if not c.row.differentiable], ids=repr)
def test_no_gradient_through_what_has_none(case):
    z = case.call(*leaves(case.inputs()))
    assert not z.requires_grad
    assert z.is_leaf


@pytest.fixture
def rules_run(monkeypatch, concrete_ops):
    """A list to which each rule that runs adds its op and which input it is for."""
    calls = []

    def spied(position, rule):
        def backward(op, *arguments):
            calls.append((op, position))
            return rule.backward(op, *arguments)

        return rule and rule._replace(backward=backward)

    for cls in concrete_ops:
        monkeypatch.setattr(cls, "rules", tuple(spied(k, rule) for k, rule in enumerate(cls.rules)))
    return calls


@pytest.mark.cases("case", GRADIENT_CASES, ids=repr)
def test_only_needed_gradients_are_computed(case, rules_run):
    """With one input that requires a gradient, the rules run are those on its paths, once for each edge."""
    arrays = case.inputs()
    for k, x in enumerate(arrays):
        if x.dtype.kind != "f":
            continue
        tensors = leaves(arrays, only=k)
        z = case.call(*tensors)
        nodes = list(graph(z))
        edges = [(node.op, min(i, len(node.op.rules) - 1), edge) for node in nodes for i, edge in enumerate(node.edges)]
        assert {e for *_, e in edges if isinstance(e, Variable)} == {tensors[k]}
        rules_run.clear()
        z.backward(case.upstream(z.shape, z.dtype))
        expected = [(op, i) for op, i, e in edges if e is not None and op.rules[i] is not None]
        forward_ops = {node.op for node in nodes}
        assert sorted(map(str, [c for c in rules_run if c[0] in forward_ops])) == sorted(map(str, expected))
        assert all((t.grad is not None) == (t is tensors[k]) for t in tensors)


@pytest.mark.cases("case", GRADIENT_CASES, ids=repr)
def test_graph_keeps_only_what_rules_ask_for(case):
    arrays = case.inputs()
    for only in [None, *(k for k, x in enumerate(arrays) if x.dtype.kind == "f")]:
        for node in graph(case.call(*leaves(arrays, only))):
            op, wanted = node.op, set()
            for k, edge in enumerate(node.edges):
                rule = getattr(op, f"backward_{op.inputs[min(k, len(op.inputs) - 1)]}", None)
                if rule is None and isinstance(op, Elementwise) and op.derivatives:
                    rule = op.derivatives[k] or None
                if edge is not None and rule is not None:
                    wanted |= set(inspect.signature(rule).parameters) - {"grad", "i"}
            kept = {"z" if k < 0 else op.inputs[min(k, len(op.inputs) - 1)] for k in node.saved}
            assert kept <= wanted - {"residuals"}, f"{op.name} keeps {kept}, its rules ask for {wanted}"
            if "residuals" not in wanted:
                assert not holds_array(op.residuals), f"{op.name} keeps arrays as residuals, no rule asks for them"


def holds_array(value):
    return isinstance(value, np.ndarray) or (isinstance(value, (tuple, list)) and any(map(holds_array, value)))


# -------------------------------------------------------------------------------------------------- errors, words, rows


@pytest.mark.cases(
    "bad_call", [pytest.param(b, id=f"{row.name}-{k}") for row in ROWS for k, b in enumerate(row.errors)]
)
def test_bad_calls_are_refused_in_words(bad_call):
    with pytest.raises(bad_call.error) as raised:
        bad_call.call()
    message = str(raised.value)
    for word in bad_call.words:
        assert word in message


def test_ops_carry_their_words(concrete_ops):
    for cls in concrete_ops:
        assert cls.__doc__ and cls.__doc__.startswith(("z", "To ", "Between "))
        assert cls.symbol, cls
        assert str(cls.statement()).startswith("z"), cls
        texts = [cls.derivative_for(k) for k in range(len(cls.inputs))]
        for rule, text, x in zip(cls.rules, texts, cls.inputs, strict=True):
            assert (rule is None) == (text is None), f"{cls} has a derivative text and a rule for {x}, or neither"
            assert text is None or str(text).startswith("∂"), cls
    names = [cls.name for cls in concrete_ops]
    assert len(set(names)) == len(names)


def test_every_op_is_run_by_some_row(concrete_ops):
    with modes.observe(Recorder()) as seen:
        for case in CASES:
            tensors = leaves(case.inputs())
            z = case.call(*tensors)
            if not case.row.differentiable:
                continue
            floats = [x for x in tensors if x.requires_grad]
            upstream = tg.Tensor(case.upstream(z.shape), requires_grad=True)
            tg.grad(z, floats, upstream, retain_graph=True)
            for g in tg.grad(z, floats, upstream, create_graph=True):
                if g.requires_grad:
                    tg.grad(g, [*floats, upstream], case.upstream(g.shape), allow_unused=True, retain_graph=True)
    assert {cls.__name__ for cls in concrete_ops} - {type(op).__name__ for op in seen.ops} == set()


def test_every_public_function_has_a_row():
    rooms = ("tensorgrad.ops.", "tensorgrad.creation")
    public = {name for name, f in vars(tg).items() if inspect.isfunction(f) and f.__module__.startswith(rooms)}
    shown = {getattr(tg, row.public_name, None) for row in ROWS}
    # `as_tensor` computes nothing: tests/test_interop.py looks at it. `equal` gives a bool: see tests/test_language.py.
    assert {name for name in public if getattr(tg, name) not in shown} == {"as_tensor", "equal"}


# The row of split picks one part of several; the method where is called on the second operand of the function.
METHODS = {r.name for r in ROWS if hasattr(tg.Tensor, r.name) and hasattr(tg, r.name)} - {"split", "where"}


@pytest.mark.cases("case", [c for c in CASES if c.row.name in METHODS and c.sample.inputs], ids=repr)
def test_methods_are_the_functions(case):
    x, *others = (tg.Tensor(a) for a in case.inputs())
    z = (
        getattr(x, case.row.name)(*others, **case.params)
        if case.row.name not in SHAPED
        else SHAPED[case.row.name](x, case)
    )
    np.testing.assert_array_equal(z.data, case.call(x, *others).data)


SHAPED = {
    "reshape": lambda x, case: x.reshape(*case.params["shape"]) if case.params["shape"] else x.reshape(()),
    "expand": lambda x, case: x.expand(*case.params["shape"]),
    "gather": lambda x, case: x.gather(case.params["axis"], case.inputs()[1]),
    "permute": lambda x, case: x.permute(*case.params["dims"]),
}

OPERATORS = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "pow": lambda x, y: x**y,
    "matmul": lambda x, y: x @ y,
    "eq": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
    "logical_and": lambda x, y: x & y,
    "logical_or": lambda x, y: x | y,
    "logical_not": lambda x: ~x,
    "negative": lambda x: -x,
    "abs": abs,
}


@pytest.mark.cases("case", [c for c in CASES if c.row.name in OPERATORS], ids=repr)
def test_operators_are_the_functions(case):
    arrays = case.inputs()
    operator, expected = OPERATORS[case.row.name], case.call(*arrays).data
    for k in range(len(arrays)):
        # One operand a tensor, the others NumPy's: `ndarray + tensor` is ours too.
        z = operator(*[tg.Tensor(x) if j == k else x for j, x in enumerate(arrays)])
        assert type(z) is tg.Tensor
        np.testing.assert_array_equal(z.data, expected)


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 9_867
