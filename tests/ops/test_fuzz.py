"""Random programs: chains of ops with broadcasting, reuse, views, indexing, against finite differences and PyTorch."""

import numpy as np
import pytest

import tensorgrad as tg

PROGRAMS, STEPS = 60, 12


# Spelled as tensorgrad and PyTorch both take it (`lib` is either), smooth, and bounded, so that chains stay tame.
UNARY = [
    lambda lib, x: lib.tanh(x),
    lambda lib, x: lib.sin(x) * 1.3,
    lambda lib, x: lib.sigmoid(x) - 0.5,
    lambda lib, x: lib.sqrt(x * x + 1),
    lambda lib, x: lib.log(lib.exp(x * 0.5) + 1),
    lambda lib, x: 1 / (x * x + 2),
    lambda lib, x: (x * x + 1) ** 0.75,
    lambda lib, x: -x * 0.9,
    lambda lib, x: lib.softmax(x, -1),
    lambda lib, x: lib.log_softmax(x, 0) * 0.5,
    lambda lib, x: lib.cumsum(x, 1) * 0.4,
    lambda lib, x: x.swapaxes(-1, -2),
    lambda lib, x: x.reshape(x.shape[1], x.shape[0]),
    lambda lib, x: x.reshape(-1)[2:].reshape(1, -1),
    lambda lib, x: lib.flip(x, (0,)),
    lambda lib, x: x[..., 1:],
    lambda lib, x: x[1:2],
    lambda lib, x: x[:, ::2],
    lambda lib, x: x[[0, -1, 0, 0]],
    lambda lib, x: x[:, [1, 1, 0]],
    lambda lib, x: x[0][None],
    lambda lib, x: x[None, :, 0] + x[:, 1:2],
    lambda lib, x: x.sum(0)[None] * 0.5,
    lambda lib, x: x.mean(1)[:, None] + x,
    lambda lib, x: lib.logsumexp(x, 1)[:, None],
    lambda lib, x: lib.stack([x, x * 0.5, x], 0).mean(0),
]
BINARY = [
    lambda lib, x, y: x + y,
    lambda lib, x, y: x - y * 0.7,
    lambda lib, x, y: x * y,
    lambda lib, x, y: x / (y * y + 1),
    lambda lib, x, y: lib.tanh(x) * x + y,
]
MATRIX = [
    lambda lib, x, y: x @ y * 0.5,
    lambda lib, x, y: lib.einsum("ij,jk->ki", x, y) * 0.5,
]
ALONG_ROWS = [
    lambda lib, x, y: lib.concatenate([x, y], 0),
    lambda lib, x, y: (x[:, None] * y[None]).mean(0),
]


def joins(x, y):
    return all(n == m or 1 in (n, m) for n, m in zip(x, y, strict=True))


def write_program(rng, shapes):
    """A list of (function, operands) over a growing list of values: matrices from 2 × 2, up to 60 numbers."""
    values = [np.zeros(s) for s in shapes]
    program = []
    while len(program) < STEPS:
        i, j = rng.integers(len(values), size=2)
        # The younger values more often, so that chains get deep.
        i = max(i, int(rng.integers(len(values))))
        x, y = values[i].shape, values[j].shape
        family = rng.integers(4)
        if family == 0 and joins(x, y):
            step = (BINARY[rng.integers(len(BINARY))], (i, j))
        elif family == 1 and x[1] == y[0]:
            step = (MATRIX[rng.integers(len(MATRIX))], (i, j))
        elif family == 1 and x[1] == y[1]:
            step = (ALONG_ROWS[rng.integers(len(ALONG_ROWS))], (i, j))
        else:
            step = (UNARY[rng.integers(len(UNARY))], (i,))
        z = step[0](tg, *[tg.Tensor(values[k]) for k in step[1]])
        if z.ndim == 2 and min(z.shape) >= 2 and z.numel() <= 60:
            program.append(step)
            values.append(np.zeros(z.shape))
    return program


def run(library, program, inputs):
    """The last value and, so that branches meet again, the sum of every one."""
    values = list(inputs)
    for function, operands in program:
        values.append(function(library, *[values[k] for k in operands]))
    return values[-1], sum((v * (0.1 + 0.05 * k)).sum() for k, v in enumerate(values))


def random_case(seed):
    rng = np.random.default_rng([11, seed])
    shapes = [(2, 3), (3, 2), (2, 3)]
    program = write_program(rng, shapes)
    return program, [rng.standard_normal(s) for s in shapes], rng


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_program_against_finite_differences(seed):
    program, arrays, _ = random_case(seed)
    assert tg.gradcheck(lambda *xs: run(tg, program, xs)[0], arrays, seed=seed)
    assert tg.gradcheck(lambda *xs: run(tg, program, xs)[1], arrays, seed=seed)


@pytest.mark.parametrize("seed", range(0, PROGRAMS, 6))
def test_second_derivative_of_random_program(seed):
    program, arrays, rng = random_case(seed)
    directions = [rng.standard_normal(a.shape) for a in arrays]

    def slope(*xs):
        """∇f · v"""
        grads = tg.grad(run(tg, program, xs)[1], xs, create_graph=True)
        return sum((g * v).sum() for g, v in zip(grads, directions, strict=True))

    assert tg.gradcheck(slope, arrays, seed=seed)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_program_against_pytorch(seed, dtype):
    torch = pytest.importorskip("torch")
    program, arrays, rng = random_case(seed)
    ours = [tg.tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
    (z, total), (t, expected) = run(tg, program, ours), run(torch, program, theirs)
    tolerance = {"float64": 1e-11, "float32": 2e-5}[dtype]
    np.testing.assert_allclose(z.data, t.detach().numpy(), rtol=tolerance, atol=tolerance)
    upstream = rng.standard_normal(z.shape).astype(dtype)
    z.backward(upstream, retain_graph=True)
    total.backward()
    t.backward(torch.tensor(upstream), retain_graph=True)
    expected.backward()
    for x, e in zip(ours, theirs, strict=True):
        e = np.zeros(x.shape) if e.grad is None else e.grad.numpy()
        assert x.grad.dtype == dtype
        np.testing.assert_allclose(x.grad.data, e, rtol=0, atol=tolerance * max(1, np.abs(e).max()))
