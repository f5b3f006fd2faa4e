"""Rows of tensorgrad/ops/ordering: sorting and its kin, quantiles, searching and counting."""

import collections

import numpy as np

import tensorgrad as tg
from cases.table import Row, apart, bad, normal, sample

AXES = [
    sample(()),
    sample((4,)),
    sample((2, 3)),
    sample((2, 3), dim=0),
    sample((3, 2, 2), dim=-2),
]
TIED = np.array([[1.0, 2.0, 2.0, 1.0], [3.0, 3.0, 0.0, 3.0]])


def along(function):
    """A function of a list of numbers, which gives one or a list, along an axis."""

    def reference(x, dim=-1, **params):
        if not x.ndim:
            return np.asarray(function([float(x)], **params)).reshape(())
        if not x.size:
            return x
        return np.apply_along_axis(lambda row: np.asarray(function(row.tolist(), **params)), dim, x)

    return reference


def ranked(row, descending=False):
    """The places of the elements in stable order."""
    key = [np.inf if v != v else v for v in row]
    return sorted(
        range(len(row)), key=lambda k: (row[k] != row[k], key[k]) if not descending else (row[k] == row[k], -key[k])
    )


def values(choose):
    """The elements at chosen places."""
    return lambda row, **params: np.asarray(row)[choose(row, **params)]


def part(name, number, **fixed):
    """One part of what PyTorch's function returns."""
    return lambda torch, x, **params: getattr(torch, name)(x, **fixed, **params)[number]


def pair_of_rows(name, choose, samples, **fixed):
    """The values of a function that returns (values, indices), and the indices."""
    function = getattr(tg, name)
    shared, _params = {"domains": (apart,), "special": False}, samples[1].params
    return [
        Row(
            f"{name}/values",
            lambda x, **params: function(x, **params)[0],
            along(values(choose)),
            part(name, 0, **fixed),
            samples,
            integers="",
            errors=[
                bad(lambda: function(tg.zeros(2, 3), **{**samples[1].params, "dim": 2}), tg.RangeError, name, "dim")
            ],
            **shared,
        ),
        Row(
            f"{name}/indices",
            lambda x, **params: function(x, **params)[1],
            along(choose),
            part(name, 1, **fixed),
            samples,
            result=np.int64,
            differentiable=False,
            **shared,
        ),
    ]


def of_length(samples, **params):
    return [s._replace(params=s.params | params) for s in samples]


def most_frequent(row):
    counts = collections.Counter(row)
    best = min(v for v, n in counts.items() if n == max(counts.values()))
    return len(row) - 1 - row[::-1].index(best)


MIDDLE = [*AXES, sample((5,)), sample((2, 1))]

ROWS = [
    *pair_of_rows("sort", ranked, [*AXES, sample((0, 3), dim=-1), sample(TIED, smooth=False)], stable=True),
    *pair_of_rows("topk", lambda row, k, largest=True: ranked(row, largest)[:k], of_length(AXES, k=1)),
    *pair_of_rows("kthvalue", lambda row, k: ranked(row)[k - 1], of_length(AXES, k=1)),
    *pair_of_rows("median", lambda row: ranked(row)[(len(row) - 1) // 2], [s for s in of_length(MIDDLE, dim=-1)]),
    *pair_of_rows("nanmedian", lambda row: ranked(row)[(len(row) - 1) // 2], [s for s in of_length(MIDDLE, dim=0)]),
    *pair_of_rows("mode", most_frequent, of_length([*MIDDLE, sample(TIED, smooth=False)], dim=-1))[:1],
    Row(
        "topk/smallest",
        lambda x, **params: tg.topk(x, 2, **params).values,
        along(lambda row, largest: sorted(row)[:2]),
        lambda torch, x, **params: torch.topk(x, 2, **params)[0],
        [sample((4,), largest=False), sample((3, 2), dim=0, largest=False)],
        domains=(apart,),
        special=False,
        errors=[
            bad(lambda: tg.topk(tg.zeros(3), 4), tg.RangeError, "topk", "k must be in [0, 3]", "got 4"),
            bad(lambda: tg.topk(tg.zeros(3), 1.5), tg.DTypeError, "topk", "k must be an int, got float"),
            bad(lambda: tg.kthvalue(tg.zeros(3), 0), tg.RangeError, "kthvalue", "k must be in [1, 3]", "got 0"),
        ],
    ),
    Row(
        "sort/descending",
        lambda x, **params: tg.sort(x, **params).values,
        along(lambda row, descending: sorted(row, reverse=True)),
        lambda torch, x, **params: torch.sort(x, **params)[0],
        [
            sample((4,), descending=True),
            sample((2, 3), dim=0, descending=True),
            sample(TIED, descending=True, smooth=False),
        ],
        domains=(apart,),
        special=False,
    ),
    Row(
        "argsort",
        tg.argsort,
        along(ranked),
        lambda torch, x, **params: torch.argsort(x, stable=True, **params),
        [*AXES, sample(TIED), sample((0,)), sample((4,), descending=True), sample(TIED, descending=True)],
        domains=(apart,),
        result=np.int64,
        differentiable=False,
        integers="same",
    ),
    Row(
        "msort",
        tg.msort,
        lambda x: np.sort(x, 0),
        "msort",
        [sample((4,)), sample((3, 2))],
        domains=(apart,),
        integers="same",
    ),
    Row(
        "median",
        tg.median,
        lambda x: np.sort(x.reshape(-1))[(x.size - 1) // 2],
        "median",
        [sample(()), sample((4,)), sample((2, 3)), sample(TIED, smooth=False)],
        domains=(apart,),
        special=False,
        integers="same",
    ),
    Row(
        "nanmedian",
        tg.nanmedian,
        lambda x: np.sort(x[~np.isnan(x)])[((~np.isnan(x)).sum() - 1) // 2],
        "nanmedian",
        [sample(()), sample((4,)), sample((2, 3)), sample(np.array([3.0, np.nan, 1.0]), smooth=False)],
        domains=(apart,),
        special=False,
        integers="same",
    ),
]

METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


def quantiles(name):
    function, reference = getattr(tg, name), getattr(np, name)
    return Row(
        name,
        lambda x, **params: function(x, **params),
        lambda x, q, dim=None, keepdim=False, interpolation="linear": reference(
            x, q, dim, keepdims=keepdim, method=interpolation
        ),
        lambda torch, x, q, **params: getattr(torch, name)(x, torch.tensor(q, dtype=x.dtype), **params),
        [
            sample((), q=0.3),
            sample((5,), q=0.4),
            sample((2, 3), q=0.35, dim=0),
            sample((2, 3), q=[0.2, 0.9], dim=-1, keepdim=True),
            sample((2, 3, 2), q=[0.1, 1.0, 0.0]),
            sample((2, 3), q=0.5, keepdim=True),
            *(sample((2, 4), q=0.3, dim=1, interpolation=method) for method in METHODS[1:]),
        ],
        domains=(apart,),
        float16=False,
        special=False,
        errors=[
            bad(lambda: function(tg.zeros(3), 1.5), tg.ArgumentError, name, "q must be in [0, 1]"),
            bad(lambda: function(tg.zeros(0), 0.5), tg.ShapeError, name, "element"),
            bad(lambda: function(tg.tensor([1]), 0.5), tg.DTypeError, name, "float32", "astype"),
            bad(lambda: function(tg.zeros(3), 0.5, interpolation="cubic"), tg.ArgumentError, name, "'cubic'"),
        ],
    )


EDGES, ROWS_OF_EDGES = np.array([-1.0, 0.0, 0.5, 2.0]), np.array([[-1.0, 0.0, 1.0], [0.0, 0.5, 0.5]])
INSIDE = np.array([[-2.0, 0.5, 0.6], [0.0, 2.0, 3.0]])


def inserted(edges, x, right=False):
    """By counting."""
    edges = np.broadcast_to(edges, (*x.shape[:-1], edges.shape[-1])) if edges.ndim == 1 else edges
    return ((edges[..., None, :] <= x[..., None]) if right else (edges[..., None, :] < x[..., None])).sum(-1)


def found(name, number, **fixed):
    """A part of what `unique` returns."""
    function = getattr(tg, name)
    return lambda x, **params: function(x, return_inverse=True, return_counts=True, **params)[number]


def counted(name, number):
    return lambda torch, x, **params: getattr(torch, name)(
        x.detach(), return_inverse=True, return_counts=True, **params
    )[number]


REPEATED = [
    sample(np.array([3.0, 1.0, 3.0, 3.0, 2.0])),
    sample(np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 2.0]])),
    sample(np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 2.0]]), dim=0),
]


def grouped(x, dim=None):
    """Runs, and for each the first place."""
    rows = x.reshape(-1) if dim is None else np.moveaxis(x, dim, 0)
    return rows, [k for k in range(len(rows)) if not k or not np.array_equal(rows[k], rows[k - 1])]


ROWS += [
    quantiles("quantile"),
    quantiles("nanquantile"),
    Row(
        "isin",
        tg.isin,
        lambda x, y, invert=False: np.array([(v in y.ravel()) != invert for v in x.ravel()]).reshape(x.shape),
        "isin",
        [
            sample(np.array([[1.0, 2.0, 3.0], [2.5, 0.0, 1.0]]), np.array([1.0, 2.5]), smooth=False),
            sample(np.array([1, 2, 3]), np.array([[3, 1], [7, 7]]), smooth=False, invert=True),
            sample(np.array([1.0, 2.0]), np.zeros(0), smooth=False),
        ],
        result=np.bool_,
        differentiable=False,
        special=False,
    ),
    Row(
        "searchsorted",
        tg.searchsorted,
        inserted,
        "searchsorted",
        [sample(EDGES, INSIDE), sample(EDGES, INSIDE, right=True), sample(ROWS_OF_EDGES, INSIDE)],
        result=np.int64,
        differentiable=False,
        special=False,
        errors=[
            bad(lambda: tg.searchsorted(tg.zeros(2, 3), tg.zeros(4)), tg.ShapeError, "searchsorted", "leading axes"),
            bad(lambda: tg.searchsorted([1.0], [1.0], side="up"), tg.ArgumentError, "searchsorted", "'up'"),
        ],
    ),
    Row(
        "bucketize",
        lambda edges, x, **params: tg.bucketize(x, edges, **params),
        inserted,
        lambda torch, edges, x, **params: torch.bucketize(x, edges, **params),
        [sample(EDGES, INSIDE), sample(EDGES, INSIDE, right=True)],
        result=np.int64,
        differentiable=False,
        special=False,
        errors=[bad(lambda: tg.bucketize(1.0, tg.zeros(2, 2)), tg.ShapeError, "bucketize", "one axis")],
    ),
    Row(
        "bincount",
        tg.bincount,
        lambda x, minlength=0: np.array(
            [(x == k).sum() for k in range(max(minlength, x.max(initial=-1) + 1))], np.int64
        ),
        "bincount",
        [sample(np.array([0, 2, 2, 5])), sample(np.array([1]), minlength=4), sample(np.zeros(0, np.int64))],
        result=np.int64,
        differentiable=False,
        errors=[
            bad(lambda: tg.bincount(tg.zeros(2)), tg.DTypeError, "bincount", "integers"),
            bad(lambda: tg.bincount(tg.tensor([-1])), tg.ArgumentError, "bincount", "≥ 0, got -1"),
        ],
    ),
    Row(
        "bincount/weights",
        tg.bincount,
        lambda x, w: np.array([w[x == k].sum() for k in range(x.max() + 1)]),
        lambda torch, x, w: torch.bincount(x, w.detach().double()).to(w.dtype),
        [sample(np.array([0, 2, 2, 5]), (4,))],
        differentiable=False,
        special=False,
    ),
    Row(
        "histc",
        tg.histc,
        lambda x, bins, min=0, max=0: np.histogram(x, bins, (min, max) if max > min else None)[0],
        lambda torch, x, **params: torch.histc(x.detach(), **params),
        [sample((20,), bins=5), sample((3, 4), bins=4, min=-1.0, max=1.0), sample(np.array([1.0, 2.0, 4.0]), bins=3)],
        domains=(normal,),
        differentiable=False,
        special=False,
        errors=[
            bad(lambda: tg.histc(tg.tensor([1]), 3), tg.DTypeError, "histc", "float", "astype"),
            bad(lambda: tg.histc(tg.zeros(3), 0), tg.ArgumentError, "histc", "bins must be ≥ 1, got 0"),
            bad(lambda: tg.histc(tg.zeros(3), 3, 2, 1), tg.ArgumentError, "histc", "max must be ≥ min"),
        ],
    ),
    Row(
        "unique",
        tg.unique,
        lambda x, dim=None: np.unique(x, axis=dim),
        None,  # PyTorch's has no gradient
        [s._replace(smooth=False) for s in REPEATED],
        special=False,
    ),
    Row(
        "unique_consecutive",
        tg.unique_consecutive,
        lambda x, dim=None: grouped(x, dim)[0][grouped(x, dim)[1]],
        None,  # PyTorch's has no gradient
        [s._replace(smooth=False) for s in REPEATED],
        special=False,
    ),
]
for number, name in ((1, "inverse"), (2, "counts")):
    ROWS += [
        Row(
            f"unique/{name}",
            found("unique", number),
            lambda x, dim=None, number=number: np.unique(x, return_inverse=True, return_counts=True, axis=dim)[number],
            counted("unique", number),
            REPEATED,
            result=np.int64,
            differentiable=False,
            special=False,
        ),
        Row(
            f"unique_consecutive/{name}",
            found("unique_consecutive", number),
            lambda x, dim=None, number=number: (
                np.array(
                    [[sum(f <= k for f in grouped(x, dim)[1]) - 1 for k in range(len(grouped(x, dim)[0]))]]
                ).reshape(x.shape if dim is None else -1)
                if number == 1
                else np.diff([*grouped(x, dim)[1], len(grouped(x, dim)[0])])
            ),
            counted("unique_consecutive", number),
            REPEATED,
            result=np.int64,
            differentiable=False,
            special=False,
        ),
    ]
