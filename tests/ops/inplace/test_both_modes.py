"""In-place changes mean the same whether they are recorded or not, and recorded ones give right gradients."""

import numpy as np
import pytest
from leaves import RNG, leaf

import tensorgrad as tg
from tensorgrad.autograd.versions import begin_version, version_of


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


def test_every_operator_in_place_writes_the_memory():
    for change, expected in (
        (lambda t: t.__iand__(2), 2),
        (lambda t: t.__ior__(4), 7),
        (lambda t: t.__ixor__(1), 2),
    ):
        t = tg.tensor([3])
        other = t.detach()
        assert change(t) is t and other.tolist() == [expected]
