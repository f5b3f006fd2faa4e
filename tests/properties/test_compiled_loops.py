"""Elementwise steps as one loop: generated chains of functions give the bits of the single steps, gradients too."""

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import kernels

UNARY = [tg.relu, tg.silu, tg.sigmoid, tg.tanh, tg.gelu, tg.leaky_relu, tg.elu, tg.softplus, tg.negative, tg.square]
UNARY += [tg.abs, tg.sqrt, tg.nn.functional.hardswish]
BINARY = [tg.add, tg.subtract, tg.multiply, tg.divide]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-310, 1e30]
SHAPES = [(3, 5, 17, 19), (70, 61), (2, 3, 701), (4100,), (9, 11, 7, 7), (1, 2, 50, 60)]


def operand_shapes(shape):
    """What broadcasts to a shape: all of it, one number, and one number per channel, image, plane or row."""
    count = len(shape)
    found = [shape, (), (1,) * count, shape[-1:], (*shape[:-1], 1)]
    if count > 2:
        ones = (1,) * (count - 2)
        found += [(shape[1], *ones), (*shape[:2], *ones), (shape[0], 1, *ones)]
    return found


def drawn(rng, shape, dtype):
    """Numbers of several sizes, some of them special."""
    x = np.asarray(rng.standard_normal(shape) * rng.choice([0.1, 1.0, 4.0], shape), dtype)
    if x.ndim and rng.random() < 0.5:
        x = x.copy()
        x.reshape(-1)[rng.integers(0, x.size, 3)] = rng.choice(SPECIAL, 3).astype(dtype)
    return x


class Chain:
    """A function of x and other arrays: several steps, each of which takes results of the steps before."""

    def __init__(self, seed):
        rng = self.rng = np.random.default_rng(seed)
        self.shape, self.dtype = SHAPES[rng.integers(len(SHAPES))], [np.float32, np.float64][rng.integers(2)]
        self.steps, self.operands = [], []
        for k in range(rng.integers(3, 7)):
            one = int(rng.integers(max(0, k - 1), k + 1))
            if len(self.shape) > 1 and rng.random() < 0.3:
                self.steps.append(("norm", one, self._operand(self.shape[1:2]), self._operand(self.shape[1:2])))
            elif rng.random() < 0.5:
                self.steps.append((UNARY[rng.integers(len(UNARY))], one))
            elif k and rng.random() < 0.4:
                self.steps.append((BINARY[rng.integers(4)], one, int(rng.integers(k + 1))))
            else:
                shapes = operand_shapes(self.shape)
                other = self._operand(shapes[rng.integers(len(shapes))])
                self.steps.append((BINARY[rng.integers(4)], one, other))

    def _operand(self, shape):
        self.operands.append(tg.tensor(drawn(self.rng, shape, self.dtype), requires_grad=True))
        return self.operands[-1]

    def __call__(self, x):
        values = [x]
        for function, one, *others in self.steps:
            others = [values[k] if isinstance(k, int) else k for k in others]
            if function == "norm":
                values.append(tg.batch_norm(values[one], None, None, *others, training=True))
            else:
                values.append(function(values[one], *others))
        return values[-1]

    def results(self, function, x, upstream):
        z = function(x)
        wanted = [x, *self.operands]
        found = tg.grad(z, wanted, upstream, materialize_grads=True)
        return [np.array(t.detach().data) for t in (z, *found)]


def assert_same_bits(one, other):
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
        known = ~np.isnan(a)
        np.testing.assert_array_equal(np.signbit(a)[known], np.signbit(b)[known])


@pytest.mark.seeds(8)
def test_a_chain_gives_the_bits_of_its_steps(seed, threads, monkeypatch):
    monkeypatch.setattr(kernels.dispatch, "SMALL", 0)  # several chunks for little work too
    chain = Chain(seed)
    compiled = tg.compile(lambda x: chain(x))
    for _ in range(4):
        x = tg.tensor(drawn(chain.rng, chain.shape, chain.dtype), requires_grad=True)
        upstream = tg.tensor(drawn(chain.rng, chain(x).shape, chain.dtype))
        assert_same_bits(chain.results(chain, x, upstream), chain.results(compiled, x, upstream))
    assert compiled.replays == 2 and not compiled.problems


def block(x, w, b, v, c):
    """What stands between the convolutions of a residual network."""
    h = tg.batch_norm(x, None, None, w, b, training=True)
    return tg.relu(tg.batch_norm(h.relu(), None, None, v, c, training=True) + x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_a_block_becomes(dtype):
    rng = np.random.default_rng(0)
    x, *numbers = (
        tg.tensor(rng.standard_normal(s), dtype=dtype, requires_grad=True) for s in ((4, 6, 15, 13), *[(6,)] * 4)
    )
    upstream = tg.tensor(rng.standard_normal(x.shape), dtype=dtype)
    compiled = tg.compile(block)
    for _ in range(3):
        found = [[z, *tg.grad(z, [x, *numbers], upstream)] for z in (f(x, *numbers) for f in (block, compiled))]
        assert_same_bits(*[[np.array(t.detach().data) for t in tensors] for tensors in found])
    loops = re.findall(r"run_((?:scale|add|relu|sum)\w+)_\d+\(", compiled.source)
    assert loops == [
        "scale_and_shift_relu",
        "scale_and_shift_add_relu",
        "relu_gradient_sum_and_product",
        "scale_and_shift_gradient_relu_gradient_sum_and_product",
    ]


def test_formulas_are_not_contracted_across_links():
    """x · y + z of two steps is rounded twice; one fused multiply-add would round once."""
    rng = np.random.default_rng(0)
    x, y, z = (tg.tensor(rng.standard_normal(5000).astype(np.float32)) for _ in range(3))
    compiled = tg.compile(lambda x, y, z: tg.silu(x * y + z) * y + z)
    for _ in range(3):
        found = compiled(x, y, z)
    inner = x.numpy() * y.numpy() + z.numpy()
    np.testing.assert_array_equal(found.numpy(), tg.silu(tg.tensor(inner)).numpy() * y.numpy() + z.numpy())
    assert "multiply_add_silu_multiply_add" in compiled.source
