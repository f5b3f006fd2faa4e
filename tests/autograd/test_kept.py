"""What the graph keeps for its rules, and when it frees it."""

import gc

import numpy as np
from leaves import leaf

import tensorgrad as tg
from tensorgrad.autograd.engine import apply
from tensorgrad.autograd.node import Node
from tensorgrad.autograd.op import Op

RNG = np.random.default_rng(7)


def alive(cls):
    return sum(issubclass(type(o), cls) for o in gc.get_objects())


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
