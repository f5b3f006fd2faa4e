import itertools
from math import prod

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import windows
from tensorgrad.autograd import modes
from tensorgrad.errors import ArgumentError, DTypeError, ShapeError
from tensorgrad.windows import Window, as_tuple, conv_padding


def conv_output_size(*sizes):
    return Window.fitting("conv2d", *sizes).output


def pool_output_size(*sizes, ceil_mode=False):
    return Window.pooled("max_pool2d", *sizes, ceil_mode).output


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
    with pytest.raises(ArgumentError, match="padding must be at least 0"):
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
            ours = pool_output_size((size,), (kernel,), (stride,), ((pad, pad),), (dilation,), ceil_mode=ceil_mode)
        except ValueError as error:
            if "nothing but padding" in str(error):
                assert torch.isneginf(pooled).any()
                continue
            ours = None
        assert ours == expected, (size, kernel, stride, pad, dilation, ceil_mode)


# size, kernel, stride, padding, dilation: windows in a line
LINES = [
    line
    for line in itertools.product((4, 7, 8), (1, 2, 3), (1, 2, 3), ((0, 0), (1, 2), (4, 3)), (1, 2, 3))
    if line[0] + sum(line[3]) > line[4] * (line[1] - 1)
]


def line_of(size, kernel, stride, padding, dilation):
    return Window.fitting("conv1d", (size,), (kernel,), (stride,), (padding,), (dilation,))


def test_a_window_is_frozen_hashed_and_equal_to_its_like():
    first, other = line_of(8, 3, 2, (1, 1), 1), line_of(8, 3, 2, (1, 1), 1)
    assert first == other and hash(first) == hash(other) and first != line_of(8, 3, 2, (1, 0), 1)
    with pytest.raises(AttributeError):
        first.stride = (3,)


def test_starts_are_where_the_windows_begin():
    for line in LINES:
        (starts,) = line_of(*line).starts()
        size, kernel, stride, (before, after), dilation = line
        assert list(starts) == [
            s for s in range(-before, size + after, stride) if s + dilation * (kernel - 1) < size + after
        ]


def test_counts_are_pixels_counted_one_by_one():
    for size, kernel, stride, padding, ceil_mode in itertools.product(
        (4, 5, 8), (2, 3), (1, 2, 3), ((0, 0), (1, 0), (1, 1)), (False, True)
    ):
        window = Window.pooled("avg_pool1d", (size,), (kernel,), (stride,), (padding,), (1,), ceil_mode)
        for include in (False, True):
            first, end = (-padding[0], size + padding[1]) if include else (0, size)
            expected = [sum(first <= s + k < end for k in range(kernel)) for s in window.starts()[0]]
            assert window.counts(include) == [expected]


def test_phases_hand_each_gradient_to_the_pixels_of_its_window():
    """By the phases, and by spreading each gradient over its window: the same sums, and no other pixels."""
    generator = np.random.default_rng(0)
    for line in LINES:
        window = line_of(*line)
        g, w = generator.standard_normal(window.output[0]), generator.standard_normal(line[1])
        expected = np.zeros(line[0])
        for p, start in enumerate(window.starts()[0]):
            for i in range(line[1]):
                if 0 <= start + i * line[4] < line[0]:
                    expected[start + i * line[4]] += g[p] * w[i]
        found = np.zeros(line[0])
        for (start,), (taps,), phase in window.phases():
            assert phase == line_of(window.output[0], len(taps), 1, phase.padding[0], phase.dilation[0])
            for u, begin in enumerate(phase.starts()[0]):
                places = [(tap, begin + t * phase.dilation[0]) for t, tap in enumerate(taps)]
                found[start + u * line[2]] = sum(w[tap] * g[p] for tap, p in places if 0 <= p < len(g))
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_signal_is_an_image_of_one_row():
    window = line_of(8, 3, 2, (1, 0), 2)
    image = window.image
    assert image == Window.fitting("conv2d", (1, 8), (1, 3), (1, 2), ((0, 0), (1, 0)), (1, 2))
    assert image.image is image


@pytest.mark.parametrize(
    ("arguments", "halves"),
    [
        (((6, 7), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), True),
        (((6, 7), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), True), False),
        (((6, 8), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), True), True),
        (((6, 7), (2, 2), (2, 1), ((0, 0), (0, 0)), (1, 1)), False),
        (((6, 7), (2, 3), (2, 2), ((0, 0), (0, 0)), (1, 1)), False),
        (((6, 7), (2, 2), (2, 2), ((1, 1), (0, 0)), (1, 1)), False),
        (((6, 7), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 2)), False),
        (((1, 7), (1, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), False),
        (((8,), (2,), (2,), ((0, 0),), (1,)), False),
    ],
)
def test_which_windows_are_2x2_pooling(arguments, halves):
    assert Window.pooled("max_pool2d", *arguments).halves == halves


def test_tiles_cover_a_line_without_gaps():
    for size, count in itertools.product((1, 2, 5, 9), (1, 2, 3, 7)):
        tiles = windows.tiling(size, count)
        assert len(tiles) == count and {p for tile in tiles for p in tile} == set(range(size))
        assert all(tile.start == i * size // count and len(tile) for i, tile in enumerate(tiles))


class Ops(tg.Observer):
    """An observer that keeps the ops."""

    def __init__(self):
        self.ops = []

    def op_applied(self, op, inputs, output):
        self.ops.append(op)


@pytest.mark.parametrize("call", [tg.conv2d, tg.conv1d], ids=["conv2d", "conv1d"])
def test_one_window_goes_down_and_back(call):
    """The op, its gradients and theirs hold one object, which equal calls share."""
    rank = 2 if call is tg.conv2d else 1
    x = tg.ones(2, 4, *(9,) * rank, requires_grad=True)
    w = tg.ones(6, 2, *(3,) * rank, requires_grad=True)
    ops = Ops()
    with modes.observe(ops):
        for _ in range(2):
            z = call(x, w, stride=2, padding=1, dilation=2, groups=2)
            dx, dw = tg.grad((z * z).sum(), (x, w), create_graph=True)
            tg.grad((dx * dx).sum() + (dw * dw).sum(), (x, w))
    held = [op.window for op in ops.ops if hasattr(op, "window")]
    assert len(held) >= 2 * 5 and all(window is held[0] for window in held)
    (expected,) = {*held}
    assert expected == ((3,) * rank, (2,) * rank, ((1, 1),) * rank, (2,) * rank, 2, (9,) * rank, (4,) * rank)


def test_what_equals_a_size_and_is_none_is_refused_after_the_size():
    """A window is remembered by its arguments, and True == 1."""
    x, w = tg.ones(1, 1, 5, 5), tg.ones(1, 1, 3, 3)
    for good, bad in ((1, True), ((1, 1), (1, True)), (1, 1.0), ((2, 2), (2, 2.0))):
        assert prod(tg.conv2d(x, w, stride=good).shape) > 0
        with pytest.raises(DTypeError, match="stride"):
            tg.conv2d(x, w, stride=bad)


def test_arrays_that_do_not_fit_the_window_are_refused():
    window = Window.fitting("conv2d", (5, 6), (3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 2)
    right = {"x": (7, 4, 5, 6), "w": (6, 2, 3, 2), "y": (7, 6, 3, 5)}
    # What one of the two arrays alone tells, and may be anything.
    free = {("xw", "x", 0), ("wy", "y", 0), ("wy", "w", 1)}
    for one, other in itertools.combinations(right, 2):
        given = {name: right[name] for name in (one, other)}
        assert windows.convolution_shapes("conv2d", window, **given) == tuple(right.values())
        for name, axis in itertools.product((one, other), range(4)):
            if (one + other, name, axis) in free:
                continue
            shape = list(right[name])
            shape[axis] += 1
            with pytest.raises(ShapeError, match="the arrays don't fit the window"):
                windows.convolution_shapes("conv2d", window, **given | {name: tuple(shape)})
    with pytest.raises(ShapeError, match="the arrays don't fit the window"):
        windows.convolution_shapes("conv2d", window, x=right["x"][1:], w=right["w"])
