"""Compiled functions: replays against the functions themselves, and what may change between them."""

import gc
import sys
import threading
import warnings
import weakref

import batches
import numpy as np
import pytest
from cases import CASES
from compiling import NETWORKS, Mixed, assert_same, numbers, op_of, ready_made, weight
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
