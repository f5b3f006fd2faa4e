"""Indexing as it is lived with: repeated indices, views, assignment in place, and the versions that guard backward."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd.versions import version_of

RNG = np.random.default_rng(4)


def leaf(*shape):
    return tg.Tensor(RNG.standard_normal(shape), requires_grad=True)


# -------------------------------------------------------------------------------------------------------------- reading


def test_repeated_indices_accumulate():
    x, upstream = leaf(3, 2), RNG.standard_normal((5, 2))
    index = np.array([0, 2, 0, 0, -1])
    x[index].backward(upstream)
    expected = np.stack([upstream[[0, 2, 3]].sum(0), np.zeros(2), upstream[[1, 4]].sum(0)])
    np.testing.assert_allclose(x.grad.data, expected)


def test_repeats_in_several_index_arrays_and_under_broadcasting():
    x, upstream = leaf(3, 4), RNG.standard_normal((2, 3))
    rows, columns = np.array([[0], [0]]), np.array([1, 1, 3])
    x[rows, columns].backward(upstream)
    expected = np.zeros((3, 4))
    expected[0, 1], expected[0, 3] = upstream[:, :2].sum(), upstream[:, 2].sum()
    np.testing.assert_allclose(x.grad.data, expected)


def test_an_embedding_table_of_many_repeats():
    table, labels = leaf(7, 3), RNG.integers(0, 7, (4, 50))
    upstream = RNG.standard_normal((4, 50, 3))
    table[labels].backward(upstream)
    one_hot = (labels[..., None] == np.arange(7)).astype(float)
    np.testing.assert_allclose(table.grad.data, np.einsum("abk,abc->kc", one_hot, upstream))


def test_the_index_is_kept_as_it_was():
    x, upstream = leaf(4), RNG.standard_normal(3)
    index = np.array([0, 1, 1])
    z = x[index]
    index[...] = 3
    z.backward(upstream)
    np.testing.assert_allclose(x.grad.data, [upstream[0], upstream[1] + upstream[2], 0, 0])


def test_tensors_are_indices():
    x = tg.arange(10.0)
    k = tg.tensor([3, 1])
    assert x[k].tolist() == [3, 1]
    assert x[tg.tensor(4)].item() == 4
    assert x[x > 7].tolist() == [8, 9]
    assert tg.arange(6).reshape(2, 3)[tg.tensor([0, 1]), tg.tensor([2, 0])].tolist() == [2, 3]


def test_iteration_and_unpacking_carry_gradients():
    x, upstream = leaf(3, 2), RNG.standard_normal(2)
    a, _, c = x
    (a + 2 * c).backward(upstream)
    np.testing.assert_allclose(x.grad.data, [upstream, [0, 0], 2 * upstream])
    with pytest.raises(TypeError, match="a scalar has no length"):
        iter(tg.tensor(1.0)).__next__()


def test_slices_are_views_and_arrays_are_copies():
    x = tg.arange(6.0).reshape(2, 3)
    assert np.shares_memory(x[1:].data, x.data)
    assert not np.shares_memory(x[[1]].data, x.data)
    x[0, 0] = 9
    assert x[0].tolist() == [9, 1, 2]


# --------------------------------------------------------------------------------------------- assignment, not recorded


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, 5.0),
        ((slice(None), 1), [7.0, 8.0]),
        ((Ellipsis, -1), np.array([1.0, 2.0])),
        ([1, 0], [[1.0, 2, 3], [4, 5, 6]]),
        (([0, 1], [2, 0]), 3),
        (np.array([[True, False, True], [False, True, False]]), -1),
        (slice(None), [[1.0, 2, 3]]),
        (slice(5, 9), 1.0),
    ],
)
def test_assignment_is_numpys(index, value):
    x = tg.zeros(2, 3)
    expected = np.zeros((2, 3), np.float32)
    memory = x._data
    x[index] = value
    expected[index] = value
    np.testing.assert_array_equal(x.data, expected)
    assert x._data is memory
    assert x.dtype == np.float32


def test_assigned_tensors_keep_the_dtype_and_are_copied():
    x, v = tg.zeros(3), tg.ones(2, dtype="float64")
    x[1:] = v
    v[...] = 7
    assert x.dtype == np.float32
    assert x.tolist() == [0, 1, 1]
    k = tg.zeros(2, dtype="int64")
    k[0] = 1.9
    assert k.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("index", "value", "error", "words"),
    [
        (3, 1.0, tg.RangeError, "out of bounds"),
        ((0, 0, 0), 1.0, tg.RangeError, "too many indices"),
        (0, [1.0, 2.0], tg.ShapeError, "broadcast"),
        ([0.5], 1.0, tg.DTypeError, "integers or bools"),
        (0, "text", tg.DTypeError, "not supported"),
    ],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_bad_assignments_are_refused_and_change_nothing(index, value, error, words, recorded):
    x = leaf(2, 3) * 1 if recorded else tg.zeros(2, 3)
    before, version = x.data.copy(), version_of(x)
    with pytest.raises(error, match=words):
        x[index] = value
    np.testing.assert_array_equal(x.data, before)
    assert version_of(x) is version and version.current


def test_read_only_memory_is_not_written():
    a = np.zeros(3)
    a.flags.writeable = False
    x = tg.Tensor(a)
    for change in (lambda: x.__setitem__(0, 1.0), lambda: x.__iadd__(1.0)):
        with pytest.raises(tg.ArgumentError, match="read-only"):
            change()
    repeated = tg.ones(1).broadcast_to((3,))
    with pytest.raises(tg.ArgumentError, match="elements of the tensor overlap in memory"):
        repeated[0] = 5.0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda x: x.__iadd__(2), [3, 4]),
        (lambda x: x.__isub__(2), [-1, 0]),
        (lambda x: x.__imul__(tg.tensor([2.0, 3.0])), [2, 6]),
        (lambda x: x.__itruediv__(np.array([2.0, 4.0])), [0.5, 0.5]),
    ],
)
def test_operators_in_place_write_the_memory(change, expected):
    x = tg.tensor([1.0, 2.0])
    memory = x._data
    assert change(x) is x
    assert x._data is memory
    assert x.tolist() == expected
    assert x.dtype == np.float32


def test_operators_in_place_that_do_not_fit_are_refused():
    x = tg.tensor([1.0, 2.0])
    with pytest.raises(tg.ShapeError, match="in place"):
        x += tg.ones(2, 2)
    k = tg.tensor([1, 2])
    with pytest.raises(tg.ShapeError, match="in place"):
        k += 0.5
    assert x.tolist() == [1, 2]
    assert k.tolist() == [1, 2]


# ------------------------------------------------------------------------------------------------- assignment, recorded


def test_gradients_flow_through_assignment():
    x, v, upstream = leaf(3, 2), leaf(2), RNG.standard_normal((3, 2))
    y = x * 2.0
    y[1] = v
    y.backward(upstream)
    np.testing.assert_allclose(x.grad.data, 2 * upstream * [[1], [0], [1]])
    np.testing.assert_allclose(v.grad.data, upstream[1])


def test_assignment_makes_a_constant_depend_on_the_value():
    v, upstream = leaf(2), RNG.standard_normal(3)
    y = tg.zeros(3, dtype="float64")
    y[:2] = v * v
    assert y.requires_grad
    y.backward(upstream)
    np.testing.assert_allclose(v.grad.data, 2 * v.data * upstream[:2])


def test_a_recurrence_written_in_place():
    """y[k] = y[k−1] · x[k], the way a loop over time is written; against gradcheck."""

    def f(x):
        y = tg.zeros(4, dtype="float64")
        y[0] = x[0]
        for k in range(1, 4):
            y[k] = y[k - 1] * x[k]
        return y

    assert tg.gradcheck(f, [RNG.uniform(0.5, 1.5, 4)])


def test_ops_before_an_assignment_see_the_old_value_those_after_it_the_new():
    x, upstream = leaf(3), RNG.standard_normal(3)
    y = x * 1.0
    before = y * y
    y[0] = 10.0
    after = y * y
    (before + after).backward(upstream)
    np.testing.assert_allclose(x.grad.data, 2 * x.data * upstream * [1, 2, 2])
    np.testing.assert_allclose(after.data, np.append(100, x.data[1:] ** 2))


def test_of_values_assigned_to_one_place_the_last_has_the_gradient():
    v, upstream = leaf(4), RNG.standard_normal(3)
    y = tg.zeros(3, dtype="float64")
    y[[1, 0, 1, 1]] = v
    np.testing.assert_allclose(y.data, [v.data[1], v.data[3], 0])
    y.backward(upstream)
    np.testing.assert_allclose(v.grad.data, [0, upstream[0], 0, upstream[1]])


def test_operators_in_place_are_recorded():
    x, upstream = leaf(3), RNG.standard_normal(3)
    y = x * 1.0
    y += x
    y *= y
    y.backward(upstream)
    np.testing.assert_allclose(x.grad.data, 8 * x.data * upstream)


def test_a_leaf_can_not_change_while_it_is_recorded_but_can_under_no_grad():
    x = leaf(3)
    for change in (lambda: x.__setitem__(0, 1.0), lambda: x.__iadd__(1.0)):
        with pytest.raises(tg.GraphError, match="no_grad"):
            change()
    with tg.no_grad():
        x[0] = 1.0
        x -= 0.5
    assert x.data[0] == 0.5
    assert x.requires_grad and x.is_leaf


# ------------------------------------------------------------------------------------------------------------- versions


VIEWS = {
    "itself": lambda x: x,
    "detach": lambda x: x.detach(),
    "slice": lambda x: x.detach()[1:],
    "reshape": lambda x: x.detach().reshape(2, 2),
    "transpose": lambda x: x.detach().reshape(2, 2).T,
    "flip": lambda x: np.flip(x.detach(), 0),
    "einsum": lambda x: tg.einsum("ij->ji", x.detach().reshape(2, 2)),
    "a view of a view": lambda x: x.detach().reshape(2, 2)[1].unsqueeze(0),
}


@pytest.mark.parametrize("view", VIEWS)
def test_backward_refuses_a_saved_value_changed_through(view):
    x = leaf(4)
    x.name = "weights"
    z = (x * x).sum()
    with tg.no_grad():
        VIEWS[view](x)[...] = 0.0
    with pytest.raises(tg.GraphError, match="changed in place") as raised:
        z.backward()
    assert "multiply" in str(raised.value)
    assert "weights" in str(raised.value)
    assert x.grad is None


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_saved_for_backward_is_guarded_by_its_base(view):
    x = tg.Tensor(RNG.standard_normal(4))
    w = leaf(*VIEWS[view](x).shape)
    z = (w * VIEWS[view](x)).sum()
    x[...] = 0.0
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.backward()


@pytest.mark.parametrize("change", ["assignment", "operator", "data"])
def test_every_way_to_change_counts(change):
    x = tg.Tensor(RNG.standard_normal(4))
    w = leaf(4)
    z = (w * x).sum()
    if change == "assignment":
        x[0] = 1.0
    elif change == "operator":
        x += 1.0
    else:
        x.data = np.zeros(4)
    with pytest.raises(tg.GraphError, match="changed in place"):
        z.backward()


def test_an_output_that_backward_needs_is_guarded_too():
    x = leaf(3)
    y = x.exp()
    with tg.no_grad():
        y[0] = 0.0
    with pytest.raises(tg.GraphError, match="its output z"):
        y.sum().backward()


def test_a_copy_is_no_view():
    x = tg.Tensor(RNG.standard_normal(4))
    w, upstream = leaf(4), RNG.standard_normal(4)
    kept = x.data.copy()
    z = w * x.clone()
    x[...] = 0.0
    z.backward(upstream)
    np.testing.assert_allclose(w.grad.data, kept * upstream)


def test_a_change_that_nobody_needs_is_no_error():
    x, upstream = leaf(3), RNG.standard_normal(3)
    y = x + 1.0
    z = y * 2.0
    with tg.no_grad():
        y[...] = 0.0
    z.backward(upstream)
    np.testing.assert_allclose(x.grad.data, 2 * upstream)
