"""Which outputs share memory, which versions of it backward needs, and how compiled functions and drawings follow."""

import copy
import sys
import threading
import weakref

import batches
import numpy as np
import pytest
from cases import CASES
from leaves import RNG, leaf

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd import modes
from tensorgrad.autograd.places import Place, overlaps_itself


@pytest.mark.cases("case", CASES, ids=repr)
def test_outputs_that_share_memory_are_known_to(case):
    """By the arrays themselves: an output is an alias exactly if it may share memory with an input."""
    tensors = [tg.Tensor(x) for x in case.inputs()]
    z = case.call(*tensors)
    if any(z is x for x in tensors):
        return
    for x in tensors:
        shares = np.shares_memory(z.data, x.data)
        known = z._aliases is not None and x._aliases is not None and z._aliases.sharers is x._aliases.sharers
        assert known or not shares


@pytest.mark.cases("case", CASES, ids=repr)
def test_what_an_op_keeps_beside_saved_values_is_its_own_memory(case):
    """Residuals and parameters aren't guarded by versions, so they mustn't share memory with what may change."""
    seen = []

    class Watch(tg.Observer):
        def op_applied(self, op, inputs, output):
            arrays = [x._data for x in inputs] + [output._data]
            kept = op.residuals if isinstance(op.residuals, tuple) else (op.residuals,)
            for array in (*kept, *op.params.values()):
                if isinstance(array, np.ndarray):
                    seen.extend((op.name, a) for a in arrays if np.shares_memory(a, array))

        def op_failed(self, op, inputs, error):
            raise error

    with modes.observe(Watch()):
        case.call(*[tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in case.inputs()])
    assert not seen


def test_views_keep_nothing_alive_and_are_forgotten():
    x = leaf(4)
    h = x * 1.0
    views = [h[k:] for k in range(3)]
    views[0] += 1.0
    gone = [weakref.ref(v) for v in views] + [weakref.ref(h), weakref.ref(h._node)]
    del views, h
    assert not any(reference() is not None for reference in gone)
    base = tg.zeros(4)
    for _ in range(1000):
        base[1:]
    assert len(base._aliases.sharers) <= 64


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8"])
@pytest.mark.parametrize(
    "whole",
    [
        np.zeros((3, 4)),
        np.zeros((4, 3)).T,
        np.zeros((6, 8))[::-2, ::2],
        np.zeros((3, 4, 2))[..., 1],
        np.zeros((3, 4), [("a", "i1"), ("b", "f8")])["b"],
    ],
)
def test_places(whole, dtype):
    """Found in an array of one dtype, they hold in any: finite differences compute in float64."""
    whole = np.zeros((3, 4), [("a", "i1"), ("b", dtype)])["b"] if whole.strides[1] == 9 else whole.astype(dtype, "K")
    part = whole[1:, ::-2]
    place, x, v = Place.of(part, whole), RNG.standard_normal(whole.shape), RNG.standard_normal(part.shape)
    np.testing.assert_array_equal(place.read(x), x[1:, ::-2])
    expected = x.copy()
    expected[1:, ::-2] = v
    np.testing.assert_array_equal(place.replaced(x, v), expected)
    zeros = np.zeros_like(x)
    zeros[1:, ::-2] = v
    np.testing.assert_array_equal(place.embedded(v), zeros)
    repeated = np.broadcast_to(whole[0], (2, *whole.shape[1:]))
    v = RNG.standard_normal(repeated.shape)
    zeros[...] = 0
    zeros[0] = v.sum(0)
    np.testing.assert_allclose(Place.of(repeated, whole).embedded(v), zeros)


def test_overlaps():
    a = np.zeros((4, 6))
    strided = np.lib.stride_tricks.as_strided
    for array in (
        a,
        a.T,
        a[::-1, ::2],
        a[:0],
        a[1:2],
        np.zeros(()),
        a.reshape(2, 2, 6)[:, 0],
        strided(a, (3, 2), (16, 24)),
    ):
        assert not overlaps_itself(array)
    for array in (np.broadcast_to(a, (2, 4, 6)), strided(a, (3, 3), (8, 8)), strided(a, (3, 2), (8, 16))):
        assert overlaps_itself(array)


def test_threads_share_the_version_of_a_tensor_that_they_save_and_view():
    x = tg.Tensor(np.ones(50))
    for _ in range(20):
        w, saved = leaf(50), []

        def work(w=w, saved=saved):
            for k in range(20):
                saved.append((w * x)._node.saved)  # nothing: the rule for w wants x alone
                saved.append((w * w)._node.saved)
                saved.append((w[k:] * w[k:])._node.saved)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with tg.no_grad():
            w += 1.0
        kept = [s for values in saved for s in values.values() if np.shares_memory(s.array, w.data)]
        assert len(kept) == 4 * 20 * 4 and all(s.value is None for s in kept)


def test_copies_are_on_their_own():
    base = tg.zeros(3)
    v = base[1:]
    copied = copy.deepcopy(v)
    copied += 1.0
    assert v.tolist() == [0.0, 0.0]


# --------------------------------------------------------------------------------------------------- compiled and drawn


@pytest.mark.parametrize("enabled", [True, False])
def test_compiled_functions_follow_changes_of_what_they_made(enabled):
    layer = nn.Linear(4, 4)

    def f(x):
        h = layer(x)
        v = h[1:]
        v += x[1:]
        h += x
        return h.relu()

    compiled = tg.compile(f)
    with tg.set_grad_enabled(enabled):
        for seed in range(4):
            x = tg.Tensor(np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32))
            np.testing.assert_array_equal(compiled(x).data, f(x).data)
    assert compiled.replays == 2 and not compiled.problems


def changes_its_input(x, w):
    x[0] = 5.0
    return x * w


def changes_a_view_of_its_input(x, w):
    x.reshape(-1)[:1] *= 2.0
    return x * w


def changes_a_detached_alias(x, w):
    h = x * w
    h.detach()[0] = 3.0
    return h + 1.0


def changes_what_backward_needs(x, w):
    h = x * w
    z = h * h
    h += 1.0
    return z + h


@pytest.mark.parametrize(
    "f", [changes_its_input, changes_a_view_of_its_input, changes_a_detached_alias, changes_what_backward_needs]
)
def test_other_changes_are_not_replayed(f):
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    compiled = tg.compile(lambda x: f(x, w))
    with pytest.warns(RuntimeWarning, match="in place"):
        for k in range(4):
            x, same = tg.ones(3) * float(k), tg.ones(3) * float(k)
            np.testing.assert_array_equal(compiled(x).data, f(same, w).data)
            np.testing.assert_array_equal(x.data, same.data)
    assert compiled.replays == 0


@pytest.mark.parametrize("f", [lambda y: (y, y.T), lambda y: (y, y), lambda y: (y.T, y.detach())])
def test_outputs_that_share_memory_know_of_one_another(f):
    w = tg.ones(2, 2, requires_grad=True)
    compiled = tg.compile(lambda x: f(x * w))
    for _ in range(4):
        one, other = compiled(tg.ones(2, 2))
    assert compiled.replays == 2
    saved = (w * other.detach())._node.saved[1]
    with pytest.raises(tg.GraphError, match="shares"):
        one += 1.0
    assert one.tolist() == [[1.0, 1.0]] * 2
    with tg.no_grad():
        one += 1.0
    assert other.tolist() == [[2.0, 2.0]] * 2 and saved.value is None


def test_an_output_that_is_a_view_of_an_argument_knows_it():
    compiled = tg.compile(lambda x: x.T)
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for _ in range(4):
        h = x * 1.0
        v = compiled(h)
        v *= 5.0
    assert compiled.replays == 2 and h.tolist() == [[5.0, 10.0], [15.0, 20.0]]
    h.sum().backward()
    assert x.grad.tolist() == [[5.0, 5.0], [5.0, 5.0]]


def test_a_graph_with_changes_is_drawn_and_explained():
    x = tg.Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True, name="x")

    def f():
        h = x * 2.0
        v = h[1:]
        v *= x[1:]
        return (h * h).sum()

    loss = f()
    record = tg.viz.graph(loss).record
    assert {op.name for op in record.ops} >= {"multiply", "getitem", "write_part"}
    assert "x" in str(tg.viz.explain(loss, wrt=x))
    with tg.viz.trace() as t:
        f().backward()
    assert tg.viz.graph(t).record.ops and "x" in str(tg.viz.explain(t, wrt=x))


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 4_442
