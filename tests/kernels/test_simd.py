import os
import re
import subprocess
import sys

import machine_code
import numpy as np
import pytest

from benchmarks import peak
from tensorgrad.kernels.conv import col2im, convolution, im2row, sparse, taps, winograd
from tensorgrad.kernels.conv.direct import correlate, dots
from tensorgrad.kernels.conv.groups import depthwise, short_rows
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.jit.cache import _NoCache
from tensorgrad.kernels.linalg import matmul
from tensorgrad.kernels.simd import emitter, lines, packing, planes, tiles
from tensorgrad.windows import Window

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
SIZES = [(rows, columns) for rows in range(1, tiles.ROWS + 1) for columns in range(1, tiles.COLUMNS + 1)]


@dispatch.kernel
def broadcast(rows, columns, w, table, x, bias, y, last):
    taps = w.shape[1]
    tiles.broadcast_tile(rows, columns, w, 0, taps, table, 0, taps, x, 0, bias, 0, y, 0, y.shape[1], last)


@dispatch.kernel
def dot(rows, columns, g, x, offsets, across, gap, images, length, out):
    step = g.shape[1] * g.shape[2]
    tiles.dot_tile(
        rows, columns, g, 0, step, g.shape[2], x, 0, offsets, 0, x.shape[1], across, gap, images, length, out, 0
    )  # fmt: skip


@dispatch.kernel
def copy(target, count, rows, source, at, step, shift, size):
    tiles.copy_rows(target, 0, count, rows, source, at, step, shift, size)


@dispatch.kernel
def pack(x, first, images, band, target, lengths):
    im2row.pack(x, first, images, band, target, im2row.unpacked(lengths))


@dispatch.kernel
def wipe(line, start, end):
    packing.clear(line, start, end)


@dispatch.kernel
def fold(target, size, source, at, i_count, i_step, j_count, j_step, dilation, shift, count):
    tiles.fold_row(target, 0, size, source, at, i_count, i_step, j_count, j_step, dilation, shift, count)


@dispatch.kernel
def turn(target, step, source, count, length):
    tiles.turn_rows(target, 0, step, source, 0, source.shape[1], count, length)


@dispatch.kernel
def sparse_sum(rows, columns, values, places, starts, source, source_step, targets, target, target_step):
    tiles.sparse_tile(
        rows, columns, values, 0, places, 0, starts, 0, len(targets), source, 0, source_step, targets, 0, target, 0,
        target_step,
    )  # fmt: skip


@FLOATS
@pytest.mark.parametrize("taps", [1, 2, 9])
def test_every_broadcast_tile_is_the_product_it_states_and_writes_nothing_else(dtype, taps):
    generator, lanes = np.random.default_rng(0), emitter.lanes(dtype)
    for rows, columns in SIZES:
        w, bias = (generator.standard_normal(shape).astype(dtype) for shape in ((rows, taps), rows))
        x = generator.standard_normal(50 + columns * lanes).astype(dtype)
        table = np.stack([np.arange(taps), generator.integers(0, 50, taps)], axis=1)
        for last in {1, lanes - 1, lanes}:
            y, length = np.full((rows, 150), np.nan, dtype), (columns - 1) * lanes + last
            broadcast(rows, columns, w, table, x, bias, y, last)
            lines = np.array([x[start : start + length] for start in table[:, 1]])
            np.testing.assert_allclose(y[:, :length], bias[:, None] + w @ lines, rtol=1e-4, atol=1e-4)
            assert np.isnan(y[:, length:]).all()


@FLOATS
@pytest.mark.parametrize("images", [1, 3])
def test_every_dot_tile_is_the_product_it_states_whatever_lies_behind_its_lines(dtype, images):
    generator, lanes = np.random.default_rng(1), emitter.lanes(dtype)
    for rows, columns in SIZES:
        for length, across, gap in (
            (1, 1, 0),
            (lanes - 1, 1, 0),
            (lanes, 1, 2),
            (5 * lanes + 1, 1, 0),
            (5 * lanes, 2, 3),
        ):
            g = generator.standard_normal((rows, images, length)).astype(dtype)
            pixels = np.arange(length)
            pixels += pixels // (across * lanes) * gap
            offsets = np.arange(columns) * 10
            found = (offsets[:, None] + pixels).ravel()
            x = np.full((images, 60 + found.max()), np.nan, dtype)
            x[:, found] = generator.standard_normal((images, found.size))
            out = np.zeros(2 * lanes * tiles.ROWS * tiles.COLUMNS, dtype)
            dot(rows, columns, g, x, offsets, across, gap, images, length, out)
            expected = np.einsum("miq,inq->mn", g, x[:, found].reshape(images, columns, length)).ravel()
            np.testing.assert_allclose(out[: rows * columns], expected, rtol=1e-4, atol=1e-4)


@FLOATS
@pytest.mark.parametrize("count", [1, 5, 16, 37])
@pytest.mark.parametrize("shift", [-40, -2, 0, 3, 40])
def test_rows_are_copied_with_zeros_around_them(dtype, count, shift):
    lanes, rows, size = emitter.lanes(dtype), 3, 20
    source = np.full((rows + 2, 33), np.nan, dtype)
    source[1:-1, 5 : 5 + size] = np.arange(1, 1 + rows * size).reshape(rows, size)
    target = np.full(rows * count + lanes, 7, dtype)
    copy(target, count, rows, source, 33 + 5, 33, shift, size)
    padded = np.pad(source[1:-1, 5 : 5 + size], ((0, 0), (100, 100)))
    expected = padded[:, 100 + shift :][:, :count]
    np.testing.assert_array_equal(target[: rows * count].reshape(rows, count), expected)


@FLOATS
@pytest.mark.parametrize(
    ("height", "kernel", "dilation"), [(1, (1, 3), 1), (7, (3, 3), 1), (9, (2, 3), 3), (4, (5, 1), 2)]
)
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1), (1, 2), (2, 3), (4, 4)])
def test_lines_of_images_hold_what_each_tap_meets(dtype, height, kernel, dilation, stride):
    pads = ((4, 6) if height > 1 else (0, 0), (5, 4))
    for width in (1, 3, 8, 13, 37):
        x = np.random.default_rng(1).standard_normal((4, 2, height, width)).astype(dtype)
        window = Window.fitting("conv2d", (height, width), kernel, stride, pads, (dilation, dilation))
        for bands, images, gaps in ((1, 1, False), (1, 1, True), (2, 1, True), (50, 1, False), (1, 3, False)):
            check_lines(x, window, taps.layout(window, 2, bands, images, gaps))


def check_lines(x, window, where):
    """That the line of each tap has the pixels that it meets in images 1, 2, … of x, side by side."""
    (kh, kw), (dh, dw), (sh, sw) = window.kernel, window.dilation, window.stride
    padded, (oh, ow), images = np.pad(x, ((0, 0), (0, 0), *window.padding)), window.output, where.images
    for band in range(where.bands):
        scratch = np.full(where.image + emitter.lanes(x.dtype), np.nan, x.dtype)
        pack(x, 1, images, band, scratch, np.array(where))
        first, rows = band * where.band, min(where.band, oh - band * where.band)
        for tap, start in enumerate(taps.offsets(window, x.shape[1], where)):
            c, i, j = tap // (kh * kw), tap // kw % kh * dh, tap % kw * dw
            met = padded[1 : 1 + images, c, i + first * sh :: sh, j::sw][:, :rows, :ow]
            found = [scratch[start + r * where.columns :][: images * ow] for r in range(rows)]
            np.testing.assert_array_equal(np.concatenate(found), met.transpose(1, 0, 2).ravel())


def test_a_range_of_a_line_is_cleared_and_no_more():
    line = np.ones(100, np.float32)
    wipe(line, 7, 7)
    wipe(line, 10, 53)
    assert np.flatnonzero(line == 0).tolist() == list(range(10, 53))


@FLOATS
@pytest.mark.parametrize("count", [1, 5, 16, 20])
@pytest.mark.parametrize(("shift", "dilation"), [(0, 1), (2, 3), (-1, 1), (7, 0)])
def test_lines_are_folded_with_zeros_around_them(dtype, count, shift, dilation):
    generator, size = np.random.default_rng(2), 37
    source = np.full((2, 3, 70), np.nan, dtype)
    source[:, :, 30 : 30 + count] = generator.standard_normal((2, 3, count))
    target = np.full(size + emitter.lanes(dtype), np.nan, dtype)
    fold(target, size, source, 30, 2, 210, 3, 70, dilation, shift, count)
    padded = np.pad(source[:, :, 30 : 30 + count], ((0, 0), (0, 0), (50, 50)))
    expected = sum(padded[:, j, 50 + shift - j * dilation :][:, :size] for j in range(3)).sum(0)
    np.testing.assert_allclose(target[:size], expected, rtol=1e-5, atol=1e-6)
    assert np.isnan(target[size:]).all()


@FLOATS
@pytest.mark.parametrize("count", [1, 8, 16, 37])
@pytest.mark.parametrize("length", [1, 5, 16, 33])
def test_rows_are_turned_with_zeros_up_to_whole_vectors(dtype, count, length):
    lanes = emitter.lanes(dtype)
    down, right = -(-count // lanes) * lanes, -(-length // lanes) * lanes
    source = np.full((count + 3, length + 40), np.nan, dtype)
    source[:count, :length] = np.random.default_rng(3).standard_normal((count, length))
    target = np.full((right + 2, down + 5), np.nan, dtype)
    turn(target.ravel(), target.shape[1], source, count, length)
    expected = np.zeros((right, down))
    expected[:length, :count] = source[:count, :length].T
    np.testing.assert_array_equal(target[:right, :down], expected)
    assert np.isnan(target[right:]).all() and np.isnan(target[:, down:]).all()


@FLOATS
def test_every_sparse_tile_adds_what_it_states_and_writes_nothing_else(dtype):
    generator, lanes = np.random.default_rng(4), emitter.lanes(dtype)
    for rows, columns in tiles.SPARSE_SIZES:
        source = generator.standard_normal(700).astype(dtype)
        starts, places = np.array([0, 4, 4, 9], np.int32), generator.integers(0, 50, 9).astype(np.int32)
        values, targets = generator.standard_normal(9).astype(dtype), np.array([600, 3, 300], np.int32)
        target = generator.standard_normal(1000).astype(dtype)
        expected = target.astype(float)
        for r in range(3):
            for m in range(rows):
                span = slice(targets[r] + m * 60, targets[r] + m * 60 + columns * lanes)
                for e in range(starts[r], starts[r + 1]):
                    start = places[e] + m * 110
                    expected[span] += values[e] * source[start : start + columns * lanes].astype(float)
        sparse_sum(rows, columns, values, places, starts, source, 110, targets, target, 60)
        np.testing.assert_allclose(target, expected, rtol=1e-4, atol=1e-4)
        untouched = np.ones(1000, bool)
        for r in (0, 1, 2):
            for m in range(rows):
                untouched[targets[r] + m * 60 : targets[r] + m * 60 + columns * lanes] = False
        np.testing.assert_array_equal(target[untouched], expected[untouched].astype(dtype))


def over(x, w):
    """The window of w over x, without padding."""
    return Window.fitting("conv2d", x.shape[2:], w.shape[2:], (1, 1), ((0, 0), (0, 0)), (1, 1))


KERNELS = {
    "broadcast_tile": (
        *(correlate, "correlate_kernel", SIZES),
        lambda x, w, g: convolution.forward(x, w, None, over(x, w)),
    ),
    "panel_tile": (
        *(correlate, "correlate_kernel", SIZES),
        lambda x, w, g: convolution.forward(x, w, None, over(x, w)),
    ),
    "dot_tile": (dots, "_dot_lines_kernel", SIZES, lambda x, w, g: convolution.grad_weight(x, g, over(x, w))),
    "plane_tile": (depthwise, "_correlate_kernel", planes.SIZES, lambda x, w, g: next(depthwise.samples(x.dtype))[1]()),
    "line_tile": (
        *(short_rows, "_correlate_kernel", [size for size in lines.SIZES if size[0]]),
        lambda x, w, g: dict(depthwise.samples(x.dtype))["forward of short rows"](),
    ),
    "sparse_tile": (sparse, "multiply_kernel", tiles.SPARSE_SIZES, lambda x, w, g: next(sparse.samples(x.dtype))[1]()),
}
ADDRESSES = dots.dot_lines, sparse._addresses
WINOGRAD = {
    "read_patches": ("_correlate_kernel", lambda x, w, g: winograd.forward(x, w, np.ones(1, x.dtype), over(x, w), g)),
    "write_tiles": ("_correlate_kernel", lambda x, w, g: winograd.forward(x, w, np.ones(1, x.dtype), over(x, w), g)),
    "read_gradients": ("_grad_weight_kernel", lambda x, w, g: winograd.grad_weight(x, g, over(x, w), w)),
}


def assembly(room, name, call, monkeypatch, panels=False):
    """The machine code of the variant of a kernel that a call uses, as text: {function: lines}."""
    fresh = dispatch.kernel(getattr(room, name).py_func)  # has no variants yet, and shares the kernel's cache
    if panels:  # a kernel of a host without panels has no code for them, and the cache can't tell
        monkeypatch.setattr(correlate, "PANELS", True)
        fresh._cache = _NoCache()
    monkeypatch.setattr(room, name, fresh)
    call()
    (variant,) = fresh.overloads.values()
    text = machine_code.assembly(variant)
    functions = re.findall(r"^(tensorgrad\w+):\n(.*?)^\s*\.size", text, re.S | re.M)
    return {name: body.splitlines() for name, body in functions}


def inner_loops(lines):
    """The stretches from a label to the jump back to it that have no label between."""
    start, label = 0, None
    for index, line in enumerate(lines):
        if found := re.match(r"(\.\w+):", line):
            start, label = index, found[1]
        elif label and re.search(rf"\sj\w+\s+{re.escape(label)}$", line):
            yield lines[start:index]


@pytest.mark.skipif(emitter.WIDTH < 32, reason="the registers are known by their x86 names")
@FLOATS
@pytest.mark.parametrize("tile", KERNELS)
def test_the_innermost_loops_use_whole_vectors_and_never_the_stack(tile, dtype, monkeypatch):
    room, kernel, sizes, call = KERNELS[tile]
    x, w, g = np.ones((2, 1, 3, 3), dtype), np.ones((1, 1, 2, 2), dtype), np.ones((2, 1, 2, 2), dtype)
    for known in ADDRESSES:
        known.cache_clear()
    functions = assembly(room, kernel, lambda: call(x, w, g), monkeypatch, panels=tile == "panel_tile")
    for known in ADDRESSES:
        known.cache_clear()
    register = {64: "zmm", 32: "ymm"}[emitter.WIDTH]
    for rows, columns in sizes:
        loops = [loop for loop in inner_loops(functions[f"tensorgrad_{tile}_{rows}x{columns}"]) if "vfm" in str(loop)]
        # A line shorter than a vector is read under a mask, once per image. The product can't read such operands from
        # memory: all of them and the sums need more registers than there are.
        whole = [loop for loop in loops if tile != "dot_tile" or "{%k" not in str(loop)]
        assert whole
        for loop in loops:
            products = [line for line in loop if "vfm" in line]
            assert len(products) == rows * columns and all(register in line for line in products)
        for loop in whole:
            assert not [line for line in loop if "mm" in line and "%rsp" in line]


@pytest.mark.skipif(emitter.WIDTH < 64, reason="narrower vectors have no masked loads of their own")
@FLOATS
def test_the_innermost_loop_that_folds_columns_uses_whole_vectors_and_never_the_stack(dtype, monkeypatch):
    g, w, x = np.ones((2, 1, 1, 1), dtype), np.ones((1, 1, 2, 2), dtype), np.ones((2, 1, 2, 2), dtype)
    window = Window.fitting("conv2d", (2, 2), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    functions = assembly(col2im, "_columns_kernel", lambda: col2im.grad_input(g, w, window, x), monkeypatch)
    loops = [loop for loop in inner_loops(functions["tensorgrad_fold_row_1x1"]) if "vadd" in str(loop)]
    assert loops
    for loop in loops:
        assert all("zmm" in line for line in loop if "vadd" in line and "p" in line.split()[0])
        assert not [line for line in loop if "mm" in line and "%rsp" in line]


@pytest.mark.skipif(emitter.WIDTH < 64, reason="narrower vectors have no masked loads of their own")
@FLOATS
def test_the_loop_that_turns_rows_stores_whole_vectors_and_never_uses_the_stack(dtype, monkeypatch):
    a, b = np.ones((32, 300), dtype), np.ones((40, 300), dtype)
    functions = assembly(matmul, "_packed_kernel", lambda: matmul.product(a, b.T), monkeypatch)
    loops = [loop for loop in inner_loops(functions["tensorgrad_turn_rows_1x1"]) if "vmovup" in str(loop)]
    assert loops
    for loop in loops:
        stores = [line for line in loop if re.search(r"vmovup[sd]\s+%\w+, ", line)]
        assert len(stores) == emitter.lanes(dtype) and all("zmm" in line for line in stores)
        assert not [line for line in loop if "mm" in line and "%rsp" in line]


@pytest.mark.skipif(emitter.WIDTH < 64, reason="fewer registers than the 16 planes of a transform")
@FLOATS
@pytest.mark.parametrize("transform", WINOGRAD)
def test_winograds_transforms_stay_in_whole_registers(transform, dtype, monkeypatch):
    kernel, call = WINOGRAD[transform]
    x, w, g = (np.ones(shape, dtype) for shape in ((2, 1, 3, 3), (1, 1, 3, 3), (2, 1, 1, 1)))
    lines = assembly(winograd, kernel, lambda: call(x, w, g), monkeypatch)[f"tensorgrad_{transform}_1x1"]
    sums = [line for line in lines if re.search(r"\sv(add|sub|fm)\w*p[sd]\s", line)]
    assert len(sums) >= 12 and all("zmm" in line for line in sums)
    assert not [line for line in lines if "mm" in line and "%rsp" in line]


@pytest.mark.slow
@pytest.mark.skipif(emitter.WIDTH < 64, reason="this machine's own vectors are no wider")
@pytest.mark.parametrize(("name", "features"), [("haswell", "+avx,+avx2,+fma"), ("generic", "")])
def test_narrower_vectors_compute_the_same(name, features, tmp_path):
    script = """
import numpy as np
from tensorgrad.kernels import convolution, linear, matmul, fallback, sparse
from tensorgrad.kernels.simd import emitter
from tensorgrad.windows import Window
generator = np.random.default_rng(0)
pads = ((1, 1), (1, 1))
window = Window.fitting("conv2d", (9, 11), (3, 3), (1, 1), pads, (1, 1))
for count, channels, filters in ((3, 5, 7), (9, 16, 17)):
    shapes = (count, channels, 9, 11), (filters, channels, 3, 3), (count, filters, 9, 11)
    x, w, g = (generator.standard_normal(shape) for shape in shapes)
    for ours, twin in (
        (convolution.forward(x, w, None, window), fallback.conv_forward(x, w, padding=pads)),
        (convolution.grad_input(g, w, window), fallback.conv_grad_input(g, w, (9, 11), padding=pads)),
        (convolution.grad_weight(x, g, window), fallback.conv_grad_weight(x, g, (3, 3), padding=pads)),
    ):
        np.testing.assert_allclose(ours, twin, rtol=1e-11, atol=1e-11)
x, w, g = (generator.standard_normal(shape) for shape in ((2, 16, 9, 11), (5, 16, 3, 3), (2, 5, 9, 11)))
g[:, :, ::2], g[:, :, :, ::2] = 0, 0
dx, dw = np.empty_like(x), np.empty_like(w)
assert not sparse.grad_input(g, w, window, dx).any() and not sparse.grad_weight(x, g, window, dw).any()
for ours, twin in (
    (dx, fallback.conv_grad_input(g, w, (9, 11), padding=pads)),
    (dw, fallback.conv_grad_weight(x, g, (3, 3), padding=pads)),
):
    np.testing.assert_allclose(ours, twin, rtol=1e-11, atol=1e-11)
for stride in (1, 2):  # in groups of one channel each
    window = Window.fitting("conv2d", (9, 11), (3, 3), (stride, stride), pads, (1, 1), 5)
    moves = (stride, stride), pads, (1, 1), 5
    x, w, g = (generator.standard_normal(shape) for shape in ((4, 5, 9, 11), (5, 1, 3, 3), (4, 5, *window.output)))
    for ours, twin in (
        (convolution.forward(x, w, None, window), fallback.conv_forward(x, w, None, *moves)),
        (convolution.grad_input(g, w, window), fallback.conv_grad_input(g, w, (9, 11), *moves)),
        (convolution.grad_weight(x, g, window), fallback.conv_grad_weight(x, g, (3, 3), *moves)),
    ):
        np.testing.assert_allclose(ours, twin, rtol=1e-11, atol=1e-11)
for count in (9, 41):  # dot products, and panels that are turned
    x, w, bias, g = (generator.standard_normal(shape) for shape in ((count, 53), (37, 53), 37, (count, 37)))
    np.testing.assert_allclose(matmul.product(x, w.T, bias), x @ w.T + bias, rtol=1e-11, atol=1e-11)
    for ours, twin in zip(linear.gradients(g, x, w), (g @ w, g.T @ x)):
        np.testing.assert_allclose(ours, twin, rtol=1e-11, atol=1e-11)
print(emitter.WIDTH)
"""
    machine = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **machine}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["32" if features else "16"]


@FLOATS
def test_the_peak_is_measured(dtype):
    assert peak.fma_peak(dtype, seconds=0.01) > 0
