"""Rows of tensorgrad/ops/reductions.py."""

import math

import numpy as np

import tensorgrad as tg
from cases.table import Row, apart, bad, between, integers, sample

# Every way to name axes; `keepdims` with each.
FOLDS = [
    sample(()),
    sample((3,)),
    sample((2, 3)),
    sample((2, 3), axis=0),
    sample((2, 3), axis=-1, keepdims=True),
    sample((2, 3, 2), axis=1),
    sample((2, 3, 2), axis=(0, 2)),
    sample((2, 3, 2), axis=(-1, 0), keepdims=True),
    sample((2, 3, 2), keepdims=True),
    sample((1, 3), axis=0),
    sample((0, 3), axis=1),
]
NO_AXES = [sample((2, 3), axis=())]
NOTHING_LEFT = [sample((0, 3), axis=0), sample((0,))]


def bad_axes(function):
    """The bad calls of every reduction."""
    name = function.__name__
    return [
        bad(
            lambda: function(tg.zeros(2, 3), axis=2),
            tg.RangeError,
            name,
            "(2, 3)",
            "dim: 2",
            "dim must be in [-2, 2), got 2",
        ),
        bad(lambda: function(tg.zeros(2, 3), axis=(0, -2)), tg.ArgumentError, name, "twice", "(0, -2)"),
        bad(lambda: function(tg.zeros(2, 3), axis="rows"), tg.ArgumentError, name, "dim must be", "'rows'"),
    ]


def over_pairs(fold):
    """A fold of two numbers as a reduction: element by element, over the axes moved to the front and flattened."""

    def reference(x, axis=None, keepdims=False):
        axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
        axes = tuple(a % x.ndim for a in axes)
        kept = [a for a in range(x.ndim) if a not in axes]
        shape = [x.shape[a] for a in kept]
        rows = x.transpose([*axes, *kept]).reshape(math.prod(x.shape[a] for a in axes), *shape)
        z = rows[0]
        for row in rows[1:]:
            z = fold(z, row)
        return z.reshape([1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else z

    return reference


def larger(x, y):
    return np.where(np.isnan(x) | (x > y), x, y)


def smaller(x, y):
    return np.where(np.isnan(x) | (x < y), x, y)


def all_dims(name):
    """PyTorch's reduction, over all axes where none is given."""

    def counterpart(torch, x, axis=None, keepdims=False, **more):
        if axis == () and name == "logsumexp":  # PyTorch doesn't take it
            return x
        dims = tuple(range(x.ndim)) if axis is None else axis
        return (
            getattr(torch, name)(x[None], 0, **more)
            if dims == ()
            else getattr(torch, name)(x, dims, keepdim=keepdims, **more)
        )

    return counterpart


def torch_spread(name):
    def counterpart(torch, x, axis=None, ddof=1, keepdims=False):
        return getattr(torch, name)(x, axis, correction=ddof, keepdim=keepdims)

    return counterpart


def torch_prod(torch, x, axis=None, keepdims=False):
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    for a in sorted((a % x.ndim for a in axes), reverse=True):
        x = torch.prod(x, a, keepdim=keepdims)
    return x


def torch_truth(name):
    def counterpart(torch, x, axis=None, keepdims=False):
        axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        for a in sorted((a % x.ndim for a in axes), reverse=True):
            x = getattr(torch, name)(x, a, keepdim=keepdims)
        return x.bool()

    return counterpart


def spread(x, axis=None, ddof=1, keepdims=False):
    # E[x²] − E[x]², the other formula.
    n = x.size if axis is None else np.prod([x.shape[a] for a in np.atleast_1d(np.array(axis, int))])
    square_of_sum = np.sum(x, axis, keepdims=keepdims) ** 2
    return (np.sum(x * x, axis, keepdims=keepdims) - square_of_sum / n) / (n - ddof)


SPREADS = [
    sample((4,)),
    sample((2, 3)),
    sample((2, 3), axis=0),
    sample((2, 3), axis=-1, keepdims=True, ddof=0),
    sample((2, 3, 2), axis=(0, 2), ddof=0),
    sample((2, 3, 2), axis=(0, 1), keepdims=True),
    sample((2, 3, 2), ddof=2),
    sample((0, 3), axis=1),
]

TIED = np.array([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0]])


def extreme(name, fold):
    function = getattr(tg, name)
    return Row(
        name,
        function,
        over_pairs(fold),
        all_dims(name),
        [*FOLDS, sample(TIED, axis=1, smooth=False), sample(TIED, smooth=False)],
        domains=(apart,),
        integers="same",
        errors=[
            *bad_axes(function),
            bad(lambda: function(tg.zeros(0, 3), axis=0), tg.ShapeError, name[1:], "(0, 3)"),
            bad(lambda: function(tg.zeros(0)), tg.ShapeError, name[1:], "(0,)"),
        ],
    )


ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 1.5, 0.0], [-2.0, 0.5, 3.0]])

ROWS = [
    Row(
        "sum",
        tg.sum,
        over_pairs(np.add),
        all_dims("sum"),
        FOLDS,
        integers="same",
        errors=bad_axes(tg.sum),
    ),
    Row("sum/no axes", tg.sum, lambda x, axis: np.sum(x), lambda torch, x, axis: torch.sum(x, axis), NO_AXES),
    Row("mean/no axes", tg.mean, lambda x, axis: np.mean(x), lambda torch, x, axis: torch.mean(x, axis), NO_AXES),
    Row("sum/nothing", tg.sum, np.sum, all_dims("sum"), NOTHING_LEFT, integers="same"),
    Row(
        "mean",
        tg.mean,
        lambda x, axis=None, keepdims=False: (
            np.einsum("...->...", np.sum(x, axis, keepdims=keepdims)) / (x.size // max(np.sum(x, axis).size, 1) or 1)
        ),
        all_dims("mean"),
        FOLDS,
        integers="float",
        errors=bad_axes(tg.mean),
    ),
    Row(
        "mean/nothing",
        tg.mean,
        lambda x, axis=None: np.full(np.sum(x, axis).shape, np.nan),
        all_dims("mean"),
        NOTHING_LEFT,
        special=False,
    ),
    Row("var", tg.var, spread, torch_spread("var"), SPREADS, integers="float", errors=bad_axes(tg.var)),
    Row(
        "std",
        tg.std,
        lambda x, **params: spread(x, **params) ** 0.5,
        torch_spread("std"),
        SPREADS,
        integers="float",
        errors=bad_axes(tg.std),
    ),
    extreme("amax", larger),
    extreme("amin", smaller),
    Row(
        "prod",
        tg.prod,
        over_pairs(np.multiply),
        torch_prod,
        [*FOLDS, *NO_AXES, *(sample(ZEROS, axis=axis) for axis in (None, 0, 1)), sample(ZEROS[0], keepdims=True)],
        domains=(between(0.5, 1.8),),
        integers="same",
        errors=bad_axes(tg.prod),
    ),
    Row("prod/nothing", tg.prod, np.prod, torch_prod, NOTHING_LEFT, integers="same"),
    Row(
        "logsumexp",
        tg.logsumexp,
        over_pairs(np.logaddexp),
        all_dims("logsumexp"),
        [*FOLDS, *NO_AXES],
        integers="float",
        errors=bad_axes(tg.logsumexp),
    ),
    Row(
        "logsumexp/nothing",
        tg.logsumexp,
        lambda x, axis=None: np.log(np.sum(x, axis)),
        all_dims("logsumexp"),
        NOTHING_LEFT,
    ),
    Row(
        "cumsum",
        tg.cumsum,
        lambda x, axis: np.stack([np.moveaxis(x, axis, 0)[: k + 1].sum(0) for k in range(x.shape[axis])], axis),
        lambda torch, x, axis: torch.cumsum(x, axis),
        [
            sample((1,), axis=0),
            sample((4,), axis=-1),
            sample((2, 3), axis=1),
            sample((2, 3), axis=0),
            sample((2, 3, 2), axis=1),
            sample((0, 3), axis=-1),
        ],
        integers="same",
        errors=[bad(lambda: tg.cumsum(tg.zeros(2, 3), axis=2), tg.RangeError, "cumsum", "(2, 3)", "dim: 2")],
    ),
]


def position(name, function, better):
    """argmax and argmin: the first of the best."""

    def reference(x, axis=None, keepdims=False):
        if keepdims:
            shape = [1 if axis is None or a == axis % x.ndim else n for a, n in enumerate(x.shape)]
            return reference(x, axis).reshape(shape)
        if axis is None:
            x, axis = x.reshape(-1), 0
        rows = np.moveaxis(x, axis, 0)
        best, z = rows[0], np.zeros(rows.shape[1:], np.int64)
        for k, row in enumerate(rows[1:], 1):
            wins = better(row, best)
            best, z = np.where(wins, row, best), np.where(wins, k, z)
        return z

    return Row(
        name,
        function,
        reference,
        lambda torch, x, axis=None, keepdims=False: getattr(torch, name)(x, axis, keepdims),
        [
            sample(()),
            sample((4,)),
            sample((2, 3)),
            sample((2, 3), axis=0),
            sample((2, 3, 2), axis=-1),
            sample(TIED, axis=1),
            sample((2, 3), axis=0, keepdims=True),
            sample((2, 3), keepdims=True),
            sample((0, 3), axis=1),
            sample(np.array([1.0, np.nan, 2.0])),
        ],
        domains=(apart,),
        result=np.int64,
        differentiable=False,
        integers="same",
        errors=[
            bad(lambda: function(tg.zeros(2, 3), axis=2), tg.RangeError, name, "(2, 3)", "dim: 2"),
            bad(lambda: function(tg.zeros(0)), tg.ShapeError, name, "(0,)"),
        ],
    )


ROWS += [
    position("argmax", tg.argmax, lambda x, best: ~np.isnan(best) & (np.isnan(x) | (x > best))),
    position("argmin", tg.argmin, lambda x, best: ~np.isnan(best) & (np.isnan(x) | (x < best))),
] + [
    Row(
        name,
        getattr(tg, name),
        over_pairs(fold),
        torch_truth(name),
        [*FOLDS, *NO_AXES],
        domains=(integers(0, 2),),
        result=np.bool_,
        differentiable=False,
        errors=bad_axes(getattr(tg, name)),
    )
    for name, fold in (("all", lambda x, y: (x != 0) & (y != 0)), ("any", lambda x, y: (x != 0) | (y != 0)))
]

ROWS += [
    Row(
        "var/one left over",
        tg.var,
        lambda x, axis=None, ddof=0: np.full(x.sum(axis).shape, np.nan),
        None,
        [sample((1, 3), axis=0, ddof=1, smooth=False), sample((0, 3), axis=0, smooth=False)],
        special=False,
    ),
]


def along(name, fold):
    """The values of `max(dim)` and `min(dim)`: where elements tie, the first gets the whole gradient."""
    return Row(
        f"{name}/along",
        lambda x, dim, keepdim=False: getattr(tg, name)(x, dim, keepdim).values,
        lambda x, dim, keepdim=False: over_pairs(fold)(x, dim, keepdim),
        lambda torch, x, dim, keepdim=False: getattr(torch, name)(x, dim, keepdim).values,
        [
            sample((3,), dim=-1),
            sample((2, 3), dim=0),
            sample((2, 3, 2), dim=1, keepdim=True),
            sample((0, 3), dim=1),
            sample(TIED, dim=1, smooth=False),
        ],
        domains=(apart,),
        integers="same",
        errors=[
            bad(lambda: getattr(tg, name)(tg.zeros(2, 3), 2), tg.RangeError, name, "(2, 3)", "dim: 2"),
            bad(lambda: getattr(tg, name)(tg.zeros(2, 3), (0, 1)), tg.ArgumentError, name, "one int", f"tg.a{name}"),
            bad(lambda: getattr(tg, name)(tg.zeros(2, 3), 0, 1), tg.ArgumentError, name, "keepdim must be True"),
            bad(lambda: getattr(tg, name)(tg.zeros(0, 3), 0), tg.ShapeError, "(0, 3)"),
        ],
    )


def of_all(name, fold):
    return Row(
        name,
        getattr(tg, name),
        over_pairs(fold),
        name,
        [sample(()), sample((3,)), sample((2, 3)), sample((2, 3, 2)), sample(TIED, smooth=False)],
        domains=(apart,),
        integers="same",
        errors=[bad(lambda: getattr(tg, name)(tg.zeros(0)), tg.ShapeError, name, "(0,)")],
    )


ROWS += [
    of_all("max", larger),
    of_all("min", smaller),
    along("max", larger),
    along("min", smaller),
    *[
        Row(
            f"aminmax/{part}",
            lambda x, part=part, **params: getattr(tg.aminmax(x, **params), part),
            lambda x, dim=None, keepdim=False, fold=fold: over_pairs(fold)(x, dim, keepdim),
            lambda torch, x, part=part, **params: getattr(torch.aminmax(x, **params), part),
            [sample((2, 3)), sample((2, 3), dim=0), sample((2, 3), dim=-1, keepdim=True), sample(TIED, smooth=False)],
            domains=(apart,),
        )
        for part, fold in (("min", smaller), ("max", larger))
    ],
    *[
        Row(
            f"{name}/{part}",
            lambda x, name=name, part=part, **params: getattr(tg, name)(x, **params)[part],
            reference,
            lambda torch, x, name=name, part=part, **params: getattr(torch, name)(x, **params)[part],
            [sample((4,)), sample((2, 3), dim=0), sample((2, 3), dim=(0, 1), correction=0, keepdim=True)],
        )
        for name, root in (("var_mean", 1), ("std_mean", 0.5))
        for part, reference in (
            (
                0,
                lambda x, dim=None, correction=1, keepdim=False, root=root: spread(x, dim, correction, keepdim) ** root,
            ),
            (
                1,
                lambda x, dim=None, correction=1, keepdim=False: (
                    np.sum(x, dim, keepdims=keepdim) / (x.size // max(np.sum(x, dim).size, 1))
                ),
            ),
        )
    ],
    Row(
        "var/unbiased",
        tg.var,
        lambda x, dim=None, unbiased=True: spread(x, dim, int(unbiased)),
        "var",
        [sample((2, 3), unbiased=False), sample((2, 3), dim=0, unbiased=True)],
        errors=[
            bad(lambda: tg.var(tg.zeros(3), 0, 1), tg.ArgumentError, "var", "unbiased must be True or False, got 1"),
            bad(lambda: tg.var(tg.zeros(3), 0, True, correction=1), tg.ArgumentError, "unbiased and correction"),
        ],
    ),
    Row(
        "sum/dtype",
        lambda x, dtype: tg.sum(x, dtype=getattr(tg, dtype)),
        lambda x, dtype: np.sum(x),
        lambda torch, x, dtype: torch.sum(x, dtype=getattr(torch, dtype)),
        [sample((2, 3), dtype="float64")],
        result=np.float64,
    ),
]
