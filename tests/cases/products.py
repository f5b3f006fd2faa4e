"""Rows of tensorgrad/ops/products/: products, norms, distances."""

import math

import numpy as np

import tensorgrad as tg
import tensorgrad.nn.functional as F
from cases.table import Row, apart, bad, nonzero, sample

VECTOR, MATRIX = tg.zeros(3), tg.zeros(2, 3)

PRODUCTS = [
    Row(
        "mm",
        tg.mm,
        lambda x, y: np.einsum("nk,km->nm", x, y),
        "mm",
        [sample((2, 3), (3, 4)), sample((2, 0), (0, 3))],
        special=False,
        errors=[
            bad(lambda: tg.mm(MATRIX, VECTOR), tg.ShapeError, "mm", "mat2 2 axes, got 2 and 1", "matmul"),
            bad(lambda: tg.mm(MATRIX, MATRIX), tg.ShapeError, "mm", "summed over", "(2, 3)"),
        ],
    ),
    Row(
        "bmm",
        tg.bmm,
        lambda x, y: np.einsum("bnk,bkm->bnm", x, y),
        "bmm",
        [sample((2, 2, 3), (2, 3, 4))],
        special=False,
        errors=[bad(lambda: tg.bmm(tg.zeros(2, 2, 3), tg.zeros(1, 3, 2)), tg.ShapeError, "bmm", "as many matrices")],
    ),
    Row(
        "mv",
        tg.mv,
        lambda x, y: (x * y).sum(1),
        "mv",
        [sample((2, 3), (3,))],
        special=False,
        errors=[bad(lambda: tg.mv(MATRIX, tg.zeros(2)), tg.ShapeError, "mv", "summed over")],
    ),
    Row(
        "dot",
        tg.dot,
        lambda x, y: (x * y).sum(),
        "dot",
        [sample((3,), (3,)), sample((0,), (0,))],
        special=False,
        errors=[bad(lambda: tg.dot(MATRIX, MATRIX), tg.ShapeError, "dot", "got 2 and 2")],
    ),
    *(
        Row(name, getattr(tg, name), lambda x, y: np.einsum("n,m->nm", x, y), name, [sample((2,), (3,))])
        for name in ("outer", "ger")
    ),
    Row(
        "inner",
        tg.inner,
        lambda x, y: np.inner(x, y),
        "inner",
        [sample((3,), (3,)), sample((2, 3), (4, 2, 3)), sample((), (2,))],
        special=False,
        errors=[bad(lambda: tg.inner(MATRIX, tg.zeros(2)), tg.ShapeError, "inner", "one length")],
    ),
    Row(
        "tensordot",
        tg.tensordot,
        lambda x, y, dims=2: np.tensordot(x, y, dims),
        "tensordot",
        [
            sample((2, 3, 4), (3, 4, 2)),
            sample((2, 3), (2, 3), dims=([0], [0])),
            sample((2, 3, 4), (4, 2), dims=([2, 0], [-2, 1])),
            sample((2,), (3,), dims=0),
        ],
        special=False,
        errors=[
            bad(lambda: tg.tensordot(MATRIX, MATRIX, 1), tg.ShapeError, "tensordot", "one length"),
            bad(lambda: tg.tensordot(MATRIX, MATRIX, 3), tg.ArgumentError, "tensordot", "3 axes"),
            bad(lambda: tg.tensordot(MATRIX, MATRIX, ([0], [0, 1])), tg.ArgumentError, "as many axes"),
        ],
    ),
]


def norm_by_definition(x, p="fro", dim=None, keepdim=False):
    size = np.abs(x)
    axes = tuple(range(x.ndim)) if dim is None else dim
    if p == math.inf:
        return size.max(axes, keepdims=keepdim)
    if p == -math.inf:
        return size.min(axes, keepdims=keepdim)
    p = 2 if p == "fro" else p
    return (size**p).sum(axes, keepdims=keepdim) ** (1 / p)


def rows_apart(x, y, p=2.0):
    return norm_by_definition(x[..., :, None, :] - y[..., None, :, :], p, -1)


NORMS = [
    Row(
        "norm",
        tg.norm,
        norm_by_definition,
        "norm",
        [
            sample((2, 3)),
            sample((2, 3), p=2, dim=1),
            sample((2, 3), p=1, dim=(0, 1), keepdim=True),
            sample((2, 3), p=3, dim=-1, keepdim=True),
            sample((4,), p=math.inf),
            sample((2, 3), p=-math.inf, dim=0),
            sample((2, 3), p=1.5),
            sample(()),
        ],
        domains=(apart,),
        errors=[
            bad(lambda: tg.norm(MATRIX, "nuc", 0), tg.ShapeError, "norm", "two axes", "got 1"),
            bad(lambda: tg.norm(MATRIX, "unclear"), tg.ArgumentError, "norm", "'unclear'"),
            bad(lambda: tg.norm(MATRIX, dim=2), tg.RangeError, "norm", "[-2, 2)"),
            bad(lambda: tg.norm(MATRIX, out=MATRIX), tg.ArgumentError, "norm", "`out`"),
        ],
    ),
    Row(
        "norm/count",
        tg.norm,
        lambda x, p: np.count_nonzero(x),
        "norm",
        [sample((2, 3), p=0)],
        twice=False,
        special=False,
    ),
    Row(
        "cdist",
        tg.cdist,
        rows_apart,
        "cdist",
        # Not smooth: PyTorch has no second derivative.
        [
            sample((3, 2), (4, 2), smooth=False),
            sample((2, 3, 2), (1, 2, 2), smooth=False, p=1.0),
            sample((2, 2), (2, 2), smooth=False, p=3.0),
            sample((2, 2), (3, 2), smooth=False, p=math.inf),
        ],
        special=False,
        errors=[
            bad(lambda: tg.cdist(MATRIX, VECTOR), tg.ShapeError, "cdist", "rows of one length"),
            bad(lambda: tg.cdist(MATRIX, MATRIX, -1.0), tg.ArgumentError, "cdist", "p must be ≥ 0"),
            bad(lambda: tg.cdist(MATRIX, MATRIX, compute_mode="fast"), tg.ArgumentError, "cdist", "'fast'"),
        ],
    ),
    Row("cdist/twice", tg.cdist, rows_apart, None, [sample((3, 2), (2, 2), p=p) for p in (2.0, 3.0)], special=False),
    Row(
        "normalize",
        F.normalize,
        lambda x, p=2.0, dim=1, eps=1e-12: x / np.maximum(norm_by_definition(x, p, dim, True), eps),
        "nn.functional.normalize",
        [sample((2, 3)), sample((2, 3, 2), p=1, dim=0), sample((2, 3), eps=10.0), sample((3,), dim=-1)],
        domains=(nonzero,),
        special=False,
    ),
    Row(
        "cosine_similarity",
        F.cosine_similarity,
        lambda x, y, dim=1, eps=1e-8: (
            (x * y).sum(dim) / (np.sqrt((x * x).sum(dim)) * np.sqrt((y * y).sum(dim))).clip(eps)
        ),
        "nn.functional.cosine_similarity",
        [sample((2, 3), (2, 3)), sample((2, 3, 2), (1, 3, 2), dim=1), sample((3,), (3,), dim=0)],
        domains=(nonzero,),
        special=False,
        errors=[bad(lambda: F.cosine_similarity(MATRIX, tg.zeros(2, 4)), tg.ShapeError, "cosine_similarity")],
    ),
    Row(
        "pdist",
        tg.pdist,
        lambda x, p=2.0: rows_apart(x, x, p)[np.triu_indices(len(x), 1)],
        "pdist",
        [sample((4, 2), smooth=False), sample((3, 2), smooth=False, p=1.0), sample((3, 3), smooth=False, p=3.0)],
        special=False,
        errors=[
            bad(lambda: tg.pdist(VECTOR), tg.ShapeError, "pdist", "rows (N, M)"),
            bad(lambda: tg.pdist(MATRIX, -1.0), tg.ArgumentError, "pdist", "p must be ≥ 0"),
        ],
    ),
    Row(
        "pairwise_distance",
        F.pairwise_distance,
        lambda x, y, p=2.0, eps=1e-6, keepdim=False: norm_by_definition(x - y + eps, p, -1, keepdim),
        "nn.functional.pairwise_distance",
        [sample((2, 3), (2, 3)), sample((2, 3), (3,), p=1.0, keepdim=True), sample((3,), (3,), p=3.0, eps=0.1)],
        special=False,
    ),
]

ROWS = [*PRODUCTS, *NORMS]
