"""Generated calls against PyTorch: shapes, options, dtypes, ties and NaN; values, gradients, second derivatives."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

METHODS = ("linear", "lower", "higher", "nearest", "midpoint")
ORDERS = (2, 1, 0, np.inf, -np.inf, 3, 2.5, 0.5, -1)
MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


class Draw:
    """The random parts of a call."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.dtype = self.rng.choice(["float32", "float64"])
        shape = self.sizes(int(self.rng.integers(1, 4)))
        self.x = self.normal(*shape)
        self.dim = int(self.rng.integers(-self.x.ndim, self.x.ndim))
        self.flag = bool(self.rng.random() < 0.5)
        self.lead = self.sizes(int(self.rng.integers(0, 2)))
        self.m, self.k = self.sizes(2)

    def sizes(self, count):
        return tuple(int(n) for n in self.rng.integers(1, 5, count))

    def normal(self, *shape):
        return np.asarray(self.rng.standard_normal(shape), self.dtype)

    def tied(self):
        """Few different numbers, sometimes with a NaN."""
        x = self.rng.integers(-2, 3, self.x.shape).astype(self.dtype)
        if self.rng.random() < 0.3:
            x.flat[self.rng.integers(x.size)] = np.nan
        return x

    def choice(self, among):
        return among[self.rng.integers(len(among))]

    def square(self, *lead):
        return self.normal(*lead, self.m, self.m) + 3 * np.eye(self.m, dtype=self.dtype)


def ordering(d):
    """Functions of one tensor and an axis."""
    x, dim, flag = d.choice([d.x, d.tied()]), d.dim, d.flag
    k = int(d.rng.integers(1, x.shape[dim] + 1))
    q, method = float(d.rng.random()), d.choice(METHODS)
    return d.choice(
        [
            (lambda lib, x: lib.sort(x, dim=dim, descending=flag, stable=True)[0], x),
            (lambda lib, x: lib.topk(x, k, dim, flag)[0], d.x),
            (lambda lib, x: lib.kthvalue(x, k, dim, flag)[0], d.x),
            (lambda lib, x: lib.median(x, dim, flag)[0], d.x),
            (lambda lib, x: lib.nanmedian(x, dim, flag)[0], d.x),
            (lambda lib, x: lib.median(x) if flag else lib.nanmedian(x), x),
            (lambda lib, x: lib.quantile(x, q, dim, flag, interpolation=method), d.x),
            (lambda lib, x: lib.nanquantile(x, q, None, flag, interpolation=method), d.x),
            # PyTorch divides by x, so that one NaN makes all gradients NaN, also of elements that don't meet it.
            (lambda lib, x: lib.cumprod(x, dim), np.where(np.isnan(x), x.dtype.type(0.5), x)),
            (lambda lib, x: lib.cummax(x, dim)[0], x),
            (lambda lib, x: lib.cummin(x, dim)[0], x),
            (lambda lib, x: lib.logcumsumexp(x, dim), d.x),
            (lambda lib, x: lib.nansum(x, dim, flag), x),
            (lambda lib, x: lib.trapezoid(x, dx=0.5, dim=dim), d.x),
            (lambda lib, x: lib.cumulative_trapezoid(x, dim=dim), d.x),
            (lambda lib, x: lib.nan_to_num(x, 2.0), x),
            (lambda lib, x: lib.cov(x.reshape(x.shape[0], -1), correction=0), d.x),
        ]
    )


def algebra(d):
    """Norms, products, and factorizations that are used as functions of the matrix."""
    order, matrix_order, power = d.choice(ORDERS), d.choice(MATRIX_ORDERS), int(d.rng.integers(-3, 6))
    dim, flag, m, k, wide = d.dim, d.flag, d.m, d.k, d.normal(*d.lead, d.m, d.k)
    factors = {"beta": d.choice([0, 1, 0.5]), "alpha": d.choice([1, 2.0])}
    chain = d.sizes(5)
    return d.choice(
        [
            (lambda lib, x: lib.linalg.vector_norm(x, order, dim, flag), d.x),
            (lambda lib, x: lib.linalg.matrix_norm(x, matrix_order, keepdim=flag), wide),
            # PyTorch can't differentiate its own gradient of order 0, which is 0.
            (lambda lib, x, y: lib.dist(x, y, order or 3), d.normal(m, k), d.normal(k)),
            (lambda lib, *xs: lib.addmm(*xs, **factors), d.normal(k), d.normal(m, 3), d.normal(3, k)),
            (lambda lib, *xs: lib.baddbmm(*xs, **factors), d.normal(m, k), d.normal(2, m, 3), d.normal(2, 3, k)),
            (lambda lib, *xs: lib.addbmm(*xs, **factors), d.normal(m, k), d.normal(2, m, 3), d.normal(2, 3, k)),
            (lambda lib, *xs: lib.kron(*xs), d.x, wide),
            (lambda lib, *xs: lib.linalg.cross(*xs, dim=1), d.normal(m, 3, k), d.normal(1, 3, k)),
            (lambda lib, x: lib.matrix_power(x, power), d.square(*d.lead)),
            (
                lambda lib, *xs: lib.linalg.multi_dot(xs),
                *(d.normal(a, b) for a, b in itertools.pairwise(chain)),
            ),
            (lambda lib, *xs: lib.block_diag(*xs), d.normal(m, k), d.normal(2), d.normal()),
            (lambda lib, x: lib.linalg.diagonal(x, offset=power), wide),
            (lambda lib, x: lib.linalg.svdvals(x), wide),
            (lambda lib, x: lib.linalg.pinv(x), wide),
            (lambda lib, x, y: lib.linalg.solve(x, y, left=flag), d.square(), d.normal(m, m)),
            (lambda lib, x: lib.linalg.det(x), d.square(*d.lead)),
            (lambda lib, x: lib.linalg.slogdet(x)[1], d.square(*d.lead)),
            (lambda lib, x: lib.linalg.qr(x)[0], wide),
            (lambda lib, x: lib.linalg.qr(x)[1], wide),
            (lambda lib, x: lib.linalg.eigvalsh(x + x.mT), d.square(*d.lead)),
        ]
    )


def elementwise(d):
    """Functions of floats and special functions, with broadcasting."""
    x, y = d.normal(d.m, d.k), d.normal(d.k)
    size, inside = np.abs(x) + np.float32(4.0).astype(d.dtype), np.tanh(x)
    weight = float(d.rng.standard_normal())
    return d.choice(
        [
            (lambda lib, x, y: lib.fmod(x, y), x, y + np.sign(y)),
            (lambda lib, x, y: lib.copysign(x, y), x, y),
            (lambda lib, x, y: lib.fmax(x, y), d.tied(), d.tied()),
            (lambda lib, x, y: lib.fmin(x, y), d.tied(), d.tied()),
            (lambda lib, x, y: lib.lerp(x, y, weight), d.normal(d.m, d.k), d.normal(d.m, d.k)),
            (lambda lib, x, y: lib.addcmul(x, x, y, value=weight), x, y),
            (lambda lib, x, y: lib.addcdiv(x, x, y, value=weight), x, y + np.sign(y)),
            (lambda lib, x, y: lib.xlogy(x, y), x, np.abs(y) + 1),
            (lambda lib, x: lib.erfc(x), x),
            (lambda lib, x: lib.erfinv(x), inside),
            (lambda lib, x: lib.special.ndtri((x + 1) / 2), inside),
            (lambda lib, x: lib.lgamma(x), size),
            (lambda lib, x: lib.digamma(x), size),
            (lambda lib, x: lib.polygamma(2, x), size),
            (lambda lib, x: lib.sinc(x), x),
            (lambda lib, x: lib.logit(x * x), inside * 0.9 + 0.05),
        ]
    )


def assert_close(ours, theirs, dtype, what):
    theirs = theirs.numpy(force=True)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), what
    finite = np.abs(theirs[np.isfinite(theirs)]).max(initial=1.0)
    tolerance = (3e-4 if dtype == "float32" else 1e-8) * finite
    np.testing.assert_allclose(ours.data, theirs, rtol=0, atol=tolerance, err_msg=what)


def zeros_for_none(found, xs, zeros_like):
    return [zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True)]


@pytest.mark.seeds(25)
@pytest.mark.parametrize("family", [ordering, algebra, elementwise])
def test_a_generated_call_is_pytorch_s(family, seed):
    torch = pytest.importorskip("torch")
    d = Draw([seed, len(family.__name__)])
    call, *arrays = family(d)
    ours = [tg.tensor(x, requires_grad=True) for x in arrays]
    theirs = [torch.tensor(x, requires_grad=True) for x in arrays]
    z, t = call(tg, *ours), call(torch, *theirs)
    assert_close(z, t, d.dtype, "values")
    upstream = d.normal(*z.shape)
    expected = torch.autograd.grad(t, theirs, torch.tensor(upstream), create_graph=True, allow_unused=True)
    found = tg.grad(z, ours, upstream, create_graph=True, allow_unused=True)
    expected, found = zeros_for_none(expected, theirs, torch.zeros_like), zeros_for_none(found, ours, tg.zeros_like)
    for g, e in zip(found, expected, strict=True):
        assert_close(g, e, d.dtype, "gradient")
        if d.dtype == "float32" or not (e.requires_grad and g.requires_grad):
            continue
        v = d.normal(*g.shape)
        try:
            wanted = torch.autograd.grad(e, theirs, torch.tensor(v), allow_unused=True, retain_graph=True)
        except RuntimeError:  # PyTorch changes in place what it needs, in matrix_power
            continue
        second = tg.grad(g, ours, v, allow_unused=True, retain_graph=True)
        wanted, second = zeros_for_none(wanted, theirs, torch.zeros_like), zeros_for_none(second, ours, tg.zeros_like)
        for s, w in zip(second, wanted, strict=True):
            assert_close(s, w, d.dtype, "second derivative")
