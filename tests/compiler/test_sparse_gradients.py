"""Captured gradients of convolutions: a kernel's flag says in each replay in which way they are computed."""

import numpy as np
import pytest
from compiling import assert_same, captures, numbers, poison

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.compiler.capture import HostCall
from tensorgrad.kernels.conv import sparse, winograd
from tensorgrad.windows import Shapes, Window

SAME = ((1, 1), (1, 1))
SHAPES = {
    "by sums": ((3, 16, 6, 6), (9, 16, 3, 3), SAME),
    "by Winograd's tiles": ((8, 32, 12, 12), (33, 32, 3, 3), SAME),
    "by columns": ((3, 8, 8, 8), (9, 8, 4, 4), ((0, 0), (0, 0))),
}


def arrays(x_shape, w_shape, padding, seed):
    """Random x, w, dense and sparse g."""
    rng = np.random.default_rng(seed)
    (top, bottom), (left, right) = padding
    rows, columns = x_shape[2] + top + bottom - w_shape[2] + 1, x_shape[3] + left + right - w_shape[3] + 1
    shape = x_shape[0], w_shape[0], rows, columns
    x, w, dense = (rng.standard_normal(s).astype(np.float32) for s in (x_shape, w_shape, shape))
    thin = dense.copy()
    thin[:, :, ::2], thin[:, :, :, ::2] = 0, 0
    # The first planes are sparse, where it is decided whether to begin; the last isn't.
    late = thin.copy()
    late[-1, -1] = dense[-1, -1]
    return x, w, {"dense": dense, "sparse": thin, "dense at the end": late, "zero": dense * 0}


def trained(shapes, sequence, wrapped):
    """All that can be seen of a convolution between two others while its upstream gradient is now dense, now sparse."""
    x, w, ways = arrays(*shapes, seed=0)
    rng = np.random.default_rng(1)
    first = nn.Parameter(rng.standard_normal((1, x.shape[1], 1, 1)).astype(np.float32))
    second = nn.Parameter(w.copy())
    sgd = nn.optim.SGD([first, second], lr=0.01)

    @wrapped
    def step(x, g):
        sgd.zero_grad()
        loss = (tg.conv2d(x * first, second, padding=shapes[2][0][0]) * g).sum()
        loss.backward()
        sgd.step()
        return loss

    seen = []
    for k, way in enumerate(sequence):
        g = ways[way.split(",")[0]] * np.float32(1 + k)
        x = rng.standard_normal(x.shape).astype(np.float32)
        if "NaN" in way:
            x[-1, -1, 2, 3] = np.nan
        if "infinite" in way:
            x[0, 0, 3, 2] = np.inf
        seen.append([numbers(step(x, g)), *(numbers(p.grad) for p in (first, second))])
        if "NaN" in way or "infinite" in way:
            first.data[...], second.data[...] = 1, w
        if wrapped is tg.compile and k > 2:
            poison(step)
    return seen, step


SEQUENCES = {
    "from dense to sparse": (
        "dense",
        "dense",
        "dense",
        "dense",
        "sparse",
        "dense at the end",
        "sparse",
        "zero",
        "dense",
    ),
    "from sparse to dense": ("sparse", "sparse", "sparse", "sparse", "dense", "sparse", "dense at the end", "dense"),
    "not finite": ("dense", "sparse", "dense", "sparse", "sparse, NaN", "dense, infinite", "dense, NaN", "sparse"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES)
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_replays_find_the_bits_of_the_plain_function_in_each_way(shapes, sequence, threads):
    (plain, _), (compiled, step) = (trained(shapes, sequence, wrapped) for wrapped in (lambda f: f, tg.compile))
    assert_same(plain, compiled)
    (captured,) = captures(step)
    assert step.replays == len(sequence) - 2 and not captured.invalid
    hosts = [unit.outputs for unit in captured._units if isinstance(unit, HostCall)]
    assert not [name for outputs in hosts for name, _ in outputs if "grad_input" in name or "grad_weight" in name]


def test_the_shapes_take_every_way():
    for name, (x, w, padding) in SHAPES.items():
        window = Window.fitting("conv2d", x[2:], w[2:], (1, 1), padding, (1, 1))
        shapes = Shapes(x, w, (x[0], w[0], *window.output))
        assert sparse.serves(window, shapes, 4) and winograd.serves(window, shapes) == ("Winograd" in name)
