"""Compiled steps by launches alone: what changes between two calls, and what must not be captured."""

import copy
import os
import sys
import threading
import warnings

import batches
import numpy as np
import pytest
from cases import CASES
from compiling import NETWORKS, assert_same, captures, numbers, op_of, others, poison
from networks import LeNet5

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.compiler import capture
from tensorgrad.kernels.jit.opaque import is_constant
from tensorgrad.nn.functional import dropout

pytestmark = pytest.mark.filterwarnings("error")


class Pair:
    """Two models with the same weights and their steps: one compiled, the other not."""

    def __init__(self, make=LeNet5, loss=nn.cross_entropy, optimizer=nn.optim.SGD):
        self.models, self.optimizers, self.steps = [], [], []
        for wrapped in (tg.compile, lambda f: f):
            tg.manual_seed(0)
            model = make()
            rule = optimizer(model.parameters(), lr=0.05, momentum=0.9)
            self.models.append(model)
            self.optimizers.append(rule)
            self.steps.append(wrapped(self.step(model, rule, loss)))
        self.rng = np.random.default_rng(1)

    @staticmethod
    def step(model, rule, loss):
        def step(x, y):
            rule.zero_grad()
            output = model(x)
            cost = loss(output, y)
            cost.backward()
            rule.step()
            return cost, output.detach()

        return step

    def batch(self, count=4):
        x = self.rng.standard_normal((count, 1, 28, 28)).astype(np.float32)
        return x, self.rng.integers(0, 10, count)

    def check(self, x=None, y=None):
        """Both steps on one batch; they must agree in all that can be seen."""
        if x is None:
            x, y = self.batch()
        one, other = (self.seen(k, x, y) for k in range(2))
        assert_same(one, other)

    def seen(self, k, x, y):
        returned = [numbers(t) for t in self.steps[k](x, y)]
        return returned, [(numbers(p), numbers(p.grad)) for p in self.models[k].parameters()]

    @property
    def shortcut(self):
        (entry,) = [entry for entry in self.steps[0]._entries.values() if entry.program is not None]
        return entry.program.run

    @property
    def captured(self):
        return self.shortcut._captured


@pytest.fixture
def pair():
    pair = Pair()
    for _ in range(4):  # two recordings, the capture, and the first call of it
        pair.check()
    assert pair.captured is not None
    return pair


@pytest.mark.parametrize("batch", [1, 3, 40])
def test_steps_agree(batch, threads):
    pair = Pair()
    for _ in range(8):
        pair.check(*pair.batch(batch))
    # Everything but the mean is launches.
    names = [unit.outputs[0][0] for unit in pair.captured._units if isinstance(unit, capture.HostCall)]
    assert len(names) == 1 and names[0].startswith("mean") and len(pair.captured._units) == 2


def test_a_loader_of_its_own_memory(pair):
    x, y = pair.batch()
    for k in range(3):
        x[:] = x[::-1].copy() + k
        pair.check(x, y)


def test_numbers_that_are_not_finite(pair):
    for value in (np.nan, np.inf, -np.inf):
        x, y = pair.batch()
        x[1, 0, 5, 5] = value
        pair.check(x, y)


@pytest.mark.parametrize("k", [0, 3, 8])
def test_a_parameter_in_other_memory(pair, k):
    for model in pair.models:
        parameter = list(model.parameters())[k]
        parameter.data = parameter.data * 2
    pair.check()
    pair.check()
    assert not pair.captured.invalid


def test_inputs_that_lie_otherwise(pair):
    x, y = pair.batch(8)
    x.flags.writeable = False
    for images, labels in ((x[::2], y[::2]), (x[:4], y[4:]), (np.asfortranarray(x[:4]), y[:4]), (x[7:3:-1], y[:4])):
        pair.check(images, labels)
    pair.check(x[:4].astype(">f4"), y[:4])


def test_a_label_out_of_range_and_then_on(pair):
    x, _ = pair.batch()
    messages = []
    for step in pair.steps:
        with pytest.raises(tg.RangeError, match="class indices") as refused:
            step(x, np.array([0, 1, 2, 10]))
        messages.append(str(refused.value))
    assert messages[0] == messages[1] and pair.captured.invalid
    for _ in range(3):
        pair.check()
    assert not pair.captured.invalid


def test_after_marks_it_is_captured_so_many_times_again(pair):
    x, _ = pair.batch()
    for _ in range(capture.TRIES + 1):
        for step in pair.steps:
            with pytest.raises(tg.RangeError):
                step(x, np.array([0, 1, 2, 10]))
        pair.check()
        pair.check()
    assert pair.captured is None


def test_another_number_of_threads():
    before, pair = tg.kernels.dispatch.get_num_threads(), Pair()
    try:
        for count in (before, 1):
            tg.kernels.dispatch.set_num_threads(count)
            for _ in range(5):
                pair.check(*pair.batch(40))
            assert pair.captured._threads == count and not pair.captured.invalid
    finally:
        tg.kernels.dispatch.set_num_threads(before)


def test_two_python_threads_at_once():
    tg.manual_seed(0)
    model = LeNet5().eval()
    compiled, rng = tg.compile(model), np.random.default_rng(0)
    batches = [rng.standard_normal((2, 1, 28, 28)).astype(np.float32) for _ in range(20)]
    with tg.no_grad():
        expected = [numbers(model(x)) for x in batches]
        for x in batches[:4]:
            compiled(x)
    wrong = []

    def work():
        with tg.no_grad():
            for x, z in zip(batches, expected, strict=True):
                found = numbers(compiled(x))
                if not np.array_equal(found, z):
                    wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and compiled.replays == 82


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_process_goes_on_by_itself(pair):
    pid = os.fork()
    if pid == 0:
        try:
            pair.check()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    pair.check()


def test_a_copy_of_the_compiled_function(pair):
    """It works on the same model, and gives what the function itself gives."""
    pair.steps[0] = copy.deepcopy(compiled := pair.steps[0])
    pair.check()
    pair.steps[0] = compiled
    pair.check()


@pytest.mark.cases("case", [case for case in CASES if case.sample.inputs], ids=repr)
def test_every_op_gives_the_same_bits(case):
    """Beside the numbers of the case also others, in memory full of NaN."""
    compiled = tg.compile(op_of(case))
    kinds = case.inputs(np.float32)
    with tg.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some run as they are, and say so
        for times in range(6):
            poison(compiled, 0xFF if times % 2 else 0x55)
            arrays = [np.roll(x.reshape(-1), times).reshape(x.shape) if x.dtype.kind == "f" else x for x in kinds]
            if times > 3:
                arrays = [others(x, times) if x.dtype.kind == "f" else x for x in arrays]
            results = []
            for function in (compiled, case.call):
                try:
                    results.append(numbers(function(*map(tg.Tensor, arrays))))
                except tg.TensorgradError as error:
                    results.append((type(error), str(error)))
            assert_same(*results)


# ------------------------------------------------------------------------------------------------------ nothing stale


def constants_of(compiled):
    return [array.copy() for captured in captures(compiled) for array in captured._held if is_constant(array)]


@pytest.mark.parametrize("batch", [1, 5, 33])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_other_numbers_in_poisoned_memory(name, batch, threads):
    make, shape, _ = NETWORKS[name]
    tg.manual_seed(0)
    model = make().eval()
    compiled, x = tg.compile(model), np.ones((batch, *shape), np.float32)
    with tg.no_grad():
        for _ in range(3):
            compiled(x)
        count, constants = poison(compiled), constants_of(compiled)
        for k in range(6):
            if k == 3:
                for parameter in model.parameters():
                    parameter.data[...] = others(parameter.data, k)
            poison(compiled, 0xFF if k % 2 else 0x55)
            x = others(x, k)
            assert_same(numbers(compiled(x)), numbers(model(x)))
    assert poison(compiled) == count
    assert_same(constants_of(compiled), constants)


@pytest.mark.parametrize("batch", [2, 33])
@pytest.mark.parametrize("make", [LeNet5, lambda: Wide()], ids=["LeNet-5", "wide"])
def test_steps_on_other_numbers_in_poisoned_memory(make, batch, threads):
    pair = Pair(make, optimizer=lambda parameters, lr, momentum: nn.optim.SGD(parameters, lr=0.0))
    for k in range(9):
        x, y = pair.batch(batch)
        if k > 3:
            poison(pair.steps[0], 0xFF if k % 2 else 0x55)
            for one, other in zip(*[model.parameters() for model in pair.models], strict=True):
                one.data[...] = other.data[...] = others(one.data, k) * 0.1
            x = others(x, k)
        pair.check(x, y)


@pytest.mark.parametrize("units", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("rows", [1, 2, 33])
@pytest.mark.parametrize("bias", [-10.0, 0.0])
def test_a_closed_rectifier_that_opens(units, rows, bias):
    """A product of few units is NumPy's, and the rectifier behind it a kernel's: that must not read what is stale."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, units), nn.ReLU(), nn.Linear(units, 40), nn.ReLU(), nn.Linear(40, 40))
    model[0].bias.data[:] = bias
    compiled, x = tg.compile(model), np.random.default_rng(0).standard_normal((rows, 64)).astype(np.float32)
    with tg.no_grad():
        for scale in (0, 0, 0, 0, 0, 100, 1):
            assert_same(numbers(compiled(x * np.float32(scale))), numbers(model(x * np.float32(scale))))


ELSEWHERE = {
    "a copy of a weight": lambda x, w: tg.linear(x.relu(), w.T.clone().T).relu(),
    "a view of a weight that lies otherwise": lambda x, w: tg.linear(x.relu(), w.T).relu(),
    "a sum over the batch": lambda x, w: (x.relu() + x.relu().sum(0)).relu(),
    "a bias added in place": lambda x, w: (tg.matmul(x.relu(), w) + w[0]).relu(),
    "a view of the input": lambda x, w: tg.linear(x.reshape(64, -1).T.reshape(-1, 64)[1:].relu(), w).relu().mean(0),
    "a number of the input": lambda x, w: (x.relu() * x.max()).relu(),
    "an input spread": lambda x, w: (x[:1].expand(70, 64).relu() + w.relu().sum()).relu(),
    "a convolution with strides": lambda x, w: tg.conv2d(x[None, None], w[:4, :9].reshape(4, 1, 3, 3), stride=2),
    "an average": lambda x, w: tg.avg_pool2d(x.reshape(1, 1, -1, 64).relu(), 2).sigmoid().tanh(),
    "normalized": lambda x, w: tg.batch_norm(x.relu(), w[0], w[1].abs(), training=False).relu().sigmoid(),
}  # fmt: skip


@pytest.mark.parametrize("function", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_numpy_makes_between_kernels_is_made_anew(function):
    rng = np.random.default_rng(0)
    w = nn.Parameter(rng.standard_normal((64, 64)).astype(np.float32))
    x = rng.standard_normal((64, 64)).astype(np.float32)

    def step(x):
        return function(x, w).relu().sigmoid().tanh().relu()

    compiled = tg.compile(step)
    with tg.no_grad():
        for k in range(8):
            if k > 3:
                poison(compiled)
                w.data[...] = others(w.data, k)
                x = others(x, k)
            assert_same(numbers(compiled(x)), numbers(step(tg.tensor(x))))
    assert compiled.replays == 6


# ------------------------------------------------------------------------------------------------- what isn't captured


def inference(model, batches, change):
    """What the compiled model gives for each batch, beside the model itself; `change(model)` after each."""
    compiled = tg.compile(model.eval())
    with tg.no_grad():
        for x in batches:
            assert_same(numbers(compiled(x)), numbers(model(x)))
            change(model)
    (entry,) = compiled._entries.values()
    return entry.program.run


class Turned(nn.Module):
    """A layer whose weight lies in memory the other way round, so that kernels get copies."""

    def __init__(self):
        self.weight = nn.Parameter(np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32).T)

    def forward(self, x):
        return tg.linear(x, self.weight).relu()


class Twice(nn.Module):
    """An array that NumPy makes of a parameter, in the midst of kernels."""

    def __init__(self):
        self.weight = nn.Parameter(np.random.default_rng(0).standard_normal((200, 300)).astype(np.float32))

    def forward(self, x):
        return tg.linear(x, self.weight * 2 + 1).relu()


class Shares(nn.Module):
    """Two results in one memory, and one that is a parameter's."""

    def __init__(self):
        self.weight = nn.Parameter(np.random.default_rng(0).standard_normal((200, 300)).astype(np.float32))

    def forward(self, x):
        z = tg.linear(tg.linear(x, self.weight).relu(), self.weight.T)
        return z, z.reshape(3, -1), z[1:2] * 2, self.weight.reshape(300, 200)


def shrink(model):
    for parameter in model.parameters():
        parameter.data[...] *= 0.5


def test_results_that_share_memory():
    model, kept, x = Shares(), [], tg.rand(3 * 40, 300)
    compiled = tg.compile(model)
    with tg.no_grad():
        for k in range(6):
            if k == 4:
                model.weight.data = model.weight.data * 2
            kept.append((compiled(x * k), [numbers(t) for t in model(x * k)]))
    for found, expected in kept:
        assert_same([numbers(t) for t in found], expected)


def test_two_parameters_in_one_memory():
    one, other = (nn.Parameter(np.arange(90_000, dtype=np.float32).reshape(300, 300) / 1e5) for _ in range(2))
    other.data = one.data[:]
    compiled, x = tg.compile(lambda x: tg.linear(tg.linear(x, one), other)), tg.rand(5, 300)
    with tg.no_grad():
        for k in range(6):
            if k == 4:
                one.data = one.data * 2
            np.testing.assert_array_equal(numbers(compiled(x)), numbers(tg.linear(tg.linear(x, one), other)))


@pytest.mark.parametrize("make", [Turned, Twice])
def test_copies_of_parameters_are_made_anew(make):
    x = tg.rand(2, 300)
    inference(make(), [x] * 6, shrink)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.int64])
def test_labels_of_any_kind(dtype):
    pair = Pair()
    for _ in range(6):
        x, y = pair.batch()
        pair.check(x, y.astype(dtype))


def test_what_needs_much_memory_is_left_alone(monkeypatch):
    monkeypatch.setattr(capture.captured, "LIMIT", 10_000)
    pair = Pair()
    for _ in range(5):
        pair.check()
    assert pair.captured is None and pair.shortcut._tries == 0


class Wide(nn.Module):
    """Convolutions that look whether what they made is finite."""

    def __init__(self):
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.output = nn.Linear(32 * 49, 10)

    def forward(self, x):
        x = tg.max_pool2d(tg.max_pool2d(self.conv2(self.conv1(x).relu()).relu(), 2), 2)
        return self.output(x.flatten(1))


def test_steps_that_look_at_numbers_stay_python():
    pair = Pair(Wide)
    for k in range(8):
        x, y = pair.batch(16)
        if k > 4:
            x[3, 0, 9, 9] = np.nan
        pair.check(x, y)
    assert pair.captured is not None


def test_a_condition_is_looked_at_each_time():
    def loss(output, y):
        return nn.binary_cross_entropy(output.sigmoid(), tg.one_hot(y, 10).astype(np.float32))

    pair = Pair(loss=loss)
    for _ in range(5):
        pair.check()
    for model in pair.models:
        next(model.parameters()).data[...] = np.nan
    for step in pair.steps:
        with pytest.raises(tg.RangeError, match="probabilities"):
            step(*pair.batch())


def launches(x):
    """Enough of them that a capture pays."""
    for _ in range(8):
        x = (x.softmax(1) * 50).T.contiguous()
    return x


DRAWS = {
    "a mask that is returned, then one that is read": lambda x: (tg.bernoulli(x.sigmoid()), dropout(x, 0.5)),
    "numbers that are returned, then a mask": lambda x: (tg.rand(40, 50), dropout(x, 0.5).tanh()),
    "masks in turn": lambda x: (dropout(x, 0.5), tg.randn(40, 50), dropout(x.exp(), 0.1), tg.rand_like(x)),
    "two that are returned": lambda x: (x.tanh(), tg.rand(3), tg.randn(5), tg.randint(9, (4,))),
}


@pytest.mark.parametrize("name", DRAWS)
def test_random_numbers_are_drawn_in_the_order_of_the_function(name):
    def draw(x):
        return DRAWS[name](launches(x))

    compiled, rng = tg.compile(draw), np.random.default_rng(0)
    with tg.no_grad():
        for k in range(7):
            x, found = tg.tensor(rng.standard_normal((40, 50)).astype(np.float32)), []
            for function in (draw, compiled):
                tg.manual_seed(k)
                found.append([numbers(z) for z in function(x)] + [tg.rand(()).item()])
            assert_same(*found)
    assert compiled.replays == 5 and captures(compiled)


def test_results_belong_to_the_caller():
    tg.manual_seed(0)
    model = LeNet5().eval()
    compiled, x = tg.compile(model), tg.rand(3, 1, 28, 28)
    with tg.no_grad():
        kept = [compiled(x * k) for k in range(6)]
        for k, z in enumerate(kept):
            np.testing.assert_array_equal(numbers(z), numbers(model(x * k)))
        kept[-1].data[...] = 7
        np.testing.assert_array_equal(numbers(compiled(x)), numbers(model(x)))


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 2_180
