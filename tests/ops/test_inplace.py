"""In-place changes, one by one: who sees them, which gradients they give, what is refused."""

import copy
import sys
import threading
import weakref

import batches
import numpy as np
import pytest
from cases import CASES

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd import modes, versions
from tensorgrad.autograd.places import Place, overlaps_itself
from tensorgrad.autograd.versions import begin_version, version_of

RNG = np.random.default_rng(14)


def leaf(*shape):
    return tg.Tensor(RNG.standard_normal(shape), requires_grad=True)


# ----------------------------------------------------------------------------------------------- one meaning, two modes


def through_a_slice(h):
    v = h[1:]
    v *= 5.0


def through_an_element_of_a_slice(h):
    v = h[1:]
    v[0] = 7.0


def through_a_reshape(h):
    v = h.reshape(2, 2)
    v[1] = 3.0


def to_the_base(h):
    v = h[1:]
    h *= 5.0
    return v


def in_a_function(h):
    def add(acc, t):
        acc += t

    add(h, h * 2.0)


def by_another_name(h):
    other = h
    other -= 1.0


def overlapping(h):
    h[1:] += h[:-1]


def reversed_onto_itself(h):
    v = h[:]
    v[:] = v[::-1]


def scattered_from_itself(h):
    h[[2, 0, 1, 3]] = h[::-1]


def masked_from_itself(h):
    h[np.array([False, True, True, True])] = h[:3]


def by_its_own_values_detached(h):
    h[1:] = h.detach()[1:] * 1.0
    h[:1] = h.detach()[:1]


def of_a_sibling(h):
    a, b = h[:3], h[1:]
    a *= 2.0
    return b


def through_einsum(h):
    v = tg.einsum("ij->ji", h.reshape(2, 2))
    v[0] *= 3.0


def power(h):
    h **= 3


def numpys_out(h):
    np.multiply(h, 2.0, out=h)


def numpys_add_at(h):
    np.add.at(h, [0, 0, 2], [1.0, 2.0, 3.0])


def by_a_mask(h):
    h[np.array([True, False, True, False])] *= 2.0


def of_repeated_rows(h):
    h[[0, 0, 2]] += 1.0


def constant_result(h):
    np.add(np.ones(4), 1.0, out=h)


def floor_division(h):
    h //= 0.7


CHANGES = [
    through_a_slice,
    through_an_element_of_a_slice,
    through_a_reshape,
    to_the_base,
    in_a_function,
    by_another_name,
    overlapping,
    reversed_onto_itself,
    scattered_from_itself,
    masked_from_itself,
    of_a_sibling,
    through_einsum,
    power,
    numpys_out,
    numpys_add_at,
    by_a_mask,
    of_repeated_rows,
    constant_result,
    floor_division,
]


@pytest.mark.parametrize("change", CHANGES)
def test_values_are_the_same_in_both_modes_and_gradients_right(change):
    def f(x):
        h = x * 1.5
        other = change(h)
        return h.sin() if other is None else tg.concatenate([h, other])

    x = tg.Tensor(np.array([0.3, -1.2, 0.8, 2.1]), requires_grad=True)
    recorded = f(x)
    with tg.no_grad():
        plain = f(x)
    np.testing.assert_array_equal(recorded.data, plain.data)
    assert tg.gradcheck(f, [x])


def test_own_values_without_their_history_are_constants():
    x = leaf(3)
    h = x * 1.5
    by_its_own_values_detached(h)
    h.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0.0] * 3)


@pytest.mark.parametrize("change", [scattered_from_itself, masked_from_itself, overlapping, reversed_onto_itself])
def test_the_right_side_is_read_before_anything_is_written(change):
    class Copying:
        """An array that hands out copies."""

        def __init__(self, array):
            self.array = array

        def __getitem__(self, index):
            return self.array[index].copy()

        def __setitem__(self, index, value):
            self.array[index] = value

    if change is reversed_onto_itself:
        expected = np.arange(4.0)[::-1]
    else:
        expected = np.arange(4.0)
        change(Copying(expected))
    for h in (tg.Tensor(np.arange(4.0)), tg.Tensor(np.arange(4.0), requires_grad=True) * 1.0):
        change(h)
        np.testing.assert_array_equal(h.data, expected)


def test_the_example():
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    h = x * 1.0
    memory, v = h._data, h[1:]
    v *= 5.0
    assert h._data is memory and h.tolist() == [1.0, 10.0, 15.0]
    h.backward([1.0, 10.0, 100.0])
    assert x.grad.tolist() == [1.0, 50.0, 500.0]


def test_a_buffer_becomes_part_of_the_graph_with_all_its_views():
    w, upstream = leaf(2), RNG.standard_normal(3)
    buffer = tg.zeros(3, dtype="float64")
    early, same = buffer[1:], buffer.reshape(3)
    buffer[1:] = w
    assert early.requires_grad and same.requires_grad
    (same * upstream).sum().backward(retain_graph=True)
    np.testing.assert_allclose(w.grad.data, upstream[1:])
    w.grad = None
    early.backward(upstream[1:])
    np.testing.assert_allclose(w.grad.data, upstream[1:])


def test_second_derivatives_through_views():
    def f(x):
        h = x * x
        v = h[1:]
        v *= x[:-1]
        return (h * h).sum()

    def plain(x):
        return (tg.concatenate([x[:1] ** 2, x[1:] ** 2 * x[:-1]]) ** 2).sum()

    x = RNG.standard_normal(4)
    np.testing.assert_allclose(tg.hessian(f, x).data, tg.hessian(plain, x).data, rtol=1e-9)


def test_values_saved_before_a_recorded_change_are_kept_for_backward():
    x = leaf(3)
    y = x * 1.0
    before = y[1:] * y[:-1]
    y *= y
    (before.sum() + y.sum()).backward()
    a, b, c = x.data
    np.testing.assert_allclose(x.grad.data, [b + 2 * a, a + c + 2 * b, b + 2 * c])


def test_memory_is_copied_only_if_backward_needs_it():
    y = leaf(3) * 1.0
    kept = y.exp()
    version = kept._node.saved[-1].version
    y += 1.0
    assert version.current  # exp keeps its own result
    product = y * y
    version = product._node.saved[0].version
    y += 1.0
    assert not version.current and version.copy is not None
    product = y * y
    assert product._node.saved[0].version.current
    product.sum().backward()  # frees what it kept
    version = version_of(y)
    del version
    assert not begin_version(y, keep=True)


def test_a_derivative_of_a_derivative_notices_a_change_too():
    x = leaf(3)
    y = x * 1.0
    (g,) = tg.grad((y * y * y).sum(), x, create_graph=True)
    with tg.no_grad():
        y[...] = 0.0
    with pytest.raises(tg.GraphError, match="changed in place"):
        g.sum().backward()


def test_hooks_stay_with_the_old_value_and_retain_grad_follows():
    x, seen = leaf(3), []
    y = x * 2.0
    y.register_hook(lambda g: seen.append(g.data.copy()))
    y.retain_grad()
    y *= 3.0
    y.sum().backward()
    np.testing.assert_array_equal(seen, [[3.0] * 3])
    np.testing.assert_array_equal(y.grad.data, [1.0] * 3)


def test_integer_reads_of_vectors_are_views_as_in_pytorch():
    h = leaf(3) * 1.0
    before, v = h.data.copy(), h[0]
    v *= 5.0
    np.testing.assert_array_equal(h.data, before * [5.0, 1.0, 1.0])


def test_python_floats_go_into_float64_exactly():
    t = tg.zeros(2, dtype="float64")
    t[0], t[1:] = 0.1, [0.2]
    assert t.tolist() == [0.1, 0.2]


# ------------------------------------------------------------------------------------------------------------- refusals


def of_a_broadcast(x):
    t = (x * 1.0).broadcast_to((2, 3))
    return t, lambda: t.__setitem__(0, 1.0), tg.ArgumentError


def of_overlapping_strides(x):
    t = tg.Tensor(np.lib.stride_tricks.as_strided(np.zeros(4), (3, 2), (8, 8)))
    return t, lambda: t.__iadd__(1.0), tg.ArgumentError


def of_read_only_memory(x):
    array = np.zeros(3)
    array.flags.writeable = False
    t = tg.Tensor(array)
    return t, lambda: t.__iadd__(x), tg.ArgumentError


def to_another_shape(x):
    t = x * 1.0
    return t, lambda: t.__iadd__(np.ones((2, 3))), tg.ShapeError


def to_another_dtype(x):
    t = tg.tensor([1, 2, 3])
    return t, lambda: t.__imul__(x), tg.ShapeError


def of_numpys_own(x):
    t = x * 1.0
    return t, lambda: np.copyto(t, 0.0), tg.GraphError


def by_a_ufunc_without_an_op(x):
    t = x * 1.0
    return t, lambda: np.multiply.at(t, [0], 2.0), tg.GraphError


def by_an_unknown_out(x):
    t = x * 1.0
    return t, lambda: np.add.reduce(np.ones((2, 3)), out=t), tg.GraphError


@pytest.mark.parametrize(
    "refused",
    [
        of_a_broadcast,
        of_overlapping_strides,
        of_read_only_memory,
        to_another_shape,
        to_another_dtype,
        of_numpys_own,
        by_a_ufunc_without_an_op,
        by_an_unknown_out,
    ],
)
def test_refused_in_both_modes_alike_and_nothing_changes(refused):
    messages = []
    for enabled in (True, False):
        with tg.set_grad_enabled(enabled):
            t, change, error = refused(tg.Tensor(np.arange(3.0), requires_grad=True))
            before, node = t.data.copy(), t._node
            with pytest.raises(error) as raised:
                change()
        assert np.array_equal(t.data, before) and t._node is node
        messages.append(str(raised.value))
    # (NumPy's own function is refused for the gradient first.)
    assert messages[0].splitlines()[0] == messages[1].splitlines()[0] or refused is of_numpys_own


def view_of_a_leaf():
    w = leaf(3)
    v = w[1:]
    return w, lambda: v.__imul__(2.0)


def base_that_became_a_leaf():
    w = tg.ones(3)
    v = w[1:]
    w.requires_grad_()
    return w, lambda: v.__imul__(2.0)


def gradient_behind_a_detached_alias():
    h, u = leaf(3) * 1.0, leaf(3)
    d = h.detach()
    return h, lambda: d.__iadd__(u)


def gradient_into_memory_of_another():
    buffer, u = tg.zeros(3), leaf(3)
    d = tg.Tensor(buffer)
    return buffer, lambda: d.__setitem__(0, u[0])


def view_made_under_no_grad():
    h = leaf(3) * 1.0
    with tg.no_grad():
        v = h[1:]
    return h, lambda: v.__imul__(2.0)


@pytest.mark.parametrize(
    "make",
    [
        view_of_a_leaf,
        base_that_became_a_leaf,
        gradient_behind_a_detached_alias,
        gradient_into_memory_of_another,
        view_made_under_no_grad,
    ],
)
def test_a_gradient_that_would_get_lost_is_refused_while_recording(make):
    t, change = make()
    before = t.data.copy()
    with pytest.raises(tg.GraphError, match="fix: "):
        change()
    np.testing.assert_array_equal(t.data, before)
    with tg.no_grad():
        change()
    assert not np.array_equal(t.data, before)


def test_detach_and_no_grad_change_values_without_a_record():
    x = leaf(3)
    h = x * 2.0
    h.detach()[0] = 7.0
    with tg.no_grad():
        h[1] = 8.0
    assert h.tolist()[:2] == [7.0, 8.0]
    h.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [2.0] * 3)


def test_data_may_come_from_a_tensor_that_requires_a_gradient():
    """As in an attack's step, `delta.data = (delta + alpha * delta.grad).clamp(-eps, eps)`."""
    delta, slope = tg.zeros(3, requires_grad=True), tg.tensor([1.0, -2.0, 0.5])
    (delta * slope).sum().backward()
    delta.data = (delta + delta.grad).clamp(-0.75, 0.75)
    assert delta.tolist() == [0.75, -0.75, 0.5] and delta.is_leaf and delta.requires_grad
    delta.grad.zero_()
    (delta * delta).sum().backward()
    assert delta.grad.tolist() == [1.5, -1.5, 1.0]


def test_exchanged_data_shares_nothing_with_the_views_of_the_old():
    x = tg.zeros(3)
    v = x[1:]
    x.data = np.ones(3, np.float32)
    x += 1.0
    assert v.tolist() == [0.0, 0.0] and x.tolist() == [2.0] * 3
    v += 5.0
    assert x.tolist() == [2.0] * 3


# -------------------------------------------------------------------------------------- tensors over an array of a user


def around(array):
    return tg.from_numpy(array)


OVER_ONE_ARRAY = {
    "two tensors": lambda a: (around(a), around(a)),
    "a tensor and a part": lambda a: (around(a), around(a[1:])),
    "two parts that overlap": lambda a: (around(a[:3]), around(a[1:])),
    "a view and a tensor": lambda a: (around(a)[:3], around(a)),
    "an array and a tensor": lambda a: (a, around(a)),
    "a tensor that takes part": lambda a: (tg.Tensor(a), tg.Tensor(a, requires_grad=True)),
    "parameters": lambda a: (nn.Parameter(a), nn.Parameter(a)),
    "its data": lambda a: ((t := tg.tensor(a)), around(t.data)),
    "its numpy()": lambda a: ((t := tg.tensor(a)), around(t.numpy())),
    "exchanged data": lambda a: ((t := tg.zeros(4, dtype="float64")), setattr(t, "data", a), around(a))[::2],
}


@pytest.mark.parametrize("make", OVER_ONE_ARRAY.values(), ids=OVER_ONE_ARRAY)
def test_tensors_over_one_array_know_of_changes(make):
    """A value that backward needs is either as it was, or missed: it's never another one."""
    one, other = make(np.arange(1.0, 5.0))
    w = tg.tensor(np.full(one.shape, 2.0), requires_grad=True)
    (w * one).sum().backward()
    before = w.grad.data.copy()
    for _ in range(2):  # what is read between two changes is as it is then
        z = (w * one).sum()
        with tg.no_grad():
            other[1] += 10.0
        with pytest.raises(tg.GraphError, match="changed in place"):
            z.backward()
    w.grad = None
    (w * one).sum().backward()
    assert w.grad.data.sum() == before.sum() + 20.0


def test_an_array_outlives_its_tensors():
    a, w = np.ones(3), tg.tensor(np.ones(3), requires_grad=True)
    for _ in range(3):
        z = (w * around(a)).sum()
        z.backward()
        around(a)[0] = 5.0
    assert w.grad.tolist() == [11.0, 3.0, 3.0]
    z = (w * around(a)).sum()
    around(np.ones(3))[0] = 7.0  # another one
    z.backward()


def test_an_optimizer_over_the_array_of_another_parameter_is_noticed():
    a = np.ones(3)
    p, q = nn.Parameter(a), nn.Parameter(a)
    z = (p * p).sum()
    (q * q).sum().backward()
    nn.optim.SGD([q], lr=1.0).step()
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.backward()


def test_a_recorded_change_keeps_what_it_overwrites():
    a = np.array([1.0, 2.0, 3.0])
    t, u = around(a), around(a)
    w = tg.tensor(np.ones(3), requires_grad=True)
    z = (w * t).sum()
    u *= w
    z.backward()
    assert w.grad.tolist() == [1.0, 2.0, 3.0]


def test_forgotten_arrays_are_swept():
    for k in range(5000):
        around(np.zeros(k % 7))
    assert len(versions._of_owners) <= versions._most_owners <= 4096


# -------------------------------------------------------------------------------------------------- the mechanism's own


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
    twin = copy.deepcopy(v)
    twin += 1.0
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


# ----------------------------------------------------------------------------------------------- what others would lose


@pytest.mark.parametrize("writes", [lambda g: g.__imul__(10.0), lambda g: g.__setitem__(0, 7.0)])
def test_a_hook_cannot_write_into_a_gradient_that_others_share(writes):
    x, y, seed = leaf(3), leaf(3), tg.Tensor(RNG.standard_normal(3))
    before = seed.tolist()
    handle = x.register_hook(writes)
    for z in (x + y, (x * 1.0) + (y * 1.0)):
        with pytest.raises(tg.ArgumentError, match=r"read-only[\s\S]*clone"):
            z.backward(seed)
        assert seed.tolist() == before and x.grad is None and y.grad is None
    handle.remove()
    x.register_hook(lambda g: g.clone().__imul__(10.0))
    (x + y).backward(seed)
    np.testing.assert_array_equal(x.grad.data, 10.0 * seed.data)
    np.testing.assert_array_equal(y.grad.data, seed.data)
    seed += 1.0  # and writable again


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_no_gradient_is_lost_in_a_tensor_of_integers(dtype):
    w, t = leaf(2), tg.ones(3, dtype=dtype)
    for value in (w[0], [w[0], 1.0, w[1]]):
        with pytest.raises(tg.GraphError, match="lost"):
            t[:] = value
    with pytest.raises(tg.GraphError, match="lost"):
        np.add.at(t, [0, 0], w)
    with pytest.raises(tg.GraphError, match="lost"):
        np.full_like(t, w[0])
    assert t.tolist() == [1, 1, 1]
    t[0] = w[0].detach()
    with tg.no_grad():
        t[1] = w[1]


def test_every_operator_in_place_writes_the_memory():
    for change, expected in (
        (lambda t: t.__iand__(2), 2),
        (lambda t: t.__ior__(4), 7),
        (lambda t: t.__ixor__(1), 2),
    ):
        t = tg.tensor([3])
        other = t.detach()
        assert change(t) is t and other.tolist() == [expected]


def test_no_case_is_lost():
    """As many as in November 2026, at least."""
    assert batches.count(sys.modules[__name__]) >= 4_442
