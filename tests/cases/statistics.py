"""Rows of tensorgrad/ops/statistics: cumulative ops, moments, integrals."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, apart, bad, between, integers, sample

ALONG = [
    sample((1,), dim=0),
    sample((4,), dim=0),
    sample((2, 3), dim=-1),
    sample((2, 3, 2), dim=1),
    sample((0, 3), dim=1),
]
FOLDS = [sample((2, 3)), sample((2, 3), dim=0, keepdim=True), sample((2, 3, 2), dim=(0, 2))]
SCALAR = [sample((), dim=0)]
ZEROS = np.array([[2.0, 0.0, 3.0, 0.5], [0.0, 1.5, 0.0, 2.0]])
TIED = np.array([[1.0, 2.0, 2.0, 1.0], [3.0, 3.0, 0.0, 3.0]])
NANS = np.array([[1.0, np.nan, 2.0], [np.nan, -1.0, 0.0]])


def folded(fold):
    """The results of a fold of two numbers so far."""

    def reference(x, dim):
        if not x.ndim:
            return x
        rows = [*np.moveaxis(x, dim, 0)]
        for k in range(1, len(rows)):
            rows[k] = fold(rows[k - 1], rows[k])
        return np.stack(rows, dim) if rows else x

    return reference


def extreme(name, better):
    function = getattr(tg, name)

    def places(x, dim):
        if not x.ndim:
            return np.zeros((), np.int64)
        rows = np.moveaxis(x, dim, 0)
        best, z = [0] * rows[0].size, np.zeros(rows.shape, np.int64).reshape(len(rows), -1)
        flat = rows.reshape(len(rows), -1)
        for k in range(len(rows)):
            best = [k if better(flat[k, j], flat[b, j]) else b for j, b in enumerate(best)]
            z[k] = best
        return np.moveaxis(z.reshape(rows.shape), 0, dim)

    errors = [bad(lambda: function(tg.zeros(2, 3), 2), tg.RangeError, name, "dim must be in [-2, 2), got 2")]
    shared = {"domains": (apart,), "special": False}
    samples = [*ALONG[:-1], *SCALAR, sample(TIED, dim=1, smooth=False)]
    return [
        Row(
            f"{name}/values",
            lambda x, dim: function(x, dim).values,
            folded(lambda a, b: np.where(better(b, a), b, a)),
            lambda torch, x, dim: getattr(torch, name)(x, dim)[0],
            samples,
            errors=errors,
            **shared,
        ),
        Row(
            f"{name}/indices",
            lambda x, dim: function(x, dim).indices,
            places,
            lambda torch, x, dim: getattr(torch, name)(x, dim)[1],
            samples,
            result=np.int64,
            differentiable=False,
            **shared,
        ),
    ]


def covariance(x, correction=1, fweights=None, aweights=None):
    with np.errstate(all="ignore"):
        return np.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


def torch_weights(torch, x, **params):
    tensors = {
        name: torch.tensor(v, dtype=x.dtype if name == "aweights" else None) if isinstance(v, np.ndarray) else v
        for name, v in params.items()
    }
    return torch.cov(x, **tensors)


COUNTS, WEIGHTS = np.array([1, 2, 1, 3]), np.array([0.5, 1.0, 2.0, 0.25])


def areas(y, x=None, dx=1, dim=-1):
    rows = np.moveaxis(y, dim, 0)
    widths = np.full(len(rows) - 1, dx) if x is None else np.diff(x, axis=0 if x.ndim == 1 else dim)
    if x is not None and x.ndim > 1:
        widths = np.moveaxis(widths, dim, 0)
    return [(rows[k] + rows[k + 1]) / 2 * widths[k] for k in range(len(rows) - 1)]


def integral(y, x=None, dx=1, dim=-1):
    return sum(areas(y, x, dx, dim))


def cumulative_integral(y, x=None, dx=1, dim=-1):
    return np.stack([sum(areas(y, x, dx, dim)[: k + 1]) for k in range(y.shape[dim] - 1)], dim)


INTEGRALS = [
    sample((4,)),
    sample((2, 3), dx=0.5),
    sample((3, 2, 2), dim=1),
    sample((2, 3), (3,)),
    sample((3, 2), (3,), dim=0),
    sample((3, 2), (3, 2), dim=0),
]

ROWS = [
    Row(
        "cumprod",
        tg.cumprod,
        folded(np.multiply),
        "cumprod",
        [*ALONG, *SCALAR, sample(ZEROS, dim=1), sample(ZEROS, dim=0)],
        domains=(between(0.5, 1.8),),
        integers="same",
        errors=[bad(lambda: tg.cumprod(tg.zeros(2, 3), 2), tg.RangeError, "cumprod", "dim must be in [-2, 2), got 2")],
    ),
    *extreme("cummax", lambda new, best: new >= best),
    *extreme("cummin", lambda new, best: new <= best),
    Row(
        "logcumsumexp",
        tg.logcumsumexp,
        folded(np.logaddexp),
        "logcumsumexp",
        [*ALONG, *SCALAR],
        integers="float",
        special=False,
        errors=[bad(lambda: tg.logcumsumexp(tg.zeros(2), 1), tg.RangeError, "logcumsumexp", "got 1")],
    ),
    Row(
        "nansum",
        tg.nansum,
        lambda x, dim=None, keepdim=False: np.nansum(x, dim, keepdims=keepdim),
        "nansum",
        [
            sample(()),
            sample((2, 3)),
            sample((2, 3), dim=0, keepdim=True),
            sample((2, 3, 2), dim=(0, 2)),
            sample(NANS, smooth=False),
        ],
        integers="same",
    ),
    Row(
        "nanmean",
        tg.nanmean,
        lambda x, dim=None, keepdim=False: np.nansum(x, dim, keepdims=keepdim) / (x == x).sum(dim, keepdims=keepdim),
        "nanmean",
        [
            sample((2, 3)),
            sample((2, 3), dim=0, keepdim=True),
            sample((2, 3, 2), dim=(0, 2)),
            sample(NANS, dim=1, smooth=False),
        ],
        special=False,
        errors=[bad(lambda: tg.nanmean(tg.tensor([1])), tg.DTypeError, "nanmean", "float", "astype")],
    ),
    Row(
        "count_nonzero",
        tg.count_nonzero,
        lambda x, dim=None: (x != 0).sum(dim),
        "count_nonzero",
        [sample(ZEROS), sample(ZEROS, dim=0), sample((2, 3, 2), dim=(0, 1)), sample(())],
        domains=(integers(-1, 2),),
        result=np.int64,
        differentiable=False,
        integers="same",
    ),
    Row(
        "cov",
        tg.cov,
        covariance,
        torch_weights,
        [
            sample((3, 4)),
            sample((5,)),
            sample((2, 4), correction=0),
            sample((2, 4), fweights=COUNTS),
            sample((2, 4), aweights=WEIGHTS, correction=0),
            sample((3, 4), fweights=COUNTS, aweights=WEIGHTS),
        ],
        special=False,
        integers="",
        errors=[
            bad(lambda: tg.cov(tg.zeros(2, 2, 2)), tg.ShapeError, "cov", "two axes"),
            bad(lambda: tg.cov(tg.zeros(2, 3), fweights=[1, 2]), tg.ShapeError, "cov", "fweights", "(3,)"),
            bad(lambda: tg.cov(tg.zeros(2, 2), aweights=[1.0, -2.0]), tg.ArgumentError, "cov", "aweights must be ≥ 0"),
        ],
    ),
    Row(
        "corrcoef",
        tg.corrcoef,
        np.corrcoef,
        None,  # PyTorch clips rounding errors of the diagonal, and their gradients, at other places
        [sample((2, 5)), sample((3, 6))],
        special=False,
        twice=False,
    ),
    Row(
        "trapezoid",
        tg.trapezoid,
        integral,
        "trapezoid",
        INTEGRALS,
        special=False,
        errors=[bad(lambda: tg.trapezoid(tg.zeros(3), tg.zeros(2)), tg.ShapeError, "trapezoid", "3 places")],
    ),
    Row("trapz", tg.trapz, integral, "trapz", [sample((4,), dx=2.0)], special=False),
    Row(
        "cumulative_trapezoid",
        tg.cumulative_trapezoid,
        cumulative_integral,
        "cumulative_trapezoid",
        INTEGRALS,
        special=False,
    ),
]

ROWS += [
    Row(
        "logspace",
        tg.logspace,
        lambda start, end, steps, base=10.0: base ** (start + (end - start) / max(steps - 1, 1) * np.arange(steps)),
        lambda torch, **params: torch.logspace(**params),
        [sample(start=0.0, end=2.0, steps=5), sample(start=-1.0, end=3.0, steps=4, base=2.0)],
        result=np.float32,
        differentiable=False,
        errors=[
            bad(lambda: tg.logspace(0, 1, -1), tg.ArgumentError, "logspace", "steps"),
            bad(lambda: tg.logspace(0, 1, 2, device="cuda"), tg.ArgumentError, "device", "cuda"),
        ],
    )
]
