"""Odd arguments mean what NumPy means by them, or are refused with an error of tensorgrad's.

Generated: axes (negative, out of range, bools, tuples, floats, words, arrays), NumPy's own keywords, numbers that a
dtype can't hold, and for every parameter of every public function whatever a user might put there. Never a bare
TypeError or AttributeError, never another value than NumPy's.
"""

import inspect
import warnings

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as F

nn = tg.nn
pytestmark = pytest.mark.filterwarnings("ignore")


def result_of(call):
    """What a call gives, or the error it raises."""
    try:
        with np.errstate(all="ignore"):
            return call(), None
    except Exception as error:
        return None, error


def assert_same_or_refused(ours, numpys, must_answer=False):
    """Ours equals NumPy's, or is an error of tensorgrad's; `must_answer`: where NumPy answers, so do we."""
    expected, refusal = result_of(numpys)
    z, error = result_of(ours)
    if error is not None:
        assert isinstance(error, tg.TensorgradError), f"bare {type(error).__name__}: {error}"
        assert len(str(error).splitlines()) > 1, "an error restates the call"
        assert not must_answer or refusal is not None, f"NumPy gives {expected!r}, we raise {error}"
        return False
    assert refusal is None, f"NumPy raises {refusal}, we give {z!r}"
    if isinstance(expected, list):
        assert len(z) == len(expected)
        for ours, numpys in zip(z, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(ours), numpys, strict=True)
        return True
    if isinstance(expected, tuple):
        assert len(z) == len(expected)
        for ours, numpys in zip(z, expected, strict=True):
            assert np.asarray(ours).dtype == np.asarray(numpys).dtype
            np.testing.assert_allclose(np.asarray(ours), numpys, rtol=1e-6, atol=1e-9)
            assert np.shape(ours) == np.shape(numpys)
        return True
    z = np.asarray(z)
    np.testing.assert_allclose(z, expected, rtol=1e-6, atol=1e-9)
    assert np.shape(z) == np.shape(expected)
    return True


# ----------------------------------------------------------------------------------------------------------------- axes

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


# ------------------------------------------------------------------------------------------------------------- anything

X = np.arange(1.0, 7).reshape(2, 3)
IMAGE = np.arange(36.0).reshape(1, 2, 3, 6)
GIVEN = {
    "x": X,
    "y": X,
    "input": X,
    "labels": [0, 1],
    "condition": X > 2,
    "tensors": [X, X],
    "weight": np.ones((3, 3)),
    "indices": [[0, 1, 0]],
    "axis": 0,
    "axes": (1, 0),
    "axis0": 0,
    "axis1": 1,
    "destination": 1,
    "dim": 0,
    "dim0": 0,
    "dim1": 1,
    "equation": "ij->i",
    "fill_value": 1.0,
    "order": (1, 0),
    "shape": None,
    "size": None,
    "sizes": (3, 2),
    "source": 0,
    "split_size_or_sections": 1,
    "tensor": [0, 1],
    "operands": X,
    "kernel_size": 2,
    "output_size": 2,
    "normalized_shape": 3,
    "num_groups": 1,
    "dtype": "float64",
    "start": 0,
    "end": 3,
    "steps": 3,
    "n": 3,
    "low": 0,
    "high": 5,
    "array": np.ones(2),
    "exporter": np.ones(2),
    "widths": 1,
    "seed": 0,
    "value": 1.0,
    "data": [1.0],
    "target": [0, 1],
}
FLAGS = {"requires_grad", "training", "ignored", "more"}
EXEMPT = {
    "compile",
    "vmap",
    "gradcheck",
    "load",
    "save",
    "load_metadata",
    "observe",
    "grad",
    "vjp",
    "hvp",
    "jacobian",
    "hessian",
}
EXEMPT |= {"no_grad", "enable_grad", "set_grad_enabled", "is_grad_enabled", "default_generator", "manual_seed"}
EXEMPT |= {"set_default_dtype"}  # it would stay for the tests that follow


def anything():
    """What a user might put anywhere."""
    return [
        True,
        False,
        None,
        "a",
        "",
        2.5,
        -7,
        0,
        (0, 1),
        [0],
        [],
        {},
        np.array([0, 1]),
        np.array(1),
        np.int64(1),
        np.float64(0.5),
        np.bool_(True),
        object(),
        tg.tensor(1),
        tg.tensor(1.5),
        tg.tensor([1.0, 2.0], requires_grad=True),
        tg.tensor(1.0, requires_grad=True),
        [tg.tensor(1.0, requires_grad=True), 2.0],
        float("nan"),
        float("inf"),
        10**30,
        1j,
        b"x",
        (True, 1),
        ((1, 2), (3, 4)),
        np.array("a"),
        range(2),
        slice(1),
        ...,
        type,
        np.float32,
        [[1.0], [1.0, 2.0]],
        {1, 2},
    ]


def every_parameter():
    for module in (tg, nn):
        for name, function in sorted(vars(module).items()):
            if inspect.isfunction(function) and name not in EXEMPT and not name.startswith("_"):
                parameters = inspect.signature(function).parameters
                if module is nn and "reduction" not in parameters:
                    continue
                for parameter in parameters:
                    if parameter not in FLAGS:
                        yield pytest.param(function, parameter, id=f"{name}-{parameter}")


@pytest.mark.cases("function, name", list(every_parameter()))
def test_anything_as_an_argument_is_taken_or_refused_with_an_error_of_ours(function, name):
    parameters = inspect.signature(function).parameters
    given = dict(GIVEN)
    if "target" in parameters and "weight" in parameters and "pos_weight" not in parameters:
        given["weight"] = np.ones(3)
    if function.__name__.startswith(("conv", "max_pool", "avg_pool", "adaptive")):
        rank = 1 if "1d" in function.__name__ else 2
        given |= {
            "input": IMAGE[0] if rank == 1 else IMAGE,
            "weight": np.ones((2, 3 if rank == 1 else 2) + (2,) * rank),
        }
    if ("loss" in function.__name__ and function.__name__ != "nll_loss") or function.__name__.startswith("binary"):
        given["target"] = np.full((2, 3), 0.5)
        given["input"] = np.full((2, 3), 0.25)
    for odd in anything():
        values = {k: odd if k == name else given.get(k, p.default) for k, p in parameters.items()}
        for k in {"ignored", "more"} & values.keys():
            del values[k]
        positional = [values.pop(k) for k, p in parameters.items() if k in values and p.kind is not p.KEYWORD_ONLY]
        _, error = result_of(lambda positional=positional, values=values: function(*positional, **values))
        assert error is None or isinstance(error, tg.TensorgradError), f"{odd!r}: bare {type(error).__name__}: {error}"


SQUARE = np.array([[4.0, 2.0], [2.0, 3.0]])
OF_FLAGS = {
    "upper": lambda flag: tg.linalg.cholesky(SQUARE, upper=flag),
    "full_matrices": lambda flag: tg.linalg.svd(SQUARE, flag),
    "left": lambda flag: tg.linalg.solve(SQUARE, SQUARE, left=flag),
    "hermitian": lambda flag: tg.linalg.matrix_rank(SQUARE, hermitian=flag),
    "keepdim": lambda flag: tg.linalg.vector_norm(SQUARE, keepdim=flag),
    "return_indices": lambda flag: F.adaptive_max_pool2d(IMAGE, 1, flag),
    "ceil_mode": lambda flag: F.lp_pool2d(IMAGE, 2, 2, None, flag),
    "align_corners": lambda flag: F.grid_sample(IMAGE, np.zeros((1, 1, 1, 2)), align_corners=flag),
    "antialias": lambda flag: F.interpolate(IMAGE, 2, mode="bilinear", antialias=flag),
    "log_target": lambda flag: F.kl_div(SQUARE, SQUARE, log_target=flag),
    "full": lambda flag: F.poisson_nll_loss(SQUARE, SQUARE, full=flag),
    "is_causal": lambda flag: F.scaled_dot_product_attention(IMAGE, IMAGE, IMAGE, is_causal=flag),
    "sparse": lambda flag: F.embedding([0, 1], SQUARE, sparse=flag),
}


@pytest.mark.parametrize("name", OF_FLAGS)
def test_a_flag_is_true_or_false(name):
    OF_FLAGS[name](np.bool_(False))
    for odd in (np.array([0, 1]), 1, "yes", object()):
        with pytest.raises(tg.ArgumentError, match=f"{name} must be True or False"):
            OF_FLAGS[name](odd)


def test_sizes_are_remembered_by_what_they_are():
    """(True, 1) equals (1, 1), and a tensor that was a stride may change."""
    x, w = tg.tensor(IMAGE), tg.ones(2, 2, 2, 2)
    assert tg.conv2d(x, w, stride=(1, 1)).shape == (1, 2, 2, 5)
    for bad in ((True, 1), (1.0, 1)):
        with pytest.raises(tg.DTypeError, match="whole numbers"):
            tg.conv2d(x, w, stride=bad)
    stride = tg.tensor(1)
    assert tg.conv2d(x, w, stride=stride).shape == (1, 2, 2, 5)
    stride[...] = 2
    assert tg.conv2d(x, w, stride=stride).shape == (1, 2, 1, 3)


def test_reflection_looks_at_the_axes_it_pads():
    assert nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")(tg.zeros(0, 1, 5, 5)).shape == (0, 2, 5, 5)
    assert F.pad(tg.zeros(0, 3), (1, 1), mode="circular").shape == (0, 5)
    with pytest.raises(tg.ShapeError, match="an axis of 0 elements"):
        F.pad(tg.zeros(1, 0, 3), (1, 1, 1, 0), mode="reflect")
    with pytest.raises(tg.ShapeError, match="2, 4 or 6 widths"):  # two axes of two: PyTorch refuses it too
        F.pad(tg.zeros(0, 3), (1, 1, 1, 0), mode="reflect")


def test_gradcheck_takes_one_tensor():
    x = tg.Tensor(np.array([0.5, 1.0]))
    assert tg.gradcheck(lambda x: x * x, x) and tg.gradcheck(lambda x: x * x, x.numpy())
    with pytest.raises(tg.GradientError):
        tg.gradcheck(lambda x: x * x.detach(), x)


def test_no_warning_is_an_answer():
    """Where NumPy warns, of integers divided by zero say, we raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (lambda: tg.tensor([1]) // 0, lambda: np.remainder(tg.tensor([1]), 0)):
            with pytest.raises(tg.ArgumentError):
                call()


# ---------------------------------------------------------------------------------------------------------------- sizes

HUGE = 10**15
TOO_LARGE = {
    "zeros": lambda big: tg.zeros(HUGE),
    "ones": lambda big: tg.ones(HUGE),
    "full": lambda big: tg.full(HUGE, 1.0),
    "eye": lambda big: tg.eye(10**9),
    "arange": lambda big: tg.arange(HUGE),
    "linspace": lambda big: tg.linspace(0, 1, HUGE),
    "rand": lambda big: tg.rand(HUGE),
    "randn": lambda big: tg.randn(HUGE),
    "randint": lambda big: tg.randint(0, 5, HUGE),
    "randperm": lambda big: tg.randperm(HUGE),
    "zeros_like": lambda big: tg.zeros_like(big),
    "ones_like": lambda big: tg.ones_like(big),
    "np.zeros_like": lambda big: np.zeros_like(big),
    "tensor": lambda big: tg.tensor(big),
    "tensor of an array": lambda big: tg.tensor(big.numpy()),
    "clone": lambda big: big.clone(),
    "astype": lambda big: big.astype("float64"),
    "tolist": lambda big: big.tolist(),
    "add": lambda big: big + 1,
    "cumsum": lambda big: big.cumsum(0),
    "stack": lambda big: tg.stack([big, big]),
    "concatenate": lambda big: tg.concatenate([big, big]),
    "a list": lambda big: tg.sum([big, big]),
    "einsum": lambda big: tg.einsum("i,j->ij", tg.ones(10**7), tg.ones(10**7)),
    "matmul": lambda big: tg.ones(10**7, 1) @ tg.ones(1, 10**7),
    "an index tensor": lambda big: tg.ones(3)[tg.zeros(1, dtype="int64").broadcast_to(HUGE)],
    "pad": lambda big: F.pad(tg.ones(2), (HUGE, HUGE)),
    "pad by repeats": lambda big: F.pad(tg.ones(2), (HUGE, HUGE), mode="replicate"),
    "one_hot": lambda big: tg.one_hot(tg.tensor([1]), HUGE),
    "one_hot by its labels": lambda big: tg.one_hot(tg.tensor([HUGE])),
    "conv2d": lambda big: tg.conv2d(tg.ones(1, 1, 3, 3), tg.ones(1, 1, 3, 3), padding=10**8),
    "Linear": lambda big: nn.Linear(10**8, 10**8),
    "Conv2d": lambda big: nn.Conv2d(10**7, 10**7, 9),
    "BatchNorm1d": lambda big: nn.BatchNorm1d(HUGE),
    "an initial value": lambda big: nn.init.normal_(big),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_sizes_that_no_memory_holds(name):
    big = tg.zeros(1).broadcast_to(HUGE)
    with pytest.raises(tg.OutOfMemoryError) as error:
        TOO_LARGE[name](big)
    assert isinstance(error.value, MemoryError) and isinstance(error.value, tg.ArgumentError)
    assert len(str(error.value).splitlines()) > 1, "an error restates the call"


def test_sizes_and_dtypes_that_a_random_tensor_cannot_have():
    for call in (lambda: tg.randperm(-1), lambda: tg.randint(0, 2, -1), lambda: tg.rand(-1), lambda: tg.randn(2, -1)):
        with pytest.raises(tg.ArgumentError):
            call()
    for dtype in ("int64", "uint8", "bool"):
        for maker in (tg.rand, tg.randn):  # fractions would be cut off, unsaid
            with pytest.raises(tg.DTypeError, match="randint"):
                maker(3, dtype=dtype)
    assert tg.randperm(0).shape == (0,) and tg.rand(3, dtype="float16").dtype == np.float16


def test_minus_two_is_no_size():
    for shape in ((-2,), (2, -3), (-1, -2)):
        with pytest.raises(tg.ShapeError, match="sizes must be ≥ 0"):
            tg.zeros(2, 3).reshape(shape)
