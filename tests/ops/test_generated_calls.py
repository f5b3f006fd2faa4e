"""Generated calls of functions that arrange, select and combine, against PyTorch: values and two derivatives."""

import math

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::UserWarning")]


class Draw:
    """The random choices of one call; `floats` collects the arrays that require a gradient."""

    def __init__(self, seed):
        self.rng, self.floats = np.random.default_rng([17, seed]), []

    def integer(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def shape(self, least=1, most=3, longest=4):
        return tuple(self.integer(1, longest) for _ in range(self.integer(least, most)))

    def x(self, *shape):
        """The number of an array of floats of this shape."""
        self.floats.append(
            self.rng.permutation(math.prod(shape)).reshape(shape) * 0.3 - 0.7 + self.rng.random(shape) / 9
        )
        return len(self.floats) - 1

    def dim(self, shape):
        return self.integer(-len(shape), len(shape) - 1)

    def index(self, n, *shape):
        return self.rng.integers(0, n, shape)

    def shortened(self, shape, dim=None, longest=5):
        """A shape that isn't longer, but for one axis."""
        sizes = [self.integer(1, n) for n in shape]
        if dim is not None:
            sizes[dim] = self.integer(1, longest)
        return tuple(sizes)


def roll(d):
    shape = d.shape()
    x, dims = d.x(*shape), d.pick(None, 1, 2)
    if dims is None:
        shifts = d.integer(-5, 5)
    else:
        dims = tuple(d.dim(shape) for _ in range(dims))
        shifts = tuple(d.integer(-5, 5) for _ in dims)
    return lambda L, *t: L.roll(t[x], shifts, dims)


def rot90(d):
    shape = d.shape(2, 4)
    first, second = d.rng.permutation(len(shape))[:2].tolist()
    k = d.integer(-5, 5)
    d.x(*shape)
    return lambda L, x: L.rot90(x, k, (first, second))


def repeated(d):
    shape = d.shape(1, 3)
    counts = tuple(d.integer(1, 3) for _ in range(d.integer(0, 2))) + tuple(d.integer(0, 3) for _ in shape)
    few = counts[d.integer(0, len(counts)) :]
    d.x(*shape)
    return d.pick(lambda L, x: x.repeat(*counts), lambda L, x: x.repeat(counts), lambda L, x: L.tile(x, few))


def repeat_interleave(d):
    shape = d.shape()
    dim, d0 = d.pick(None, d.dim(shape)), d.x(*shape)
    n = math.prod(shape) if dim is None else shape[dim]
    counts = d.pick(d.integer(0, 3), d.rng.integers(0, 3, n))
    return lambda L, *t: L.repeat_interleave(t[d0], counts if isinstance(counts, int) else L.as_tensor(counts), dim)


def parts(d):
    shape = d.shape()
    dim, _ = d.dim(shape), d.x(*shape)
    n = shape[dim]
    start, index, chunks = d.integer(0, n), d.integer(-n, n - 1), d.integer(1, 5)
    length = d.integer(0, n - start)
    return d.pick(
        lambda L, x: L.narrow(x, dim, start, length),
        lambda L, x: L.select(x, dim, index),
        lambda L, x: L.concatenate([t.flatten() for t in L.unbind(x, dim)]),
        lambda L, x: L.concatenate([t.flatten() * k for k, t in enumerate(L.chunk(x, chunks, dim))]),
        lambda L, x: L.diff(x, min(chunks, 3), dim),
    )


def windows(d):
    shape = d.shape(longest=7)
    dim, _ = d.dim(shape), d.x(*shape)
    size, step = d.integer(1, shape[dim]), d.integer(1, 4)
    return lambda L, x: x.unfold(dim, size, step)


def diagonals(d):
    shape = d.shape(2, 4)
    first, second = d.rng.permutation(len(shape))[:2].tolist()
    offset, _ = d.integer(-3, 3), d.x(*shape)
    last = d.integer(-len(shape) - 1, len(shape))
    return d.pick(
        lambda L, x: L.diagonal(x, offset, first, second),
        lambda L, x: L.tril(x, offset),
        lambda L, x: L.triu(x, offset),
        lambda L, x: L.diag_embed(x, offset, last, (last + 1) % (len(shape) + 1)),
        lambda L, x: L.diagflat(x, offset),
        lambda L, x: L.diag(x[(0,) * (len(shape) - 2)], offset),
    )


def stacked(d):
    shape, name = d.shape(0, 3), d.pick("hstack", "vstack", "dstack", "column_stack")
    for _ in range(d.integer(1, 3)):
        d.x(*shape)
    return lambda L, *xs: getattr(L, name)(xs)


def grids(d):
    n = d.integer(1, 4)
    for k in range(d.integer(1, 3)):
        d.x(n if k else d.integer(1, 4))
    indexing = d.pick("ij", "xy")
    return d.pick(
        lambda L, *xs: L.stack(L.meshgrid(*xs, indexing=indexing)),
        lambda L, *xs: L.cartesian_prod(*xs),
        lambda L, *xs: (
            L.concatenate([x.flatten() for x in L.broadcast_tensors(*[x[:, None] for x in xs[:1]], *xs[1:2])])
            + 0 * sum(x.sum() for x in xs)
        ),
    )


def selected(d):
    shape = d.shape()
    dim, _ = d.dim(shape), d.x(*shape)
    n = math.prod(shape)
    index, places = d.index(shape[dim], d.integer(0, 5)), d.rng.integers(-n, n, d.shape(0, 2))
    along = d.index(shape[dim], *[5 if k == dim % len(shape) else d.pick(1, m) for k, m in enumerate(shape)])
    mask = d.rng.random(shape[d.integer(0, len(shape) - 1) :]) < 0.5
    return d.pick(
        lambda L, x: L.index_select(x, dim, L.as_tensor(index)),
        lambda L, x: L.take(x, L.as_tensor(places)),
        lambda L, x: L.take_along_dim(x, L.as_tensor(along), dim),
        lambda L, x: L.masked_select(x, L.as_tensor(mask)),
    )


def masked(d):
    shape = d.shape()
    d.x(*shape)
    mask = d.rng.random(shape[d.integer(0, len(shape) - 1) :]) < 0.5
    fill = d.pick(True, False)
    d.x(*(() if fill else (math.prod(shape) + 1,)))
    name = "masked_fill" if fill else "masked_scatter"
    return lambda L, x, v: getattr(L, name)(x, L.as_tensor(mask), v)


def scattered(d):
    shape = d.shape()
    dim, _ = d.dim(shape), d.x(*shape)
    sizes = d.shortened(shape, dim)
    index = d.index(shape[dim], *sizes)
    # Once in each place where values replace each other: PyTorch leaves open which one stays.
    once = np.argsort(d.rng.random(shape), dim)[tuple(slice(min(n, m)) for n, m in zip(sizes, shape, strict=True))]
    d.x(*index.shape)
    reduce, include = d.pick("sum", "prod", "mean", "amax", "amin"), d.pick(True, False)
    part = tuple(slice(n) for n in once.shape)
    # With ties and zeros. PyTorch counts an element that isn't included among the ties.
    if d.pick(True, False) and (include or not reduce.startswith("am")):
        d.floats[:] = [np.round(2 * x) / 2 % 1.5 for x in d.floats]
    return d.pick(
        lambda L, x, v: L.scatter(x, dim, L.as_tensor(once), v[part]),
        lambda L, x, v: L.scatter(x, dim, L.as_tensor(index), 2.5) + 0 * v.sum(),
        lambda L, x, v: L.scatter_add(x, dim, L.as_tensor(index), v),
        lambda L, x, v: L.scatter_reduce(x, dim, L.as_tensor(index), v, reduce, include_self=include),
        lambda L, x, v: L.scatter_reduce(x, dim, L.as_tensor(index), v, reduce, include_self=include),
    )


def indexed(d):
    shape = d.shape()
    dim, _ = d.dim(shape), d.x(*shape)
    n = shape[dim]
    index, alpha = d.index(n, d.integer(1, 5)), d.pick(1, 2.5)
    once = d.rng.permutation(n)[: d.integer(1, n)]
    name = d.pick("index_add", "index_copy", "index_fill", "index_put")
    at = index if name == "index_add" else once
    sizes = [len(at) if k == dim % len(shape) else m for k, m in enumerate(shape)]
    if name == "index_fill":
        d.x()
        return lambda L, x, v: L.index_fill(x, dim, L.as_tensor(once), v)
    if name == "index_put":
        places = tuple(d.index(m, 4) for m in shape[: d.integer(1, len(shape))])
        d.x(*d.pick((4, *shape[len(places) :]), shape[len(places) :]))
        return lambda L, x, v: L.index_put(x, tuple(map(L.as_tensor, places)), v, True)
    d.x(*sizes)
    options = {"alpha": alpha} if name == "index_add" else {}
    return lambda L, x, v: getattr(L, name)(x, dim, L.as_tensor(at), v, **options)


def products(d):
    a, b, k = d.shape(0, 2), d.shape(0, 2), d.shape(1, 2)
    first, second = d.rng.permutation(len(a + k)).tolist(), d.rng.permutation(len(k + b)).tolist()
    x, y = d.x(*[(a + k)[j] for j in first]), d.x(*[(k + b)[j] for j in second])
    dims = [first.index(len(a) + j) for j in range(len(k))], [second.index(j) for j in range(len(k))]
    if d.pick(True, False):
        return lambda L, *t: L.tensordot(t[x], t[y], dims)
    d.floats[:] = []
    d.x(*a, 3), d.x(*b, 3)
    return lambda L, x, y: L.inner(x, y)


def norms(d):
    shape = d.shape()
    dim = d.pick(None, d.dim(shape), tuple(range(len(shape)))[-2:])
    p, keepdim, _ = d.pick(1, 2, 3, 1.5, math.inf, -math.inf, "fro"), d.pick(True, False), d.x(*shape)
    return lambda L, x: L.norm(x, p, dim, keepdim)


def distances(d):
    n, p = d.integer(1, 4), d.pick(1.0, 2.0, 3.0)
    name = d.pick("cdist", "cosine_similarity", "pairwise_distance", "normalize")
    if name == "cdist":
        d.x(d.integer(1, 3), n), d.x(d.integer(1, 3), n)
        return lambda L, x, y: L.cdist(x, y, p)
    shape = d.shape()
    dim, _ = d.dim(shape), d.x(*shape)
    if name == "normalize":
        return lambda L, x: functional(L).normalize(x, p, dim)
    d.x(*[m if name == "pairwise_distance" or k == dim % len(shape) else d.pick(1, m) for k, m in enumerate(shape)])
    if name == "cosine_similarity":
        return lambda L, x, y: functional(L).cosine_similarity(x, y, dim)
    return lambda L, x, y: functional(L).pairwise_distance(x, y, p, 0.01, dim > 0)


def pairs(d):
    shape = d.shape(0, 3)
    d.x(*shape), d.x(*shape[d.integer(0, len(shape)) :])
    name = d.pick("logaddexp", "logaddexp2", "atan2", "hypot")
    return lambda L, x, y: getattr(L, name)(x, y)


def functional(library):
    return F if library is tg else library.nn.functional


KINDS = [
    *(roll, rot90, repeated, repeat_interleave, parts, windows, diagonals, stacked, grids, selected, masked),
    *(scattered, indexed, products, norms, distances, pairs),
]


def results(call, library, arrays, upstream, directions):
    """The value, its gradients, and the derivatives of those in random directions, None where PyTorch has none."""
    tensors = [library.tensor(a, requires_grad=True) for a in arrays]
    grad = library.autograd.grad if library is not tg else tg.grad
    z = call(library, *tensors)
    u = library.tensor(upstream(tuple(z.shape)), requires_grad=True)
    first = grad(z, tensors, u, create_graph=True, allow_unused=True)
    total = sum((g * library.tensor(v)).sum() for g, v in zip(first, directions, strict=True) if g is not None)
    if not getattr(total, "requires_grad", False):
        return z, first, None
    try:
        return z, first, grad(total, [*tensors, u], allow_unused=True)
    except (RuntimeError, NotImplementedError) as error:
        assert library is not tg, error
        return z, first, None


def values(tensor, like):
    if tensor is None:
        return np.zeros(like)
    return tensor.numpy() if isinstance(tensor, tg.Tensor) else tensor.numpy(force=True)


@pytest.mark.seeds(102)
def test_a_generated_call_agrees_with_pytorch(seed):
    torch = pytest.importorskip("torch")
    draw = Draw(seed)
    call = KINDS[seed % len(KINDS)](draw)
    dtype = np.float64 if seed % 4 else np.float32
    arrays = [a.astype(dtype) for a in draw.floats]
    rng = np.random.default_rng(seed)
    directions = [rng.standard_normal(a.shape).astype(dtype) for a in arrays]
    ours, theirs = [
        results(
            call,
            library,
            arrays,
            lambda shape: np.random.default_rng(seed).standard_normal(shape).astype(dtype),
            directions,
        )
        for library in (tg, torch)
    ]
    tolerance = 1e-9 if dtype == np.float64 else 1e-3
    z, t = ours[0], theirs[0]
    assert (z.shape, z.dtype) == (tuple(t.shape), t.detach().numpy().dtype)
    for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if one is None or other is None:
            assert other is None or all(w is None or not w.any() for w in other)
            continue
        for a, b in zip(*[(v,) if k == 0 else v for v in (one, other)], strict=True):
            shape = next((tuple(v.shape) for v in (a, b) if v is not None), ())
            expected = values(b, shape)
            largest = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
            np.testing.assert_allclose(values(a, shape), expected, rtol=0, atol=tolerance * largest)
