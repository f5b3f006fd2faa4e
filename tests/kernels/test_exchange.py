"""What processes write in shared memory and add up there, against NumPy; and where each piece stands."""

import numpy as np
import pytest

from tensorgrad.kernels import exchange
from tensorgrad.kernels.fallback import exchange as fallback
from tensorgrad.kernels.fallback.exchange import LINE, portions

RNG = np.random.default_rng(0)
FLOATS = pytest.mark.parametrize("dtype", ["float32", "float64"])
SIZES = (1, 0, 3, 16, 17, 200, 5, 64, 1000)


def shared(count, dtype):
    """Memory that begins with a cache line, with numbers that nobody wrote."""
    memory = np.full(count + LINE, np.nan, dtype)
    return memory[-memory.ctypes.data % LINE // memory.itemsize :][:count]


@pytest.mark.parametrize("itemsize", [1, 2, 4, 8])
@pytest.mark.parametrize("lines", [16, 64, 256])
@pytest.mark.parametrize("arrays", range(8))
def test_portions_hold_each_element_once(arrays, lines, itemsize):
    sizes = RNG.integers(0, 300, arrays).tolist()
    most = lines * LINE // itemsize
    seen = [np.zeros(size, int) for size in sizes]
    for portion in portions(tuple(sizes), most, itemsize):
        end = 0
        for which, offset, start, size in portion.tolist():
            seen[which][offset : offset + size] += 1
            assert size > 0 and start >= end and start * itemsize % LINE == 0
            end = start + size
        assert end <= most
    assert all((counts == 1).all() for counts in seen)


@FLOATS
@pytest.mark.parametrize("processes", [2, 3, 5])
@pytest.mark.parametrize("in_place", [False, True])
def test_sums_over_processes(dtype, processes, in_place):
    """Each process has the same bits as the others and as NumPy."""
    own = [[RNG.normal(size=size).astype(dtype) for size in SIZES] for _ in range(processes)]
    factor = np.dtype(dtype).type(1 / processes)
    expected = []
    for arrays in zip(*own, strict=True):
        total = arrays[0].copy()
        for x in arrays[1:]:
            total += x
        expected.append(total * factor)
    itemsize = np.dtype(dtype).itemsize
    most = 32 * LINE // itemsize
    out = own if in_place else [[np.full_like(x, np.nan) for x in arrays] for arrays in own]
    for portion in portions(SIZES, most, itemsize):
        written, by_numpy = ([shared(most, dtype) for _ in range(processes)] for _ in range(2))
        for arrays, memory, other in zip(own, written, by_numpy, strict=True):
            exchange.write(exchange.Table.of(arrays, arrays), portion, memory)
            fallback.write(arrays, portion, other)
            for _, _, start, size in portion.tolist():
                np.testing.assert_array_equal(memory[start : start + size], other[start : start + size])
        for rank, (arrays, results) in enumerate(zip(own, out, strict=True)):
            exchange.add(exchange.Table.of(arrays, results), written, rank, portion, factor)
            again = [np.full_like(x, np.nan) for x in results]
            fallback.combine(written, portion, again, np.add, factor)
            for which, offset, _, size in portion.tolist():
                place = slice(offset, offset + size)
                np.testing.assert_array_equal(again[which][place], expected[which][place])
    for results in out:
        for result, total in zip(results, expected, strict=True):
            np.testing.assert_array_equal(result, total)


@FLOATS
def test_nothing_is_written_outside(dtype):
    """Beyond the last vector of a piece the shared memory stays as it was, and beyond an array what follows it."""
    itemsize = np.dtype(dtype).itemsize
    (portion,) = portions((5,), 64, itemsize)
    memory, whole = shared(64, dtype), np.full(20, 7.0, dtype)
    table = exchange.Table.of([whole[3:8]], [whole[3:8]])
    exchange.write(table, portion, memory)
    assert memory[:5].tolist() == [7.0] * 5 and np.isnan(memory[LINE // itemsize :]).all()
    exchange.add(table, [memory, memory], 1, portion, 2.0)
    assert whole.tolist() == [7.0] * 3 + [28.0] * 5 + [7.0] * 12


@pytest.mark.parametrize(
    ("operation", "expected"), [(np.multiply, [3, 10, -7]), (np.minimum, [1, 2, -1]), (np.maximum, [3, 5, 7])]
)
def test_other_operations(operation, expected):
    given = [np.array([1, 5, -1]), np.array([3, 2, 7])]
    (portion,) = portions((3,), 64, 8)
    memory = np.zeros((2, 64), int)
    for x, own in zip(given, memory, strict=True):
        fallback.write([x], portion, own)
    result = np.zeros(3, int)
    fallback.combine(memory, portion, [result], operation, 1.0)
    assert result.tolist() == expected
