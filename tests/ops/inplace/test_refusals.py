"""In-place changes that are refused: nothing is written then, and no gradient gets lost."""

import numpy as np
import pytest
from leaves import RNG, leaf

import tensorgrad as tg
from tensorgrad import nn


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


@pytest.mark.parametrize("target", [3.0, None, "x", [1.0], np.ones(2), nn.Linear], ids=str)
def test_only_a_tensor_changes_in_place(target):
    for function in (nn.functional.relu_, nn.functional.elu_, tg.Tensor.exp_):
        with pytest.raises(tg.DTypeError, match="only a tensor can change in place"):
            function(target)
