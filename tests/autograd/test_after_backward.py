"""What follows a backward pass: hooks of leaves that see all gradients."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd.hooks import after_backward
from tensorgrad.errors import DTypeError, GraphError

RNG = np.random.default_rng(0)


def test_hooks_after_a_backward_pass():
    w, other = (tg.tensor(RNG.normal(size=3), requires_grad=True) for _ in range(2))
    seen = []
    handle = w.register_post_accumulate_grad_hook(lambda t: seen.append((t is w, t.grad.numpy().copy(), other.grad)))
    (w * other).sum().backward()
    (w * 2).sum().backward(inputs=[w])
    (other * 2).sum().backward()
    tg.grad((w * 2).sum(), [w])
    assert len(seen) == 2 and all(mine for mine, *_ in seen) and seen[0][2] is not None  # all gradients are there
    np.testing.assert_allclose(seen[1][1], other.numpy() + 2)
    handle.remove()
    (w * 2).sum().backward()
    assert len(seen) == 2
    with pytest.raises(GraphError, match="isn't a leaf"):
        (w * 2).register_post_accumulate_grad_hook(print)
    with pytest.raises(DTypeError, match="must be a function"):
        w.register_post_accumulate_grad_hook(3)


def test_a_compiled_function_with_a_hook_runs_as_it_is():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    seen = []

    @tg.compile
    def step():
        w.grad = None
        (w * w).sum().backward()

    step(), step(), step()
    w.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    with pytest.warns(RuntimeWarning, match="a hook after a backward pass"):
        for _ in range(3):
            step()
    assert seen == [[2.0, 4.0]] * 3


def test_what_several_leaves_have_is_called_once():
    leaves = [tg.tensor(RNG.normal(size=3), requires_grad=True) for _ in range(3)]
    calls = []

    class Counter:
        def count(self):
            calls.append([leaf.grad is not None for leaf in leaves])

    counter = Counter()
    for leaf in leaves:
        after_backward(leaf, counter.count)
    (leaves[0] * leaves[1]).sum().backward()
    assert calls == [[True, True, False]]
