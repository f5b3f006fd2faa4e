"""NumPy's keywords, and its numbers beside integers, mean what NumPy means by them, or are refused.

Generated. Never a bare TypeError or AttributeError, never another value than NumPy's.
"""

import inspect

import numpy as np
import pytest
from same_or_refused import assert_same_or_refused

import tensorgrad as tg

nn = tg.nn
pytestmark = pytest.mark.filterwarnings("ignore")

# ----------------------------------------------------------------------------------------------------- NumPy's keywords
MASK = np.array([[True, False, True], [False, True, True]])

OPTIONS = {
    "axis": [None, 0, 1, -1, (0, 1), (1,), 2],
    "dtype": [None, np.float32, np.float64, "float64", np.int64, "nonsense"],
    "out": [None, np.zeros(3), np.zeros(())],
    "keepdims": [True, False],
    "initial": [0.0, 5.0, -2.5],
    "where": [True, MASK, MASK[0]],
    "ddof": [0, 1],
    "correction": [0, 1],
    "order": ["C", "F", "K", "A", "x"],
    "decimals": [0, 1, 2],
    "a_min": [None, -0.5],
    "a_max": [None, 0.5],
    "min": [None, -0.25],
    "max": [0.25],
    "axes": [None, (1, 0), (-1, 0), (0,), 1, 2, ([0], [0]), ([1], [0])],
    "axis1": [0, -1],
    "axis2": [1, 0],
    "shape": [(3, 2), -1, (6,), 6, (4,)],
    "copy": [None, True, False],
    "mode": ["constant", "edge", "reflect", "wrap", "mean", "clip", "raise"],
    "constant_values": [2.0, 0],
    "reflect_type": ["even", "odd"],
    "subok": [False],
    "optimize": [True, False],
    "casting": ["same_kind", "no"],
    "fill_value": [2.5],
    "source": [0, (0, 1)],
    "destination": [-1, (1, 0)],
    "pad_width": [1, (1, 2), ((0, 1), (1, 0)), {0: (1, 1)}],
    "indices_or_sections": [3, 2, [1], (0, 1), np.array([1, 1])],
    "n": [0, 3, -1, 1.5, True, "x"],
    "q": [0.25, 0, 1.0, [0.1, 0.9], np.array([0.5]), 1.5],
    "method": ["linear", "lower", "nearest"],
    "reps": [2, (2, 1), (2, 1, 1), np.array([1, 2]), 0, 1.5, "x"],
    "repeats": [2, [1], 0, -1, 1.5, "x"],
    "shift": [1, -2, (1, 2), 1.5, "x"],
    "k": [0, -1, 1, 1.5, "x"],
    "indices": [np.array([1, 0]), np.array([[0, 1], [1, 0]]), np.array([[0, 1, 0]]), 1, 5],
}

TWO = {np.dot, np.inner, np.outer, np.vdot, np.tensordot, np.kron, np.cross, np.linalg.solve}
SQUARE = {getattr(np.linalg, n) for n in ("inv", "solve", "det", "slogdet", "cholesky", "eigh", "eigvalsh")}


SQUARE |= {np.linalg.matrix_power}


MANY = {np.concatenate, np.stack, np.vstack, np.hstack}
EXTRA = {np.clip: ("a_min", "a_max", "min", "max"), np.pad: ("mode", "constant_values", "reflect_type")}

NEEDED = {
    "shape",
    "pad_width",
    "indices",
    "indices_or_sections",
    "source",
    "destination",
    "fill_value",
    "axis1",
    "axis2",
    "n",
    "q",
    "reps",
    "repeats",
    "shift",
}


def keyword_calls():
    from tensorgrad.interop.functions import FUNCTIONS

    return [f for f in FUNCTIONS if f not in (np.einsum, np.where, np.empty_like, np.shape, np.ndim, np.size)]


@pytest.mark.seeds(600)
def test_keywords_of_numpy_functions(seed):
    rng = np.random.default_rng(seed)
    functions = keyword_calls()
    function = functions[seed % len(functions)]
    x, y = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    if function in SQUARE:
        x, y = x @ x.T + np.eye(2), y[:2]
    if function is np.cross:
        y = rng.standard_normal((2, 3))
    names = [n for n in inspect.signature(function).parameters if n in OPTIONS]
    names = [n for n in (*names, *EXTRA.get(function, ())) if n in NEEDED or rng.random() < 0.35]
    keywords = {n: OPTIONS[n][rng.integers(len(OPTIONS[n]))] for n in dict.fromkeys(names)}
    if function is np.expand_dims:
        keywords.setdefault("axis", 0)
    if function is np.moveaxis and np.ndim(keywords["source"]) != np.ndim(keywords["destination"]):
        keywords["destination"] = keywords["source"]

    def call(x, y):
        keep = {n: v.copy() if n == "out" and v is not None else v for n, v in keywords.items()}
        if function in MANY:
            return function([x, y.T], **keep)
        if function is np.broadcast_to:
            return function(x, (2, 2, 3))
        return function(x, y if function is not np.vdot else x, **keep) if function in TWO else function(x, **keep)

    if "out" in keywords and keywords["out"] is not None:
        with pytest.raises((tg.GraphError, tg.ArgumentError, tg.DTypeError, tg.RangeError)):
            call(tg.Tensor(x), tg.Tensor(y))
        return
    refused = {"where"} & set(keywords) and function in (np.var, np.std)
    usual = not (set(keywords) & {"mode", "reflect_type", "order", "copy", "correction", "casting"}) and not refused
    # A mean in integers, and what isn't implemented, may be refused.
    usual = (
        usual
        and keywords.get("dtype") not in ("nonsense", np.int64)
        and not isinstance(keywords.get("pad_width"), dict)
    )
    assert_same_or_refused(lambda: call(tg.Tensor(x), tg.Tensor(y)), lambda: call(x, y), must_answer=usual)


@pytest.mark.seeds(100)
def test_methods_of_ufuncs(seed):
    rng = np.random.default_rng(seed)
    function = [np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or][seed % 6]
    method = rng.choice(["reduce", "reduce", "accumulate", "outer"])
    x = rng.standard_normal((2, 3))
    names = {"reduce": ("axis", "keepdims", "initial", "where", "dtype"), "accumulate": ("axis",), "outer": ()}[method]
    keywords = {n: OPTIONS[n][rng.integers(len(OPTIONS[n]))] for n in names if rng.random() < 0.4}
    if "dtype" in keywords and function in (np.logical_and, np.logical_or):
        del keywords["dtype"]
    arguments = (1.5,) if method == "outer" else ()
    run = getattr(function, method)
    assert_same_or_refused(lambda: run(tg.Tensor(x), *arguments, **keywords), lambda: run(x, *arguments, **keywords))


def test_a_function_of_numpy_means_what_numpy_means():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    a = x.detach().numpy()
    calls = [
        lambda x: np.cumsum(x),
        lambda x: np.add.reduce(x, initial=5.0),
        lambda x: np.add.reduce(x, axis=1, where=np.array([True, False])),
        lambda x: np.sum(x, dtype=np.float64),
        lambda x: np.clip(x, a_min=2, a_max=3),
        lambda x: np.clip(x, min=2),
        lambda x: np.transpose(x, axes=(1, 0)),
        lambda x: np.swapaxes(x, axis1=0, axis2=1),
        lambda x: np.einsum(x, [0, 1], x, [1, 2], [0, 2]),
        lambda x: np.einsum(x, [0, 0]),
        lambda x: np.max(x, axis=0, initial=2.5, where=np.array([[True, False], [False, True]])),
        lambda x: np.mean(x, where=np.array([[True, False], [True, True]])),
        lambda x: np.concatenate([x, x], axis=None),
        lambda x: np.argmax(x, axis=1, keepdims=True),
        lambda x: np.expand_dims(x, (0, -1)),
        lambda x: np.reshape(x, (4,), order="F"),
        lambda x: np.amax(x, 0),
        lambda x: np.dot(x, x),
        lambda x: np.pad(x, 1, mode="edge"),
        lambda x: np.ravel(x),
        lambda x: np.take(x, [True, False]),
        lambda x: np.nansum(x, where=np.eye(2) > 0, initial=2.0),
        lambda x: np.nanmean(x, 1, where=np.array([True, False])),
        lambda x: np.quantile(x, 0.25, axis=(0, 1), keepdims=True),
        lambda x: np.split(x, [1, 5], 1)[0],
    ]
    for call in calls:
        z, expected = call(x), call(a)
        assert isinstance(z, tg.Tensor) and z.dtype == expected.dtype
        assert z.requires_grad == (z.dtype.kind == "f")
        np.testing.assert_allclose(z.data, expected, rtol=1e-6)
    held = np.where(x > 1)
    assert [k.tolist() for k in held] == [[0, 1, 1], [1, 0, 1]]
    for call in (lambda: np.sum(x, out=np.zeros(2)), lambda: np.cumsum(x, out=np.zeros(4))):
        with pytest.raises(tg.GraphError, match="out"):
            call()
    for call in (
        lambda: np.tile(x, 1.5),
        lambda: np.tril(x, "a"),
        lambda: np.split(x, 2.5),
        lambda: np.diagonal(x, 0.5),
        lambda: np.diag(x, 0.5),
        lambda: np.cov(x, ddof=0.5),
        lambda: np.cov(x, dtype=np.int64),
    ):
        with pytest.raises((tg.DTypeError, tg.ArgumentError), match=r"^np\.\w+: "):
            call()
    with pytest.raises(tg.ArgumentError, match="where"):
        np.var(x, where=np.eye(2, dtype=bool))


# ------------------------------------------------------------------------------------------------------------- integers

INTEGERS = [np.uint8, np.int8, np.int16, np.uint32, np.int64, np.bool_]

OF_TWO = [
    "add",
    "subtract",
    "multiply",
    "floor_divide",
    "remainder",
    "maximum",
    "minimum",
    "eq",
    "less",
    "greater_equal",
]


OF_TWO += ["not_equal", "bitwise_and", "bitwise_or", "bitwise_xor", "pow"]


NUMPY_NAMES = {"pow": "power", "eq": "equal"}


@pytest.mark.seeds(300)
def test_integers_beside_numbers(seed):
    rng = np.random.default_rng(seed)
    dtype, name = INTEGERS[rng.integers(len(INTEGERS))], OF_TWO[seed % len(OF_TWO)]
    x = rng.integers(0, 6, 4).astype(dtype)
    other = [-3, 0, 1, 2, 300, -200, 2**40, True, 10**30, -1][rng.integers(10)]
    if dtype is np.bool_ and (name not in ("eq", "less", "bitwise_and", "bitwise_or") or not isinstance(other, bool)):
        other, x = bool(other % 2), rng.random(4) < 0.5
        name = ["bitwise_and", "bitwise_or", "bitwise_xor", "eq", "maximum"][seed % 5]
    function, numpys = getattr(tg, name), getattr(np, NUMPY_NAMES.get(name, name))
    swapped = rng.random() < 0.5
    ours = (lambda: function(other, tg.Tensor(x))) if swapped else (lambda: function(tg.Tensor(x), other))
    if name in ("floor_divide", "remainder") and not np.all(x if swapped else other):
        with pytest.raises(tg.ArgumentError, match=r"divided by 0|range of"):
            ours()
        return
    expected = (lambda: numpys(other, x)) if swapped else (lambda: numpys(x, other))
    assert_same_or_refused(ours, expected, must_answer=isinstance(other, int) and -100 < other < 100 and other >= 0)


def test_what_integers_and_bools_refuse_says_how_to_go_on():
    k = tg.tensor([2, 3])
    for call, error, words in (
        (lambda: k**-1, tg.ArgumentError, "negative powers.*astype"),
        (lambda: k // 0, tg.ArgumentError, "divided by 0.*astype"),
        (lambda: k % tg.tensor([1, 0]), tg.ArgumentError, "divided by 0"),
        (lambda: tg.tensor(np.ones(2, np.uint8)) * -3, tg.ArgumentError, "range of uint8.*astype"),
        (lambda: -tg.tensor([True]), tg.DTypeError, "negative"),
        (lambda: tg.tensor([True]) - True, tg.DTypeError, "subtract"),
        (lambda: tg.tensor([1.0]) & 1, tg.DTypeError, "operands must be bools or integers"),
    ):
        with pytest.raises(error, match=f"(?s){words}"):
            call()
    np.testing.assert_array_equal((tg.tensor(np.arange(3, dtype=np.uint8)) > -1).data, [True] * 3)
    np.testing.assert_array_equal((tg.tensor(np.arange(3, dtype=np.uint8)) == 300).data, [False] * 3)
    np.testing.assert_array_equal((tg.tensor([7.0]) // 0).data, [np.inf])
    np.testing.assert_array_equal(tg.sign(tg.tensor([True, False])).data, [True, False], strict=True)  # PyTorch's
