"""Rows of tensorgrad/ops/linalg: norms, products, inverses and equations, factorizations."""

import math

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, nonzero, normal, sample
from tensorgrad import linalg


def invertible(rng, shape):
    """Matrices that are far from singular."""
    x = rng.standard_normal(shape)
    return x + (3 * np.eye(*shape[-2:]) if len(shape) > 1 and shape[-1] == shape[-2] else 0)


SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
SQUARE = [sample((1, 1)), sample((3, 3)), sample((2, 2, 2)), sample((0, 2, 2))]
ANY = [sample((3, 2)), sample((2, 3)), sample((2, 2, 2)), sample((1, 3))]


def singular(name, function):
    return bad(lambda: function(tg.ones(2, 2)), tg.ArgumentError, name, "singular", "(2, 2)")


def not_square(name, function):
    return bad(lambda: function(tg.zeros(2, 3)), tg.ShapeError, name, "square", "(2, 3)")


def row(name, function, reference, torch, samples, **more):
    """A row of matrices, which have no float16."""
    more = {"domains": (normal,), "float16": False, "special": False} | more
    return Row(name, function, reference, torch, samples, **more)


def spd(x):
    """A symmetric positive definite matrix."""
    x = x if isinstance(x, np.ndarray) else tg.as_tensor(x)  # also of a list that holds tensors
    return x @ x.mT + np.eye(x.shape[-2], dtype=x.dtype)


def torch_spd(torch, x):
    return x @ x.mT + torch.eye(x.shape[-2], dtype=x.dtype)


def by_rows(function):
    """A function of one matrix for each of many."""

    def reference(x, **params):
        found = [np.asarray(function(m, **params)) for m in x.reshape(-1, *x.shape[-2:])]
        return np.reshape(found, x.shape[:-2] + np.shape(found[0])) if found else x[..., 0, 0]

    return reference


def expanded(x):
    """The determinant by Laplace's rule."""
    if len(x) == 1:
        return x[0, 0]
    return math.fsum((-1) ** k * x[0, k] * expanded(np.delete(x[1:], k, 1)) for k in range(len(x)))


def weighted(u, s, v):
    """A function of a decomposition that doesn't depend on the signs of its vectors."""
    return (u * (s * s).reshape((*s.shape[:-1], 1, s.shape[-1]))) @ v


def by_svd(x):
    return weighted(*linalg.svd(x, full_matrices=False))


def by_eigh(x, **params):
    values, q = linalg.eigh(tg.add(x, tg.transpose(x, -1, -2)), **params)
    return weighted(q, values, q.mT)


EQUATIONS = [
    row(
        "inverse",
        tg.inverse,
        lambda x: np.linalg.solve(x, np.broadcast_to(np.eye(x.shape[-1]), x.shape)),
        "linalg.inv",
        SQUARE,
        domains=(invertible,),
        errors=[singular("inv", tg.inverse), not_square("inv", tg.inverse)],
    ),
    row(
        "linalg.solve",
        linalg.solve,
        lambda x, y, left=True: np.linalg.inv(x) @ y if left else y @ np.linalg.inv(x),
        "linalg.solve",
        [
            sample((3, 3), (3, 2)),
            sample((2, 2, 2), (2, 2, 1)),
            sample((3, 3), (3,)),
            sample((2, 2), (3, 2, 1)),
            sample((3, 3), (2, 3), left=False),
        ],
        domains=(invertible, normal),
        errors=[
            bad(lambda: linalg.solve(tg.ones(2, 2), tg.ones(2)), tg.ArgumentError, "solve", "singular"),
            bad(lambda: linalg.solve(tg.ones(2, 2), tg.ones(3, 1)), tg.ShapeError, "solve", "2 rows"),
        ],
    ),
    row(
        "det",
        tg.det,
        by_rows(expanded),
        "det",
        [*SQUARE, sample(SINGULAR)],
        errors=[not_square("det", tg.det), bad(lambda: tg.det(tg.zeros(2)), tg.ShapeError, "det", "two axes")],
    ),
    row("det/rank 1", tg.det, by_rows(expanded), None, [sample(np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 2.0]))]),
    row(
        "slogdet/logabsdet",
        lambda x: tg.slogdet(x).logabsdet,
        lambda x: np.log(np.abs(by_rows(expanded)(x))),
        lambda torch, x: torch.slogdet(x)[1],
        SQUARE,
        domains=(invertible,),
    ),
    row(
        "slogdet/sign",
        lambda x: tg.slogdet(x).sign,
        lambda x: np.sign(by_rows(expanded)(x)),
        lambda torch, x: torch.slogdet(x)[0].detach(),
        [sample((3, 3)), sample((4, 2, 2))],
        differentiable=False,
    ),
    row(
        "logdet/positive",
        lambda x: tg.logdet(spd(x)),
        lambda x: np.log(np.linalg.det(spd(x))),
        None,
        [sample((2, 3, 3))],
    ),
    row(
        "pinverse",
        tg.pinverse,
        lambda x: np.linalg.pinv(x),
        "linalg.pinv",
        ANY,
        errors=[bad(lambda: tg.pinverse(tg.zeros(2)), tg.ShapeError, "pinv", "two axes")],
    ),
    row(
        "linalg.pinv/hermitian",
        lambda x: linalg.pinv(spd(x), hermitian=True),
        lambda x: np.linalg.inv(spd(x)),
        None,
        [sample((3, 3))],
    ),
    row(
        "linalg.lstsq",
        lambda x, y: linalg.lstsq(x, y).solution,
        lambda x, y: np.linalg.lstsq(x, y, rcond=None)[0],
        lambda torch, x, y: torch.linalg.lstsq(x, y, driver="gelsd")[0],
        [sample((4, 2), (4, 3)), sample((2, 3), (2, 1)), sample((3, 3), (3, 2))],
        errors=[bad(lambda: linalg.lstsq(tg.ones(2, 2), tg.ones(3, 1)), tg.ShapeError, "lstsq", "2 rows")],
    ),
    row(
        "linalg.matrix_rank",
        linalg.matrix_rank,
        by_rows(np.linalg.matrix_rank),
        lambda torch, x: torch.linalg.matrix_rank(x.detach()),
        [sample(SINGULAR), sample((2, 3, 2)), sample(np.zeros((2, 2)))],
        result=np.int64,
        differentiable=False,
    ),
]

FACTORS = [
    row(
        "linalg.cholesky",
        lambda x, **params: linalg.cholesky(spd(x), **params),
        lambda x, upper=False: np.swapaxes(np.linalg.cholesky(spd(x)), -1, -2) if upper else np.linalg.cholesky(spd(x)),
        lambda torch, x, **params: torch.linalg.cholesky(torch_spd(torch, x), **params),
        [sample((3, 3)), sample((2, 2, 2)), sample((1, 1)), sample((3, 2), upper=True)],
        errors=[
            bad(lambda: linalg.cholesky(-tg.ones(2, 2)), tg.ArgumentError, "cholesky", "positive definite"),
            not_square("cholesky", linalg.cholesky),
        ],
    ),
    *(
        row(
            f"linalg.qr/{name}",
            lambda x, number=number, **params: linalg.qr(x, **params)[number],
            lambda x, number=number, mode="reduced": np.linalg.qr(x, mode)[number],
            lambda torch, x, number=number, **params: torch.linalg.qr(x, **params)[number],
            [sample((3, 2)), sample((3, 3)), sample((2, 2, 3)), sample((2, 3), mode="complete")],
            errors=[bad(lambda: linalg.qr(tg.ones(2, 2), "full"), tg.ArgumentError, "qr", "'full'")],
        )
        for number, name in enumerate(("Q", "R"))
    ),
    row(
        "linalg.svd",
        by_svd,
        lambda x: weighted(*np.linalg.svd(x, full_matrices=False)),
        lambda torch, x: weighted(*torch.linalg.svd(x, full_matrices=False)),
        ANY,
        errors=[
            bad(lambda: linalg.svd(tg.ones(3, 2, requires_grad=True)), tg.GraphError, "svd", "full_matrices=False"),
            bad(lambda: linalg.svd(tg.ones(2, 2) * np.nan), tg.ArgumentError, "svd", "NaN"),
        ],
    ),
    row("linalg.svdvals", linalg.svdvals, lambda x: np.linalg.svd(x)[1], "linalg.svdvals", ANY),
    row(
        "linalg.eigh",
        by_eigh,
        lambda x, UPLO="L": by_eigh_reference(x),
        lambda torch, x, UPLO="L": weighted(
            torch.linalg.eigh(x + x.mT)[1], torch.linalg.eigh(x + x.mT)[0], torch.linalg.eigh(x + x.mT)[1].mT
        ),
        [sample((3, 3)), sample((2, 2, 2)), sample((3, 3), UPLO="U")],
        errors=[
            not_square("eigh", linalg.eigh),
            bad(lambda: linalg.eigh(tg.ones(2, 2), "X"), tg.ArgumentError, "eigh", "UPLO", "'X'"),
        ],
    ),
    row(
        "linalg.eigvalsh",
        lambda x: linalg.eigvalsh(tg.add(x, tg.transpose(x, -1, -2))),
        lambda x: np.linalg.eigvalsh(x + np.swapaxes(x, -1, -2)),
        lambda torch, x: torch.linalg.eigvalsh(x + x.mT),
        [sample((3, 3)), sample((2, 2, 2))],
    ),
]


FACTORS += [
    row(
        "linalg.qr/complete",
        lambda x: linalg.qr(tg.as_tensor(x).detach(), "complete").R,
        lambda x: np.linalg.qr(x, "complete")[1],
        lambda torch, x: torch.linalg.qr(x.detach(), "complete")[1],
        [sample((3, 2)), sample((2, 3, 1))],
        differentiable=False,
        errors=[
            bad(lambda: linalg.qr(tg.ones(3, 2, requires_grad=True), "complete"), tg.GraphError, "qr", "reduced"),
        ],
    ),
    row(
        "cholesky/older",
        lambda x, **params: tg.cholesky(spd(x), **params),
        lambda x, upper=False: np.swapaxes(np.linalg.cholesky(spd(x)), -1, -2) if upper else np.linalg.cholesky(spd(x)),
        lambda torch, x, **params: torch.linalg.cholesky(torch_spd(torch, x), **params),
        [sample((2, 2)), sample((2, 3, 3), upper=True)],
    ),
    row(
        "qr/older",
        lambda x: tg.qr(x).R,
        lambda x: np.linalg.qr(x)[1],
        lambda torch, x: torch.linalg.qr(x)[1],
        [sample((3, 2)), sample((2, 2, 2))],
        errors=[bad(lambda: tg.qr(tg.ones(3, 2, requires_grad=True), some=False), tg.GraphError, "qr", "reduced")],
    ),
    row(
        "svd/older",
        lambda x, **params: tg.svd(x, **params).S,
        lambda x, **params: np.linalg.svd(x)[1],
        lambda torch, x, **params: torch.linalg.svdvals(x),
        [sample((3, 2)), sample((2, 2, 2)), sample((2, 3), compute_uv=False)],
    ),
    row(
        "linalg.svd/complete",
        lambda x: linalg.svd(tg.as_tensor(x).detach()).S,
        lambda x: np.linalg.svd(x)[1],
        lambda torch, x: torch.linalg.svd(x.detach())[1],
        [sample((3, 2)), sample((2, 1, 3))],
        differentiable=False,
    ),
]


def by_eigh_reference(x):
    x = x + np.swapaxes(x, -1, -2)
    return x @ x @ x @ np.linalg.inv(x)  # λ² for each eigenvector


INF = math.inf
VECTORS = [
    sample((3,)),
    sample((2, 3), dim=0),
    sample((2, 3, 2), dim=(0, 2), keepdim=True),
    *(sample((2, 3), ord=p, dim=1) for p in (1, 3, 2.5, 0.5, INF, -INF, -1)),
    sample(np.array([[0.0, 0.0], [0.0, 2.0]]), dim=1, smooth=False),
    sample(np.array([[0.0, 0.0], [3.0, 3.0]]), ord=INF, dim=1, smooth=False),
    sample(np.array([[0.0, 0.0], [3.0, 3.0]]), ord=0, dim=1, smooth=False),
    sample(()),
]


def vector_norm(x, ord=2, dim=None, keepdim=False):
    size = np.abs(x)
    if math.isinf(ord):
        return (np.max if ord > 0 else np.min)(size, dim, keepdims=keepdim)
    if ord == 0:
        return (size > 0).sum(dim, keepdims=keepdim)
    return (size**ord).sum(dim, keepdims=keepdim) ** (1 / ord)


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False):
    return np.linalg.norm(x, ord, dim, keepdim)


def torch_cond(torch, x, p=None):
    """PyTorch's own changes in place what its second derivative needs."""
    if p in (None, -2):
        return torch.linalg.cond(x, p)
    return torch.linalg.matrix_norm(x, p) * torch.linalg.matrix_norm(torch.linalg.inv(x), p)


NORMS = [
    Row(
        "linalg.vector_norm",
        linalg.vector_norm,
        vector_norm,
        "linalg.vector_norm",
        VECTORS,
        rules={"∂z/∂xᵢ = sign xᵢ · (| xᵢ | / z ) ^ (p − 1)": lambda x, y, z, p: math.copysign(1, x)},
        domains=(nonzero,),
        special=False,
        errors=[
            bad(lambda: linalg.vector_norm(tg.zeros(0), -1), tg.ShapeError, "vector_norm", "needs an element"),
            bad(lambda: linalg.vector_norm(tg.zeros(2), "fro"), tg.DTypeError, "vector_norm", "ord", "number"),
            bad(lambda: linalg.vector_norm(tg.zeros(2), 2, 1), tg.RangeError, "vector_norm", "[-1, 1)", "got 1"),
        ],
    ),
    row(
        "linalg.matrix_norm",
        linalg.matrix_norm,
        matrix_norm,
        "linalg.matrix_norm",
        [
            *(sample((2, 3), ord=order) for order in ("fro", 1, -1, INF, -INF)),
            sample((3, 2, 2), ord=1, dim=(0, -1), keepdim=True),
            sample((2, 3, 2)),
        ],
        errors=[
            bad(lambda: linalg.matrix_norm(tg.zeros(2, 2), 3), tg.ArgumentError, "matrix_norm", "got 3"),
            bad(lambda: linalg.matrix_norm(tg.zeros(2)), tg.ShapeError, "matrix_norm", "two axes"),
            bad(lambda: linalg.matrix_norm(tg.zeros(2, 2), 1, (0, 0)), tg.ArgumentError, "different axes"),
        ],
        float16=True,
    ),
    row(
        "linalg.matrix_norm/by singular values",
        linalg.matrix_norm,
        matrix_norm,
        "linalg.matrix_norm",
        [sample((2, 3), ord=order) for order in ("nuc", 2, -2)],
    ),
    row(
        "linalg.norm",
        linalg.norm,
        lambda x, ord=None, dim=None, keepdim=False: np.linalg.norm(
            x if dim is not None or x.ndim < 3 else x.reshape(-1), ord, dim, keepdim
        ),
        "linalg.norm",
        [
            sample((2, 3)),
            sample((2, 3, 2)),
            sample((4,), ord=3),
            sample((2, 3), ord=1),
            sample((2, 3), ord=1, dim=0),
            sample((2, 3), ord=2, dim=1, keepdim=True),
        ],
        float16=True,
        errors=[bad(lambda: linalg.norm(tg.zeros(2, 2, 2), 2), tg.ArgumentError, "norm", "one or two")],
    ),
    row(
        "linalg.norm/by singular values",
        linalg.norm,
        matrix_norm,
        "linalg.norm",
        [sample((2, 3, 2), ord="nuc", dim=(0, 1))],
    ),
    row(
        "linalg.cond",
        linalg.cond,
        by_rows(np.linalg.cond),
        torch_cond,
        [sample((3, 3)), sample((3, 3), p=1), sample((2, 2, 2), p="fro"), sample((2, 2), p=-2), sample((3, 2))],
        domains=(invertible,),
        errors=[bad(lambda: linalg.cond(tg.zeros(2, 3), 1), tg.ShapeError, "cond", "square")],
    ),
    Row(
        "dist",
        tg.dist,
        lambda x, y, p=2: vector_norm(x - y, p),
        "dist",
        [sample((3,), (3,)), sample((2, 3), (3,), p=1), sample((2, 1), (3,), p=3), sample((2, 2), (2, 2), p=INF)],
        special=False,
    ),
    Row(
        "renorm",
        tg.renorm,
        lambda x, p, dim, maxnorm: np.stack(
            [
                m * (maxnorm / (vector_norm(m, p) + 1e-7) if vector_norm(m, p) > maxnorm else 1)
                for m in np.moveaxis(x, dim, 0)
            ],
            dim,
        ),
        lambda torch, x, p, dim, maxnorm: torch.renorm(x, p, dim, maxnorm),
        [sample((3, 2), p=2, dim=0, maxnorm=1.0), sample((2, 3, 2), p=1, dim=1, maxnorm=2.0)],
        domains=(nonzero,),
        special=False,
        errors=[
            bad(lambda: tg.renorm(tg.zeros(2), 2, 0, 1.0), tg.ShapeError, "renorm", "two axes"),
            bad(lambda: tg.renorm(tg.zeros(2, 2), 0, 0, 1.0), tg.ArgumentError, "renorm", "p must be > 0, got 0"),
            bad(lambda: tg.renorm(tg.zeros(2, 2), 2, 0, -1.0), tg.ArgumentError, "renorm", "maxnorm must be ≥ 0"),
        ],
    ),
]


def added(name, shapes, product):
    function = getattr(tg, name)
    return Row(
        name,
        function,
        lambda x, a, b, beta=1, alpha=1: beta * x + alpha * product(a, b),
        name,
        [sample(*shapes), sample(*shapes, beta=0.5, alpha=-2)],
        special=False,
        integers="",
        errors=[
            bad(lambda: function(1.0, tg.zeros(2, 2, 2, 2), tg.zeros(2)), tg.ShapeError, name, "axes"),
            bad(lambda: function(tg.zeros(9, 9, 9, 9), *map(tg.zeros, shapes[1:])), tg.ShapeError, name, "broadcast"),
        ],
    )


def chained(*xs):
    z = xs[0]
    for x in xs[1:]:
        z = np.tensordot(z, x, 1)
    return z


def torch_vander(torch, x, N=None, increasing=False):
    """PyTorch's own changes in place what its derivatives need."""
    exponents = torch.arange(len(x) if N is None else N)
    return x[:, None] ** (exponents if increasing else exponents.flip(0))


PRODUCTS = [
    added("addmm", ((2,), (3, 4), (4, 2)), np.dot),
    added("addmv", ((3,), (3, 4), (4,)), np.dot),
    added("addr", ((3, 1), (3,), (4,)), np.outer),
    added("baddbmm", ((3, 1), (2, 3, 4), (2, 4, 2)), lambda a, b: np.einsum("bij,bjk->bik", a, b)),
    added("addbmm", ((2,), (2, 3, 4), (2, 4, 2)), lambda a, b: np.einsum("bij,bjk->ik", a, b)),
    Row("vdot", tg.vdot, np.vdot, "vdot", [sample((3,), (3,))], special=False, integers="same"),
    Row(
        "kron",
        tg.kron,
        np.kron,
        "kron",
        [sample((2, 3), (2, 2)), sample((2,), (1, 3)), sample((), (3,)), sample((2, 1, 2), (3, 2))],
        special=False,
        integers="same",
    ),
    Row(
        "cross",
        tg.cross,
        lambda x, y, dim=-1: np.cross(x, y, axis=dim),
        lambda torch, x, y, dim=-1: torch.linalg.cross(x, y, dim=dim),
        [sample((3,), (3,)), sample((2, 3), (2, 3)), sample((3, 2), (3, 2), dim=0), sample((2, 3), (1, 3), dim=1)],
        special=False,
        integers="same",
        errors=[
            bad(lambda: tg.cross(tg.zeros(2), tg.zeros(2)), tg.ShapeError, "cross", "length 3"),
            bad(lambda: linalg.cross(tg.zeros(3), tg.zeros(1, 3)), tg.ShapeError, "cross", "as many axes"),
        ],
    ),
    Row(
        "linalg.vecdot",
        linalg.vecdot,
        lambda x, y, dim=-1: np.sum(x * y, dim),
        "linalg.vecdot",
        [sample((3,), (3,)), sample((2, 3), (3,)), sample((3, 2), (3, 2), dim=0)],
        special=False,
    ),
    Row(
        "matrix_power",
        tg.matrix_power,
        lambda x, n: np.linalg.matrix_power(x, n),
        "matrix_power",
        [sample((3, 3), n=n) for n in (0, 1, 2, 5)] + [sample((2, 2, 2), n=3)],
        special=False,
        integers="same",
        errors=[
            not_square("matrix_power", lambda x: tg.matrix_power(x, 2)),
            bad(lambda: tg.matrix_power(tg.ones(2, 2), 1.5), tg.DTypeError, "matrix_power", "n must be an int"),
        ],
    ),
    row(
        "matrix_power/negative",
        tg.matrix_power,
        lambda x, n: np.linalg.matrix_power(x, n),
        "matrix_power",
        [sample((3, 3), n=-1), sample((2, 2, 2), n=-3)],
        domains=(invertible,),
        errors=[singular("inv", lambda x: tg.matrix_power(x, -1))],
    ),
    Row(
        "linalg.multi_dot",
        lambda *xs: linalg.multi_dot(xs),
        chained,
        lambda torch, *xs: torch.linalg.multi_dot(xs),
        [
            sample((2, 3), (3, 2)),
            sample((2, 5), (5, 1), (1, 3), (3, 2)),
            sample((2,), (2, 3), (3,)),
            sample((3,), (3, 2), (2, 2)),
        ],
        special=False,
        errors=[
            bad(lambda: linalg.multi_dot([tg.zeros(2, 2)]), tg.ShapeError, "multi_dot", "two tensors or more, got 1"),
            bad(lambda: linalg.multi_dot([tg.zeros(2, 3)] * 2), tg.ShapeError, "multi_dot", "inner sizes"),
        ],
    ),
    Row(
        "vander",
        tg.vander,
        np.vander,
        torch_vander,
        [sample((3,)), sample((3,), N=4), sample((2,), N=3, increasing=True)],
        domains=(nonzero,),
        special=False,
        integers="same",
        errors=[bad(lambda: tg.vander(tg.zeros(2, 2)), tg.ShapeError, "vander", "one axis")],
    ),
    Row(
        "linalg.vander",
        linalg.vander,
        lambda x, N=None: x[..., None] ** np.arange(x.shape[-1] if N is None else N),
        lambda torch, x, N=None: x[..., None] ** torch.arange(x.shape[-1] if N is None else N),
        [sample((2, 3)), sample((3,), N=2)],
        domains=(nonzero,),
        special=False,
    ),
    Row(
        "block_diag",
        tg.block_diag,
        lambda *xs: blocks([np.atleast_2d(x) for x in xs]),
        "block_diag",
        [sample((2, 3), (1, 2)), sample((2,), (), (2, 2)), sample((2, 2))],
        special=False,
        integers="same",
        errors=[bad(lambda: tg.block_diag(tg.zeros(2, 2, 2)), tg.ShapeError, "block_diag", "two axes")],
    ),
    Row(
        "linalg.diagonal",
        linalg.diagonal,
        lambda x, offset=0, dim1=-2, dim2=-1: np.diagonal(x, offset, dim1, dim2),
        "linalg.diagonal",
        [
            sample((3, 3)),
            sample((2, 4), offset=1),
            sample((3, 2, 2), offset=-1, dim1=0, dim2=2),
            sample((2, 2), offset=5),
        ],
        special=False,
        errors=[bad(lambda: linalg.diagonal(tg.zeros(2, 2), dim1=1), tg.ArgumentError, "diagonal", "different axes")],
    ),
]


def blocks(xs):
    z, i, j = np.zeros(np.sum([x.shape for x in xs], 0)), 0, 0
    for x in xs:
        z[i : i + x.shape[0], j : j + x.shape[1]] = x
        i, j = i + x.shape[0], j + x.shape[1]
    return z


ROWS = [*EQUATIONS, *FACTORS, *NORMS, *PRODUCTS]
