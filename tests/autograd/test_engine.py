"""The rules of the engine: what is recorded, what is kept, what flows where, and what is refused."""

import gc
import itertools
import threading

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd import modes
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.op import Op

RNG = np.random.default_rng(7)


def leaf(*shape, dtype=np.float64):
    return tg.Tensor(RNG.standard_normal(shape).astype(dtype), requires_grad=True)


def alive(cls):
    return sum(issubclass(type(o), cls) for o in gc.get_objects())


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


# ----------------------------------------------------------------------------------------------- what is kept and freed


def kept_shapes(t):
    return sorted(saved.array.shape for saved in t._node.saved.values())


def test_a_node_keeps_only_what_the_needed_rules_ask_for():
    x, w = leaf(5, 3), leaf(3, 2)
    assert kept_shapes(x + x) == []
    assert kept_shapes(x @ w) == [(3, 2), (5, 3)]
    assert kept_shapes(x.detach() @ w) == [(5, 3)]
    assert kept_shapes(x @ w.detach()) == [(3, 2)]
    assert kept_shapes(x.exp()) == [(5, 3)]
    assert x.exp()._node.saved[-1].array is not x.data


def test_a_node_keeps_what_the_rules_in_use_ask_for():
    """x · y keeps y for x's gradient and x for y's: once each, in every pattern of inputs that want one."""

    def kept(x_wants, y_wants):
        x, y = (tg.tensor([2.0], requires_grad=wants) for wants in (x_wants, y_wants))
        return sorted((x * y)._node.saved)

    for _ in range(2):  # the second time from memory
        assert kept(True, False) == [1]
        assert kept(False, True) == [0]
        assert kept(True, True) == [0, 1]
    several = tg.einsum("i,i,i->", *[tg.ones(2, requires_grad=k == 1) for k in range(3)])
    assert sorted(several._node.saved) == [0, 1, 2]


def test_inputs_that_need_no_gradient_cost_no_rule():
    called = []

    class Spy(Op):
        """z = x · y."""

        def forward(self, x, y):
            return x * y

        def backward_x(self, grad, y):
            called.append("x")
            return grad * y

        def backward_y(self, grad, x):
            called.append("y")
            return grad * x

    x, w = leaf(3).detach(), leaf(3)
    apply(Spy, x, w).sum().backward()
    assert called == ["y"]
    called.clear()
    a, b = leaf(3), leaf(3)
    tg.grad(apply(Spy, a, b).sum(), a)
    assert called == ["x"]


def test_backward_frees_what_was_saved_but_keeps_the_structure():
    x = leaf(3)
    y = (x * x).exp().sum()
    node = y._node
    y.backward()
    nodes = [node, node.edges[0], node.edges[0].edges[0]]
    assert [n.op.name for n in nodes] == ["sum", "exp", "multiply"]
    assert all(n.freed and n.saved is None and n.op.residuals is None for n in nodes)


def test_a_view_of_a_leaf_serves_many_graphs():
    x, upstream = leaf(6), RNG.standard_normal((2, 3))
    v = x.reshape(2, 3)
    for times in (1, 2):
        (v * 3.0).backward(upstream)
        np.testing.assert_allclose(x.grad.numpy(), 3 * times * upstream.ravel())


def test_nothing_is_kept_in_cycles():
    gc.collect()
    gc.disable()
    try:
        before = alive(Node)
        w = leaf(8, 8)
        for _ in range(5):
            h = (w @ w).tanh()
            h[0] = h[1] * 2.0
            loss = (h * h).exp().mean()
            loss.retain_grad()
            h.register_hook(lambda g: None)
            loss.backward()
            (g,) = tg.grad((w * w * w).sum(), w, create_graph=True)
            tg.grad((g * g).sum(), w)
            w.grad = None
        del h, loss, g
        assert alive(Node) == before
    finally:
        gc.enable()


def test_a_thousand_training_steps_without_the_collector_grow_by_nothing():
    gc.collect()
    gc.disable()
    try:
        w, x = leaf(4, 4, dtype=np.float32), tg.randn(4, 4)

        def step():
            loss = ((x @ w).relu() - x).square().mean()
            w.grad = None
            loss.backward()
            with tg.no_grad():
                w.data -= 0.01 * w.grad.data

        for _ in range(10):
            step()
        before = len(gc.get_objects())
        for _ in range(1000):
            step()
        # A leak would be 1,000 objects; dead weak references to versions are dropped 1,024 at a time.
        assert len(gc.get_objects()) <= before + 10
    finally:
        gc.enable()


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


# --------------------------------------------------------------------------------------------------------------- modes


def test_no_grad_nests_decorates_and_survives_exceptions():
    x = leaf(2)

    @tg.no_grad()
    def plain():
        assert not tg.is_grad_enabled()
        with tg.enable_grad():
            assert (x * 2.0).requires_grad
        return x * 2.0

    assert not plain().requires_grad
    assert tg.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert tg.is_grad_enabled()


def test_no_grad_is_thread_local():
    seen = []
    inside, go = threading.Event(), threading.Event()

    def other():
        inside.wait(10)
        seen.append(tg.is_grad_enabled())
        go.set()

    thread = threading.Thread(target=other)
    thread.start()
    with tg.no_grad():
        inside.set()
        go.wait(10)
    thread.join()
    assert seen == [True]


def test_detach_cuts_and_shares():
    x = leaf(3)
    d = (x * 2.0).detach()
    assert not d.requires_grad and d.is_leaf
    ((x * d).sum()).backward()
    np.testing.assert_allclose(x.grad.data, d.data)


# --------------------------------------------------------------------------------------------------------------- hooks


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


# ------------------------------------------------------------------------------------------------------------- tg.grad


def test_grad_of_interior_tensors_and_leaves_touches_no_grad_attribute():
    x, upstream = leaf(3), RNG.standard_normal(3)
    h = x * x
    y = h * x
    gh, gx = tg.grad(y, [h, x], upstream)
    np.testing.assert_allclose(gh.data, upstream * x.data)
    np.testing.assert_allclose(gx.data, 3 * x.data**2 * upstream)
    assert x.grad is None


def test_grad_walks_only_where_it_leads():
    x, w = leaf(3), leaf(3)
    trunk = w * w  # not on the way to x
    y = (x * trunk).sum()
    tg.grad(y, x, retain_graph=False)
    assert trunk._node.saved is not None


def test_grad_of_unused_inputs():
    x, y = leaf(2), leaf(2)
    with pytest.raises(tg.GraphError, match=r"(?s)don't depend.*allow_unused"):
        tg.grad((x * 2.0).sum(), [x, y])
    assert tg.grad((x * 2.0).sum(), [x, y], allow_unused=True)[1] is None
    with pytest.raises(tg.GraphError, match="inputs must require a gradient"):
        tg.grad((x * 2.0).sum(), tg.ones(2))


def test_higher_derivatives_by_create_graph():
    x = tg.tensor(1.5, dtype="float64", requires_grad=True)
    g = x**5
    for k in range(1, 6):
        (g,) = tg.grad(g, x, create_graph=True)
        expected = np.prod([5 - j for j in range(k)]) * 1.5 ** (5 - k)
        assert g.item() == pytest.approx(expected)


def test_backward_with_create_graph_gives_differentiable_grads():
    x, v = leaf(3), RNG.standard_normal(3)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.backward(v)
    np.testing.assert_allclose(x.grad.data, 6 * x.data * v)


def test_hessian_jacobian_vjp_hvp_agree():
    x, v = RNG.standard_normal(4), RNG.standard_normal(4)

    def f(t):
        return (t.sin() * t * t).sum()

    h = tg.hessian(f, x).data
    np.testing.assert_allclose(h, h.T)
    np.testing.assert_allclose(h @ v, tg.hvp(f, x, v).data)
    np.testing.assert_allclose(np.diag(h), 2 * np.sin(x) + 4 * x * np.cos(x) - x * x * np.sin(x))
    a = RNG.standard_normal((3, 4))
    np.testing.assert_allclose(tg.jacobian(lambda t: tg.matmul(a, t), x).data, a)
    _, pull = tg.vjp(lambda t: tg.matmul(a, t), x)
    np.testing.assert_allclose(pull([1.0, 0.0, 2.0])[0].data, a[0] + 2 * a[2])
    assert tg.jacobian(lambda t: tg.ones(2), x).data.tolist() == [[0.0] * 4] * 2


def test_gradcheck_finds_a_wrong_rule():
    class WrongSquare(Op):
        """z = x², whose rule forgets the 2."""

        def forward(self, x):
            return x * x

        def backward_x(self, grad, x):
            return grad * x

    with pytest.raises(tg.GradientError, match=r"(?s)3 of 3 gradients of input 0 are wrong.*analytic"):
        tg.gradcheck(lambda x: apply(WrongSquare, x), [np.array([1.0, 2.0, 3.0])])
    with pytest.raises(tg.DTypeError, match="float64"):
        tg.gradcheck(lambda x: x, [tg.ones(2)])


# -------------------------------------------------------------------------------------------------------------- observe


def test_observers_see_every_op_backward_included_and_failures():
    seen = []

    class Log(tg.Observer):
        def op_applied(self, op, inputs, output):
            seen.append((op.name, output.shape))

        def op_failed(self, op, inputs, error):
            seen.append((op.name, type(error).__name__))

    x = leaf(3)
    with tg.observe(Log()):
        y = (x * x).sum()
        y.backward()
        with pytest.raises(tg.ShapeError):
            x + tg.ones(4)
    x * 2.0
    names = [name for name, _ in seen]
    assert names[:2] == ["multiply", "sum"] and "broadcast_to" in names and names.count("multiply") == 3
    assert seen[-1] == ("add", "ValueError")


def test_observers_see_parts_that_later_sums_do_not_change():
    parts = []

    class Keep(tg.Observer):
        def op_applied(self, op, inputs, output):
            parts.append((output, output.data.copy()))

        def op_failed(self, op, inputs, error):
            raise error

    x = leaf(3)
    with tg.observe(Keep()):
        h = x * 2.0
        (h * 1.0 + h * 2.0 + h * 3.0 + h * 4.0).sum().backward()
    assert all(np.array_equal(t.data, was) for t, was in parts)


@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (1, 1)])
def test_a_repeated_number_is_a_read_only_view_of_it(shape):
    x = tg.tensor(2.5)
    z = x.broadcast_to(shape)
    assert np.array_equal(z.data, np.full(shape, 2.5, np.float32)) and z.dtype == np.float32
    assert not z.data.flags.writeable and z._version is x._version
    x[...] = 4.0
    assert np.array_equal(z.data, np.full(shape, 4.0, np.float32))


def test_each_thread_keeps_its_mode_while_others_change_theirs():
    """The engine counts the blocks of all threads; what holds in a block holds in its own thread alone."""
    inside, leave = threading.Event(), threading.Event()
    found = []

    def other():
        with tg.no_grad(), modes.observe(tg.Observer()):
            inside.set()
            leave.wait(60)
            found.append((x * x).requires_grad)
        found.append((x * x).requires_grad)

    x = tg.ones(2, requires_grad=True)
    before = modes.blocks, modes.watched
    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(60)
    found.append((x * x).requires_grad)
    with tg.no_grad():
        found.append((x * x).requires_grad)
    leave.set()
    thread.join()
    assert found == [True, False, False, True]
    with pytest.raises(ZeroDivisionError), tg.no_grad(), modes.observe(tg.Observer()):
        _ = 1 / 0
    assert (modes.blocks, modes.watched) == before


def test_modes_decorate_without_parentheses_too():
    @tg.no_grad
    def plain():
        return tg.is_grad_enabled()

    @tg.no_grad
    def steps():
        yield tg.is_grad_enabled()
        yield tg.is_grad_enabled()

    @tg.enable_grad
    def again():
        return tg.is_grad_enabled()

    with tg.no_grad():
        assert again()
    assert not plain() and list(steps()) == [False, False] and tg.is_grad_enabled()
    for mode in (tg.no_grad, tg.enable_grad):
        with pytest.raises(tg.ArgumentError, match="set_grad_enabled"):
            mode(True)
    assert tg.is_grad_enabled()


def test_a_gradient_is_a_tensor_or_nothing():
    w = tg.ones(2, requires_grad=True)
    for wrong in (np.ones(2), [1.0, 1.0], "g"):
        with pytest.raises(tg.DTypeError, match=r"a gradient must be a tensor or None"):
            w.grad = wrong
    w.grad = tg.ones(2)
    del w.grad
    assert w.grad is None


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


def test_autograd_has_the_modes():
    for name in ("no_grad", "enable_grad", "set_grad_enabled", "inference_mode"):
        assert getattr(tg.autograd, name) is getattr(tg, name)
