"""Views share the memory of what they show, however that lies in memory."""

import numpy as np
import pytest

import tensorgrad as tg


def _of_bytes(values):
    return np.ndarray(values.shape, values.dtype, bytearray(values.tobytes()))


MEMORY = {
    "Fortran order": np.asfortranarray,
    "bytes": _of_bytes,
    "backwards": lambda x: x[:, ::-1],
    "transposed": lambda x: x.T,
}


@pytest.mark.parametrize("memory", MEMORY)
def test_windows_of_any_memory_are_views_that_follow_it(memory):
    x = tg.from_numpy(MEMORY[memory](np.arange(12.0).reshape(3, 4)))
    windows = x.unfold(1, 2, 1)
    expected = np.lib.stride_tricks.sliding_window_view(x.numpy(), 2, 1)
    assert np.shares_memory(windows.numpy(), x.numpy())
    np.testing.assert_array_equal(windows.numpy(), expected)
    x.mul_(10)
    np.testing.assert_array_equal(windows.numpy(), expected)
    assert windows.max().item() == 110


def test_windows_of_nothing_and_of_what_cannot_be_written():
    assert tg.zeros(3, 0).unfold(0, 2, 1).shape == (2, 0, 2) and tg.zeros(0).unfold(0, 0, 1).shape == (1, 0)
    assert not tg.zeros(3).expand(2, 3).unfold(1, 2, 1).data.flags.writeable


CHANGES = {"mul_": lambda h: h.mul_(2.0), "set": lambda h: h.__setitem__(1, 5.0), "tanh_": lambda h: h.tanh_()}


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("change", CHANGES)
def test_gradients_through_windows_that_overlap_after_a_change(change, step):
    """The same computed from the changed values, without views."""
    rng, found = np.random.default_rng(0), []
    values, upstream = rng.standard_normal(9), rng.standard_normal(((9 - 4) // step + 1, 4))
    for views in (True, False):
        x = tg.tensor(values, requires_grad=True)
        h = x * 1.0
        windows = h.unfold(0, 4, step) if views else None
        CHANGES[change](h)
        windows = windows if views else tg.stack([h[k : k + 4] for k in range(0, 6, step)])
        (windows * tg.tensor(upstream)).sum().backward()
        found.append(x.grad.data)
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_one_element_is_a_view_as_in_pytorch():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    x[0][1].mul_(10.0)
    x[1, -1].add_(1.0)
    x.diagonal()[0].zero_()
    assert x.tolist() == [[0.0, 20.0], [3.0, 5.0]] and x[1, 0].shape == ()
    y = tg.tensor([1.0, 2.0], requires_grad=True)
    h = y * 3.0
    h[0].mul_(h[1])
    h.sum().backward()
    assert h.tolist() == [18.0, 6.0] and y.grad.tolist() == [18.0, 12.0]


@pytest.mark.parametrize("equation", ["ij->ji", "ij->ij", "ii->i", "iji->ij", "jiki->kij", "...i->i..."])
def test_einsum_that_sums_nothing_is_a_view_as_numpys_is(equation):
    axes = 2 if "." in equation else equation.index("-")
    x = np.arange(3.0**axes).reshape([3] * axes)
    z, wanted = tg.einsum(equation, tg.from_numpy(x)), np.einsum(equation, x)
    np.testing.assert_array_equal(z.data, wanted)
    assert np.shares_memory(z.data, x)


def test_einsum_names_itself_where_an_axis_is_asked_for_twice():
    with pytest.raises(tg.ShapeError, match="einsum"):
        tg.einsum("i->ii", tg.ones(3))


COPIES = {
    "flip": lambda lib, x: x.flip(-1),
    "fliplr": lambda lib, x: lib.fliplr(x),
    "flipud": lambda lib, x: lib.flipud(x),
    "rot90": lambda lib, x: lib.rot90(x),
    "rot90 twice": lambda lib, x: lib.rot90(x, 2),
    "repeat": lambda lib, x: x.repeat(2, *(1,) * (x.ndim - 1)),
    "repeat once": lambda lib, x: x.repeat(*(1,) * x.ndim),
    "tile": lambda lib, x: lib.tile(x, (3,)),
    "tile new axes": lambda lib, x: lib.tile(x, (2,) + (1,) * x.ndim),
    "repeat_interleave": lambda lib, x: x.repeat_interleave(1, 0),
    "roll": lambda lib, x: lib.roll(x, 0, 0),
    "pixel_shuffle": lambda lib, x: lib.pixel_shuffle(x, 2 if x.shape[-3] == 4 else 1),
    "pixel_unshuffle": lambda lib, x: lib.pixel_unshuffle(x, 1),
    "channel_shuffle": lambda lib, x: lib.channel_shuffle(x, 1),
    "ravel of repeated elements": lambda lib, x: x.reshape(-1)[:1].expand(2).ravel(),
}


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3), (3, 1), (1, 4, 1, 1), (2, 4, 2, 3), (1, 1, 3)])
@pytest.mark.parametrize("name", COPIES)
def test_what_copies_in_pytorch_copies(name, shape):
    if len(shape) < 3 and name.endswith("shuffle"):
        return
    for layout in (lambda x: x, lambda x: x.swapaxes(0, -1), lambda x: x.expand(*[2 if n == 1 else n for n in shape])):
        x = layout(tg.arange(float(np.prod(shape))).reshape(shape))
        z = COPIES[name](tg, x)
        before = z.tolist()
        z.add_(1)
        assert not np.shares_memory(z.data, x.data)
        with tg.no_grad():
            (x if x.data.flags.writeable else x.clone()).mul_(0)
        assert (z - 1).tolist() == before


@pytest.mark.parametrize("name, index", [("gather", 0), ("gather", [0]), ("gather", [0, 0]), ("take_along_dim", 0)])
def test_a_number_is_gathered_as_a_vector_of_one_element(name, index):
    x, k = tg.tensor(3.0, requires_grad=True), tg.tensor(index)
    h = x * 1.0
    z = h.gather(0, k) if name == "gather" else h.take_along_dim(k, 0)
    z.mul_(5.0)
    assert z.shape == k.shape and (z == 15.0).all().item() and h.item() == 3.0
    z.sum().backward()
    assert x.grad.item() == 5.0 * k.numel()
    with pytest.raises(tg.RangeError, match="1"):
        h.gather(0, k + 1) if name == "gather" else h.take_along_dim(k + 1, 0)


@pytest.mark.oracle
@pytest.mark.parametrize("name", COPIES)
def test_pytorch_copies_there(name):
    torch = pytest.importorskip("torch")
    x = torch.arange(4.0).reshape(1, 4, 1, 1)
    assert not np.shares_memory(COPIES[name](torch, x).numpy(), x.numpy())


def test_numpys_flip_is_a_view_and_ravel_one_of_what_is_contiguous():
    x = tg.arange(6.0).reshape(2, 3)
    back, row = np.flip(x, 1), x.ravel()
    x[0, 2] = 7.0
    assert back[0].tolist() == [7.0, 1.0, 0.0] and row.tolist() == [0.0, 1.0, 7.0, 3.0, 4.0, 5.0]
    assert np.ravel(x, order="F").tolist() == np.ravel(x.numpy(), order="F").tolist()
