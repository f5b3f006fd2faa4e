"""Gradients through compiled functions, of first and second order: replays against the functions themselves."""

import warnings

import numpy as np
import pytest
from compiling import assert_same, numbers, ready_made, weight

import tensorgrad as tg
from tensorgrad import nn

pytestmark = pytest.mark.filterwarnings("error")


def test_gradients_add_up_and_outlive_the_next_call():
    w = weight()
    compiled = ready_made(lambda x: (w * x).relu().sum(), tg.tensor([1.0, 2.0]))
    first = compiled(tg.tensor([1.0, -1.0]))
    second = compiled(tg.tensor([10.0, -10.0]))  # before the first went back
    first.backward()
    kept = w.grad
    second.backward()
    assert w.grad.tolist() == [11.0, -11.0]
    w.grad = None
    compiled(tg.tensor([5.0, 5.0])).backward()
    assert w.grad.tolist() == [5.0, 0.0] and kept.tolist() in ([1.0, -1.0], [11.0, -11.0])
    assert compiled.replays == 3


def test_going_back_twice():
    w = weight()
    compiled = ready_made(lambda x: (w * x).exp().sum(), tg.ones(2))
    loss = compiled(tg.ones(2))
    loss.backward(retain_graph=True)
    once = numbers(w.grad)
    loss.backward()
    np.testing.assert_array_equal(numbers(w.grad), 2 * once)
    with pytest.raises(tg.GraphError, match="freed"):
        loss.backward()


def test_a_parameter_changed_before_going_back_is_noticed():
    w = weight()
    compiled = ready_made(lambda x: (w * w * x).sum(), tg.ones(2))
    loss = compiled(tg.ones(2))
    with tg.no_grad():
        w += 1
    with pytest.raises(tg.GraphError, match="changed in place") as refused:
        loss.backward()
    assert "named 'w'" in str(refused.value)


@pytest.mark.parametrize("shown", [lambda y: y, lambda y: y.detach(), lambda y: y.detach().reshape(1, 2)])
def test_an_output_changed_before_going_back_is_noticed(shown):
    w = weight()

    def function(x):
        y = (w * x).exp()
        return (y * y).sum(), shown(y)

    compiled = ready_made(function, tg.ones(2))
    for f in (function, compiled):
        loss, y = f(tg.ones(2))
        with tg.no_grad():
            y += 1
        with pytest.raises(tg.GraphError, match="changed in place"):
            loss.backward()
    assert compiled.replays == 1


def test_an_output_that_backward_does_without_may_change():
    w = weight()
    compiled = ready_made(lambda x: ((w * x).sum(), (x + 1).detach()), tg.ones(2))
    loss, y = compiled(tg.ones(2))
    y += 1
    loss.backward()
    assert w.grad.tolist() == [1.0, 1.0] and compiled.replays == 1


@pytest.mark.parametrize("function", [lambda w, x: tg.zeros(2), lambda w, x: w, lambda w, x: x])
def test_what_is_returned_as_it_is_stays_itself(function):
    w = weight()
    compiled = tg.compile(lambda x: function(w, x))
    with pytest.warns(RuntimeWarning, match="as it is"):
        for _ in range(3):
            x = tg.ones(2, requires_grad=True)
            y = compiled(x)
            assert y.tolist() == function(w, x).tolist() and (y is w or y is x or y.tolist() == [0.0, 0.0])
            if not y.requires_grad:
                y += 1
    assert compiled.replays == 0


def test_a_gradient_for_an_input_and_of_a_non_scalar():
    w = weight()
    function = lambda x: (w * x).tanh()  # noqa: E731
    compiled = ready_made(function, tg.ones(2, requires_grad=True))
    x = tg.tensor([0.5, 0.25], requires_grad=True)
    upstream = tg.tensor([3.0, -2.0])
    expected = tg.grad(function(x), [x, w], upstream)
    assert_same([numbers(g) for g in tg.grad(compiled(x), [x, w], upstream)], [numbers(g) for g in expected])
    assert_same(numbers(tg.grad(compiled(x), [w], upstream)[0]), numbers(expected[1]))
    assert compiled.replays == 2


def test_a_tensor_computed_before_is_found_by_the_function(recwarn):
    w = weight()
    half = w * 0.5
    compiled = ready_made(lambda x: (half * x).sum(), tg.ones(2))
    compiled(tg.tensor([2.0, 4.0])).backward()
    assert w.grad.tolist() == [1.0, 2.0] and compiled.replays == 1 and not recwarn.list


@pytest.mark.parametrize("swapped", [0, 1])
def test_two_tensors_of_one_array_may_part(swapped):
    first = tg.ones(2)
    both = [first, first.detach()]
    compiled = ready_made(lambda x: (both[0] * x + 10 * both[1] * x).sum(), tg.ones(2), calls=4)
    both[swapped].data = np.full(2, 5.0, np.float32)
    assert compiled(tg.ones(2)).item() == (30.0, 102.0)[swapped] and compiled.replays == 2
    for _ in range(8):
        assert compiled(tg.ones(2)).item() == (30.0, 102.0)[swapped]
    assert compiled.replays > 2 and not compiled.problems


CLOSED_OVER = {
    "labels": lambda x, y: nn.cross_entropy(x, y),
    "labels, likelihood": lambda x, y: nn.nll_loss(x.log_softmax(1), y, reduction="none"),
    "an index": lambda x, y: x[y].sum(),
    "gather": lambda x, y: tg.gather(x, 1, y.reshape(3, 1)).sum(),
    "an index made inside": lambda x, y: x[tg.arange(3), tg.tensor([0, 1, 1])].sum(),
    "one_hot": lambda x, y: (tg.one_hot(y, 2) * x).sum(),
}


@pytest.mark.parametrize("name", CLOSED_OVER)
def test_labels_and_indices_closed_over(name):
    y, x = tg.tensor([0, 1, 0]), tg.tensor([[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5]], requires_grad=True)
    compiled = ready_made(lambda x: CLOSED_OVER[name](x, y), x, calls=3)
    assert compiled.replays == 1 and not compiled.problems
    for times in range(3):
        y[0] = 1 - times % 2
        found = [f(x) for f in (compiled, compiled.function)]
        assert_same(*[numbers(z) for z in found])
        assert_same(*[numbers(tg.grad(z.sum(), x)[0]) for z in found])
    y.data = np.array([1, 1, 1])
    assert_same(*[numbers(f(x)) for f in (compiled, compiled.function)])


def test_a_replay_that_always_fails_says_so(monkeypatch):
    w = weight()
    compiled = ready_made(lambda x: (w * x).sum(), tg.ones(2))

    def replay(*_):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("tensorgrad.compiler.compiled.replay", replay)
    with pytest.warns(RuntimeWarning, match="replays raise ZeroDivisionError"):
        for _ in range(40):
            compiled(tg.ones(2))
    assert compiled.replays == 0 and "planted" in compiled.problems[0]


def test_an_input_that_was_computed_from_another():
    def gradients(f, k):
        x = tg.tensor([1.0 + k, 2.0, 3.0], requires_grad=True)
        (first,) = tg.grad(f(x, x * x), x, create_graph=True)
        (second,) = tg.grad(first.sum(), x)
        f(x, x * 1).backward()
        return numbers(first), numbers(second), numbers(x.grad)

    function = lambda a, b: (a**3 * 2 + b * a).sum()  # noqa: E731
    compiled = tg.compile(function)
    for k in range(5):
        assert_same(gradients(compiled, k), gradients(function, k))
    assert compiled.replays == 8


def test_an_input_computed_outside_is_not_returned_as_it_is():
    compiled = tg.compile(lambda x: (x, x * 2))
    for _ in range(4):
        x = tg.ones(2, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            a, b = compiled(x * 3)
        (a + b).sum().backward()
        assert x.grad.tolist() == [9.0, 9.0]
    assert compiled.replays == 0 and "returns a constant or a tensor as it is" in compiled.problems[0]


def test_recorded_changes_in_place_behind_a_call_leave_its_values_to_backward():
    def gradients(f):
        x, w = tg.tensor([0.5, 1.0], requires_grad=True), tg.tensor([2.0, 3.0], requires_grad=True)
        h, v = x * 3, w * 1
        y = f(h, v)
        h += 1
        v[0] = 5.0
        y *= 2
        (y * h * v).sum().backward()
        return numbers(x.grad), numbers(w.grad)

    function = lambda x, w: (x * w).exp()  # noqa: E731
    compiled = ready_made(function, tg.ones(2, requires_grad=True) * 1, tg.ones(2, requires_grad=True) * 1)
    assert_same(gradients(compiled), gradients(function))
    assert compiled.replays == 1


def test_a_parameter_changed_before_a_second_derivative_is_noticed():
    w = weight()
    compiled = ready_made(lambda x: (w * w * x).sum(), tg.ones(2))
    loss = compiled(tg.ones(2))
    with tg.no_grad():
        w += 1
    with pytest.raises(tg.GraphError, match="changed in place"):
        tg.grad(loss, w, create_graph=True)


def test_in_the_midst_of_a_graph():
    layer = nn.Linear(3, 3)
    compiled = ready_made(lambda x: layer(x).relu(), tg.ones(2, 3, requires_grad=True) * 1)
    x = tg.tensor(np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32), requires_grad=True)

    def gradients(f):
        wanted = [x, *layer.parameters()]
        return [numbers(g) for g in tg.grad((f(f(x * 2) + x) ** 2).sum(), wanted)]

    assert_same(gradients(compiled), gradients(lambda x: layer(x).relu()))
    assert compiled.replays == 2


def test_recording_switched_inside():
    w = weight()

    @tg.enable_grad()
    def on(x):
        return (w * x).sum()

    def off(x):
        with tg.no_grad():
            factor = w * 2
        return (factor * w * x).sum()

    for function, expected in ((on, [1.0, 3.0]), (off, [4.0, -18.0])):
        w.grad, compiled = None, tg.compile(function)
        for _ in range(3):
            with tg.no_grad() if function is on else tg.enable_grad():
                loss = compiled(tg.tensor([1.0, 3.0]))
        loss.backward()
        assert w.grad.tolist() == expected and compiled.replays == 1
    assert not ready_made(off, tg.ones(2)).problems


def test_second_derivatives():
    w = weight()
    function = lambda x: (w * x).exp().sum()  # noqa: E731
    compiled = ready_made(function, tg.ones(2))
    x = tg.tensor([0.5, 0.25])

    def second(f):
        (first,) = tg.grad(f(x), w, create_graph=True)
        return numbers(tg.grad((first * first).sum(), w)[0])

    assert_same(second(compiled), second(function))
    drop = ready_made(lambda x: tg.dropout(w * x, 0.5).exp().sum(), tg.ones(2))
    with pytest.raises(tg.GraphError, match="create_graph"):
        tg.grad(drop(x), w, create_graph=True)


def test_hooks_on_what_stays_outside():
    w = weight()
    compiled = ready_made(lambda x: (w * x).sum(), tg.ones(2))
    loss = compiled(tg.ones(2))
    w.register_hook(lambda g: g * 10)
    loss.register_hook(lambda g: g * 2)
    loss.retain_grad()
    loss.backward()
    assert w.grad.tolist() == [20.0, 20.0] and loss.grad.item() == 2


def test_several_outputs():
    w = weight()
    function = lambda x: {"loss": (w * x).sum(), "rest": [(w * x).detach(), None, (w + x, x)]}  # noqa: E731
    x = tg.tensor([3.0, 4.0])
    compiled = ready_made(function, tg.ones(2))
    for f in (function, compiled):
        w.grad = None
        result = f(x)
        assert result["rest"][1] is None and not result["rest"][0].requires_grad
        (result["loss"] * 2 + result["rest"][2][0].sum()).backward()
        assert w.grad.tolist() == [7.0, 9.0]
        assert result["rest"][0].tolist() == [6.0, -12.0] and result["rest"][2][1].tolist() == [3.0, 4.0]
    assert compiled.replays == 1
