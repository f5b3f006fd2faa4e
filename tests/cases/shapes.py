"""Rows of tensorgrad/ops/shapes.py, joining.py and operands.py: ops that move, join and convert elements."""

import numpy as np

import tensorgrad as tg
from cases.table import UNARY, Row, bad, between_halves, sample


def concatenate_by_hand(*xs, axis=0):
    sizes = [x.shape[axis] for x in xs]
    z = np.zeros([sum(sizes) if k == axis % xs[0].ndim else n for k, n in enumerate(xs[0].shape)], xs[0].dtype)
    rows, start = np.moveaxis(z, axis, 0), 0
    for x, size in zip(xs, sizes, strict=True):
        rows[start : start + size] = np.moveaxis(x, axis, 0)
        start += size
    return z


def squeezed_by_hand(x, axis=None):
    dropped = [k for k, n in enumerate(x.shape) if n == 1 and (axis is None or k in np.mod(axis, x.ndim))]
    return x[tuple(0 if k in dropped else slice(None) for k in range(x.ndim))]


def flipped_by_hand(x, axis=None):
    for k in range(x.ndim) if axis is None else np.atleast_1d(axis):
        x = np.take(x, range(x.shape[k])[::-1], k)
    return x


EXCHANGED = {(0, 1): "ij...->ji...", (-1, -2): "...ij->...ji", (0, -1): "i...j->j...i"}

ROWS = [
    Row("clone", tg.clone, lambda x: x, "clone", UNARY, integers="same"),
    Row(
        "reshape",
        lambda x, shape: tg.reshape(x, shape),
        lambda x, shape: np.array(x.ravel().tolist()).reshape(shape),
        "reshape",
        [
            sample((2, 3), shape=(3, 2)),
            sample((2, 3), shape=(-1,)),
            sample((), shape=(1, 1)),
            sample((1,), shape=()),
            sample((2, 3, 2), shape=(4, -1)),
            sample((0, 3), shape=(3, 0)),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.reshape(tg.zeros(2, 3), 4), tg.ShapeError, "reshape", "(2, 3)", "(4,)"),
            bad(lambda: tg.reshape(tg.zeros(2, 3), -1, -1), tg.ShapeError, "reshape", "(-1, -1)"),
            bad(lambda: tg.zeros(2, 3).reshape(1.5, 4), tg.DTypeError, "sizes must be ints", "1.5"),
        ],
    ),
    Row(
        "flatten",
        tg.flatten,
        lambda x, start_dim=0, end_dim=-1: np.array(x.ravel().tolist()).reshape(
            (*x.shape[:start_dim], -1, *x.shape[end_dim % max(x.ndim, 1) + 1 :])
        ),
        "flatten",
        [
            sample(()),
            sample((2, 3)),
            sample((2, 3, 2), start_dim=1),
            sample((2, 3, 2), start_dim=0, end_dim=1),
            sample((2, 3, 2), start_dim=1, end_dim=1),
            sample((0,)),
        ],
        errors=[
            bad(lambda: tg.flatten(tg.zeros(2, 3), 2), tg.RangeError, "flatten", "(2, 3)"),
            bad(lambda: tg.flatten(tg.zeros(2, 3), 1, 0), tg.ArgumentError, "flatten", "start_dim: 1", "end_dim: 0"),
        ],
    ),
    Row("ravel", tg.ravel, np.ravel, "ravel", [sample(()), sample((2, 3)), sample((0, 2))]),
    Row(
        "permute",
        lambda x, dims: tg.permute(x, dims),
        lambda x, dims: np.moveaxis(x, dims, range(x.ndim)),
        lambda torch, x, dims: torch.permute(x, dims),
        [
            sample((), dims=()),
            sample((3,), dims=(0,)),
            sample((2, 3), dims=(1, 0)),
            sample((2, 3, 4), dims=(2, 0, 1)),
            sample((2, 3, 4), dims=(0, -1, 1)),
            sample((2, 0, 3), dims=(1, 2, 0)),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.permute(tg.zeros(2, 3), (0, 0)), tg.ArgumentError, "permute", "each axis once", "(2, 3)"),
            bad(lambda: tg.permute(tg.zeros(2, 3), 0), tg.ArgumentError, "permute", "(2, 3)"),
            bad(lambda: tg.permute(tg.zeros(2, 3), (0, 2)), tg.RangeError, "permute", "must be in [-2, 2), got 2"),
            bad(lambda: tg.permute(tg.zeros(2, 3)), tg.ArgumentError, "permute", "t.T reverses"),
        ],
    ),
    Row(
        "transpose",
        tg.transpose,
        lambda x, dim0, dim1: np.einsum(EXCHANGED[dim0, dim1], x),
        "transpose",
        [
            sample((2, 3), dim0=0, dim1=1),
            sample((2, 3, 4), dim0=-1, dim1=-2),
            sample((2, 3, 4), dim0=0, dim1=-1),
            sample((0, 3), dim0=0, dim1=1),
        ],
        errors=[bad(lambda: tg.transpose(tg.zeros(2, 3), 0, 2), tg.RangeError, "(2, 3)", "got 2")],
    ),
    Row(
        "swapaxes",
        tg.swapaxes,
        lambda x, axis0, axis1: np.einsum(EXCHANGED[axis0, axis1], x),
        "swapaxes",
        [
            sample((2, 3), axis0=0, axis1=1),
            sample((2, 3, 4), axis0=-1, axis1=-2),
            sample((2, 3, 4), axis0=0, axis1=-1),
            sample((0, 3), axis0=0, axis1=1),
        ],
        errors=[bad(lambda: tg.swapaxes(tg.zeros(2, 3), 0, 2), tg.RangeError, "(2, 3)", "got 2")],
    ),
    Row(
        "t",
        tg.t,
        lambda x: np.einsum("ij->ji", x) if x.ndim == 2 else x,
        "t",
        [sample(()), sample((3,)), sample((2, 3)), sample((0, 2))],
        errors=[bad(lambda: tg.t(tg.zeros(2, 3, 4)), tg.ShapeError, "t: ", "at most 2 axes, got 3", "x.mT")],
    ),
    Row(
        "movedim",
        tg.movedim,
        lambda x, source, destination: np.moveaxis(np.array(x.tolist()).reshape(x.shape), source, destination),
        "movedim",
        [
            sample((2, 3), source=0, destination=1),
            sample((2, 3, 4), source=0, destination=-1),
            sample((2, 3, 4), source=(2, 0), destination=(0, 1)),
        ],
        errors=[
            bad(lambda: tg.movedim(tg.zeros(2, 3), 2, 0), tg.RangeError, "movedim", "source must be in [-2, 2)"),
            bad(lambda: tg.movedim(tg.zeros(2, 3), (0, 0), (0, 1)), tg.ArgumentError, "movedim", "no axis twice"),
        ],
    ),
    Row(
        "broadcast_to",
        tg.broadcast_to,
        lambda x, shape: x + np.zeros(shape),
        lambda torch, x, shape: torch.broadcast_to(x, shape),
        [
            sample((), shape=(2, 3)),
            sample((3,), shape=(2, 3)),
            sample((2, 1), shape=(2, 3)),
            sample((1, 3, 1), shape=(2, 3, 2)),
            sample((2, 3), shape=(2, 3)),
            sample((1,), shape=(0,)),
            sample((0, 1), shape=(0, 2)),
        ],
        errors=[bad(lambda: tg.broadcast_to(tg.zeros(2), (3,)), tg.ShapeError, "broadcast_to", "(2,)", "(3,)")],
    ),
    Row(
        "expand",
        lambda x, shape: tg.expand(x, shape),
        lambda x, shape: x + np.zeros([x.shape[k - len(shape)] if n == -1 else n for k, n in enumerate(shape)]),
        lambda torch, x, shape: x.expand(shape),
        [
            sample((3, 1), shape=(-1, 4)),
            sample((3,), shape=(2, -1)),
            sample((1,), shape=(2, 3)),
            sample((0, 1), shape=(-1, 2)),
        ],
        errors=[
            bad(lambda: tg.expand(tg.zeros(2), 3), tg.ShapeError, "broadcast_to", "(2,)", "(3,)"),
            bad(lambda: tg.expand(tg.zeros(2), -1, 2), tg.ShapeError, "broadcast_to", "(2,)"),
        ],
    ),
    Row(
        "squeeze",
        tg.squeeze,
        squeezed_by_hand,
        lambda torch, x, axis=None: torch.squeeze(x) if axis is None else torch.squeeze(x, axis),
        [
            sample(()),
            sample((1, 3, 1)),
            sample((1, 3, 1), axis=(0,)),
            sample((1, 3, 1), axis=(-1,)),
            sample((1, 3, 1), axis=(0, 2)),
            sample((2, 3)),
            sample((2, 1), axis=(0,)),
            sample((2, 1), axis=(0, 1)),
            sample((1, 0)),
        ],
        errors=[
            bad(lambda: tg.squeeze(tg.zeros(2, 1), 2), tg.RangeError, "squeeze", "(2, 1)"),
        ],
    ),
    Row(
        "unsqueeze",
        tg.unsqueeze,
        lambda x, axis: np.stack([x], axis),
        "unsqueeze",
        [sample((), axis=0), sample((3,), axis=0), sample((3,), axis=-1), sample((2, 3), axis=1), sample((0,), axis=1)],
        errors=[
            bad(lambda: tg.unsqueeze(tg.zeros(2), 2), tg.RangeError, "unsqueeze", "must be in [-2, 2), got 2", "(2,)"),
            bad(lambda: tg.unsqueeze(tg.zeros(2), -3), tg.RangeError, "unsqueeze", "dim: -3"),
        ],
    ),
    Row(
        "flip",
        tg.flip,
        flipped_by_hand,
        lambda torch, x, axis: torch.flip(x, tuple(np.atleast_1d(axis).tolist())),
        [
            sample((3,), axis=0),
            sample((2, 3), axis=(0, 1)),
            sample((2, 3), axis=0),
            sample((2, 3, 2), axis=(-1, 0)),
            sample((0, 2), axis=1),
        ],
        errors=[
            bad(lambda: tg.flip(tg.zeros(2), 1), tg.RangeError, "flip", "(2,)"),
            bad(lambda: tg.flip(tg.zeros(2)), tg.ArgumentError, "flip", "dims must be given"),
        ],
    ),
    Row(
        "np.flip",
        lambda x, axis: np.flip(tg.as_tensor(x), axis),
        flipped_by_hand,
        lambda torch, x, axis: torch.flip(x, tuple(np.atleast_1d(axis).tolist())),
        [
            sample((3,), axis=0),
            sample((2, 3), axis=(0, 1)),
            sample((2, 3, 2), axis=(-1, 0)),
            sample((0, 2), axis=1),
        ],
        errors=[bad(lambda: np.flip(tg.zeros(2), 1), tg.RangeError, "np.flip", "(2,)")],
    ),
    Row(
        "concatenate",
        lambda *xs, axis=0: tg.concatenate(xs, axis),
        concatenate_by_hand,
        lambda torch, *xs, axis=0: torch.cat(xs, axis),
        [
            sample((3,)),
            sample((2,), (3,)),
            sample((2, 3), (1, 3), (4, 3)),
            sample((2, 3), (2, 1), axis=1),
            sample((2, 3, 1), (2, 3, 2), axis=-1),
            sample((0, 2), (3, 2)),
            sample((0,), (0,)),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.concatenate([]), tg.ShapeError, "cat", "must have at least one entry"),
            bad(
                lambda: tg.concatenate([tg.zeros(2, 3), tg.zeros(2, 2)]),
                tg.ShapeError,
                "cat",
                "(2, 3)",
                "(2, 2)",
            ),
            bad(lambda: tg.concatenate([tg.zeros(2, 3), tg.zeros(2)], 1), tg.ShapeError, "cat", "(2, 3)", "(2,)"),
            bad(lambda: tg.concatenate([tg.zeros(2), tg.zeros(2)], 1), tg.RangeError, "cat", "dim: 1"),
            bad(lambda: tg.concatenate([tg.tensor(1.0)]), tg.ShapeError, "cat", "tg.stack"),
        ],
    ),
    Row(
        "stack",
        lambda *xs, axis=0: tg.stack(xs, axis),
        lambda *xs, axis=0: np.moveaxis(np.array(xs), 0, axis),
        lambda torch, *xs, axis=0: torch.stack(xs, axis),
        [
            sample(()),
            sample((), ()),
            sample((3,), (3,), axis=1),
            sample((2, 3), (2, 3), (2, 3), axis=-1),
            sample((0,), (0,)),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.stack([tg.zeros(2), tg.zeros(3)]), tg.ShapeError, "stack", "(2,)", "(3,)"),
            bad(lambda: tg.stack([]), tg.ShapeError, "must have at least one entry"),
            bad(lambda: tg.stack([tg.zeros(2)], 2), tg.RangeError, "dim: 2"),
        ],
    ),
    Row(
        "split",
        lambda x, part, sizes, axis=0: tg.split(x, sizes, axis)[part],
        lambda x, part, sizes, axis=0: np.moveaxis(
            np.moveaxis(x, axis, 0)[part * sizes : (part + 1) * sizes]
            if isinstance(sizes, int)
            else np.moveaxis(x, axis, 0)[sum(sizes[:part]) : sum(sizes[: part + 1])],
            0,
            axis,
        ),
        lambda torch, x, part, sizes, axis=0: torch.split(x, sizes, axis)[part],
        [
            sample((5, 2), part=0, sizes=2),
            sample((5, 2), part=2, sizes=2),
            sample((2, 5), part=1, sizes=[1, 3, 1], axis=1),
            sample((2, 3), part=0, sizes=[0, 3], axis=-1),
            sample((0, 2), part=0, sizes=2),
        ],
        errors=[
            bad(lambda: tg.split(tg.zeros(5), [2, 2]), tg.ShapeError, "split", "sum to 5", "[2, 2]"),
            bad(lambda: tg.split(tg.zeros(5), [6, -1]), tg.ShapeError, "split"),
            bad(lambda: tg.split(tg.zeros(5), 0), tg.ArgumentError, "split", "must be > 0, got 0"),
            bad(lambda: tg.split(tg.zeros(5), 2, 1), tg.RangeError, "split", "(5,)"),
        ],
    ),
    Row(
        "astype/float64",
        lambda x: tg.astype(x, "float64"),
        lambda x: x,
        lambda torch, x: x.to(torch.float64),
        UNARY,
        result=np.float64,
        errors=[bad(lambda: tg.astype(tg.zeros(2), "complex64"), tg.DTypeError, "complex64", "not supported")],
    ),
    Row(
        "astype/int32",
        lambda x: tg.astype(x, "int32"),
        np.trunc,
        lambda torch, x: x.to(torch.int32),
        UNARY,
        domains=(between_halves,),
        result=np.int32,
        differentiable=False,
        special=False,
    ),
    Row(
        "astype/bool",
        lambda x: tg.astype(x, bool),
        lambda x: x != 0,
        lambda torch, x: x.to(torch.bool),
        [sample(np.array([0.0, -0.0, 0.5, np.nan]))],
        result=np.bool_,
        differentiable=False,
    ),
]
