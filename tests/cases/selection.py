"""Rows of tensorgrad/ops/selection/: elements selected, written and combined by position."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, apart, bad, integers, nonzero, normal, sample

MATRIX = tg.zeros(3, 4)
INDEX = np.array([[0, 2, 2, 1], [1, 0, 2, 2]])
ROW = np.array([2, 0, 0])
ZEROS = np.array([0.0, 2.0, 0.0])
MASK = np.array([[True, False, True, False], [False] * 4, [True] * 4])


def by_hand(combine, x, dim, index, source):
    """`combine(old, new)` at each place that an index names, one after the other."""
    z = x.copy()
    for at in np.ndindex(index.shape):
        place = list(at)
        place[dim : dim + 1 or None] = [index[at]] if place else []
        z[tuple(place)] = combine(z[tuple(place)], source[at])
    return z


def reduced_by_hand(x, index, src, dim, reduce, include_self=True):
    collected = {place: [x[place]] if include_self else [] for place in np.ndindex(x.shape)}
    for at in np.ndindex(index.shape):
        place = list(at)
        place[dim : dim + 1 or None] = [index[at]] if place else []
        collected[tuple(place)].append(src[at])
    function = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce]
    z = x.copy()
    for place, values in collected.items():
        z[place] = function(values) if values else x[place]
    return z


def torch_index(call):
    """A function of PyTorch whose index comes as an array among the parameters."""
    return lambda torch, *tensors, **params: call(
        torch, *tensors, **{k: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for k, v in params.items()}
    )


def along(x, dim, index):
    """The places of `index` along an axis of x."""
    return (*(slice(None),) * (dim % x.ndim), index)


def added(x, source, dim, index, alpha=1):
    z = x.copy()
    for k, place in enumerate(index):
        z[along(x, dim, place)] += alpha * np.take(source, k, dim)
    return z


def written(x, value, places):
    z = x.copy()
    z[places] = value
    return z


SELECTING = [
    Row(
        "index_select/rows",
        tg.index_select,
        lambda x, dim, index: np.take(x, index, dim),
        torch_index(lambda torch, x, **params: torch.index_select(x, **params)),
        [
            sample((3, 4), dim=0, index=ROW),
            sample((3, 4), dim=-1, index=np.array([3, 1])),
            sample((3,), dim=0, index=ROW[:0]),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.index_select(MATRIX, 0, [3]), tg.RangeError, "index_select", "[0, 3), got 3 to 3"),
            bad(lambda: tg.index_select(MATRIX, 0, [-1]), tg.RangeError, "index_select", "[0, 3), got -1"),
            bad(lambda: tg.index_select(MATRIX, 0, [0.5]), tg.DTypeError, "index_select", "integers"),
            bad(lambda: tg.index_select(MATRIX, 0, [[0]]), tg.ShapeError, "index_select", "vector"),
        ],
    ),
    Row(
        "take",
        tg.take,
        lambda x, k: x.ravel()[k],
        "take",
        [sample((3, 4), np.array([[0, 11], [5, 5]])), sample((3, 4), np.array(-1)), sample((3,), np.zeros(0, int))],
        errors=[
            bad(lambda: tg.take(MATRIX, [12]), tg.RangeError, "take", "[-12, 12), got 12 to 12"),
            bad(lambda: tg.take(MATRIX, [0.0]), tg.DTypeError, "take", "integers"),
        ],
    ),
    Row(
        "take_along_dim",
        tg.take_along_dim,
        lambda x, k, dim=None: np.take_along_axis(x, k, dim) if dim is not None else x.ravel()[k.ravel()],
        "take_along_dim",
        [
            sample((3, 4), (3, 2), dim=1),
            sample((3, 4), (1, 3), dim=1),
            sample((1, 4), (3, 2), dim=-1),
            sample((2, 3), (4,)),
        ],
        domains=(normal, integers(0, 3)),
        errors=[
            bad(lambda: tg.take_along_dim(MATRIX, [0], 0), tg.ShapeError, "take_along_dim", "as many axes"),
            bad(lambda: tg.take_along_dim(MATRIX, [[4]], 1), tg.RangeError, "take_along_dim", "[-4, 4)"),
        ],
    ),
    Row(
        "masked_select",
        tg.masked_select,
        lambda x, m: np.broadcast_arrays(x, m)[0][np.broadcast_to(m, np.broadcast_shapes(x.shape, m.shape))],
        "masked_select",
        [sample((3, 4), MASK), sample((4,), MASK), sample((3, 4), MASK[0])],
        errors=[bad(lambda: tg.masked_select(MATRIX, MATRIX), tg.DTypeError, "masked_select", "bools", "!= 0")],
    ),
    *(
        Row(
            name,
            getattr(tg, name),
            lambda x: np.array([at for at in np.ndindex(x.shape) if x[at]], int).reshape(np.count_nonzero(x), x.ndim),
            name,
            [sample(MASK), sample(np.array([0.0, 2.0, np.nan])), sample(np.array(True)), sample(np.zeros((0, 2)))],
            result=np.int64,
            differentiable=False,
            special=False,
        )
        for name in ("nonzero", "argwhere")
    ),
]

SELECTING.append(
    Row(
        "where/condition alone",
        lambda x: tg.stack(tg.where(x)),
        lambda x: np.stack(np.nonzero(x)),
        lambda torch, x: torch.stack(torch.where(x)),
        [sample(MASK)],
        result=np.int64,
        differentiable=False,
        errors=[bad(lambda: tg.where(MASK, 1.0), tg.ArgumentError, "where", "must both be given")],
    )
)

WRITING = [
    Row(
        "masked_fill",
        tg.masked_fill,
        lambda x, m, v: np.where(m, v, x),
        "masked_fill",
        [sample((3, 4), MASK, ()), sample((3, 4), MASK[2], ()), sample((4,), MASK, ())],
        errors=[
            bad(lambda: tg.masked_fill(MATRIX, MATRIX, 0), tg.DTypeError, "masked_fill", "bools"),
            bad(lambda: tg.masked_fill(MATRIX, MASK, [1.0, 2.0]), tg.ShapeError, "masked_fill", "tg.where"),
            bad(lambda: tg.masked_fill(tg.tensor([1]), [True], 0.5), tg.DTypeError, "masked_fill", "int64"),
        ],
    ),
    Row(
        "masked_scatter",
        tg.masked_scatter,
        lambda x, m, v: written(x, v.ravel()[: np.count_nonzero(m)], m),
        "masked_scatter",
        [sample((3, 4), MASK, (6,)), sample((3, 4), MASK, (3, 3))],
        special=False,
        errors=[
            bad(lambda: tg.masked_scatter(MATRIX, MASK, tg.zeros(5)), tg.ShapeError, "masked_scatter", "6 elements"),
            bad(
                lambda: tg.masked_scatter(MATRIX, MASK, tg.zeros(6, dtype="float64")),
                tg.DTypeError,
                "masked_scatter",
                "source must have the dtype of input, float32",
            ),
        ],
    ),
    Row(
        "scatter/a tensor",
        lambda x, src, dim, index: tg.scatter(x, dim, index, src),
        lambda x, src, dim, index: by_hand(lambda old, new: new, x, dim, index, src),
        torch_index(lambda torch, x, src, dim, index: torch.scatter(x, dim, index, src)),
        [
            sample((3, 4), (2, 4), dim=0, index=np.array([[0, 1, 2, 1], [1, 0, 1, 0]])),
            sample((3, 4), (2, 2), dim=-1, index=np.array([[3, 0], [1, 2]])),
            sample((3,), (0,), dim=0, index=ROW[:0]),
            sample((), (), dim=0, index=np.array(0)),
        ],
        errors=[
            bad(lambda: tg.scatter(MATRIX, 0, INDEX, tg.zeros(2, 3)), tg.ShapeError, "no longer than src"),
            bad(lambda: tg.scatter(MATRIX, 1, INDEX.T, 0.0), tg.ShapeError, "scatter", "no longer than input"),
            bad(lambda: tg.scatter(MATRIX, 0, [[3]], 0.0), tg.RangeError, "scatter", "[0, 3), got 3"),
            bad(lambda: tg.scatter(MATRIX, 0, INDEX), tg.ArgumentError, "scatter", "src or value"),
            bad(lambda: tg.scatter(MATRIX, 0, INDEX, 1.0, reduce="max"), tg.ArgumentError, "'max'"),
            bad(lambda: tg.scatter(MATRIX, 0, INDEX, np.zeros((2, 4))), tg.DTypeError, "src must have the dtype"),
        ],
    ),
    Row(
        "scatter/a number",
        tg.scatter,
        lambda x, dim, index, value, reduce=None: by_hand(
            {None: lambda old, new: new, "add": np.add, "multiply": np.multiply}[reduce],
            x,
            dim,
            index,
            np.full(index.shape, value),
        ),
        torch_index(lambda torch, x, dim, index, **params: torch.scatter(x, dim, index, **params)),
        [
            sample((3, 4), dim=0, index=INDEX, value=5.0),
            sample((3, 4), dim=1, index=INDEX, value=2),
        ],
        integers="same",
    ),
    *(
        Row(
            f"scatter/{reduce}",
            lambda x, src, dim, index, reduce=reduce: tg.scatter(x, dim, index, src, reduce=reduce),
            lambda x, src, dim, index, combine=combine: by_hand(combine, x, dim, index, src),
            None,  # PyTorch has no gradient of it
            [sample((3, 4), (2, 4), dim=0, index=INDEX)],
            domains=(nonzero,),
        )
        for reduce, combine in (("add", np.add), ("multiply", np.multiply))
    ),
    Row(
        "scatter_add/rows",
        lambda x, src, dim, index: tg.scatter_add(x, dim, index, src),
        lambda x, src, dim, index: by_hand(np.add, x, dim, index, src),
        torch_index(lambda torch, x, src, dim, index: torch.scatter_add(x, dim, index, src)),
        [
            sample((3, 4), (2, 4), dim=0, index=INDEX),
            sample((3, 4), (2, 4), dim=1, index=INDEX),
            sample((), (), dim=0, index=np.array(0)),
        ],
        integers="same",
        errors=[bad(lambda: tg.scatter_add(MATRIX, 2, INDEX, MATRIX), tg.RangeError, "scatter_add", "dim must be in")],
    ),
    Row(
        "scatter_add/part of src",
        lambda x, src, dim, index: tg.scatter_add(x, dim, index, src),
        lambda x, src, dim, index: by_hand(np.add, x, dim, index, src),
        None,  # PyTorch has no gradient of it
        [sample((3, 4), (3, 5), dim=1, index=INDEX), sample((3, 4), (2, 4), dim=0, index=INDEX[:1, :3])],
    ),
    *(
        Row(
            f"scatter_reduce/{reduce}",
            lambda x, src, dim, index, include_self=True, reduce=reduce: tg.scatter_reduce(
                x, dim, index, src, reduce, include_self=include_self
            ),
            lambda x, src, dim, index, include_self=True, reduce=reduce: reduced_by_hand(
                x, index, src, dim, reduce, include_self
            ),
            torch_index(
                lambda torch, x, src, dim, index, reduce=reduce, **more: torch.scatter_reduce(
                    x, dim, index, src, reduce, **more
                )
            ),
            [
                sample((3, 4), (2, 4), dim=0, index=INDEX),
                # Through −∞ in the places that aren't counted, where finite differences say nothing.
                sample((3, 4), (2, 4), smooth=reduce not in ("amax", "amin"), dim=1, index=INDEX, include_self=False),
                *([sample(ZEROS, np.array([0.0, 3.0, 0.0]), dim=0, index=ROW)] if reduce == "prod" else []),
            ],
            domains=(nonzero if reduce == "prod" else apart if reduce in ("amax", "amin") else normal,),
            special=reduce != "prod",
            errors=[
                bad(
                    lambda: tg.scatter_reduce(MATRIX, 0, INDEX, MATRIX, "median"),
                    tg.ArgumentError,
                    "scatter_reduce",
                    "'median'",
                )
            ],
        )
        for reduce in ("sum", "prod", "mean", "amax", "amin")
    ),
    Row(
        "index_add/rows",
        lambda x, source, dim, index, alpha=1: tg.index_add(x, dim, index, source, alpha=alpha),
        added,
        torch_index(lambda torch, x, source, dim, index, alpha=1: torch.index_add(x, dim, index, source, alpha=alpha)),
        [
            sample((3, 4), (3, 4), dim=0, index=ROW),
            sample((3, 4), (3, 2), dim=1, index=np.array([3, 1]), alpha=2.5),
            sample((3,), (3,), dim=-1, index=ROW),
        ],
        errors=[
            bad(lambda: tg.index_add(MATRIX, 0, [0], MATRIX), tg.ShapeError, "index_add", "(1, 4)", "(3, 4)"),
            bad(lambda: tg.index_add(MATRIX, 0, [5], MATRIX[:1]), tg.RangeError, "index_add", "[0, 3), got 5"),
            bad(lambda: tg.index_add(MATRIX, 0, [0], np.zeros((1, 4))), tg.DTypeError, "index_add", "dtype of input"),
        ],
    ),
    Row(
        "index_copy/rows",
        lambda x, source, dim, index: tg.index_copy(x, dim, index, source),
        lambda x, source, dim, index: written(x, source, along(x, dim, index)),
        torch_index(lambda torch, x, source, dim, index: torch.index_copy(x, dim, index, source)),
        [sample((3, 4), (2, 4), dim=0, index=ROW[:2]), sample((3, 4), (3, 2), dim=1, index=np.array([3, 1]))],
        errors=[bad(lambda: tg.index_copy(MATRIX, 0, [0], MATRIX), tg.ShapeError, "index_copy", "(1, 4)")],
    ),
    Row(
        "index_fill/rows",
        lambda x, value, dim, index: tg.index_fill(x, dim, index, value),
        lambda x, value, dim, index: written(x, value, along(x, dim, index)),
        torch_index(lambda torch, x, value, dim, index: torch.index_fill(x, dim, index, value)),
        [sample((3, 4), (), dim=0, index=ROW), sample((3, 4), (), dim=1, index=np.array([3, 1]))],
        errors=[bad(lambda: tg.index_fill(MATRIX, 0, [0], [1.0]), tg.ShapeError, "index_fill", "one number")],
    ),
    Row(
        "index_put/places",
        lambda x, v, indices, accumulate=False: tg.index_put(x, indices, v, accumulate),
        lambda x, v, indices, accumulate=False: (
            x + sum_at(x.shape, indices, v) if accumulate else written(x, v, indices)
        ),
        lambda torch, x, v, indices, accumulate=False: torch.index_put(
            x, tuple(map(torch.as_tensor, indices)), v, accumulate
        ),
        [
            sample((3, 4), (2,), indices=(ROW[:2], np.array([1, 3]))),
            sample((3, 4), (3,), indices=(ROW, np.array([1, 3, 3])), accumulate=True),
            sample((3, 4), (4,), indices=(ROW,), accumulate=True),
            sample((3, 4), (), indices=(MASK,)),
        ],
        errors=[
            bad(lambda: tg.index_put(MATRIX, 0, 1.0), tg.DTypeError, "index_put", "tuple of tensors"),
            bad(lambda: tg.index_put(MATRIX, ([0],), tg.zeros(3)), tg.ShapeError, "index_put", "(1, 4)"),
            bad(lambda: tg.index_put(MATRIX, ([3],), 1.0), tg.RangeError, "index_put", "out of bounds"),
        ],
    ),
]


def sum_at(shape, indices, values):
    z = np.zeros(shape)
    np.add.at(z, indices, values)
    return z


ROWS = [*SELECTING, *WRITING]
