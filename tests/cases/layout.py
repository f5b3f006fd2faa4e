"""Rows of tensorgrad/ops/layout/: views, repeats, stacking, diagonals."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, sample


def joined(function):
    """The elements of all results of a function, in a row."""

    def together(*tensors, **params):
        return tg.concatenate([t.reshape(-1) for t in function(*tensors, **params)])

    return together


def torch_sections(name):
    """PyTorch's `tensor_split` and its kin, which have other keywords for a number of parts and for indices."""

    def together(torch, x, indices_or_sections, **params):
        return torch.cat([t.reshape(-1) for t in getattr(torch, name)(x, indices_or_sections, **params)])

    return together


def torch_joined(name):
    return lambda torch, *tensors, **params: torch.cat(
        [t.reshape(-1) for t in getattr(torch, name)(*tensors, **params)]
    )


def in_a_row(arrays):
    return np.concatenate([x.ravel() for x in arrays])


def method(name):
    """A method that isn't a function."""
    return lambda x, *others, **params: getattr(tg.as_tensor(x), name)(*others, *params.values())


def torch_method(name):
    return lambda torch, x, *others, **params: getattr(x, name)(*others, *params.values())


def windows_by_hand(x, dimension, size, step):
    dimension %= x.ndim
    starts = range(0, x.shape[dimension] - size + 1, step)
    return np.stack([np.moveaxis(np.take(x, range(k, k + size), dimension), dimension, -1) for k in starts], dimension)


def listed(function):
    """A function of a list, on tensors."""
    return lambda *tensors: function(list(tensors))


def torch_listed(name):
    return lambda torch, *tensors: getattr(torch, name)(list(tensors))


MATRIX = tg.zeros(2, 3)

VIEWS = [
    Row(
        "view/sizes",
        lambda x, shape: tg.as_tensor(x).contiguous().view(shape),
        lambda x, shape: x.ravel().reshape(shape),
        torch_method("view"),
        [
            sample((2, 3), shape=(3, 2)),
            sample((2, 3), shape=-1),
            sample((), shape=(1, 1)),
            sample((0, 3), shape=(3, 0)),
        ],
        integers="same",
        errors=[
            bad(lambda: MATRIX.swapaxes(0, 1).view(6), tg.ShapeError, "view", "layout in memory", "use reshape"),
            bad(lambda: MATRIX.view(4), tg.ShapeError, "reshape", "(2, 3)"),
            bad(lambda: MATRIX.view(np.int32), tg.DTypeError, "view", "another dtype"),
        ],
    ),
    Row(
        "contiguous/of a transposed",
        lambda x: tg.as_tensor(x).swapaxes(0, -1).contiguous(),
        lambda x: x.swapaxes(0, -1),
        lambda torch, x: x.swapaxes(0, -1).contiguous(),
        [sample((2, 3)), sample((3,))],
    ),
    *(
        Row(
            f"{name}/method",
            lambda x, y, name=name: getattr(tg.as_tensor(x).contiguous(), name)(y),
            lambda x, y: np.broadcast_to(x, y.shape) if x.size < y.size else x.reshape(y.shape),
            torch_method(name),
            samples,
        )
        for name, samples in (
            ("view_as", [sample((2, 3), np.zeros((3, 2), int))]),
            ("reshape_as", [sample((2, 3), np.zeros((3, 2), int))]),
            ("expand_as", [sample((3,), np.zeros((2, 3), int))]),
        )
    ),
    Row(
        "select",
        tg.select,
        lambda x, dim, index: np.take(x, index, dim),
        "select",
        [sample((3, 4), dim=0, index=1), sample((3, 4), dim=-1, index=-1), sample((3,), dim=0, index=2)],
        integers="same",
        errors=[
            bad(lambda: tg.select(MATRIX, 1, 3), tg.RangeError, "select", "[-3, 3), got 3"),
            bad(lambda: tg.select(MATRIX, 2, 0), tg.RangeError, "select", "dim must be in [-2, 2)"),
            bad(lambda: tg.select(tg.zeros(()), 0, 0), tg.ShapeError, "select", "no axes"),
        ],
    ),
    Row(
        "narrow",
        tg.narrow,
        lambda x, dim, start, length: np.take(x, np.arange(start, start + length) % x.shape[dim], dim),
        "narrow",
        [
            sample((3, 4), dim=0, start=1, length=2),
            sample((3, 4), dim=1, start=-3, length=2),
            sample((3,), dim=0, start=3, length=0),
        ],
        errors=[
            bad(lambda: tg.narrow(MATRIX, 1, 2, 2), tg.RangeError, "narrow", "got 2 and 2"),
            bad(lambda: tg.narrow(MATRIX, 1, -4, 1), tg.RangeError, "narrow", "start must be in [-3, 3]"),
        ],
    ),
    Row(
        "unbind/all",
        joined(tg.unbind),
        lambda x, dim=0: np.moveaxis(x, dim, 0).ravel(),
        torch_joined("unbind"),
        [sample((3, 4)), sample((3, 4), dim=1), sample((3,))],
        errors=[bad(lambda: tg.unbind(tg.zeros(())), tg.ShapeError, "unbind", "no axes")],
    ),
    Row(
        "tensor_split/all",
        joined(tg.tensor_split),
        lambda x, indices_or_sections, dim=0: in_a_row(np.array_split(x, indices_or_sections, dim)),
        torch_sections("tensor_split"),
        [
            sample((5, 2), indices_or_sections=3),
            sample((2, 5), indices_or_sections=(1, 3), dim=-1),
            sample((3, 4), indices_or_sections=(3, 1, -1), dim=1),
            sample((2,), indices_or_sections=4),
        ],
        errors=[
            bad(lambda: tg.tensor_split(MATRIX, 0), tg.ArgumentError, "indices_or_sections must be at least 1"),
            bad(lambda: tg.tensor_split(MATRIX, 1.5), tg.DTypeError, "indices_or_sections must be whole numbers"),
            bad(lambda: tg.tensor_split(tg.zeros(()), 2), tg.ShapeError, "input must have an axis"),
        ],
    ),
    *(
        Row(
            f"{name}/all",
            joined(getattr(tg, name)),
            lambda x, indices_or_sections, name=name: in_a_row(getattr(np, name)(x, indices_or_sections)),
            torch_sections(name),
            samples,
            errors=[
                bad(lambda name=name: getattr(tg, name)(tg.zeros(3, 3, 3), 2), tg.ArgumentError, name, "must divide"),
                bad(lambda name=name: getattr(tg, name)(tg.zeros(()), 2), tg.ShapeError, name, "at least"),
            ],
        )
        for name, samples in (
            ("hsplit", [sample((2, 4), indices_or_sections=2), sample((4,), indices_or_sections=(1,))]),
            ("vsplit", [sample((4, 2), indices_or_sections=2), sample((3, 1, 2), indices_or_sections=(1, 2))]),
            ("dsplit", [sample((2, 1, 4), indices_or_sections=2), sample((1, 2, 3), indices_or_sections=(1, 2))]),
        )
    ),
    Row(
        "chunk/all",
        joined(tg.chunk),
        lambda x, chunks, dim=0: in_a_row(np.split(x, range(0, x.shape[dim], -(-x.shape[dim] // chunks)), dim)),
        torch_joined("chunk"),
        [sample((5, 2), chunks=2, dim=1), sample((2, 5), chunks=4, dim=1), sample((2, 6), chunks=3, dim=-1)],
        errors=[bad(lambda: tg.chunk(MATRIX, 0), tg.ArgumentError, "chunk", "chunks must be at least 1")],
    ),
    Row(
        "unflatten",
        tg.unflatten,
        lambda x, dim, sizes: x.reshape(*x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :]),
        "unflatten",
        [
            sample((2, 12), dim=1, sizes=(3, -1)),
            sample((6, 2), dim=0, sizes=(3, 2)),
            sample((2, 4), dim=-1, sizes=(2, 2)),
        ],
        errors=[
            bad(lambda: tg.unflatten(MATRIX, 1, (2, 2)), tg.ShapeError, "unflatten", "product 3"),
            bad(lambda: tg.unflatten(MATRIX, 1, (2, -1)), tg.ShapeError, "unflatten", "product 3"),
        ],
    ),
    Row(
        "unfold/windows",
        method("unfold"),
        windows_by_hand,
        torch_method("unfold"),
        [
            sample((7,), dimension=0, size=3, step=2),
            sample((2, 6), dimension=1, size=3, step=1),
            sample((5, 2), dimension=-2, size=2, step=3),
            sample((3,), dimension=0, size=3, step=1),
        ],
        errors=[
            bad(lambda: MATRIX.unfold(1, 4, 1), tg.ArgumentError, "unfold", "size must be at most 3"),
            bad(lambda: MATRIX.unfold(1, 2, 0), tg.ArgumentError, "unfold", "step must be at least 1"),
        ],
    ),
    Row(
        "broadcast_tensors/all",
        joined(tg.broadcast_tensors),
        lambda *xs: in_a_row(np.broadcast_arrays(*xs)),
        torch_joined("broadcast_tensors"),
        [sample((3, 1), (4,)), sample((), (2,))],
        errors=[bad(lambda: tg.broadcast_tensors(MATRIX, tg.zeros(4)), tg.ShapeError, "broadcast", "(2, 3)", "(4,)")],
    ),
    Row(
        "broadcast_shapes/as a tensor",
        lambda: tg.tensor(tg.broadcast_shapes((3, 1), 4, (2, 1, 1))),
        lambda: np.array([2, 3, 4]),
        lambda torch: torch.tensor(torch.broadcast_shapes((3, 1), 4, (2, 1, 1))),
        [sample()],
        result=np.int64,
        differentiable=False,
    ),
]

REPEATS = [
    Row(
        "repeat/method",
        method("repeat"),
        lambda x, repeats: np.tile(x, repeats),
        torch_method("repeat"),
        [
            sample((3,), repeats=(2,)),
            sample((2, 3), repeats=(2, 1, 3)),
            sample((), repeats=(2,)),
            sample((2,), repeats=(0,)),
        ],
        errors=[
            bad(lambda: MATRIX.repeat(2), tg.ShapeError, "repeat", "each of the 2 axes", "tg.tile"),
            bad(lambda: MATRIX.repeat(2, -1), tg.ArgumentError, "repeat", "≥ 0"),
        ],
    ),
    Row(
        "tile",
        tg.tile,
        lambda x, dims: np.tile(x, dims),
        "tile",
        [sample((2, 3), dims=(2,)), sample((3,), dims=(2, 2)), sample((2, 3), dims=(1, 1))],
        integers="same",
        errors=[bad(lambda: tg.tile(MATRIX, (-1,)), tg.ArgumentError, "tile", "≥ 0")],
    ),
    Row(
        "repeat_interleave",
        tg.repeat_interleave,
        lambda x, repeats=None, dim=None: np.repeat(x, repeats, dim),
        lambda torch, x, repeats, dim=None: torch.repeat_interleave(
            x, repeats if isinstance(repeats, int) else torch.as_tensor(repeats), dim
        ),
        [
            sample((2, 3), repeats=2),
            sample((2, 3), repeats=3, dim=1),
            sample((3,), repeats=np.array([2, 0, 1]), dim=0),
            sample((2, 2), repeats=np.array([1, 2]), dim=-1),
        ],
        errors=[
            bad(lambda: tg.repeat_interleave(MATRIX, [1.5]), tg.DTypeError, "repeats must be integers"),
            bad(lambda: tg.repeat_interleave(MATRIX, -1), tg.ArgumentError, "repeats must be ≥ 0"),
            bad(lambda: tg.repeat_interleave(MATRIX, [1, 2], 1), tg.ShapeError, "one count, or 3"),
            bad(lambda: tg.repeat_interleave(MATRIX, 2, 1, output_size=5), tg.ArgumentError, "output_size must be 6"),
        ],
    ),
    Row(
        "repeat_interleave/counts alone",
        tg.repeat_interleave,
        lambda k: np.repeat(np.arange(3), k),
        "repeat_interleave",
        [sample(np.array([2, 0, 3]))],
        result=np.int64,
        differentiable=False,
    ),
    Row(
        "roll",
        tg.roll,
        lambda x, shifts, dims=None: np.roll(x, shifts, dims),
        "roll",
        [
            sample((2, 3), shifts=1),
            sample((2, 3), shifts=-2, dims=1),
            sample((3, 4), shifts=(1, -1), dims=(0, 1)),
            sample((3, 4), shifts=(1, 1), dims=(0, 0)),
            sample((0, 2), shifts=1, dims=0),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.roll(MATRIX, (1, 2)), tg.ArgumentError, "roll", "need dims"),
            bad(lambda: tg.roll(MATRIX, (1, 2), 0), tg.ArgumentError, "roll", "same length"),
        ],
    ),
    Row(
        "rot90",
        tg.rot90,
        lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims),
        "rot90",
        [sample((2, 3)), *(sample((2, 3, 2), k=k, dims=(2, 0)) for k in (-1, 0, 2, 5))],
        errors=[
            bad(lambda: tg.rot90(tg.zeros(3)), tg.ShapeError, "rot90", "two axes"),
            bad(lambda: tg.rot90(MATRIX, 1, (0, 0)), tg.ArgumentError, "rot90", "two different axes"),
        ],
    ),
    *(
        Row(
            name,
            getattr(tg, name),
            reference,
            name,
            [sample((2, 3))],
            errors=[bad(lambda name=name: getattr(tg, name)(tg.zeros(())), tg.ShapeError, name, "axes")],
        )
        for name, reference in (("fliplr", lambda x: x[:, ::-1]), ("flipud", lambda x: x[::-1]))
    ),
]

STACKING = [
    *(
        Row(
            f"{name}/listed",
            listed(getattr(tg, name)),
            lambda *xs, name=name: getattr(np, "vstack" if name == "row_stack" else name)(xs),
            torch_listed(name),
            samples,
            errors=[
                bad(lambda name=name: getattr(tg, name)([]), tg.ShapeError, name.replace("row_", "v"), "at least one"),
                bad(
                    lambda name=name: getattr(tg, name)(tg.zeros(())), tg.DTypeError, name.replace("row_", "v"), "list"
                ),
            ],
        )
        for name, samples in (
            ("hstack", [sample((2,), (3,)), sample((2, 1), (2, 3)), sample((), (2,))]),
            ("vstack", [sample((2,), (2,)), sample((1, 2), (2,)), sample((), ())]),
            ("row_stack", [sample((2,), (2,))]),
            ("dstack", [sample((2,), (2,)), sample((2, 3), (2, 3, 2)), sample((), ())]),
            ("column_stack", [sample((2,), (2,)), sample((2, 2), (2,)), sample((), ())]),
        )
    ),
    *(
        Row(
            f"atleast_{n}d",
            getattr(tg, f"atleast_{n}d"),
            getattr(np, f"atleast_{n}d"),
            f"atleast_{n}d",
            [sample(())] if n == 1 else [sample(()), sample((2,))],
        )
        for n in (1, 2, 3)
    ),
    Row(
        "meshgrid/all",
        joined(tg.meshgrid),
        lambda *xs, indexing="ij": in_a_row(np.meshgrid(*xs, indexing=indexing)),
        torch_joined("meshgrid"),
        [sample((2,), (3,)), sample((2,), (3,), indexing="xy"), sample((2,), (), (3,), indexing="ij")],
        errors=[
            bad(lambda: tg.meshgrid(MATRIX), tg.ShapeError, "meshgrid", "one axis"),
            bad(lambda: tg.meshgrid([1, 2], indexing="ji"), tg.ArgumentError, "meshgrid", "'ji'"),
        ],
    ),
    Row(
        "cartesian_prod",
        tg.cartesian_prod,
        lambda *xs: np.stack([grid.ravel() for grid in np.meshgrid(*xs, indexing="ij")], 1) if len(xs) > 1 else xs[0],
        "cartesian_prod",
        [sample((2,), (3,)), sample((2,), (1,), (2,)), sample((2,))],
    ),
]

DIAGONALS = [
    Row(
        "diagonal",
        tg.diagonal,
        lambda x, offset=0, dim1=0, dim2=1: x.diagonal(offset, dim1, dim2),
        "diagonal",
        [
            sample((3, 3)),
            sample((2, 4), offset=1),
            sample((2, 3, 4), offset=-1, dim1=2, dim2=0),
            sample((2, 2), offset=1, dim1=-1, dim2=-2),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.diagonal(tg.zeros(3)), tg.ShapeError, "diagonal", "two axes"),
            bad(lambda: tg.diagonal(MATRIX, 0, 1, -1), tg.ArgumentError, "diagonal", "must be two axes"),
        ],
    ),
    Row(
        "diag_embed",
        tg.diag_embed,
        lambda x, offset=0, dim1=-2, dim2=-1: np.moveaxis(
            x[..., None] * np.eye(x.shape[-1] + abs(offset), k=offset)[max(-offset, 0) :][: x.shape[-1]]
            if not offset
            else np.apply_along_axis(np.diag, -1, x, offset),
            (-2, -1),
            (dim1, dim2),
        ),
        "diag_embed",
        [sample((3,)), sample((2, 3), offset=1), sample((2, 3), offset=-2), sample((2, 3), dim1=2, dim2=0)],
        special=False,
        errors=[bad(lambda: tg.diag_embed(tg.zeros(())), tg.ShapeError, "diag_embed", "must have an axis")],
    ),
    Row(
        "diagflat",
        tg.diagflat,
        lambda x, offset=0: np.diagflat(x, offset),
        "diagflat",
        [sample((2, 2)), sample((3,), offset=1)],
    ),
    Row(
        "diag",
        tg.diag,
        lambda x, diagonal=0: np.diag(x, diagonal),
        "diag",
        [sample((3,)), sample((2, 3), diagonal=1), sample((3,), diagonal=-1), sample((3, 2))],
        errors=[bad(lambda: tg.diag(tg.zeros(2, 2, 2)), tg.ShapeError, "diag", "vector or a matrix", "diag_embed")],
    ),
    Row(
        "trace",
        tg.trace,
        lambda x: sum(x[k, k] for k in range(min(x.shape))),
        "trace",
        [sample((3, 3)), sample((2, 4))],
        integers="same",
        errors=[bad(lambda: tg.trace(tg.zeros(3)), tg.ShapeError, "trace", "must be a matrix")],
    ),
    *(
        Row(
            name,
            getattr(tg, name),
            lambda x, diagonal=0, keep=keep: np.where(keep(*np.indices(x.shape[-2:]), diagonal), x, 0),
            name,
            [sample((3, 3)), sample((2, 3), diagonal=1), sample((2, 2, 3), diagonal=-1)],
            integers="same",
            errors=[bad(lambda name=name: getattr(tg, name)(tg.zeros(3)), tg.ShapeError, name, "two axes")],
        )
        for name, keep in (("tril", lambda i, j, k: j - i <= k), ("triu", lambda i, j, k: j - i >= k))
    ),
    *(
        Row(
            name,
            lambda name=name: getattr(tg, name)(2, 4, -1 if name == "tril_indices" else 1),
            lambda name=name: (
                np.array([[1], [0]]) if name == "tril_indices" else np.array([[0, 0, 0, 1, 1], [1, 2, 3, 2, 3]])
            ),
            lambda torch, name=name: getattr(torch, name)(2, 4, -1 if name == "tril_indices" else 1),
            [sample()],
            result=np.int64,
            differentiable=False,
            errors=[bad(lambda name=name: getattr(tg, name)(-1, 2), tg.ArgumentError, name, "row must be at least 0")],
        )
        for name in ("tril_indices", "triu_indices")
    ),
]

DIFFERENCES = [
    Row(
        "diff",
        tg.diff,
        lambda x, n=1, dim=-1: np.diff(x, n, dim),
        "diff",
        [
            sample((4,)),
            sample((3, 4), n=2, dim=0),
            sample((3,), n=0),
            sample((2,), n=3),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.diff(tg.zeros(())), tg.ShapeError, "diff", "no axis"),
            bad(lambda: tg.diff(MATRIX, -1), tg.ArgumentError, "diff", "n must be at least 0"),
        ],
    ),
    Row(
        "diff/with ends",
        lambda x, a, b: tg.diff(x, 1, 1, a, b),
        lambda x, a, b: np.diff(np.concatenate([a, x, b], 1), 1, 1),
        lambda torch, x, a, b: torch.diff(x, 1, 1, a, b),
        [sample((2, 3), (2, 1), (2, 2))],
    ),
    Row(
        "diff/bools",
        tg.diff,
        lambda x: x[1:] != x[:-1],
        "diff",
        [sample(np.array([True, False, False]))],
        result=np.bool_,
        differentiable=False,
    ),
]
PROPERTIES = [
    Row(
        f"{name}/as a tensor",
        lambda name=name: tg.as_tensor(getattr(tg, name)(tg.zeros(2, 3, dtype="float64"))),
        lambda value=value: np.array(value),
        lambda torch, name=name: torch.tensor(getattr(torch, name)(torch.zeros(2, 3, dtype=torch.float64))),
        [sample()],
        result=np.int64 if name == "numel" else np.bool_,
        differentiable=False,
    )
    for name, value in (("is_tensor", True), ("is_floating_point", True), ("numel", 6))
]

ROWS = [*VIEWS, *REPEATS, *STACKING, *DIAGONALS, *DIFFERENCES, *PROPERTIES]
