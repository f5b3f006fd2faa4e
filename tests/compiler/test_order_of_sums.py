"""Several results that share leaves: their contributions are added in the order of the function's own backward pass."""

import numpy as np
import pytest
from compiling import assert_same, numbers

import tensorgrad as tg


def penalty_first(w, x):
    penalty = (w * w * 0.3).sum(0)
    return (w * x).tanh(), penalty


def penalty_last(w, x):
    loss = (w * x).tanh()
    return (w * w * 0.3).sum(0), loss


def three(w, x):
    a, b, c = (w * x).sin(), (w / 3).exp(), tg.maximum(w, x) * w
    return b, c, a


def in_lock_step(w, x):
    """Two towers, layer by layer: the first adds to the weight before and after the second."""
    a, b = x * w, (x + 1) * w
    return a.tanh() * w, b.sigmoid() * w


FUNCTIONS = [penalty_first, penalty_last, three, in_lock_step]


@pytest.mark.filterwarnings("ignore:.*by turns")
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_gradients_taken_outside_keep_their_bits(function):
    compiled, rng = tg.compile(function), np.random.default_rng(0)
    for _ in range(6):
        w, x = (rng.standard_normal((40, 50)).astype(np.float32) for _ in "wx")
        seen, upstream = [], None
        for call in (function, compiled):
            leaf = tg.tensor(w.copy(), requires_grad=True)
            results = call(leaf, tg.tensor(x))
            upstream = upstream or [tg.tensor(rng.standard_normal(z.shape).astype(np.float32)) for z in results]
            total = sum((z * g).sum() for z, g in zip(results, upstream, strict=True)) + (leaf * 0.1).sum()
            total.backward()
            seen.append(numbers(leaf.grad))
        assert_same(*seen)
    assert (compiled.replays == 4) == (function is not in_lock_step)
    assert bool(compiled.problems) == (function is in_lock_step)
