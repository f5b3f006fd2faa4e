"""Rows of tensorgrad/ops/linear.py and tensorgrad/ops/dropout.py."""

import itertools

import numpy as np

import tensorgrad as tg
from cases.table import UNARY, Row, bad, sample


def matmul_by_hand(x, y):
    """Σₖ x[..., m, k] · y[..., k, n] as a broadcast product, summed."""
    rows, columns = x[None] if x.ndim == 1 else x, y[:, None] if y.ndim == 1 else y
    # (..., M, K, 1) · (..., 1, K, N) -> (..., M, N)
    z = (rows[..., None] * columns[..., None, :, :]).sum(-2)
    z = z[..., 0, :] if x.ndim == 1 else z
    return z[..., 0] if y.ndim == 1 else z


def einsum_by_hand(*xs, subscripts):
    """One loop over all values of all labels: the definition."""
    inputs, _, output = subscripts.partition("->")
    terms = inputs.split(",")
    size = {}
    for term, x in zip(terms, xs, strict=True):
        for label, n in zip(term, x.shape, strict=True):
            size[label] = max(size.get(label, 1), n) if 0 not in (n, size.get(label)) else 0
    z = np.zeros([size[label] for label in output])
    for values in itertools.product(*(range(n) for n in size.values())):
        at = dict(zip(size, values, strict=True))
        factors = [
            x[tuple(min(at[c], n - 1) for c, n in zip(t, x.shape, strict=True))] for t, x in zip(terms, xs, strict=True)
        ]
        z[tuple(at[c] for c in output)] += np.prod(factors)
    return z


def torch_einsum(torch, *xs, subscripts):
    return torch.einsum(subscripts, *xs)


def dropped(x, p, seed=0):
    kept = np.random.default_rng(seed).random(x.shape, np.float32) >= p
    return np.where(kept, x / (1 - p) if p < 1 else 0.0, 0.0 * x)


ROWS = [
    Row(
        "matmul",
        tg.matmul,
        matmul_by_hand,
        "matmul",
        [
            sample((3,), (3,)),
            sample((2, 3), (3,)),
            sample((3,), (3, 2)),
            sample((2, 3), (3, 4)),
            sample((1, 1), (1, 1)),
            sample((2, 2, 3), (3, 2)),
            sample((2, 2, 3), (2, 3, 2)),
            sample((2, 3), (2, 3, 2)),
            sample((2, 1, 2, 3), (3, 3, 1)),
            sample((3,), (2, 3, 2)),
            sample((2, 2, 3), (3,)),
            sample((0, 3), (3, 2)),
            sample((2, 0), (0, 3)),
            sample((0, 2, 3), (3, 2)),
        ],
        integers="same",
        errors=[
            bad(
                lambda: tg.zeros(2, 3) @ tg.zeros(2, 3),
                tg.ShapeError,
                "matmul",
                "inner sizes differ",
                "input: (2, 3)",
                "other: (2, 3)",
            ),
            bad(lambda: tg.matmul(tg.zeros(3), tg.zeros(2)), tg.ShapeError, "matmul", "(3,)", "(2,)"),
            bad(lambda: tg.matmul(tg.zeros(3), 2.0), tg.ShapeError, "matmul", "use * for scalars"),
            bad(lambda: tg.zeros(2, 2, 3) @ tg.zeros(3, 3, 2), tg.ShapeError, "matmul", "(2, 2, 3)", "(3, 3, 2)"),
        ],
    ),
    Row(
        "linear",
        tg.linear,
        lambda x, w, b=0.0: matmul_by_hand(x, w.T) + b,
        lambda torch, x, w, b=None: torch.nn.functional.linear(x, w, b),
        [
            sample((2, 3), (4, 3), (4,)),
            sample((3,), (2, 3), (2,)),
            sample((2, 2, 3), (4, 3), (4,)),
            sample((2, 3), (4, 3)),
            sample((1, 1), (1, 1), (1,)),
            sample((0, 3), (2, 3), (2,)),
            sample((2, 0), (3, 0), (3,)),
        ],
        errors=[
            bad(lambda: tg.linear(tg.zeros(2, 3), tg.zeros(4, 2)), tg.ShapeError, "linear", "(2, 3)", "(4, 2)"),
            bad(lambda: tg.linear(tg.zeros(2, 3, 3), tg.zeros(4, 9)), tg.ShapeError, "linear", "nn.Flatten()"),
            bad(lambda: tg.linear(tg.zeros(2, 3), tg.zeros(4, 3), tg.zeros(3)), tg.ShapeError, "one bias", "(4,)"),
        ],
    ),
    Row(
        "einsum",
        lambda *xs, subscripts: tg.einsum(subscripts, *xs),
        einsum_by_hand,
        torch_einsum,
        [
            sample((3,), subscripts="i->i"),
            sample((3,), subscripts="i->"),
            sample((2, 3), subscripts="ij->ji"),
            sample((3, 3), subscripts="ii->i"),
            sample((3, 3), subscripts="ii->"),
            sample((2, 3, 3), subscripts="aii->a"),
            sample((2, 2, 2), subscripts="iii->"),
            sample((3,), (3,), subscripts="i,i->"),
            sample((3,), (2,), subscripts="i,j->ij"),
            sample((2, 3), (3, 2), subscripts="ij,jk->ik"),
            sample((2, 3), (3, 2), subscripts="ij,jk->"),
            sample((2, 2, 3), (2, 3, 2), subscripts="bij,bjk->bik"),
            sample((2, 3), (3, 2), (2,), subscripts="ij,jk,k->i"),
            sample((2, 3), (2, 2), (3, 2), subscripts="ij,ik,jl->kl"),
            sample((2, 3), (), subscripts="ij,->j"),
            sample((3, 3), (3,), subscripts="ii,i->i"),
            sample((0, 3), (3, 2), subscripts="ij,jk->ik"),
            sample((2, 0), (0, 2), subscripts="ij,jk->ik"),
            sample((3,), (1,), subscripts="i,i->"),
            sample((1, 3), (2, 1), subscripts="ij,ij->ij"),
        ],
        special=False,
        errors=[
            bad(
                lambda: tg.einsum("ij,jk->ik", tg.zeros(2, 3), tg.zeros(2, 3)),
                tg.ShapeError,
                "einsum",
                "(2, 3)",
                "ij,jk->ik",
            ),
            bad(lambda: tg.einsum("ij,jk", tg.zeros(2, 3)), tg.ShapeError, "einsum", "2 terms for 1 operands"),
            bad(lambda: tg.einsum("ij->i", tg.zeros(2)), tg.ShapeError, "einsum", "number of labels", "(2,)"),
            bad(lambda: tg.einsum("i1->i", tg.zeros(2, 2)), tg.ShapeError, "einsum", "letters"),
            bad(lambda: tg.einsum("ij->k", tg.zeros(2, 2)), tg.ShapeError, "einsum", "ij->k"),
            bad(lambda: tg.einsum("ij->ii", tg.zeros(2, 2)), tg.ShapeError, "einsum", "ij->ii"),
            bad(lambda: tg.einsum("...ij->ij", tg.zeros(2)), tg.ShapeError, "einsum", "number of labels"),
        ],
    ),
    Row(
        "einsum/implicit and ellipsis",
        lambda *xs, subscripts: tg.einsum(subscripts, *xs),
        lambda *xs, subscripts: np.einsum(subscripts, *xs),
        torch_einsum,
        [
            sample((2, 3), (3, 2), subscripts="ij,jk"),
            sample((3, 3), subscripts="ii"),
            sample((2, 3), subscripts="ba"),
            sample((2, 2, 3), (3, 2), subscripts="...ij,jk->...ik"),
            sample((2, 1, 3), (4, 3), subscripts="...i,...i->..."),
            sample((2, 3), (3,), subscripts="...i, ...i"),
            sample((2, 3), subscripts="...->..."),
            sample((2, 3, 2), subscripts="i...j->j...i"),
        ],
        special=False,
    ),
    Row(
        "dropout",
        lambda x, p: tg.dropout(x, p, generator=np.random.default_rng(0)),
        dropped,
        None,
        [*(sample(s.inputs[0], p=0.5) for s in UNARY), *(sample((4, 5), p=p) for p in (0.2, 0.9, 1.0))],
        integers="float",
        special=False,
        errors=[
            bad(
                lambda: tg.dropout(tg.zeros(2), 1.5),
                tg.ArgumentError,
                "dropout",
                "p must be in [0, 1], got 1.5",
                "p: 1.5",
            ),
            bad(lambda: tg.dropout(tg.zeros(2), -0.1), tg.ArgumentError, "dropout", "p: -0.1"),
            bad(lambda: tg.dropout(tg.zeros(2), float("nan")), tg.ArgumentError, "dropout", "p: nan"),
        ],
    ),
    Row(
        "dropout/of nothing",
        lambda x, **params: tg.dropout(x, **params) + 0,
        lambda x, **params: x,
        lambda torch, x, **params: torch.nn.functional.dropout(x, **params) + 0,
        [sample((2, 3), p=0.5, training=False), sample((2, 3), p=0.0)],
    ),
]
