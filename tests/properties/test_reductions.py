"""Every reduction, along every axis, in every float dtype and layout, against extended precision."""

import functools
import itertools
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.kernels.jit import dispatch
from tensorgrad.kernels.reduce import sums

FEW_CASES = 24
"""Cases in an ordinary run, of up to 10,000 numbers; with more `--seeds` those behind have up to 20 million."""

# By how much a result may miss, as a share of Σ |x|, besides the rounding to its own dtype.
MISS = {"float16": 1e-7, "float32": 1e-12, "float64": 1e-12}


def rounding(dtype, value):
    """Half a unit in the last place, and the least positive number of the dtype."""
    limits = np.finfo(dtype)
    return limits.eps / 2 * np.abs(value) * (1 + 1e-3) + limits.smallest_subnormal


def numbers(rng, shape, dtype):
    """Of one sign or of both, around a large mean, of any magnitude, all alike."""
    draw = [
        lambda: rng.standard_normal(shape),
        lambda: rng.uniform(0, 1, shape),
        lambda: 1000 + rng.uniform(0, 0.255, shape),
        lambda: rng.standard_normal(shape) * np.exp(2 * rng.standard_normal(shape)).clip(max=1e4),
        lambda: np.full(shape, 0.1),
    ]
    return np.asarray(draw[rng.integers(len(draw))](), dtype)


def shape_of(rng, seed):
    """One to four lengths, some of them 1 or 0, of very different sizes."""
    largest, least = (10_000, 0.2) if seed < FEW_CASES else (20_000_000, 0.6)
    total = largest ** rng.uniform(least, 1)
    lengths = [max(1, int(total**part)) for part in rng.dirichlet(np.ones(rng.integers(1, 5)))]
    if rng.random() < 0.05:
        lengths[rng.integers(len(lengths))] = 0
    return tuple(lengths)


def in_blocks(test):
    """In every other case of few numbers they are summed by the kernel, in blocks of a few, as millions would be."""

    @functools.wraps(test)
    def run(seed):
        with pytest.MonkeyPatch.context() as patch:
            if seed < FEW_CASES and seed % 2:
                for name, value in (("FEW", 0), ("LINE", 13), ("ROWS", 5)):
                    patch.setattr(sums, name, value)
            sums._plan.cache_clear()
            test(seed)
        sums._plan.cache_clear()

    return run


def layouts(rng, x):
    """The same numbers, in one way of lying in memory; broadcast, others."""
    order = rng.permutation(x.ndim)
    steps = tuple(slice(None, None, step) for step in rng.choice([-2, -1, 1, 2], x.ndim))
    wide = np.empty([n * abs(step.step) for n, step in zip(x.shape, steps, strict=True)], x.dtype)
    strided = wide[steps]
    strided[...] = x
    axis = rng.integers(x.ndim)
    return [
        ("contiguous", x),
        ("transposed", x.transpose(order).copy().transpose(np.argsort(order))),
        ("strided", strided),
        ("backwards", x[(slice(None, None, -1),) * x.ndim]),
        ("repeated", np.broadcast_to(x.take([0], axis), x.shape) if x.size else x),
        ("one number", np.broadcast_to(np.asarray(0.1, x.dtype), x.shape)),
    ]


def axes_of(ndim):
    return [axes for k in range(1, ndim + 1) for axes in itertools.combinations(range(ndim), k)]


def assert_near(z, exact, slack, case):
    __tracebackhide__ = True
    with np.errstate(over="ignore", invalid="ignore"):
        limit = np.asarray(exact, np.float64).astype(z.dtype)  # beyond the range of half precision: ∞
        near = np.abs(z.data - exact) <= rounding(z.dtype, exact) + slack
    assert z.shape == np.shape(exact), case
    assert (near | (z.data == limit) | (np.isnan(z.data) & np.isnan(exact))).all(), case


@pytest.mark.filterwarnings("error")
@pytest.mark.seeds(FEW_CASES)
@in_blocks
def test_sums_and_means_are_rounded_once(seed):
    rng = np.random.default_rng([1, seed])
    dtype = ("float16", "float32", "float64")[seed // 2 % 3]
    x = numbers(rng, shape_of(rng, seed), dtype)
    for name, array in layouts(rng, x):
        wide, size = array.astype(np.longdouble), np.abs(array.astype(np.longdouble))
        for axes in axes_of(x.ndim):
            keepdims = bool(rng.integers(2))
            count = math.prod(x.shape[a] for a in axes)
            exact, all_of_it = wide.sum(axes, keepdims=keepdims), MISS[dtype] * size.sum(axes, keepdims=keepdims)
            case = (dtype, x.shape, axes, name)
            z = tg.sum(tg.Tensor(array), axes, keepdims)
            assert z.dtype == dtype
            assert_near(z, exact, all_of_it, case)
            if count:
                mean = tg.mean(tg.Tensor(array), axes, keepdims)
                assert_near(mean, exact / count, all_of_it / count, case)
            # What a broadcast operand gets back is the sum of the gradient.
            b = tg.Tensor(np.zeros([1 if a in axes else n for a, n in enumerate(x.shape)], dtype), requires_grad=True)
            z = tg.Tensor(np.zeros(x.shape, dtype)) + b
            (g,) = tg.grad(z, b, array)
            assert_near(g, wide.sum(axes, keepdims=True), MISS[dtype] * size.sum(axes, keepdims=True), case)


@pytest.mark.filterwarnings("error")
@pytest.mark.seeds(FEW_CASES)
@in_blocks
def test_spreads_and_logarithms_of_sums(seed):
    rng = np.random.default_rng([2, seed])
    dtype = ("float16", "float32", "float64")[seed // 2 % 3]
    x = numbers(rng, shape_of(rng, seed), dtype)
    tolerance = {"float16": 2e-3, "float32": 1e-6, "float64": 1e-12}[dtype]
    for name, array in layouts(rng, x):
        wide = array.astype(np.longdouble)
        for axes in axes_of(x.ndim)[1:]:
            count = math.prod(x.shape[a] for a in axes)
            if not count:
                continue
            case = (dtype, x.shape, axes, name)
            ddof = int(rng.integers(2)) if count > 1 else 0
            # Twice: the mean of a million equal numbers, added in order, misses by more than float64 would round.
            centred = wide - wide.mean(axes, keepdims=True)
            centred -= centred.mean(axes, keepdims=True)
            exact = (centred * centred).sum(axes) / (count - ddof)
            least = 4 * float(np.finfo(dtype).smallest_subnormal)
            slack = tolerance * exact + least
            # Of numbers that are all alike float64 keeps 1e-16 of the mean, of which this is the square.
            slack += (1e-15 * np.abs(wide).max(initial=0)) ** 2
            assert_near(tg.var(tg.Tensor(array), axes, correction=ddof), exact, slack, case)
            root = np.sqrt(exact)
            assert_near(
                tg.std(tg.Tensor(array), axes, correction=ddof),
                root,
                tolerance * root + np.sqrt(slack - tolerance * exact),
                case,
            )
            top = wide.max(axes, keepdims=True)
            exact = np.log(np.exp(wide - top).sum(axes)) + top.reshape(root.shape)
            assert_near(tg.logsumexp(tg.Tensor(array), axes), exact, tolerance * np.maximum(1, np.abs(exact)), case)
        for axis in range(x.ndim):
            z, exact = tg.cumsum(tg.Tensor(array), axis), wide.cumsum(axis)
            # They are added in order, in float64: each addition may round all that stands before it.
            miss = max(MISS[dtype], 1e-13, x.shape[axis] * float(np.finfo(np.float64).eps))
            assert_near(z, exact, miss * np.abs(wide).cumsum(axis), (dtype, x.shape, axis, name))


@pytest.mark.seeds(6)
def test_the_bits_are_those_of_one_thread(seed):
    rng, before, results = np.random.default_rng([3, seed]), dispatch.get_num_threads(), set()
    x = tg.Tensor(
        rng.standard_normal([(700, 900), (200_000, 3), (3, 200_000), (600_000,), (20, 30, 999), (9, 70_001)][seed % 6])
    )
    try:
        for threads in {1, before}:
            dispatch.set_num_threads(threads)
            results |= {b"".join(x.sum(axes).data.tobytes() for axes in axes_of(x.ndim)) for _ in range(3)}
    finally:
        dispatch.set_num_threads(before)
    assert len(results) == 1


# ------------------------------------------------------------------------------- what else adds up, over many rows

ROWS = 100_000


def rows(rng, *shape):
    return (1000 + rng.uniform(0, 0.255, shape)).astype(np.float32)


def wide(x):
    return x.astype(np.float64)


def bias_of_linear(x, u):
    w, b = tg.zeros(2, 4, requires_grad=True), tg.zeros(2, requires_grad=True)
    dw, db = tg.grad(tg.linear(tg.Tensor(x), w, b), [w, b], u)
    yield dw, wide(u).T @ wide(x), np.abs(wide(u).T) @ np.abs(wide(x))
    yield db, wide(u).sum(0), np.abs(wide(u)).sum(0)


def products(x, u):
    exact = wide(x).T @ wide(u)
    scale = wide(x).T @ np.abs(wide(u))
    yield tg.matmul(tg.Tensor(x).mT, u), exact, scale
    yield tg.einsum("nk,nc->kc", x, u), exact, scale
    yield tg.einsum("nk->k", x), wide(x).sum(0), wide(x).sum(0)


def bias_of_convolution(x, u):
    images, kernel = tg.Tensor(x.reshape(1, 1, -1, 100)), tg.zeros(2, 1, 1, 1)
    b, g = tg.zeros(2, requires_grad=True), np.stack([x.reshape(1, -1, 100)] * 2, 1)
    (db,) = tg.grad(tg.conv2d(images, kernel, b), b, g)
    yield db, wide(g).sum((0, 2, 3)), wide(g).sum((0, 2, 3))


def batch_norm(x, u):
    mean, var = tg.zeros(4), tg.zeros(4)
    t, w = tg.Tensor(x, requires_grad=True), tg.ones(4, requires_grad=True)
    g = rows(np.random.default_rng(5), *x.shape) - 999
    z = tg.batch_norm(t, mean, var, w, training=True, momentum=1.0)
    deviation = np.sqrt(wide(x).var(0) + 1e-5)
    hat = (wide(x) - wide(x).mean(0)) / deviation
    yield mean, wide(x).mean(0), wide(x).mean(0)
    yield var, wide(x).var(0, ddof=1), wide(x).var(0)
    yield z, hat, np.abs(hat).max()
    dx, dw = tg.grad(z, [t, w], g)
    yield dw, (wide(g) * hat).sum(0), np.abs(wide(g) * hat).sum(0)
    inner = wide(g) - wide(g).mean(0) - hat * (wide(g) * hat).mean(0)
    yield dx, inner / deviation, (np.abs(wide(g)) / deviation).max()


def often_named(x, u):
    t = tg.zeros(3, 4, requires_grad=True)
    (g,) = tg.grad(t[np.zeros(len(x), int)], t, x)
    yield g[0], wide(x).sum(0), wide(x).sum(0)


def pools(x, u):
    t = tg.Tensor(x.reshape(1, 4, -1, 100), requires_grad=True)
    exact = wide(t.data).mean((2, 3), keepdims=True)
    yield tg.adaptive_avg_pool2d(t, 1), exact, exact
    yield tg.avg_pool2d(t, t.shape[2:]), exact, exact
    # The pixel in the middle lies in all windows.
    signal, g = tg.zeros(1, 1, 2 * 8000 - 1, requires_grad=True), x.reshape(-1)[:8000]
    (dx,) = tg.grad(tg.avg_pool1d(signal, 8000, 1), signal, g.reshape(1, 1, -1))
    yield dx[0, 0, 7999], wide(g).mean(), wide(g).mean()


def softmaxes(x, u):
    logits = tg.Tensor((x - 1000).reshape(1, -1), requires_grad=True)
    e = np.exp(wide(logits.data))
    share = e / e.sum()
    for z, exact in ((tg.softmax(logits, -1), share), (tg.softmax(logits.mT, 0), share.T)):
        yield z, exact, exact
    g = (x - 999).reshape(1, -1)
    (dx,) = tg.grad(tg.softmax(logits, -1), logits, g)
    yield dx, share * (wide(g) - (wide(g) * share).sum()), share * np.abs(wide(g)).max()
    g = x.reshape(1, -1)
    (dx,) = tg.grad(tg.log_softmax(logits, -1), logits, g)
    yield dx, wide(g) - share * wide(g).sum(), np.abs(wide(g)) + share * wide(g).sum()
    loss = tg.nn.cross_entropy(logits, np.array([7]))
    yield loss, np.log(e.sum()) - wide(logits.data)[0, 7], np.log(e.sum())


def losses(x, u):
    t = tg.Tensor(x)
    yield tg.nn.mse_loss(t, np.zeros_like(x)), (wide(x) ** 2).mean(), (wide(x) ** 2).mean()
    yield tg.nn.l1_loss(t, np.zeros_like(x), reduction="sum"), wide(x).sum(), wide(x).sum()
    weight, labels = np.array([1000.1, 1000.2], np.float32), np.arange(len(x)) % 2
    logs = tg.Tensor(-x[:, :2])
    picked = wide(x)[np.arange(len(x)), labels] * wide(weight)[labels]
    mean = picked.sum() / wide(weight)[labels].sum()
    yield tg.nn.nll_loss(logs, labels, weight), mean, mean


def norms(x, u):
    p = tg.zeros(*x.shape, requires_grad=True)
    for order in (1, 2, 3, math.inf):
        p.grad = tg.Tensor(x)
        exact = np.linalg.norm(wide(x).ravel(), order)
        yield tg.nn.optim.clip_grad_norm_([p], math.inf, order), exact, exact


@pytest.mark.parametrize(
    "reader",
    [bias_of_linear, products, bias_of_convolution, batch_norm, often_named, pools, softmaxes, losses, norms],
    ids=lambda f: f.__name__,
)
def test_whatever_adds_up_misses_by_a_millionth_at_most(reader):
    rng = np.random.default_rng(4)
    found = list(reader(rows(rng, ROWS, 4), rows(rng, ROWS, 2)))
    assert found
    for k, (z, exact, scale) in enumerate(found):
        assert z.shape == np.shape(exact)
        miss = np.max(np.abs(wide(z.data) - exact) / scale)
        assert miss <= 1e-6, f"value {k} misses by {miss:.1e} of what was added up"


HALVES = {
    "nanmean": lambda x: tg.nanmean(x.reshape(-1)),
    "cov": lambda x: tg.cov(x.reshape(50, -1)[:, :50] * 0.5),
    "corrcoef": lambda x: tg.corrcoef(x.reshape(50, -1)[:, :50]),
    "cosine similarity": lambda x: tg.nn.functional.cosine_similarity(x[:50], x[50:]),
    "attention": lambda x: tg.nn.functional.scaled_dot_product_attention(x / 60, x / 60, x / 60),
    "triplet": lambda x: tg.nn.functional.triplet_margin_loss(x, x * 0.5, x * 0.0),
    "cosine embedding": lambda x: tg.nn.functional.cosine_embedding_loss(x[:50], x[50:], tg.ones(50, dtype="int64")),
}


@pytest.mark.parametrize("name", HALVES)
def test_what_is_made_of_several_ops_rounds_half_precision_once(name):
    x = np.random.default_rng(0).uniform(100, 200, (100, 500)).astype(np.float16)
    half, exact = [HALVES[name](tg.tensor(a)) for a in (x, x.astype(np.float64))]
    assert half.dtype == np.float16
    np.testing.assert_allclose(half.data.astype(np.float64), exact.data, rtol=3e-3, atol=1e-3)
