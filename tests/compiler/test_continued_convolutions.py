"""What continues a convolution elementwise takes its memory, and waits for no other thread: the function's own bits."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.kernels import dispatch
from tensorgrad.kernels.jit import command_list


@pytest.fixture(params=[1, 2])
def threads(request):
    if request.param > dispatch._config.NUMBA_NUM_THREADS:
        pytest.skip("not so many threads")
    before = dispatch.get_num_threads()
    dispatch.set_num_threads(request.param)
    yield request.param
    dispatch.set_num_threads(before)


class Net(nn.Module):
    """Convolutions of all kinds, with batch norm, activations, residuals, and an array per image."""

    def __init__(self, channels, stride, activation):
        super().__init__()
        c, wide = channels, 3 * channels
        self.activation = activation
        self.first = nn.Conv2d(3, c, (5, 3), stride=stride, padding=(1, 2))
        self.up, self.down = nn.Conv2d(c, wide, 1, bias=False), nn.Conv2d(wide, c, 1)
        self.planes = nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False)
        self.strided, self.short = nn.Conv2d(c, wide, 3, stride=2, padding=1), nn.Conv2d(c, wide, 1, stride=2)
        self.grouped = nn.Conv2d(wide, wide, 3, padding=1, groups=3)
        self.norms = nn.ModuleList([nn.BatchNorm2d(k) for k in (c, wide, wide, c, wide, wide, wide)])
        rng = np.random.default_rng(0)
        for norm in self.norms:
            norm.running_mean.data[...] = rng.standard_normal(norm.running_mean.shape)
            norm.running_var.data[...] = rng.uniform(0.5, 2, norm.running_var.shape)
            norm.weight.data[...] = rng.standard_normal(norm.weight.shape)

    def forward(self, x, gate):
        a, f = iter(self.norms), self.activation
        x = f(next(a)(self.first(x)))
        y = f(next(a)(self.up(x)))
        y = f(next(a)(self.planes(y)))
        x = f(x + next(a)(self.down(y)) * gate)
        y = f(next(a)(self.strided(x)) + next(a)(self.short(x)))
        z = self.grouped(y)
        return f(next(a)(z) - y), z


CASES = [(1, 8, 1, tg.relu), (1, 24, 2, tg.relu), (3, 8, 2, tg.relu), (9, 16, 1, tg.nn.functional.relu6)]


@pytest.mark.parametrize(("count", "channels", "stride", "activation"), CASES)
def test_evaluation(threads, count, channels, stride, activation, monkeypatch):
    net = Net(channels, stride, activation).eval()
    compiled, chained = tg.compile(net), []
    followers_of = command_list.followers_of
    monkeypatch.setattr(command_list, "followers_of", lambda launches: note(chained, followers_of(launches)))
    rng = np.random.default_rng(1)
    with tg.no_grad():
        for _ in range(5):
            x = tg.tensor(rng.standard_normal((count, 3, 45, 43)).astype(np.float32))
            gate = tg.tensor(rng.standard_normal((count, 1, 1, 1)).astype(np.float32))
            for found, expected in zip(compiled(x, gate), net(x, gate), strict=True):
                assert found.numpy().tobytes() == expected.numpy().tobytes()
    assert compiled.replays == 3 and not compiled.problems
    assert any(chained) == (threads > 1)


def note(chained, followers):
    chained += followers
    return followers


@pytest.mark.parametrize(("count", "channels", "stride", "activation"), CASES[1:2])
def test_gradients(threads, count, channels, stride, activation):
    """Backward needs what the convolutions have made: it isn't overwritten."""
    net = Net(channels, stride, activation).eval()
    rng = np.random.default_rng(1)

    def loss(x, gate, upstream):
        found = net(x, gate)
        return sum((z * g).sum() for z, g in zip(found, upstream, strict=True))

    compiled = tg.compile(loss)
    for _ in range(4):
        x = tg.tensor(rng.standard_normal((count, 3, 45, 43)).astype(np.float32), requires_grad=True)
        gate = tg.tensor(rng.standard_normal((count, 1, 1, 1)).astype(np.float32), requires_grad=True)
        upstream = [tg.tensor(rng.standard_normal(z.shape).astype(np.float32)) for z in net(x, gate)]
        leaves, bits = [x, gate, *net.parameters()], []
        for function in (loss, compiled):
            for leaf in leaves:
                leaf.grad = None
            value = function(x, gate, upstream)
            value.backward()
            bits.append([value.numpy().tobytes(), *[leaf.grad.numpy().tobytes() for leaf in leaves]])
        assert bits[0] == bits[1]
    assert compiled.replays == 2 and not compiled.problems


def test_a_result_that_others_read_keeps_its_memory(threads):
    """The convolution's output is read again after the loop, through a view, and is a result itself."""
    conv = nn.Conv2d(4, 8, 3, padding=1).eval()

    def read_twice(x):
        y = conv(x)
        return tg.relu(y * 2 + 1), y.flatten(1).sum(1)

    def returned(x):
        y = conv(x)
        return tg.relu(y * 2 + 1), y

    def changed(x):
        x = x * 1
        y = conv(x)
        x += 1
        return tg.relu(y * 2 + 1) + x.sum()

    rng = np.random.default_rng(2)
    with tg.no_grad():
        for function in (read_twice, returned, changed):
            compiled = tg.compile(function)
            for _ in range(4):
                x = tg.tensor(rng.standard_normal((2, 4, 30, 31)).astype(np.float32))
                found, expected = (f(x) for f in (compiled, function))
                pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
                for one, other in pairs:
                    assert one.numpy().tobytes() == other.numpy().tobytes()
            assert compiled.replays == 2


class Tiles(nn.Module):
    """Winograd's convolutions, each with what continues it, a single step too; pooling; short rows behind a 1×1."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 24, 3, padding=1, bias=False)
        self.norm, self.up = nn.BatchNorm2d(24), nn.Conv2d(24, 96, 1)
        self.wide, self.planes = nn.BatchNorm2d(96), nn.Conv2d(96, 96, 3, padding=1, groups=96)

    def forward(self, x):
        x = tg.relu(self.one(x)) + x
        x = nn.functional.max_pool2d(tg.relu(self.norm(self.two(x))), 2)
        x = nn.functional.max_pool2d(tg.relu(self.wide(self.up(x))), 2)
        return tg.relu(self.planes(x))


def test_what_continues_tiles_is_done_once_more_where_a_result_is_not_finite(threads, monkeypatch):
    net, chained = Tiles().eval(), []
    followers_of = command_list.followers_of
    monkeypatch.setattr(command_list, "followers_of", lambda launches: note(chained, followers_of(launches)))
    compiled, rng = tg.compile(net), np.random.default_rng(2)
    for number in range(8):
        x = rng.standard_normal((1, 16, 32, 32)).astype(np.float32)
        if number % 3 == 2:
            x[0, rng.integers(16), rng.integers(32), rng.integers(32)] = [np.inf, -np.inf, np.nan][number // 3 % 3]
        with tg.no_grad():
            np.testing.assert_array_equal(compiled(tg.tensor(x)).numpy(), net(tg.tensor(x)).numpy())
    assert compiled.replays >= 5 and not compiled.problems
    assert (max(chained) >= 2) == (threads > 1), "1×1, batch norm and relu, pooling"
