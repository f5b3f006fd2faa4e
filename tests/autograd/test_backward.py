"""backward(): gradients that add up at leaves, deep graphs, several tensors, and what is refused."""

import gc
import itertools

import numpy as np
import pytest
from leaves import leaf

import tensorgrad as tg
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.op import Op

RNG = np.random.default_rng(7)


# ------------------------------------------------------------------------------------------------------ accumulation


def test_backward_twice_adds_to_leaves_and_to_nothing_else():
    x, upstream = leaf(3), RNG.standard_normal(3)
    h = x * x
    y = h * 3.0
    y.backward(upstream, retain_graph=True)
    once = x.grad.numpy().copy()
    y.backward(upstream)
    np.testing.assert_allclose(once, 6 * x.data * upstream)
    np.testing.assert_allclose(x.grad.data, 2 * once)
    assert h.grad is None and y.grad is None


def test_gradients_of_two_leaves_share_no_memory():
    x, y = leaf(3), leaf(3)
    seed = np.ones(3)
    (x + y).backward(seed)
    assert not np.shares_memory(x.grad.data, y.grad.data)
    assert not np.shares_memory(x.grad.data, seed)
    x.grad.data[...] = 99
    np.testing.assert_array_equal(y.grad.data, np.ones(3))
    np.testing.assert_array_equal(seed, np.ones(3))


def test_many_paths_to_one_leaf_add_up_without_touching_a_borrowed_gradient():
    x, upstream = leaf(4), RNG.standard_normal(4)
    kept = []
    h = x * 1.0
    h.register_hook(lambda g: kept.append(g))
    (h + h + h + h * 2.0).backward(upstream)
    np.testing.assert_allclose(x.grad.data, 5 * upstream)
    np.testing.assert_allclose(kept[0].data, 5 * upstream)


def test_retain_grad_and_its_absence():
    x = leaf(3)
    h, k = x * 2.0, x * 3.0
    h.retain_grad()
    (h * h + k).sum().backward()
    np.testing.assert_allclose(h.grad.data, 2 * h.data)
    assert k.grad is None


def test_a_failed_backward_leaves_every_grad_as_it_was():
    class Faulty(Op):
        """z = x, but its rule fails."""

        def forward(self, x):
            return x.copy()

        def backward_x(self, grad):
            raise ValueError("no rule today")

    x, y = leaf(2), leaf(2)
    z = (y * 2.0 + apply(Faulty, x)).sum()
    with pytest.raises(ValueError, match="no rule today"):
        z.backward()
    assert x.grad is None and y.grad is None
    assert tg.is_grad_enabled()


# -------------------------------------------------------------------------------------------------------------- depth


def test_a_chain_of_a_hundred_thousand_ops_forward_backward_and_freed():
    x = tg.tensor(1.0, requires_grad=True)
    gc.disable()  # the collector would walk a growing graph over and over
    try:
        y = x
        for _ in range(100_000):
            y = -y
        y.backward()
        assert x.grad.item() == 1.0
        del y
        y = x
        for _ in range(100_000):
            y = -y
        del y  # freed without having been walked
    finally:
        gc.enable()


def test_a_graph_doubled_forty_times_takes_linear_time():
    x = tg.tensor(1.0, requires_grad=True)
    calls = itertools.count()

    class Double(Op):
        """z = x + x, by two edges."""

        def forward(self, x, y):
            return x + y

        def backward_x(self, grad):
            next(calls)
            return grad

        backward_y = backward_x

    y = x
    for _ in range(40):
        y = apply(Double, y, y)
    y.backward()
    assert x.grad.item() == 2.0**40
    assert next(calls) == 80


# -------------------------------------------------------------------------------------------------------------- errors


def test_backward_of_a_non_scalar_needs_a_seed():
    with pytest.raises(tg.GraphError, match=r"(?s)several elements.*\(3,\) float64.*\.sum\(\)"):
        (leaf(3) * 2.0).backward()


def test_backward_with_a_wrong_seed():
    with pytest.raises(tg.ShapeError, match=r"(?s)another shape.*expected: gradient of shape \(3,\)"):
        (leaf(3) * 2.0).backward(np.ones(4))


def test_backward_through_a_freed_graph():
    x = leaf(3)
    y = (x * x).sum()
    y.backward()
    grad = x.grad.numpy().copy()
    with pytest.raises(tg.GraphError, match=r"(?s)freed by an earlier backward.*retain_graph=True"):
        y.backward()
    np.testing.assert_array_equal(x.grad.data, grad)


def test_backward_without_a_graph():
    with pytest.raises(tg.GraphError, match=r"(?s)no graph.*requires_grad=True"):
        tg.ones(3).sum().backward()
    w = leaf(3)
    with tg.no_grad():
        y = w.sum()
    with pytest.raises(tg.GraphError, match="no graph"):
        y.backward()


def test_backward_after_an_in_place_change_names_op_and_tensor():
    w = tg.tensor([1.0, 2.0], requires_grad=True, name="w")
    y = (w * w).sum()
    with tg.no_grad():
        w[0] = 5.0
    with pytest.raises(tg.GraphError, match=r"(?s)multiply: backward needs its input [xy].*named 'w'.*clone\(\)"):
        y.backward()
    assert w.grad is None


def test_an_in_place_change_through_a_view_or_of_an_output_is_seen_too():
    w = leaf(2, 3)
    y = (w * w).sum()
    with tg.no_grad():
        w.detach().reshape(6)[0] = 5.0
    with pytest.raises(tg.GraphError, match="changed in place"):
        y.backward()
    z = w.exp()
    with tg.no_grad():
        z *= 2.0
    with pytest.raises(tg.GraphError, match="its output z"):
        z.sum().backward()


def test_a_change_of_what_was_not_saved_is_no_error():
    w = leaf(3)
    y = (w + 1.0).sum()
    with tg.no_grad():
        w += 1.0
    y.backward()
    np.testing.assert_array_equal(w.grad.data, np.ones(3))


def test_a_leaf_that_requires_grad_is_not_changed_while_recording():
    w = leaf(3)
    with pytest.raises(tg.GraphError, match=r"(?s)leaf.*no_grad"):
        w[0] = 1.0
    with pytest.raises(tg.GraphError, match="leaf"):
        w += 1.0


def test_a_rule_whose_gradient_does_not_fit_is_named():
    class Wrong(Op):
        """z = x, with a gradient of a wrong shape."""

        def forward(self, x):
            return x.copy()

        def backward_x(self, grad):
            return grad.reshape(2, 1) @ grad.reshape(1, 2) @ tg.ones(2, 3, dtype="float64")

    with pytest.raises(tg.ShapeError, match=r"(?s)wrong: backward_x returned a gradient.*shape \(2,\)"):
        apply(Wrong, leaf(2)).backward(np.ones(2))


def test_integers_can_not_require_grad():
    with pytest.raises(tg.DTypeError, match="must be a float, got int64"):
        tg.tensor([1, 2], requires_grad=True)


def test_a_gradient_is_a_tensor_or_nothing():
    w = tg.ones(2, requires_grad=True)
    for wrong in (np.ones(2), [1.0, 1.0], "g"):
        with pytest.raises(tg.DTypeError, match=r"a gradient must be a tensor or None"):
            w.grad = wrong
    w.grad = tg.ones(2)
    del w.grad
    assert w.grad is None


# ------------------------------------------------------------------------------------------------- tg.autograd.backward


def several(rng):
    """Leaves, tensors that share some of them, and upstream gradients."""
    w, v = (tg.tensor(rng.standard_normal((3, 4)), requires_grad=True) for _ in "wv")
    hidden = (w * v).tanh()
    return (w, v, hidden), [hidden * w, hidden.sum(), v.exp()], [rng.standard_normal((3, 4)), None, w.detach() * 2]


def test_backward_of_several_tensors_is_that_of_their_weighted_sum():
    (w, v, _), tensors, upstream = several(np.random.default_rng(0))
    tg.autograd.backward(tensors, upstream)
    found = w.grad.data.copy(), v.grad.data.copy()
    (w, v, _), tensors, upstream = several(np.random.default_rng(0))
    weights = [1.0 if g is None else tg.tensor(g) if isinstance(g, np.ndarray) else g for g in upstream]
    sum((t * g).sum() for t, g in zip(tensors, weights, strict=True)).backward()
    np.testing.assert_allclose(found, (w.grad.data, v.grad.data), rtol=1e-12)


def test_backward_of_several_tensors_to_some_inputs():
    (w, v, hidden), tensors, upstream = several(np.random.default_rng(1))
    w.grad = tg.ones(3, 4, dtype=tg.float64)
    expected = tg.grad(tensors, [w, hidden], upstream, retain_graph=True)
    tg.autograd.backward(tensors, upstream, inputs=[w, hidden])
    assert v.grad is None
    np.testing.assert_allclose(w.grad.data, expected[0].data + 1, rtol=1e-12)
    np.testing.assert_allclose(hidden._grad.data, expected[1].data, rtol=1e-12)


def test_backward_refuses_what_doesnt_fit_and_changes_nothing():
    (w, v, hidden), tensors, upstream = several(np.random.default_rng(2))
    refused = [
        (tg.ArgumentError, "grad_tensors must have one entry per tensor, 3, got 2", (tensors, upstream[:2]), {}),
        (tg.ArgumentError, "tensors must hold at least one tensor", ([],), {}),
        (tg.ArgumentError, "inputs must hold at least one tensor", (tensors, upstream), {"inputs": []}),
        (tg.DTypeError, "tensors must be tensors", ([w.data],), {}),
        (tg.ArgumentError, "older name", (tensors, upstream), {"grad_variables": upstream}),
        (tg.GraphError, "backward", (tensors,), {}),
        (tg.ShapeError, "backward", (tensors, [np.ones(2), None, w]), {}),
    ]
    for error, message, arguments, named in refused:
        with pytest.raises(error, match=message):
            tg.autograd.backward(*arguments, **named)
        assert w.grad is None and v.grad is None and hidden._grad is None
    tg.autograd.backward(hidden, grad_variables=w.detach())
    assert w.grad is not None
