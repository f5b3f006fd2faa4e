"""What a function computes from constants is its caller's to change: the next call makes it anew."""

import numpy as np
import pytest
from compiling import numbers

import tensorgrad as tg


def changed_through_a_view(x):
    z = tg.zeros(2, 2)
    z.T[0] = 3
    return z.T + 0 * x


def a_view_of_what_changed(x):
    z = tg.zeros(2, 2)
    z[0].add_(1.0)
    return x * 2, z.T


FUNCTIONS = {
    "computed": lambda x: (x * 2, tg.ones_like(x) * 2),
    "a view": lambda x: (x * 2, (tg.ones_like(x) * 2).reshape(4, 1)),
    "a product": lambda x: (x * 2, (tg.arange(2.0)[:, None] * tg.arange(2.0)).T),
    "changed through a view": changed_through_a_view,
    "a view of what changed": a_view_of_what_changed,
    "the constant itself": lambda x: (x * 2, tg.eye(2).T),
}


@pytest.mark.filterwarnings("ignore:compile")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_caller_may_change_what_it_got(name):
    function, compiled = FUNCTIONS[name], tg.compile(FUNCTIONS[name])
    with tg.no_grad():
        for k in range(8):
            for found, wanted in zip(
                *[_listed(f(tg.full((2, 2), float(k)))) for f in (compiled, function)], strict=True
            ):
                np.testing.assert_array_equal(numbers(found), numbers(wanted))
                found += 1.0


def test_a_leaf_may_change_the_gradient_it_got():
    w = tg.tensor([5.0], requires_grad=True)

    @tg.compile
    def step(x):
        loss = (w.reshape(()) + x).reshape(1).sum()
        loss.backward()
        return loss.detach()

    for _ in range(8):
        w.grad = None
        step(tg.tensor(1.0))
        np.testing.assert_array_equal(w.grad.data, [1.0])
        with tg.no_grad():
            if w.grad.data.flags.writeable:
                w.grad.mul_(3.0)


def _listed(results):
    return list(results) if isinstance(results, tuple) else [results]
