"""Hooks on tensors: they see and replace the complete gradient."""

import numpy as np
import pytest
from leaves import leaf

import tensorgrad as tg

RNG = np.random.default_rng(7)


def test_hooks_see_and_replace_the_complete_gradient_until_removed():
    x, upstream = leaf(3), RNG.standard_normal(3)
    h = x * 2.0
    seen = []
    first = h.register_hook(lambda g: seen.append(g.data.copy()))
    second = h.register_hook(lambda g: g * 10.0)
    x.register_hook(lambda g: g + 1.0)
    (h + h).backward(upstream, retain_graph=True)
    np.testing.assert_allclose(seen, [2 * upstream])
    np.testing.assert_allclose(x.grad.data, 40 * upstream + 1)
    first.remove(), second.remove(), second.remove()
    x.grad = None
    (h + h).backward(upstream)
    assert len(seen) == 1
    np.testing.assert_allclose(x.grad.data, 4 * upstream + 1)


def test_a_hook_that_returns_nonsense_is_refused():
    x = leaf(3)
    x.register_hook(lambda g: np.ones(2))
    with pytest.raises(tg.ShapeError, match=r"(?s)hook.*returned: \(2,\)"):
        (x * 2.0).sum().backward()
    with pytest.raises(tg.GraphError, match="gets no gradient"):
        tg.ones(2).register_hook(print)


@pytest.mark.parametrize(
    "register", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"]
)
def test_a_hook_that_is_no_function_is_refused_where_it_is_registered(register):
    w, layer = tg.ones(2, requires_grad=True), tg.nn.Linear(2, 1)
    for call in (w.register_hook, getattr(layer, register)):
        with pytest.raises(tg.DTypeError, match="a hook must be a function"):
            call(None)
    layer(w).sum().backward()
    assert w.grad is not None
