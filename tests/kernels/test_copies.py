"""Copies of arrays of any layout, against NumPy, bit for bit."""

import numpy as np
import pytest

from tensorgrad.kernels import copies
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.opaque import constant, is_constant, memory_of

DTYPES = ["float32", "int64", "float16", "bool", "complex128", ">f4"]


@pytest.fixture(autouse=True)
def launches(monkeypatch):
    """The kernel takes arrays of every size; how often it ran."""
    made = []
    monkeypatch.setattr(copies, "SMALL", 0)
    monkeypatch.setattr(copies, "run", lambda *arguments: (made.append(arguments), dispatch.run(*arguments)))
    return made


def layouts(rng, dtype):
    """Views of an array: cut, stepped, reversed, transposed, repeated."""
    shape = tuple(rng.integers(0 if rng.random() < 0.1 else 1, 7, rng.integers(0, 6)))
    x = rng.integers(0, 2, shape).astype(dtype) if dtype == "bool" else (rng.standard_normal(shape) * 9).astype(dtype)
    steps = [slice(None, None, rng.choice([1, 1, 2, -1, -2])) for _ in shape]
    x = x[(..., *steps)].transpose(rng.permutation(len(shape)))
    if x.ndim and rng.random() < 0.2:
        x = np.broadcast_to(x, (3, *x.shape))
    return x


@pytest.mark.parametrize("seed", range(200))
def test_a_copy_is_contiguous_and_equal(seed, launches):
    rng = np.random.default_rng(seed)
    x = layouts(rng, DTYPES[seed % len(DTYPES)])
    z = copies.contiguous(x)
    assert z.flags.carray and z.dtype.isnative and type(z) is np.ndarray and not np.shares_memory(z, x)
    np.testing.assert_array_equal(z, x)
    if seed % len(DTYPES) < 2 and x.size and np.squeeze(x).ndim <= copies.AXES:
        assert len(launches) == 1


@pytest.mark.parametrize("seed", range(100))
def test_elements_are_broadcast_to_a_view(seed, launches):
    rng = np.random.default_rng(seed)
    target = layouts(rng, "float32").copy()[..., None]
    whole = np.concatenate([target] * 3, -1)
    expected, part = whole.copy(), (..., slice(1, None, 2))
    x = rng.standard_normal([n if rng.random() < 0.7 else 1 for n in target.shape]).astype("float32")
    expected[part] = x
    copies.copy(x, whole[part])
    np.testing.assert_array_equal(whole, expected)


@pytest.mark.parametrize("seed", range(100))
def test_joined_as_numpy_joins(seed, launches):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 6, rng.integers(1, 5))
    axis, dtype = rng.integers(len(shape)), DTYPES[seed % 5]
    parts = []
    for _ in range(rng.integers(1, 5)):
        shape[axis] = rng.integers(0, 5)
        part = (rng.standard_normal(shape) * 9).astype(dtype)
        parts.append(part[::-1] if rng.random() < 0.5 else np.asfortranarray(part))
    z = copies.concatenated(parts, int(axis))
    np.testing.assert_array_equal(z, np.concatenate(parts, axis), strict=True)
    if dtype in ("float32", "int64"):
        assert len(launches) == sum(part.size > 0 for part in parts)


def test_parts_that_dont_fit_are_numpys_error():
    with pytest.raises(ValueError, match="must match exactly"):
        copies.concatenated([np.ones((2, 3)), np.ones((2, 4))], 0)


def test_nan_keeps_its_bits():
    x = np.array([0x7FC01234, 0xFF800001], np.uint32).view(np.float32)
    np.testing.assert_array_equal(copies.contiguous(x[::-1]).view(np.uint32), x.view(np.uint32)[::-1])


def test_the_memory_of_a_view():
    x = np.arange(24, dtype=np.int64).reshape(2, 3, 4)
    for view in (
        x[:, 1:],
        x[1, ::-1, ::2],
        x.T,
        x[1, 2, 3, None],
        x[::-1, ::-1, ::-1],
        np.broadcast_to(x[0], (5, 3, 4)),
    ):
        memory, start = memory_of(view, np.dtype(np.int64))
        assert memory.flags.carray and memory[start] == view[(0,) * view.ndim]
        assert (memory[0], memory[-1]) == (view.min(), view.max())
    assert len(memory_of(x[:0], np.dtype(np.int64))[0]) == 0


def test_the_memory_of_a_constant_is_constant():
    unit = np.dtype(np.float64)
    assert is_constant(memory_of(constant(np.ones((2, 3)))[:, ::-1], unit)[0])
    assert not is_constant(memory_of(np.ones((2, 3)), unit)[0])
