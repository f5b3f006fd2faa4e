"""Generated calls of the layers of windows against PyTorch: values, gradients, second derivatives."""

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::UserWarning")]

TOLERANCE = {"float64": 1e-10, "float32": 2e-5}


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


def one_or_several(rng, low, high, rank):
    """A number, or one per axis."""
    return int(rng.integers(low, high)) if rng.random() < 0.5 else tuple(rng.integers(low, high, rank).tolist())


def shape(rng, rank, channels, low=1, high=9):
    """`(N, C, ...)`, or sometimes `(C, ...)`."""
    batch = (int(rng.integers(1, 4)),) if rng.random() < 0.85 else ()
    return (*batch, channels, *rng.integers(low, high if rank < 3 else 6, rank).tolist())


def convolution(rng):
    rank, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    channels, filters = groups * rng.integers(1, 3), groups * rng.integers(1, 4)
    options = {
        "stride": one_or_several(rng, 1, 4, rank),
        "padding": one_or_several(rng, 0, 3, rank),
        "dilation": one_or_several(rng, 1, 3, rank),
        "groups": groups,
    }
    if rng.random() < 0.3:
        options["padding"], options["stride"] = str(rng.choice(["same", "valid"])), 1
    kernel = rng.integers(1, 4, rank).tolist()
    arrays = [shape(rng, rank, int(channels), 5), (filters, channels // groups, *kernel)]
    return f"conv{rank}d", arrays + ([(filters,)] if rng.random() < 0.6 else []), options


def transposed(rng):
    rank, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    channels, filters = groups * rng.integers(1, 3), rng.integers(1, 3)
    stride, dilation = (rng.integers(1, high, rank) for high in (4, 3))
    options = {
        "stride": tuple(stride.tolist()),
        "padding": one_or_several(rng, 0, 2, rank),
        "output_padding": tuple(int(rng.integers(0, n)) for n in np.maximum(stride, dilation)),
        "groups": groups,
        "dilation": tuple(dilation.tolist()),
    }
    arrays = [shape(rng, rank, int(channels), 2, 6), (channels, filters, *rng.integers(1, 4, rank).tolist())]
    return f"conv_transpose{rank}d", arrays + ([(filters * groups,)] if rng.random() < 0.6 else []), options


def distinct(rng, size):
    """Numbers of which no two are close, so that a small step changes no maximum."""
    return (rng.permutation(int(np.prod(size))).reshape([int(n) for n in size]) + rng.uniform(-0.2, 0.2, size)) * 0.1


def pooling(rng):
    rank = int(rng.integers(1, 4))
    kernel = rng.integers(1, 4, rank)
    options = {
        "kernel_size": tuple(kernel.tolist()),
        "stride": None if rng.random() < 0.3 else one_or_several(rng, 1, 4, rank),
        "padding": tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel),
        "ceil_mode": bool(rng.random() < 0.5),
    }
    size = shape(rng, rank, int(rng.integers(1, 4)), 3)
    if rng.random() < 0.5:
        options["dilation"] = one_or_several(rng, 1, 3, rank)
        return f"max_pool{rank}d", [distinct(rng, size)], options
    options["count_include_pad"] = bool(rng.random() < 0.5)
    if rank > 1 and rng.random() < 0.3:
        options["divisor_override"] = int(rng.integers(1, 9))
    return f"avg_pool{rank}d", [size], options


def adaptive(rng):
    rank = int(rng.integers(1, 4))
    size = shape(rng, rank, int(rng.integers(1, 4)))
    output = tuple(None if rng.random() < 0.2 and rank > 1 else int(rng.integers(1, 9)) for _ in range(rank))
    if rng.random() < 0.5:
        return f"adaptive_max_pool{rank}d", [distinct(rng, size)], {"output_size": output}
    return f"adaptive_avg_pool{rank}d", [size], {"output_size": output}


def unpooling(rng):
    """Max pooling with indices, and back."""
    rank, kernel = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    options = {
        "kernel_size": kernel,
        "stride": int(rng.integers(1, 4)),
        "padding": int(rng.integers(0, kernel // 2 + 1)),
    }
    x = distinct(rng, shape(rng, rank, int(rng.integers(1, 3)), 3))

    def there_and_back(functions, x):
        z, indices = getattr(functions, f"max_pool{rank}d")(x, **options, return_indices=True)
        return getattr(functions, f"max_unpool{rank}d")(z * z, indices, **options, output_size=x.shape[-rank:])

    return there_and_back, [x], {}


def power(rng):
    rank = int(rng.integers(1, 4))
    options = {
        "norm_type": float(rng.choice([1.0, 2.0, 3.0, 2.5, np.inf])),
        "kernel_size": one_or_several(rng, 1, 4, rank) if rank > 1 else int(rng.integers(1, 4)),
        "stride": None if rng.random() < 0.3 else one_or_several(rng, 1, 4, rank),
        "ceil_mode": bool(rng.random() < 0.5),
    }
    return f"lp_pool{rank}d", [rng.uniform(0.5, 2, shape(rng, rank, 2, 3))], options


def padding(rng):
    mode = str(rng.choice(["constant", "reflect", "replicate", "circular"]))
    rank = int(rng.integers(1, 4))
    options = {"pad": tuple(rng.integers(-2, 5, 2 * rank).tolist()), "mode": mode}
    if mode == "circular" and min(options["pad"]) < 0:
        options["pad"] = tuple(map(abs, options["pad"]))  # PyTorch reads memory that it hasn't written
    if mode == "constant":
        options["value"] = float(rng.standard_normal()) if rng.random() < 0.7 else None
    return "pad", [shape(rng, rank, int(rng.integers(1, 4)), 2)], options


def interpolation(rng):
    rank = int(rng.integers(1, 4))
    modes = ["nearest", "nearest-exact", "area", ["linear", "bilinear", "trilinear"][rank - 1]]
    mode = str(rng.choice(modes + ["bicubic"] * 2 * (rank == 2)))
    options = {"mode": mode}
    if "linear" in mode or mode == "bicubic":
        options["align_corners"] = [None, False, True][rng.integers(3)]
        options["antialias"] = bool(rank == 2 and rng.random() < 0.3)
    if rng.random() < 0.5:
        options["size"] = one_or_several(rng, 1, 12, rank)
    else:
        factors = rng.choice([0.5, 0.7, 1.0, 1.05, 1.3, 1.5, 2.0, 3.0, 2.7], rank).tolist()
        options["scale_factor"] = factors if rng.random() < 0.5 else factors[0]
        options["recompute_scale_factor"] = [None, False, True][rng.integers(3)]
    size = shape(rng, rank, int(rng.integers(1, 3)), 2)
    size = size if len(size) == rank + 2 else (1, *size)
    factors = np.broadcast_to(options.get("scale_factor", 1), rank)
    if any(f != 1 and int(n * f) in (n, 2 * n) for n, f in zip(size[2:], factors, strict=True)):
        options["recompute_scale_factor"] = True  # PyTorch's gradient isn't that of its own forward there
    return "interpolate", [size], options


def patches(rng):
    options = {
        "kernel_size": one_or_several(rng, 1, 4, 2),
        "dilation": one_or_several(rng, 1, 3, 2),
        "padding": one_or_several(rng, 0, 3, 2),
        "stride": one_or_several(rng, 1, 4, 2),
    }
    size = shape(rng, 2, 2, 4)

    def there_and_back(functions, x):
        columns = functions.unfold(x, **options)
        return functions.fold(columns * columns, x.shape[-2:], **options)

    return ("unfold", [size], options) if rng.random() < 0.5 else (there_and_back, [size], {})


def shuffling(rng):
    r, lead = int(rng.integers(1, 4)), rng.integers(1, 4, rng.integers(1, 3)).tolist()
    kind = rng.integers(3)
    if kind == 0:
        return "pixel_shuffle", [(*lead, 2 * r * r, 2, 3)], {"upscale_factor": r}
    if kind == 1:
        return "pixel_unshuffle", [(*lead, 2, 2 * r, 3 * r)], {"downscale_factor": r}
    return "channel_shuffle", [(2, 2 * r, 3, 2)], {"groups": r}


def grid(rng):
    rank = int(rng.integers(2, 4))
    options = {
        "mode": str(rng.choice(["bilinear", "nearest"] + ["bicubic"] * (rank == 2))),
        "padding_mode": str(rng.choice(["zeros", "border", "reflection"])),
        "align_corners": bool(rng.random() < 0.5),
    }
    n, places = int(rng.integers(1, 3)), rng.integers(1, 5, rank).tolist()
    image = (n, int(rng.integers(1, 4)), *rng.integers(1, 6, rank).tolist())
    return "grid_sample", [image, rng.uniform(-2.5, 2.5, (n, *places, rank))], options


def affine(rng):
    rank, n = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    options = {"size": (n, 1, *rng.integers(1, 6, rank).tolist()), "align_corners": bool(rng.random() < 0.5)}
    return "affine_grid", [(n, rank, rank + 1)], options


FAMILIES = {
    f.__name__: f
    for f in (
        *(convolution, transposed, pooling, adaptive, unpooling, power, padding),
        *(interpolation, patches, shuffling, grid, affine),
    )
}
ONCE = {"grid"}
"""Families of which PyTorch has no second derivative."""


def arrays_of(rng, inputs, dtype):
    arrays = [x if isinstance(x, np.ndarray) else rng.standard_normal([int(n) for n in x]) for x in inputs]
    return [x.astype(dtype) for x in arrays]


def called(functions, name, arrays, options):
    return name(functions, *arrays) if callable(name) else getattr(functions, name)(*arrays, **options)


def agree(ours, theirs, what, dtype):
    theirs = theirs.numpy(force=True)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), what
    largest = np.abs(theirs).max(initial=1.0)
    np.testing.assert_allclose(ours.data, theirs, rtol=0, atol=TOLERANCE[dtype] * largest, err_msg=what)


def derivatives(library, z, inputs, upstream, again):
    """The gradients for the inputs, and those of a random combination of them for the inputs and the upstream."""
    first = library.grad(z, inputs, upstream, create_graph=True)
    wanted = [(g, v) for g, v in zip(first, again, strict=True) if g.requires_grad]
    total = sum([(g * v).sum() for g, v in wanted])
    second = library.grad(total, [*inputs, upstream], allow_unused=True) if wanted else [None] * (len(inputs) + 1)
    return first, second


@pytest.mark.seeds(12)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_generated_call_agrees_with_pytorch(family, seed, torch):
    rng = np.random.default_rng([sum(map(ord, family)), seed])
    name, inputs, options = FAMILIES[family](rng)
    dtype = "float32" if rng.random() < 0.5 else "float64"
    arrays = arrays_of(rng, inputs, dtype)
    theirs = [torch.tensor(x, requires_grad=True) for x in arrays]
    try:
        expected = called(torch.nn.functional, name, theirs, options)
    except (RuntimeError, ValueError) as error:
        with pytest.raises(tg.TensorgradError):
            called(F, name, arrays, options)
        return pytest.skip(str(error))
    if not expected.numel():
        return pytest.skip("PyTorch takes an output without pixels")
    if options.get("antialias") and 1 in expected.shape[2:] and max(expected.shape[2:]) > 1:
        return pytest.skip("PyTorch's antialiasing of one row isn't that of the transposed image")
    ours = [tg.tensor(x, requires_grad=True) for x in arrays]
    z = called(F, name, ours, options)
    agree(z, expected, "forward", dtype)
    upstream = rng.standard_normal(z.shape).astype(dtype)
    again = [rng.standard_normal(x.shape).astype(dtype) for x in arrays]
    u, v = tg.tensor(upstream, requires_grad=True), torch.tensor(upstream, requires_grad=True)
    if family in ONCE:
        first = [tg.grad(z, ours, u), torch.autograd.grad(expected, theirs, v)]
        for k, (g, e) in enumerate(zip(*first, strict=True)):
            agree(g, e, f"gradient for input {k}", dtype)
        return None
    found = derivatives(tg, z, ours, u, [tg.tensor(a) for a in again])
    wanted = derivatives(torch.autograd, expected, theirs, v, [torch.tensor(a) for a in again])
    for order, (some, others) in enumerate(zip(found, wanted, strict=True), 1):
        for k, (g, e) in enumerate(zip(some, others, strict=True)):
            if g is None or e is None:
                assert (g is None or not g.data.any()) and (e is None or not e.any())
            else:
                agree(g, e, f"derivative {order} for input {k}", dtype)
    return None
