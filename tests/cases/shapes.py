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


def torch_pad(torch, x, widths, mode="constant", value=0.0):
    frame = np.broadcast_to(widths, (x.ndim, 2))
    if mode == "constant":
        return torch.nn.functional.pad(x, [int(n) for n in frame[::-1].reshape(-1)], value=value)
    # PyTorch frames one to three last axes of a batch: frame one axis at a time, moved to the end.
    for axis, (a, b) in enumerate(frame):
        rows = x.movedim(axis, -1)
        framed = torch.nn.functional.pad(rows.reshape(1, -1, rows.shape[-1]), (int(a), int(b)), mode=mode)
        x = framed.reshape(*rows.shape[:-1], -1).movedim(-1, axis)
    return x


def framed_by_hand(x, widths, mode="constant", value=0.0):
    frame = np.broadcast_to(widths, (x.ndim, 2))
    for axis, (a, b) in enumerate(frame):
        n = x.shape[axis]
        if mode == "constant":
            before, after = (np.full((*x.shape[:axis], k, *x.shape[axis + 1 :]), value) for k in (a, b))
            x = np.concatenate([before, x, after], axis)
            continue
        places = np.arange(-a, n + b)
        source = {
            "replicate": np.clip(places, 0, n - 1),
            "circular": places % max(n, 1),
            "reflect": n - 1 - np.abs(n - 1 - np.abs(places)),
        }[mode]
        x = np.take(x, source, axis)
    return x


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
    Row(
        "transpose",
        lambda x, axes=(): tg.transpose(x, axes),
        lambda x, axes=(): np.moveaxis(x, axes or range(x.ndim)[::-1], range(x.ndim)),
        lambda torch, x, axes=(): x.permute(axes or tuple(range(x.ndim))[::-1]),
        [
            sample(()),
            sample((3,)),
            sample((2, 3)),
            sample((2, 3, 4)),
            sample((2, 3, 4), axes=(2, 0, 1)),
            sample((2, 3, 4), axes=(0, -1, 1)),
            sample((2, 0, 3), axes=(1, 2, 0)),
        ],
        integers="same",
        errors=[
            bad(
                lambda: tg.transpose(tg.zeros(2, 3), (0, 0)), tg.ArgumentError, "transpose", "each axis once", "(2, 3)"
            ),
            bad(lambda: tg.transpose(tg.zeros(2, 3), 0), tg.ArgumentError, "transpose", "(2, 3)"),
            bad(lambda: tg.transpose(tg.zeros(2, 3), (0, 2)), tg.RangeError, "transpose", "must be in [-2, 2), got 2"),
        ],
    ),
    Row(
        "swapaxes",
        tg.swapaxes,
        lambda x, a, b: np.einsum({(0, 1): "ij...->ji...", (-1, -2): "...ij->...ji", (0, -1): "i...j->j...i"}[a, b], x),
        lambda torch, x, a, b: torch.swapaxes(x, a, b),
        [
            sample((2, 3), a=0, b=1),
            sample((2, 3, 4), a=-1, b=-2),
            sample((2, 3, 4), a=0, b=-1),
            sample((0, 3), a=0, b=1),
        ],
        errors=[bad(lambda: tg.swapaxes(tg.zeros(2, 3), 0, 2), tg.RangeError, "swapaxes", "(2, 3)")],
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
            sample((1, 0)),
        ],
        errors=[
            bad(lambda: tg.squeeze(tg.zeros(2, 1), 0), tg.ShapeError, "squeeze", "must have length 1", "(2, 1)"),
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
            bad(lambda: tg.unsqueeze(tg.zeros(2), -3), tg.RangeError, "unsqueeze", "axis: -3"),
        ],
    ),
    Row(
        "flip",
        tg.flip,
        flipped_by_hand,
        lambda torch, x, axis=None: torch.flip(
            x, tuple(range(x.ndim)) if axis is None else tuple(np.atleast_1d(axis).tolist())
        ),
        [
            sample(()),
            sample((3,)),
            sample((2, 3)),
            sample((2, 3), axis=0),
            sample((2, 3, 2), axis=(-1, 0)),
            sample((0, 2), axis=1),
        ],
        errors=[bad(lambda: tg.flip(tg.zeros(2), 1), tg.RangeError, "flip", "(2,)")],
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
            bad(lambda: tg.concatenate([]), tg.ShapeError, "concatenate", "must have at least one entry"),
            bad(
                lambda: tg.concatenate([tg.zeros(2, 3), tg.zeros(2, 2)]),
                tg.ShapeError,
                "concatenate",
                "(2, 3)",
                "(2, 2)",
            ),
            bad(
                lambda: tg.concatenate([tg.zeros(2, 3), tg.zeros(2)], 1), tg.ShapeError, "concatenate", "(2, 3)", "(2,)"
            ),
            bad(lambda: tg.concatenate([tg.zeros(2), tg.zeros(2)], 1), tg.RangeError, "concatenate", "axis: 1"),
            bad(lambda: tg.concatenate([tg.tensor(1.0)]), tg.ShapeError, "concatenate", "tg.stack"),
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
            bad(lambda: tg.stack([tg.zeros(2)], 2), tg.RangeError, "axis: 2"),
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
            bad(lambda: tg.split(tg.zeros(5), 0), tg.ArgumentError, "split", "sizes must be > 0, got 0"),
            bad(lambda: tg.split(tg.zeros(5), 2, 1), tg.RangeError, "split", "(5,)"),
        ],
    ),
    Row(
        "pad",
        tg.pad,
        framed_by_hand,
        torch_pad,
        [
            sample((), widths=1),
            sample((3,), widths=1),
            sample((2, 3), widths=(1, 2), value=-1.5),
            sample((2, 3), widths=((0, 1), (2, 0))),
            sample((2, 0), widths=((0, 0), (1, 1))),
            sample((4,), widths=(2, 3), mode="reflect"),
            sample((3, 4), widths=((1, 0), (2, 3)), mode="reflect"),
            sample((3,), widths=(2, 3), mode="replicate"),
            sample((2, 3), widths=((4, 0), (1, 1)), mode="replicate"),
            sample((3,), widths=(3, 2), mode="circular"),
            sample((2, 3), widths=((0, 2), (1, 3)), mode="circular"),
        ],
        errors=[
            bad(lambda: tg.pad(tg.zeros(2, 3), -1), tg.ArgumentError, "pad", "widths must be an int ≥ 0", "(2, 3)"),
            bad(lambda: tg.pad(tg.zeros(2, 3), (1, 2, 3)), tg.ArgumentError, "pad", "(1, 2, 3)"),
            bad(lambda: tg.pad(tg.zeros(2), 1.5), tg.ArgumentError, "pad", "1.5"),
            bad(lambda: tg.pad(tg.zeros(2), None), tg.ArgumentError, "pad", "None"),
            bad(lambda: tg.pad(tg.zeros(2), 1, mode="mirror"), tg.ArgumentError, "pad", "mode must be", "'mirror'"),
            bad(lambda: tg.pad(tg.zeros(2), 2, mode="reflect"), tg.ShapeError, "pad", "too short", "(2,)"),
            bad(lambda: tg.pad(tg.zeros(2), 3, mode="circular"), tg.ShapeError, "pad", "too short"),
            bad(lambda: tg.pad(tg.zeros(0), 1, mode="replicate"), tg.ShapeError, "pad", "too short"),
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
