"""Axes mean what NumPy means by them, or are refused: negative, out of range, bools, tuples, floats, words, arrays."""

import numpy as np
import pytest
from same_or_refused import assert_same_or_refused, result_of

import tensorgrad as tg

nn = tg.nn
pytestmark = pytest.mark.filterwarnings("ignore")
SHAPES = [(), (3,), (1,), (2, 3), (1, 3), (2, 1, 3), (2, 3, 1, 2), (0, 2), (2, 0)]


def short_axes(x, axis):
    """The axes that `squeeze` removes: longer ones stay."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    short = tuple(a for a in axes if x.shape[a] == 1)
    assert len({a % x.ndim for a in axes}) == len(axes)
    return short


NP = {
    name: getattr(np, name)
    for name in (
        "sum",
        "mean",
        "var",
        "std",
        "amax",
        "amin",
        "prod",
        "cumsum",
        "argmax",
        "argmin",
        "all",
        "any",
        "flip",
    )
} | {
    "squeeze": lambda x, axis: np.squeeze(x, None if axis is None else short_axes(x, axis)),
    "unsqueeze": np.expand_dims,
    "concatenate": lambda x, axis: np.concatenate([x, x], axis),
    "stack": lambda x, axis: np.stack([x, x], axis),
    "swapaxes": lambda x, axis: np.swapaxes(x, axis, -1),
    "logsumexp": lambda x, axis: np.log(np.sum(np.exp(x), axis)),
    "softmax": lambda x, axis: np.exp(x) / np.sum(np.exp(x), axis, keepdims=True),
    "log_softmax": lambda x, axis: x - np.log(np.sum(np.exp(x), axis, keepdims=True)),
}

TG = {name: getattr(tg, name) for name in NP} | {
    "var": lambda x, axis: tg.var(x, axis, correction=0),
    "std": lambda x, axis: tg.std(x, axis, correction=0),
    "concatenate": lambda x, axis: tg.concatenate([x, x], axis),
    "stack": lambda x, axis: tg.stack([x, x], axis),
    "swapaxes": lambda x, axis: tg.swapaxes(x, axis, -1),
}

SAME_SHAPE = {"cumsum"}  # ours keeps a scalar a scalar; NumPy's gives (1,)

# Of a scalar PyTorch answers, NumPy not always.
FOR_SCALARS = {"mean", "var", "std", "flip", "swapaxes", "argmax", "argmin", "concatenate"}


def an_axis(rng):
    """An axis as a user may write it, and whether it is a plain one."""
    k = int(rng.integers(-4, 5))
    odd = [
        True,
        False,
        np.bool_(True),
        1.0,
        "0",
        "01",
        object(),
        (k, True),
        (0.0, 1.0),
        [k],
        (k, k),
        {"axis": 0},
        np.array([0, 1]),
        1j,
        slice(0),
        float("nan"),
    ]
    fine = [k, k, k, k, (k,), (0, 1), (-1, 0), (), None, np.int64(k), np.array(k), (0, 1, 2)]
    return odd[rng.integers(len(odd))] if rng.random() < 0.4 else fine[rng.integers(len(fine))]


def has_bool(axis):
    return isinstance(axis, (bool, np.bool_)) or (isinstance(axis, tuple) and any(isinstance(a, bool) for a in axis))


@pytest.mark.seeds(400)
def test_axes(seed):
    rng = np.random.default_rng(seed)
    name = list(NP)[seed % len(NP)]
    x, axis = rng.standard_normal(SHAPES[rng.integers(len(SHAPES))]), an_axis(rng)
    if has_bool(axis):
        with pytest.raises(tg.TensorgradError):
            TG[name](tg.Tensor(x), axis)
        return
    if isinstance(axis, (list, np.ndarray)) and np.ndim(axis):
        z, error = result_of(lambda: TG[name](tg.Tensor(x), axis))
        assert error is None or isinstance(error, tg.TensorgradError)
        axis = tuple(axis)  # NumPy takes only tuples, we any sequence; as a tuple it must agree
        if error is not None:
            return
    if not x.ndim and (name in FOR_SCALARS | SAME_SHAPE or isinstance(axis, tuple)):
        z, error = result_of(lambda: TG[name](tg.Tensor(x), axis))
        assert error is None or isinstance(error, tg.TensorgradError)
        assert error is not None or z.numel() == (2 if name in ("stack", "concatenate") else 1)
        return
    if axis is None and name in ("softmax", "log_softmax"):
        with pytest.warns(UserWarning, match="dim isn't given"):
            TG[name](tg.Tensor(x), axis)
        return
    axis = (
        None if isinstance(axis, tuple) and not axis and name in ("sum", "mean", "var", "std", "amax", "amin") else axis
    )
    if axis is None and name in ("stack", "swapaxes", "unsqueeze", "cumsum", "concatenate", "flip"):
        with pytest.raises(tg.TensorgradError):
            TG[name](tg.Tensor(x), axis)
        return
    one = name in ("argmax", "argmin", "cumsum", "softmax", "log_softmax", "stack", "swapaxes", "concatenate")
    answers = isinstance(axis, (int, np.integer, type(None))) or (isinstance(axis, tuple) and not one)
    assert_same_or_refused(lambda: TG[name](tg.Tensor(x), axis), lambda: NP[name](x, axis), must_answer=answers)


@pytest.mark.parametrize(
    "name", ["sum", "mean", "var", "std", "amax", "amin", "prod", "logsumexp", "cumsum", "softmax"]
)
def test_a_scalar_has_the_axes_0_and_minus_1(name):
    for axis in (0, -1):
        x = tg.tensor(1.5, requires_grad=True)
        z = TG[name](x, axis)
        assert z.shape == ()
        (g,) = tg.grad(z, x, create_graph=True)
        assert g.shape == ()
        for other in (1, -2, True):
            with pytest.raises(tg.TensorgradError, match="dim"):
                TG[name](x, other)


def test_a_second_tensor_in_place_of_an_axis_names_the_function_of_two():
    a, b = tg.tensor([1.0, 2.0]), tg.tensor([2.0, 1.0])
    for name, other in (("amax", "maximum"), ("amin", "minimum"), ("sum", "add"), ("all", "logical_and")):
        with pytest.raises(tg.ArgumentError, match=rf"tg\.{other}\(a, b\)"):
            getattr(tg, name)(a, b)
