import itertools

import numpy as np
import pytest

from tensorgrad.errors import ArgumentError, DTypeError, ShapeError
from tensorgrad.windows import as_tuple, conv_output_size, conv_padding, pool_output_size


def test_as_tuple_takes_one_number_or_one_per_dimension():
    assert as_tuple(3, 2, op="conv2d", name="stride") == (3, 3)
    assert as_tuple([1, np.int64(2)], 2, op="conv2d", name="stride") == (1, 2)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, ArgumentError),
        ((1, -1), ArgumentError),
        ((1, 2, 3), ArgumentError),
        ((), ArgumentError),
        (1.5, DTypeError),
        ("11", DTypeError),
        (True, DTypeError),
        (None, DTypeError),
    ],
)
def test_as_tuple_refuses_and_names_op_and_argument(value, error):
    with pytest.raises(error, match=r"(?s)conv2d: stride.*stride: "):
        as_tuple(value, 2, op="conv2d", name="stride", minimum=1)


def covered(size, kernel, stride, before, after, dilation):
    """Windows that fit into the padded line, by trying each start in turn."""
    starts = range(-before, size + after, stride)
    return sum(start + dilation * (kernel - 1) < size + after for start in starts)


def test_conv_output_size_counts_the_windows_that_fit():
    for size, kernel, stride, before, after, dilation in itertools.product(
        (1, 4, 7, 8), (1, 2, 3), (1, 2, 3), (0, 1), (0, 2), (1, 2)
    ):
        expected = covered(size, kernel, stride, before, after, dilation)
        arguments = ((size,), (kernel,), (stride,), ((before, after),), (dilation,))
        if expected:
            assert conv_output_size(*arguments) == (expected,)
        else:
            with pytest.raises(ShapeError, match="doesn't fit"):
                conv_output_size(*arguments)


def test_same_padding_keeps_every_size():
    for size, kernel, dilation in itertools.product((1, 5, 6), (1, 2, 3, 4), (1, 2, 3)):
        padding = conv_padding("same", (kernel,), (1,), (dilation,))
        assert conv_output_size((size,), (kernel,), (1,), padding, (dilation,)) == (size,)
        assert padding[0][1] - padding[0][0] in (0, 1)


def test_padding_modes_and_their_errors():
    assert conv_padding("valid", (3, 3), (2, 2), (1, 1)) == ((0, 0), (0, 0))
    assert conv_padding((1, 2), (3, 3), (2, 2), (1, 1)) == ((1, 1), (2, 2))
    with pytest.raises(ArgumentError, match="conv2d: padding='same'"):
        conv_padding("same", (3, 3), (1, 2), (1, 1))
    with pytest.raises(ArgumentError, match="unknown padding mode"):
        conv_padding("full", (3, 3), (1, 1), (1, 1))
    with pytest.raises(ArgumentError, match="padding is too small"):
        conv_padding(-1, (3, 3), (1, 1), (1, 1))


def test_a_kernel_that_does_not_fit_names_the_sizes():
    with pytest.raises(ShapeError, match=r"(?s)conv2d: a window of \(5, 3\).*padded input of \(4, 9\)"):
        conv_output_size((4, 9), (3, 3), (1, 1), ((0, 0), (0, 0)), (2, 1))
    with pytest.raises(ShapeError):
        conv_output_size((0, 5), (1, 1), (1, 1), ((1, 1), (0, 0)), (1, 1))


def test_ceil_mode_adds_the_windows_that_hang_over_the_end():
    for size, kernel, stride, before, after in itertools.product((4, 5, 8, 9), (2, 3, 4), (1, 2, 3, 5), (0, 1), (0, 1)):
        starts, end = [-before], size + after
        while starts[-1] + kernel < end and starts[-1] + stride < size:
            starts.append(starts[-1] + stride)
        arguments = ((size,), (kernel,), (stride,), ((before, after),), (1,))
        assert pool_output_size(*arguments, ceil_mode=True) == (len(starts),)
        assert pool_output_size(*arguments) == conv_output_size(*arguments)


def test_pooling_refuses_what_would_pool_padding_alone():
    with pytest.raises(ArgumentError, match="at most half the kernel"):
        pool_output_size((8, 8), (3, 3), (1, 1), ((2, 2), (0, 0)), (1, 1))
    with pytest.raises(ShapeError, match="nothing but padding"):
        pool_output_size((2,), (2,), (1,), ((1, 1),), (3,))
    with pytest.raises(ShapeError, match="doesn't fit"):
        pool_output_size((2,), (3,), (1,), ((0, 0),), (1,))


@pytest.mark.oracle
def test_pooling_accepts_and_sizes_what_pytorch_does():
    torch = pytest.importorskip("torch")
    for size, kernel, stride, pad, dilation, ceil_mode in itertools.product(
        (1, 4, 5, 9), (1, 2, 3), (1, 2, 3, 5), (0, 1, 2), (1, 2), (False, True)
    ):
        try:
            line = torch.zeros(1, 1, size)
            pooled = torch.nn.functional.max_pool1d(line, kernel, stride, pad, dilation, ceil_mode)
            expected = (pooled.shape[-1],)
        except RuntimeError:
            expected = None
        try:
            ours = pool_output_size((size,), (kernel,), (stride,), ((pad, pad),), (dilation,), ceil_mode)
        except ValueError as error:
            if "nothing but padding" in str(error):
                assert torch.isneginf(pooled).any()
                continue
            ours = None
        assert ours == expected, (size, kernel, stride, pad, dilation, ceil_mode)
