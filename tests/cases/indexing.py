"""Rows of tensorgrad/ops/indexing.py."""

import numpy as np

import tensorgrad as tg
from cases.table import Row, bad, integers, normal, sample
from tensorgrad.ops.indexing import setitem

REPEATED = np.array([0, 2, 2, 0, 0])

# x is (3, 4): every way to index, alone and mixed.
INDICES = [
    1,
    -1,
    np.int64(2),
    slice(None),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(5, 1),
    (1, 2),
    (slice(1, 3), slice(None, None, -2)),
    (Ellipsis, 0),
    (None, 1, None),
    Ellipsis,
    (),
    [0, 2],
    [-1, -1, 0],
    REPEATED,
    (REPEATED, slice(1, 3)),
    (slice(None), REPEATED),
    (REPEATED, [0, 1, 1, 0, 0]),
    ([[0], [2]], [1, 1, 3]),
    (0, REPEATED),
    (None, REPEATED, slice(None), None),
    np.array([True, False, True]),
    (slice(None), np.array([True, False, True, True])),
    (np.array([True, False, True]), [0, 0]),
    np.zeros((3, 4), bool),
    [],
    np.array([[0, 1], [1, 1]]),
]


def read_by_position(x, index):
    return x.ravel()[np.arange(x.size).reshape(x.shape)[index]]


def write_by_position(x, v, index):
    z = x.copy()
    places = np.arange(x.size).reshape(x.shape)[index]
    flat = z.reshape(-1)
    values = np.empty(places.shape)
    values[...] = v
    for place, value in zip(places.ravel(), values.ravel(), strict=True):
        flat[place] = value
    return z


def torch_read(torch, x, index):
    # PyTorch knows no negative steps: read positions with NumPy, values with PyTorch.
    return x.reshape(-1)[torch.as_tensor(np.array(np.arange(x.numel()).reshape(x.shape)[index]))]


def torch_write(torch, x, v, index):
    places = np.array(np.arange(x.numel()).reshape(x.shape)[index])
    v = v.reshape(v.shape[v.ndim - places.ndim :] if v.ndim > places.ndim else v.shape)
    return x.reshape(-1).index_put((torch.as_tensor(places),), v).reshape(x.shape)


def gather_by_hand(x, k, axis):
    z = np.empty(k.shape, x.dtype)
    for at in np.ndindex(k.shape):
        source = list(at)
        source[axis] = k[at]
        z[at] = x[tuple(source)]
    return z


def change_a_view(x, v):
    whole = tg.clone(x)
    part, seen = whole[1:], whole.T
    part += v
    return seen


ROWS = [
    Row(
        "a view, after another was changed",
        change_a_view,
        lambda x, v: np.concatenate([x[:1], x[1:] + v]).T,
        lambda torch, x, v: torch.cat([x[:1], x[1:] + v]).T,
        [sample((3, 4), (2, 4)), sample((3, 4), ()), sample((2, 3), (3,))],
        errors=[bad(lambda: change_a_view(tg.zeros(3, 4), tg.zeros(3, 4)), tg.ShapeError, "add", "(2, 4)", "(3, 4)")],
    ),
    Row(
        "getitem",
        lambda x, index: tg.as_tensor(x)[index],
        read_by_position,
        torch_read,
        [
            *(sample((3, 4), index=k) for k in INDICES),
            sample((), index=()),
            sample((), index=None),
            sample((0, 3), index=[]),
        ],
        integers="same",
        errors=[
            bad(lambda: tg.zeros(3, 4)[3], tg.RangeError, "getitem", "(3, 4)", "out of bounds"),
            bad(lambda: tg.zeros(3, 4)[0, 0, 0], tg.RangeError, "getitem", "too many indices"),
            bad(lambda: tg.zeros(3, 4)[[0, 3]], tg.RangeError, "getitem", "out of bounds", "(3, 4)"),
            bad(lambda: tg.zeros(3, 4)[[0.5]], tg.DTypeError, "getitem", "integers or bools", "(3, 4)"),
            bad(lambda: tg.zeros(3, 4)["a"], tg.RangeError, "getitem"),
            bad(lambda: tg.zeros(3, 4)[1.0], tg.RangeError, "getitem"),
            bad(lambda: tg.zeros(3, 4)[np.array([True, False])], tg.RangeError, "getitem", "(3, 4)"),
            bad(lambda: tg.zeros(3, 4)[[0, 1], [0, 1, 2]], tg.RangeError, "getitem", "broadcast"),
        ],
    ),
    Row(
        "setitem",
        lambda x, v, index: setitem(tg.as_tensor(x), index, v),
        write_by_position,
        torch_write,
        [
            sample((3, 4), (4,), index=1),
            sample((3, 4), (), index=(0, 1)),
            sample((3, 4), (), index=slice(None)),
            sample((3, 4), (3, 1), index=(slice(None), slice(1, 3))),
            sample((3, 4), (2, 4), index=slice(None, None, -2)),
            sample((3, 4), (2, 4), index=[2, 0]),
            sample((3, 4), (), index=np.arange(12).reshape(3, 4) % 3 == 0),
            sample((3, 4), (1, 1, 4), index=0),
            sample((3, 4), (4,), index=np.zeros((0,), int)),
            sample((), (), index=()),
        ],
        errors=[
            bad(lambda: setitem(tg.zeros(3, 4), 1, tg.zeros(3)), tg.ShapeError, "setitem", "(3, 4)", "v: (3,)"),
            bad(lambda: setitem(tg.zeros(3, 4), 3, 0.0), tg.RangeError, "out of bounds"),
            bad(lambda: setitem(tg.zeros(3, 4), [0.5], 0.0), tg.DTypeError, "setitem", "integers or bools"),
        ],
    ),
    # PyTorch leaves open which of several values written to one place stays; here it is the last, as in NumPy.
    Row(
        "setitem/repeated",
        lambda x, v, index: setitem(tg.as_tensor(x), index, v),
        write_by_position,
        None,
        [
            sample((3, 4), (5, 4), index=REPEATED),
            sample((3, 4), (), index=REPEATED),
            sample((3, 4), (5,), index=(REPEATED, [0, 1, 1, 0, 0])),
            sample((3, 4), (3, 5), index=(slice(None), REPEATED)),
        ],
    ),
    Row(
        "gather",
        lambda x, k, axis: tg.gather(x, axis, k),
        gather_by_hand,
        lambda torch, x, k, axis: torch.gather(x, axis, k),
        [
            sample((3,), (5,), axis=0),
            sample((3, 4), (3, 2), axis=1),
            sample((3, 4), (3, 2), axis=-1),
            sample((3, 4), (5, 3), axis=0),
            sample((3, 4), (2, 6), axis=1),
            sample((3, 2, 2), (2, 4, 1), axis=1),
            sample((3, 4), (0, 4), axis=0),
        ],
        domains=(normal, integers(0, 2)),
        errors=[
            bad(lambda: tg.gather(tg.zeros(3, 4), 1, [[4]]), tg.RangeError, "out of bounds", "(3, 4)"),
            bad(lambda: tg.gather(tg.zeros(3, 4), 1, [0]), tg.ShapeError, "gather", "(3, 4)", "(1,)"),
            bad(lambda: tg.gather(tg.zeros(1, 4), 1, [[0], [0]]), tg.ShapeError, "gather", "(1, 4)", "(2, 1)"),
            bad(lambda: tg.gather(tg.zeros(3, 4), 1, [[0.0]]), tg.DTypeError, "gather", "integers"),
            bad(lambda: tg.gather(tg.zeros(3, 4), 2, [[0]]), tg.RangeError, "gather", "dim: 2"),
            bad(
                lambda: tg.gather(tg.zeros(3, 4), 1, [[-1]]), tg.RangeError, "gather", "index must be in [0, 4), got -1"
            ),
        ],
    ),
    Row(
        "one_hot",
        tg.one_hot,
        lambda k, num_classes=-1: np.eye(num_classes if num_classes >= 0 else k.max() + 1)[k],
        lambda torch, k, num_classes=-1: torch.nn.functional.one_hot(k, num_classes),
        [
            sample((), num_classes=3),
            sample((4,), num_classes=5),
            sample((2, 3), num_classes=3),
            sample(np.array([0, 2])),
            sample((0,), num_classes=3),
        ],
        domains=(integers(0, 3),),
        result=np.int64,
        differentiable=False,
        errors=[
            bad(lambda: tg.one_hot([0, 3], 3), tg.RangeError, "one_hot", "must be in [0, 3), got 0 to 3"),
            bad(lambda: tg.one_hot([-1, 0], 3), tg.RangeError, "one_hot", "must be in [0, 3), got -1 to 0"),
            bad(lambda: tg.one_hot([0.0], 3), tg.DTypeError, "one_hot", "integers"),
            bad(lambda: tg.one_hot(np.zeros(0, int)), tg.ArgumentError, "one_hot", "num_classes"),
        ],
    ),
]
