"""Results that share memory share it in replays, too: a change of one is seen in the other."""

import numpy as np
import pytest
from compiling import assert_same, numbers

import tensorgrad as tg


def changed_in_place(x):
    z = x * 2
    v = z[1:]
    v.mul_(3)
    return z, v


def two_changed_views(x):
    z = x * 2
    a, b = z[:2], z[1:]
    a.add_(b.sum())
    return a, b


FUNCTIONS = {
    "a view and what it shows": lambda x: (lambda z: (z, z.T))((x * 2).tanh()),
    "a part": lambda x: (lambda z: (z, z[1:]))((x * 2).tanh()),
    "two parts": lambda x: (lambda z: (z[:2], z[1:].T))(x.exp()),
    "twice": lambda x: (lambda z: (z, z))(x.exp()),
    "views of the argument": lambda x: (x, x.T, x[1:]),
    "of both": lambda x: (lambda z: (x[1:], z, z.reshape(-1)))(x.exp()),
    "apart": lambda x: (lambda z: (z, z + 1, z.clone()))(x.exp()),
    "changed in place": changed_in_place,
    "two changed views": two_changed_views,
    "by einsum": lambda x: (lambda z: (z, tg.einsum("ij->ji", z), z.exp()))(x.exp()),
    "windows": lambda x: (lambda z: (z, z.T.unfold(0, 2, 1), z.unfold(1, 3, 3)))(x.exp()),
    "diagonals": lambda x: (lambda z: (z.diagonal(), z))(x.exp()),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_shares_memory_shares_it_in_replays(name):
    function, rng = FUNCTIONS[name], np.random.default_rng(0)
    compiled = tg.compile(function)
    with tg.no_grad():
        for _ in range(7):
            x = rng.standard_normal((6, 8)).astype(np.float32)
            seen = []
            for call in (function, compiled):
                given = tg.tensor(x.copy())
                results = call(given)
                seen.append([[np.shares_memory(a.data, b.data) for a in (given, *results)] for b in results])
                seen.append([numbers(z) for z in results])
                results[0].mul_(2)
                results[-1].add_(1)
                seen.append([numbers(z) for z in results])
            assert_same(seen[:3], seen[3:])
    assert compiled.replays == 5 and not compiled.problems


GROUPS = {"one result": lambda h: (h[0],), "with another": lambda h: (lambda v: (v, v * 2))(h[0])}


@pytest.mark.parametrize("name", GROUPS)
def test_a_view_of_an_argument_stays_one_where_gradients_are_taken(name):
    compiled = tg.compile(GROUPS[name])
    for _ in range(6):
        found = []
        for call in (GROUPS[name], compiled):
            x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
            h = x * 1.0
            results = call(h)
            results[0].mul_(10.0)
            (h * h).sum().backward()
            found.append(x.grad.tolist())
        assert found[0] == found[1] == [[200.0, 400.0], [6.0, 8.0]]


@pytest.mark.parametrize("view", [lambda p: p[::-1], lambda p: p[1:], lambda p: p.T, lambda p: p.expand(2, 3, 3)])
def test_a_view_of_a_parameter_beside_a_computation_from_it_that_nobody_reads(view):
    p = tg.tensor(np.arange(9.0).reshape(3, 3))
    compiled = tg.compile(lambda x: ((x * 2).tanh(), (tg.stack([p, p]), view(p))[1]))
    with tg.no_grad():
        for _ in range(7):
            _, seen = compiled(tg.ones(2))
            assert np.shares_memory(seen.data, p.data)
    assert compiled.replays == 5 and not compiled.problems


def test_a_view_of_a_parameter_refuses_a_change_that_is_recorded():
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    compiled = tg.compile(lambda: (lambda v: (v, v.exp()))(w[0]))
    for _ in range(5):
        with pytest.raises(tg.GraphError, match="leaf"):
            compiled()[0].mul_(10.0)
        assert w.tolist() == [[1.0, 2.0], [3.0, 4.0]]


# Two results each: the second is a copy computed from the first, by an op that gives views of other operands.
COPIES = {
    "einsum": lambda w: (lambda z: (z, tg.einsum("ij,ij->ij", z, z)))(w.exp()),
    "an index": lambda w: (lambda z: (z, z[[1, 0]]))(w.exp()),
    "reshaped": lambda w: (lambda z: (z, z.T.reshape(6)))(w.exp()),
    "adaptive pooling": lambda w: (lambda z: (z, tg.nn.functional.adaptive_avg_pool1d(z, 2)))(w.exp()),
    "a product": lambda w: (lambda z: (z, z * z))(w.exp()),
}


@pytest.mark.parametrize("changed", [0, 1])
@pytest.mark.parametrize("name", COPIES)
def test_backward_finds_what_a_changed_result_was(name, changed):
    compiled = tg.compile(COPIES[name])
    for call in range(6):
        found = []
        for function in (COPIES[name], compiled):
            w = tg.tensor(np.arange(6.0).reshape(2, 3) / 6 + call, requires_grad=True)
            results = list(function(w))
            results[changed] *= 2.0
            sum(((k + 1) * z).sum() for k, z in enumerate(results)).backward()
            found.append(w.grad.data)
        np.testing.assert_array_equal(*found)
    assert compiled.replays == 4
