"""Compiled functions: replays against the functions themselves, and everything that must not be replayed."""

import gc
import sys
import threading
import warnings
import weakref

import batches
import numpy as np
import pytest
from cases import CASES
from compiling import NETWORKS, Mixed, assert_same, numbers, op_of, ready_made
from networks import LeNet5

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.compiler.recording import HELPERS

pytestmark = pytest.mark.filterwarnings("error")


def turned(array, times):
    """Other values of the same kind: the elements of a float array in another order."""
    return np.roll(array.reshape(-1), times).reshape(array.shape) if array.dtype.kind == "f" else array.copy()


def call_and_gradients(function, arrays, upstream):
    tensors = [tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
    try:
        z = function(*tensors)
    except tg.TensorgradError as error:
        return type(error), str(error)
    if z.requires_grad:
        z.backward(upstream(z.shape, z.dtype))
    return numbers(z), [numbers(x.grad) for x in tensors]


# ------------------------------------------------------------------------------------------------- as PyTorch's compile


def test_a_compiled_module_is_used_as_the_module():
    """`model = torch.compile(model)`, and the rest of the script as it was."""

    def trained(ready):
        tg.manual_seed(3)
        rng = np.random.default_rng(0)
        plain = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
        model = ready(plain)
        adam = tg.optim.Adam(model.parameters(), lr=0.1)
        found = []
        for k in range(8):
            model.train(k % 4 != 3)
            loss = nn.cross_entropy(model(tg.tensor(rng.standard_normal((5, 4)))), tg.tensor(rng.integers(0, 3, 5)))
            if model.training:
                adam.zero_grad()
                loss.backward()
                adam.step()
            found.append(loss.item())
        return found, {name: numbers(x) for name, x in model.state_dict().items()}, model, plain

    expected, state, *_ = trained(lambda model: model)
    found, own, model, plain = trained(tg.compile)
    assert found == expected and own.keys() == state.keys() and model.replays > 3
    assert_same(list(own.values()), list(state.values()))
    assert model.eval() is plain and not plain.training
    model.gain = 2.0
    assert plain.gain == 2.0 and not hasattr(model, "no_such_layer")


def test_options_of_compile_are_pytorchs():
    x = tg.ones(2)

    @tg.compile(mode="reduce-overhead", fullgraph=True, dynamic=False, backend="inductor")
    def double(x):
        return x * 2.0

    assert [double(x).tolist() for _ in range(3)] == [[2.0, 2.0]] * 3 and double.replays == 1
    assert tg.compile(double.function, disable=True) is double.function
    with pytest.raises(tg.DTypeError, match="unknown options: modes"):
        tg.compile(double.function, modes="default")


# ------------------------------------------------------------------------------------------------------------- every op

# The gradient of a product looks for zeros; a case of dropout makes a generator in each call.
REASONS = {"prod": "a gradient depends on a condition", "dropout": "makes a generator"}
REASONS |= {"cumprod": "a gradient depends on a condition", "bincount": "how many counts"}
REASONS |= dict.fromkeys(("unique", "unique_consecutive"), "how many elements")
REASONS |= dict.fromkeys(("feature_dropout", "alpha_dropout", "feature_alpha_dropout"), "makes a generator")


@pytest.mark.cases("case", [case for case in CASES if case.sample.inputs], ids=repr)
def test_every_op_replays_to_the_same_bits(case):
    compiled = tg.compile(op_of(case))
    for times in range(4):
        arrays = [turned(x, times) for x in case.inputs(np.float32)]
        expected = call_and_gradients(case.call, arrays, case.upstream)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some run as they are, and say so
            assert_same(call_and_gradients(compiled, arrays, case.upstream), expected)
    reason = REASONS.get(case.row.public_name)
    if compiled.problems or case.row.name == "dropout":
        assert reason is not None and reason in compiled.problems[0]
    else:
        assert compiled.replays == 2, f"its function does something outside of forward; {HELPERS}"


# ------------------------------------------------------------------------------------------------------------- training


def trained(network, compile, optimizer=nn.optim.SGD, steps=6, batch=4):
    """The losses of some steps on random data, and the model."""
    make, shape, classes = NETWORKS[network]
    tg.manual_seed(0)
    model, rng, losses = make(), np.random.default_rng(1), []
    optimizer = optimizer(model.parameters(), lr=0.01)
    step = compile(lambda x, y: nn.cross_entropy(model(x), y))
    for _ in range(steps):
        x, y = rng.standard_normal((batch, *shape)).astype(np.float32), rng.integers(0, classes, batch)
        loss = step(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: numbers(t) for name, t in model.state_dict().items()}, step


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("threads", [1, 2])
def test_training_gives_the_same_bits(network, batch, threads):
    if network == "ResNet-18" and batch == 1:
        batch = 2  # its last batch norms see one pixel
    before = tg.kernels.dispatch.get_num_threads()
    tg.kernels.dispatch.set_num_threads(min(threads, before))
    try:
        losses, state, _ = trained(network, lambda f: f, batch=batch)
        compiled_losses, compiled_state, step = trained(network, tg.compile, batch=batch)
    finally:
        tg.kernels.dispatch.set_num_threads(before)
    assert (step.replays, step.problems) == (4, [])
    assert compiled_losses == losses
    assert_same(list(compiled_state.values()), list(state.values()))


def test_inference_gives_the_same_bits():
    model = LeNet5().eval()
    compiled = tg.compile(model)
    for k in range(4):
        x = tg.Tensor(np.random.default_rng(k).standard_normal((3, 1, 28, 28)).astype(np.float32))
        with tg.no_grad():
            assert_same(numbers(compiled(x)), numbers(model(x)))
            assert not compiled(x).requires_grad
    assert compiled.replays == 6
    # The others are part of the pooled convolutions.
    assert compiled.source.count(" = run_relu") == 2


def test_fit_trains_alike_compiled():
    def weights(compile):
        tg.manual_seed(3)
        model = Mixed()
        rng = np.random.default_rng(5)
        data = [
            (tg.Tensor(rng.standard_normal((6, 1, 20, 20)).astype(np.float32)), tg.Tensor(rng.integers(0, 5, 6)))
            for _ in range(4)
        ]
        sgd = nn.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        history = nn.fit(
            model,
            data,
            loss=nn.cross_entropy,
            optimizer=sgd,
            epochs=3,
            validation=data,
            progress=False,
            compile=compile,
        )
        return [record["loss"] for record in history.steps], [numbers(t) for t in model.state_dict().values()]

    assert_same(weights(True), weights(False))


# -------------------------------------------------------------------------------------------- what must not be replayed


def weight():
    return tg.tensor([2.0, -3.0], requires_grad=True, name="w")


class Keeper:
    kept = None


def looks(w, x):
    return (w * x).sum() if x.sum().item() > 0 else (w + x).sum()


def branches(w, x):
    return (w * x).sum() if (x > 0).all() else (w + x).sum()


def sees(w, x):
    return w.sum() * float(np.asarray(x).max())


def keeps(w, x):
    Keeper.kept = w * x
    return Keeper.kept.sum()


def makes(w, x):
    return (w * tg.as_tensor(np.random.default_rng().standard_normal(2).astype(np.float32)) * x).sum()


def differentiates(w, x):
    (g,) = tg.grad((w * x).sum(), w)
    return (g * w).sum()


def assigns(w, x):
    with tg.no_grad():
        w[0] = 1.0
    return (w * x).sum()


def hooks(w, x):
    y = w * x
    y.register_hook(lambda g: g * 2)
    return y.sum()


NUMBERS = iter(range(100))


def counts(w, x):
    return (w * x).sum() * next(NUMBERS)


def returns(w, x):
    return (w * x).sum(), 0.5


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (looks, "item()"),
        (branches, "bool"),
        (sees, "numpy()"),
        (keeps, "kept somewhere"),
        (differentiates, "gradients are taken inside"),
        (assigns, "assignment in place of w"),
        (hooks, "hook"),
        (returns, "float"),
    ],
)
def test_what_ops_dont_record_is_not_replayed(function, reason):
    w = weight()
    compiled = tg.compile(lambda x: function(w, x))
    x = tg.tensor([1.0, 2.0])
    with pytest.warns(RuntimeWarning, match="runs op by op") as told:
        for _ in range(5):
            compiled(x)
    assert len(told) == 1 and reason in str(told[0].message)
    assert compiled.replays == 0 and reason in compiled.problems[0]


def test_an_optimizer_belongs_outside():
    w = weight()
    sgd = nn.optim.SGD([w], lr=0.1)

    def step(x):
        sgd.step()
        return (w * x).sum()

    with pytest.warns(RuntimeWarning, match=r"SGD.step\(\)"):
        tg.compile(step)(tg.tensor([1.0, 2.0]))


@pytest.mark.parametrize(("function", "reason"), [(makes, "draws random numbers"), (counts, "range_iterator")])
def test_what_differs_from_call_to_call_is_not_replayed(function, reason):
    w = weight()
    compiled = tg.compile(lambda x: function(w, x))
    with pytest.warns(RuntimeWarning, match=reason):
        results = [compiled(tg.tensor([1.0, 2.0])).item() for _ in range(12)]
    assert compiled.replays == 0 and len(set(results)) == 12


def test_two_inputs_of_one_array_are_not_mixed_up():
    compiled = tg.compile(lambda x, y: (x * 2 + y).sum())
    for k in range(4):
        x = tg.tensor([float(k)])
        assert compiled(x, x).item() == compiled(x, x.detach()).item() == 3 * k
        assert compiled(x, tg.tensor([5.0])).item() == 2 * k + 5
    assert compiled.replays == 6


def test_an_input_that_is_a_parameter_too_is_not_mixed_up():
    w = weight()
    compiled = tg.compile(lambda x: (x * w).sum())
    with pytest.warns(RuntimeWarning, match="knows by itself"):
        compiled(w.detach())
    for x in ([1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 1.0]):
        assert compiled(tg.tensor(x)).item() == x[0] * 2 - 3


def test_a_bad_label_is_refused_as_ever():
    compiled = tg.compile(nn.cross_entropy)
    x = tg.zeros(2, 3, requires_grad=True)
    for _ in range(3):
        compiled(x, np.array([0, 2]))
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(tg.RangeError, match="class indices must be in"):
            compiled(x, np.array(labels))


def test_labels_to_ignore_may_come_later():
    x = tg.tensor([[1.0, 2.0, 3.0], [0.0, 5.0, 1.0]])
    for ignored in (-100, 0):
        compiled = tg.compile(lambda x, y, ignored=ignored: nn.cross_entropy(x, y, ignore_index=ignored))
        for labels in ([1, 2], [2, 1], [1, 1], [1, ignored], [ignored, 2], [2, 2]):
            expected = nn.cross_entropy(x, np.array(labels), ignore_index=ignored)
            assert compiled(x, np.array(labels)).item() == expected.item()
        assert compiled.replays == 2


def test_a_condition_that_turns_out_otherwise_ends_the_replay():
    compiled = tg.compile(nn.binary_cross_entropy)
    half, one = tg.tensor([0.5]), tg.tensor([1.0])
    for _ in range(3):
        compiled(half, one)
    with pytest.raises(tg.RangeError, match="must hold probabilities"):
        compiled(tg.tensor([1.5]), one)
    assert compiled.replays == 1


# ------------------------------------------------------------------------------------------------------ what may change


def test_modes_and_attributes_of_modules_are_followed():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    compiled = tg.compile(model)
    x = tg.ones(4, 3)

    def agrees():
        tg.manual_seed(7)
        expected = numbers(model(x))
        tg.manual_seed(7)
        assert_same(numbers(compiled(x)), expected)

    for mode in (True, False, True, False):
        model.train(mode)
        for _ in range(4):
            agrees()
    # Two recordings of each mode; when it comes back, none.
    assert compiled.replays == 2 + 2 + 4 + 4
    model[1].p = 0.1
    model.train()
    agrees()
    model[0] = nn.Linear(3, 3)
    agrees()
    model[0].bias = None
    agrees()
    handle = model[0].register_forward_hook(lambda module, inputs, output: output * 2)
    with pytest.warns(RuntimeWarning, match="hook"):
        agrees()
    handle.remove()
    model.to("float64")
    x = tg.ones(4, 3, dtype="float64")
    for _ in range(3):
        agrees()


def test_values_of_parameters_are_read_anew():
    layer = nn.Linear(2, 2)
    compiled = tg.compile(layer)
    x = tg.tensor([[1.0, -1.0]])
    for k in range(6):
        if k % 2:
            layer.weight.data = np.full((2, 2), k, np.float32)
        else:
            with tg.no_grad():
                layer.weight[...] = k
        assert_same(numbers(compiled(x)), numbers(layer(x)))
    layer.load_state_dict({"weight": np.ones((2, 2), np.float32), "bias": np.zeros(2, np.float32)})
    assert compiled(x).tolist() == [[0.0, 0.0]] and compiled.replays == 5


def test_freezing_a_parameter_is_followed():
    layer = nn.Linear(2, 1)
    compiled = tg.compile(lambda x: layer(x).sum())
    for frozen in (False, True, False):
        layer.weight.requires_grad = not frozen
        for _ in range(3):
            layer.zero_grad()
            compiled(tg.ones(1, 2)).backward()
            assert (layer.weight.grad is None) == frozen and layer.bias.grad.item() == 1
    assert compiled.replays >= 3


def test_kinds_of_calls_have_programs_of_their_own():
    compiled = tg.compile(lambda x, scale=1.0, *, bias=0.0: x * scale + bias)
    for _ in range(3):
        for n in (1, 2, 5):
            assert compiled(tg.ones(n)).tolist() == [1.0] * n
        assert compiled(tg.ones(2, dtype="float64")).dtype == np.float64
        assert compiled(tg.ones(2), 3.0).tolist() == [3.0, 3.0]
        assert compiled(tg.ones(2), bias=1).tolist() == [2.0, 2.0]
        assert compiled(tg.ones(2), bias=True).tolist() == [2.0, 2.0]
        assert compiled(tg.ones(2, requires_grad=True)).requires_grad
        with tg.no_grad():
            assert not compiled(tg.ones(2, requires_grad=True)).requires_grad
    assert compiled.replays == 9
    assert compiled(tg.ones(2), [1.0, 2.0]).tolist() == [1.0, 2.0]  # a list has no hash: runs as it is


def test_the_programs_that_are_kept_are_so_many():
    compiled = tg.compile(lambda x: x * 2)
    with pytest.warns(RuntimeWarning, match="the last 64 calls differed in shapes"):
        for n in range(200):
            compiled(tg.ones(n + 1))
    assert len(compiled._entries) == 64 and compiled.problems
    for _ in range(3):
        compiled(tg.ones(200))
    assert compiled.replays == 2 and not compiled.problems


# ------------------------------------------------------------------------------------------------------------ gradients


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


# ---------------------------------------------------------------------------------------------------- who else is there


def test_who_observes_sees_every_op():
    w = weight()
    compiled = ready_made(lambda x: (w * x).relu().sum(), tg.ones(2), calls=4)
    with tg.viz.trace() as recorded:
        compiled(tg.ones(2)).backward()
    text = tg.viz.text(recorded)
    assert "relu" in text and "= f(" not in text
    assert "L = f(c₁, w)" in tg.viz.text(compiled(tg.ones(2)))


def test_compiled_functions_within_compiled_functions():
    w = weight()
    inner = tg.compile(lambda x: (w * x).relu())
    outer = ready_made(lambda x: inner(x).sum(), tg.ones(2), calls=3)
    assert "relu" in outer.source and outer.replays == 1


def test_threads_share_a_compiled_function():
    model = LeNet5()
    compiled = tg.compile(model)
    rng = np.random.default_rng(0)
    images = [tg.Tensor(rng.standard_normal((2, 1, 28, 28)).astype(np.float32)) for _ in range(8)]
    expected = [numbers(model(x)) for x in images]
    wrong = []

    def work(k):
        for _ in range(20):
            if not np.array_equal(numbers(compiled(images[k])), expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and compiled.replays > 100


def test_nothing_is_held_after_a_call():
    model = LeNet5()
    compiled = ready_made(lambda x: model(x).sum(), tg.ones(2, 1, 28, 28))
    gc.disable()
    try:
        x = tg.ones(2, 1, 28, 28)
        held = [weakref.ref(x)]
        loss = compiled(x)
        held += [weakref.ref(loss), weakref.ref(loss._node)]
        loss.backward()
        del x, loss
        assert [reference() for reference in held] == [None] * 3
        before = len(gc.get_objects())
        for _ in range(50):
            compiled(tg.ones(2, 1, 28, 28)).backward()
        assert len(gc.get_objects()) - before < 20
    finally:
        gc.enable()


def test_recordings_hold_no_arrays():
    seen = []
    compiled = tg.compile(lambda x: (x * 2).relu().sum())
    for _ in range(3):
        x = tg.ones(1000)
        seen.append(weakref.ref(x._data))
        compiled(x)
        del x
    gc.collect()
    assert [reference() for reference in seen] == [None] * 3


def test_what_cant_be_called_is_refused():
    with pytest.raises(tg.DTypeError, match="function must be callable"):
        tg.compile(3)


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 2_180
