"""Observers: every event is heard, nothing changes for being watched, and a misspelled event is refused."""

import numpy as np
import pytest
from leaves import leaf

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd import engine, modes
from tensorgrad.autograd.observer import BACKWARD, EVENTS, Observer


class Log(Observer):
    """Keeps every event with its facts."""

    def __init__(self):
        self.events = []

    def names(self):
        return [name for name, _ in self.events]

    def facts(self, wanted):
        return [facts for name, facts in self.events if name == wanted]


def _logged(name):
    def event(self, *facts):
        self.events.append((name, facts))

    return event


for _name in EVENTS:
    setattr(Log, _name, _logged(_name))


def everything(seed=0):
    """A computation in which every event happens once at least; what it computes."""
    rng = np.random.default_rng(seed)
    model = nn.Linear(3, 2, bias=False)
    model.register_forward_hook(lambda module, inputs, output: None)
    model.weight.data = rng.standard_normal((2, 3)).astype(np.float32)
    x = tg.tensor(rng.standard_normal((4, 3)).astype(np.float32))
    offset = tg.tensor(np.float32(0.5), requires_grad=True)
    h = model(x) + offset
    h[0] = tg.zeros(2)
    labels = tg.Tensor(rng.integers(0, 2, 4))
    h = h[tg.tensor([3, 1, 0, 2])]
    counts = tg.one_hot(labels, 2).sum(0)
    loss = nn.cross_entropy(h, labels)
    loss.backward(tg.tensor(rng.standard_normal(()).astype(np.float32)))
    with pytest.raises(tg.ShapeError):
        x + tg.ones(5)
    return [loss.detach().item(), model.weight.grad.numpy().tobytes(), offset.grad.item(), counts.tolist()]


def test_every_event_is_heard():
    log = Log()
    with tg.observe(log) as watching:
        everything()
    assert watching is log
    assert EVENTS - {*log.names()} == set()
    heard = len(log.events)
    everything()
    assert len(log.events) == heard


def test_who_watches_changes_nothing():
    log, silent = Log(), Observer()
    plain = everything()
    with tg.observe(silent), tg.observe(log):
        assert everything() == plain
    assert log.events and modes.observers() == ()


def test_the_events_of_a_backward_pass_are_told_in_order():
    w = tg.tensor([[2.0], [3.0]], requires_grad=True)
    x, log = tg.tensor([5.0, 7.0]), Log()
    z = w * x
    upstream = tg.tensor([[1.5, -2.0], [0.25, 4.0]])
    with tg.observe(log):
        z.backward(upstream)
    names = [name for name in log.names() if not name.startswith("op_")]
    assert names == [
        *("scope_entered", "backward_started", "gradient_summed", "gradient_contributed"),
        *("gradients_arrived", "scope_left"),
    ]
    assert log.facts("scope_entered") == log.facts("scope_left") == [(BACKWARD,)]
    ((call, outputs, seeds, create_graph),) = log.facts("backward_started")
    assert (call, create_graph) == ("backward", False)
    assert outputs == (z,) and seeds == (upstream,)
    assert log.facts("gradient_summed") == [(z._node, 0, (2, 2))]
    ((node, position, arrived, contribution),) = log.facts("gradient_contributed")
    assert (node, position) == (z._node, 0) and arrived is upstream
    np.testing.assert_array_equal(contribution.data, [[1.5 * 5 - 2 * 7], [0.25 * 5 + 4 * 7]])
    ((gradients, _),) = log.facts("gradients_arrived")
    assert list(gradients) == [w]


def test_scopes_are_left_where_a_module_raises():
    log = Log()
    with tg.observe(log), pytest.raises(tg.ShapeError):
        nn.Linear(3, 2)(tg.ones(4, 5))
    assert [scope.kind for (scope,) in log.facts("scope_left")] == ["Linear"]


def test_helpers_beside_the_ops_are_heard_as_a_whole():
    x, log = tg.tensor([1.0, 2.0]), Log()

    def double(array):
        return (tg.Tensor(array) * 2.0).data  # an op inside: of no interest

    def fail(array):
        raise ValueError("no")

    with tg.observe(log):
        doubled = engine.host_call(double, x._data)
        assert engine.guard(np.any, doubled)
        made = engine.constant(doubled)
        with pytest.raises(ValueError):
            engine.host_call(fail, x._data)
        assert modes.observers() == (log,)
    np.testing.assert_array_equal(doubled, [2.0, 4.0])
    names = ["host_call_started", "host_call_finished", "guard_checked", "constant_made", "host_call_started"]
    assert log.names() == names
    ((function, (argument,), result, effect),) = log.facts("host_call_finished")
    assert function is double and argument is x._data and result is doubled and effect is False
    assert log.facts("guard_checked") == [(np.any, (doubled,), True)] and log.facts("constant_made") == [(made,)]


@pytest.mark.parametrize(
    "name, meant",
    [
        ("op_aplied", "op_applied"),
        ("applied", "op_applied"),
        ("on_op_failed", "op_failed"),
        ("scope_enter", "scope_entered"),
        ("entered", "scope_entered"),
        ("backward_start", "backward_started"),
        ("gradient_contribution", "gradient_contributed"),
        ("host_call_finish", "host_call_finished"),
        ("const_made", "constant_made"),
    ],
)
def test_a_misspelled_event_is_refused(name, meant):
    with pytest.raises(tg.ArgumentError, match=rf"(?s)Mine: {name} isn't an event.*did you mean {meant}\?"):
        type("Mine", (Observer,), {name: lambda self, *facts: None})


def test_other_methods_and_attributes_are_free():
    kept = {"report": lambda self: 1, "_applied": lambda self: 2, "total": 0, "failed_ops": (), "op_applied": print}
    assert type("Mine", (Observer,), kept)().report() == 1


def test_observing_needs_an_observer():
    class Duck:
        def op_applied(self, op, inputs, output):
            """Never called."""

    with (
        pytest.raises(tg.DTypeError, match=r"(?s)observe: expected an Observer.*derive its class from tg\.Observer"),
        tg.observe(Duck()),
    ):
        raise AssertionError("it was let in")
    assert modes.observers() == ()


def test_observers_see_every_op_backward_included_and_failures():
    seen = []

    class Log(tg.Observer):
        def op_applied(self, op, inputs, output):
            seen.append((op.name, output.shape))

        def op_failed(self, op, inputs, error):
            seen.append((op.name, type(error).__name__))

    x = leaf(3)
    with tg.observe(Log()):
        y = (x * x).sum()
        y.backward()
        with pytest.raises(tg.ShapeError):
            x + tg.ones(4)
    x * 2.0
    names = [name for name, _ in seen]
    assert names[:2] == ["multiply", "sum"] and "broadcast_to" in names and names.count("multiply") == 3
    assert seen[-1] == ("add", "ValueError")


def test_observers_see_parts_that_later_sums_do_not_change():
    parts = []

    class Keep(tg.Observer):
        def op_applied(self, op, inputs, output):
            parts.append((output, output.data.copy()))

        def op_failed(self, op, inputs, error):
            raise error

    x = leaf(3)
    with tg.observe(Keep()):
        h = x * 2.0
        (h * 1.0 + h * 2.0 + h * 3.0 + h * 4.0).sum().backward()
    assert all(np.array_equal(t.data, was) for t, was in parts)
